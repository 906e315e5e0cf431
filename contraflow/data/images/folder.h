#pragma once

#include <filesystem>
#include <functional>
#include <string>
#include <vector>

namespace contraflow::data::images {

/// Files directly in a folder whose names `wanted` takes, sorted by name with numbers in them as
/// numbers: data_batch_2 stands before data_batch_10. Of a file that is there plain and as .gz too,
/// the plain one. Names that start with a dot are passed over. IoError: the folder cannot be read.
std::vector<std::filesystem::path> files_in(
    const std::filesystem::path& folder,
    const std::function<bool(const std::filesystem::path&)>& wanted);

/// Folders directly in a folder, sorted likewise.
std::vector<std::filesystem::path> folders_in(const std::filesystem::path& folder);

/// Whether `folder` is one, and files_in() finds something. Cost: the names up to the first one.
bool has_file(const std::filesystem::path& folder,
              const std::function<bool(const std::filesystem::path&)>& wanted);

/// "a.png, b.png and 3 more", for messages: names without their folder.
std::string names_of(const std::vector<std::filesystem::path>& paths);

}  // namespace contraflow::data::images
