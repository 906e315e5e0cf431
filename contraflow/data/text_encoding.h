#pragma once

#include <string>
#include <string_view>

namespace contraflow::data {

/// `text` is UTF-8 throughout; with `may_be_cut` its last character may lack bytes.
bool is_utf8(std::string_view text, bool may_be_cut = false);

/// `text`, which is Latin-1 (ISO 8859-1) or its superset Windows-1252, as UTF-8.
std::string latin1_to_utf8(std::string_view text);

}  // namespace contraflow::data
