#pragma once

#include <nlohmann/json.hpp>

namespace contraflow::cli {

/// What a time was measured on: {"cpu", "cores", "threads"}; threads are LibTorch's.
nlohmann::ordered_json machine_json();

}  // namespace contraflow::cli
