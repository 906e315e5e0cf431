#include "contraflow/training/run_folder.h"

#include <fcntl.h>
#include <sys/file.h>
#include <unistd.h>

#include <array>
#include <cerrno>
#include <cstring>
#include <fstream>
#include <sstream>

#include "contraflow/core/error.h"
#include "contraflow/core/file.h"

namespace contraflow {
namespace {

constexpr const char* kRunFolder = "run folder";
constexpr std::array kRunFiles{"config.toml", "metrics.jsonl", "checkpoint.safetensors"};

}  // namespace

bool RunFolder::holds_run(const std::filesystem::path& path) {
  for (const char* name : kRunFiles) {
    if (std::filesystem::exists(path / name)) return true;
  }
  return false;
}

std::string RunFolder::read_config(const std::filesystem::path& path) {
  std::ifstream in(path / "config.toml", std::ios::binary);
  if (!in) {
    fail<IoError>(kRunFolder, path.string(), "a run with a config.toml", "none that can be read",
                  "Name the folder of a run, as given to --out.");
  }
  std::ostringstream text;
  text << in.rdbuf();
  return text.str();
}

RunFolder::RunFolder(std::filesystem::path path, RunMode mode, const std::string& config_toml)
    : path_(std::move(path)) {
  check_mode(mode);
  const bool is_new = mode == RunMode::kNew;
  // Before it is there: a signal in between would leave it. Of a folder that another process makes
  // at the same time only an empty one would go.
  if (is_new && !std::filesystem::exists(path_)) unfinished_.emplace_back(std::vector{path_});
  if (make_folder() && is_new)
    unfinished_.emplace_back(std::vector{path_ / "lock"}, /*unless=*/config_path());
  lock();
  try {
    remove_leftovers();
    if (mode == RunMode::kResume) return;
    check_mode(mode);  // again under the lock: another process may have begun a run just now
    remove_run();
    if (is_new) {
      unfinished_.emplace_back(std::vector{path_ / "lock", config_path(), metrics_path()},
                               /*unless=*/checkpoint_path());
    }
    atomic_write(config_path(), config_toml);
  } catch (...) {
    unfinished_.clear();
    ::close(lock_);
    throw;
  }
}

RunFolder::~RunFolder() {
  unfinished_.clear();  // while the folder is nobody else's
  ::close(lock_);       // which drops the lock
}

bool RunFolder::make_folder() {
  std::error_code error;
  const bool made = std::filesystem::create_directories(path_, error);
  if (!error && std::filesystem::is_directory(path_)) return made;
  fail<IoError>(kRunFolder, path_.string(), "a folder that can be made",
                error ? error.message() : "a file", "Choose another folder.");
}

void RunFolder::refuse_run(const std::filesystem::path& path) {
  if (!holds_run(path)) return;
  fail<ConfigError>(kRunFolder, path.string(), "a folder without a run", "one that holds a run",
                    "Continue it with --resume, replace it with --overwrite, or choose another "
                    "folder with --out.");
}

bool RunFolder::has_checkpoint() const { return std::filesystem::exists(checkpoint_path()); }

void RunFolder::check_mode(RunMode mode) const {
  if (mode == RunMode::kNew) refuse_run(path_);
  if (mode == RunMode::kResume && !std::filesystem::exists(config_path())) {
    fail<ConfigError>(kRunFolder, path_.string(), "a folder with a run to resume",
                      "no config.toml there", "Start the run without --resume.");
  }
}

void RunFolder::lock() {
  const std::filesystem::path file = path_ / "lock";
  lock_ = ::open(file.c_str(), O_RDWR | O_CREAT | O_CLOEXEC, 0644);
  if (lock_ < 0) {
    fail<IoError>(kRunFolder, file.string(), "a file that can be written", std::strerror(errno),
                  "Check the permissions of the folder.");
  }
  if (::flock(lock_, LOCK_EX | LOCK_NB) == 0) return;
  const int reason = errno;
  ::close(lock_);
  if (reason != EWOULDBLOCK) {
    fail<IoError>(kRunFolder, file.string(), "a file system with locks", std::strerror(reason),
                  "Choose a folder on a local disk.");
  }
  fail<ConfigError>(kRunFolder, path_.string(), "a folder in which no other process trains",
                    "one that is locked", "Wait for the other process or choose another folder.");
}

// Temporary files of a process that was killed while it wrote; the lock says that none is writing
// now.
void RunFolder::remove_leftovers() {
  for (const auto& entry : std::filesystem::directory_iterator(path_)) {
    const std::string name = entry.path().filename().string();
    for (const char* file : kRunFiles) {
      if (name.starts_with(std::string(file) + ".") && name.ends_with(".tmp")) {
        std::filesystem::remove(entry.path());
      }
    }
  }
}

// The checkpoint goes first: what a kill in between leaves is a run without checkpoint, not a
// checkpoint beside the configuration or metrics of another run.
void RunFolder::remove_run() {
  std::filesystem::remove(checkpoint_path());
  std::filesystem::remove(metrics_path());
  std::filesystem::remove(config_path());
}

}  // namespace contraflow
