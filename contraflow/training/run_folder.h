#pragma once

#include <deque>
#include <filesystem>
#include <string>

#include "contraflow/core/export.h"
#include "contraflow/core/leftovers.h"

namespace contraflow {

/// What to do where a run folder already holds a run.
enum class RunMode { kNew, kResume, kOverwrite };

/// The folder of one training run:
///   config.toml             the resolved configuration
///   metrics.jsonl           one line per logged step
///   checkpoint.safetensors  the last state, with the best weights inside
///   lock                    held while a process trains here
///
/// A new run refuses a folder that holds one; nothing is touched then. Overwriting removes exactly
/// the files above. Two processes in one folder would interleave their metrics and replace each
/// other's checkpoints, so the folder is locked for as long as the object lives; the kernel drops
/// the lock of a killed process, which a lock file of its own could not promise.
///
/// What a new run has before its first checkpoint is worth nothing: remove_leftovers() removes it, the
/// folder too unless it was there before.
///
/// Throws     ConfigError (a run is there, or none is there to resume; held by another process);
///            IoError (the folder or a file cannot be written).
class CF_EXPORT RunFolder {
 public:
  /// `config_toml` is written for a new run; a resumed run keeps its own.
  RunFolder(std::filesystem::path path, RunMode mode, const std::string& config_toml);
  ~RunFolder();
  RunFolder(const RunFolder&) = delete;
  RunFolder& operator=(const RunFolder&) = delete;

  const std::filesystem::path& path() const { return path_; }
  std::filesystem::path config_path() const { return path_ / "config.toml"; }
  std::filesystem::path metrics_path() const { return path_ / "metrics.jsonl"; }
  std::filesystem::path checkpoint_path() const { return path_ / "checkpoint.safetensors"; }
  /// False for a run that was stopped before its first checkpoint; it starts again from step 0.
  bool has_checkpoint() const;

  static bool holds_run(const std::filesystem::path& path);
  /// ConfigError where it does: a new run needs a folder of its own.
  static void refuse_run(const std::filesystem::path& path);
  /// The resolved configuration of the run in `path`, as TOML text.
  static std::string read_config(const std::filesystem::path& path);

 private:
  void check_mode(RunMode mode) const;
  /// True unless it was there before.
  bool make_folder();
  void lock();
  void remove_leftovers();
  void remove_run();

  std::filesystem::path path_;
  int lock_ = -1;
  std::deque<Leftovers> unfinished_;  ///< Of a new run, each from before it was made.
};

}  // namespace contraflow
