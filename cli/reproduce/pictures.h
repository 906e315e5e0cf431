#pragma once

#include <filesystem>
#include <nlohmann/json.hpp>
#include <string>
#include <vector>

#include "cli/reproduce/row.h"

namespace contraflow::cli {

/// Pictures of a whole table, drawn from its finished rows, in `folder`. Returns their names
/// relative to the parent of the folder.
///
/// sheet.png          density maps: data down, models across. Left as it is where the checkpoint of
///                    a row is not in `runs`.
/// <row>.png          rows of images: data and samples. Left as it is where the row is not in `runs`.
/// objectives.png     bias rows: what each objective claims, and what is true, over the steps.
/// fit-<target>.png   regression rows: the target and every fitted curve.
std::vector<std::string> draw_table_pictures(const Table& table,
                                             const std::vector<nlohmann::ordered_json>& rows,
                                             const std::filesystem::path& runs,
                                             const std::filesystem::path& folder);

}  // namespace contraflow::cli
