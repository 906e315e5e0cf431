#include "contraflow/runs/new_run_guard.h"

#include <system_error>
#include <utility>

namespace contraflow {

namespace fs = std::filesystem;

NewRunGuard::NewRunGuard(fs::path folder, bool existed, bool is_new)
    : folder_(std::move(folder)), existed_(existed), active_(is_new) {}

NewRunGuard::~NewRunGuard() {
  std::error_code ignored;
  if (!active_ || fs::exists(folder_ / "checkpoint.safetensors", ignored)) return;
  for (const char* name : {"config.toml", "metrics.jsonl", "lock"}) {
    fs::remove(folder_ / name, ignored);
  }
  if (!existed_) fs::remove(folder_, ignored);  // only if it is empty
}

}  // namespace contraflow
