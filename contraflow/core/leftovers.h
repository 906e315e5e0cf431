#pragma once

#include <filesystem>
#include <vector>

#include "contraflow/core/export.h"

namespace contraflow {
namespace detail {
struct LeftoverPaths;
struct LeftoverSlot;
}  // namespace detail

/// Files and folders that are worth nothing when a signal ends the process: temporary files, a run
/// that has no checkpoint yet. The destructor only forgets them; whoever made them removes them in
/// the ordinary way.
///
/// Threads    any thread makes and destroys its own.
/// Example    const Leftovers temporary({"scores.csv.tmp"});
class CF_EXPORT Leftovers {
 public:
  /// A folder is removed after all files, and only if it is empty then. Nothing is removed where
  /// the file `unless` exists.
  explicit Leftovers(const std::vector<std::filesystem::path>& paths,
                     const std::filesystem::path& unless = {});
  ~Leftovers() { forget(); }
  Leftovers(const Leftovers&) = delete;
  Leftovers& operator=(const Leftovers&) = delete;

  void forget();

 private:
  detail::LeftoverPaths* paths_;
  detail::LeftoverSlot* slot_;
};

/// Removes what every living Leftovers names: the last act of a process that a signal ends. What is
/// removed once is forgotten. A process that was forked removes nothing of its parent's.
///
/// Threads    async-signal-safe: a signal handler may call it.
/// Example    void on_signal(int) { remove_leftovers();  ::_exit(1); }
CF_EXPORT void remove_leftovers() noexcept;

}  // namespace contraflow
