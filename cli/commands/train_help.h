#pragma once

#include <CLI/CLI.hpp>
#include <string>
#include <vector>

namespace contraflow::cli {

/// The help of 'contraflow train' in pages: the first has what one needs first, the others a topic each
/// (data, model, training) with its options and the keys of a config.
void add_help_pages(CLI::App& app);

/// 'train --help data' is one flag to the parser. ConfigError: a page that there is not.
std::vector<std::string> with_help_page(std::vector<std::string> arguments);

}  // namespace contraflow::cli
