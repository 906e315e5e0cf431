#pragma once

#include <filesystem>

#include "contraflow/core/export.h"

namespace contraflow {

/// Takes away what a new run wrote before its first checkpoint, so that a run that could not begin
/// does not stand in the way of the next. Declare it after the run's RunFolder: it is destroyed
/// first then, while the folder is still locked.
class CF_EXPORT NewRunGuard {
 public:
  /// `existed`: the folder was there before the run, and stays. `is_new`: false does nothing.
  NewRunGuard(std::filesystem::path folder, bool existed, bool is_new);
  ~NewRunGuard();
  NewRunGuard(const NewRunGuard&) = delete;
  NewRunGuard& operator=(const NewRunGuard&) = delete;
  /// The run began: nothing is taken away.
  void keep() { active_ = false; }

 private:
  std::filesystem::path folder_;
  bool existed_;
  bool active_;
};

}  // namespace contraflow
