#include "contraflow/core/leftovers.h"

#include <unistd.h>

#include <atomic>
#include <string>

namespace contraflow {
namespace detail {

/// What one Leftovers names. A handler reads it: no member but `next` changes once it is published.
struct LeftoverPaths {
  std::vector<std::string> remove;
  std::string unless;
  pid_t owner = 0;
  LeftoverPaths* next = nullptr;  ///< Of those that a handler took.
};

/// A place in a list that only grows, so that a handler can walk it at any moment. Whoever takes
/// the pointer out of a slot owns it: the handler or the destructor, never both.
struct LeftoverSlot {
  std::atomic<LeftoverPaths*> paths = nullptr;
  LeftoverSlot* next = nullptr;
};

}  // namespace detail
namespace {

using Paths = detail::LeftoverPaths;
using Slot = detail::LeftoverSlot;

std::atomic<Slot*> slots = nullptr;
static_assert(std::atomic<Slot*>::is_always_lock_free, "a signal handler takes no lock");

Slot* publish(Paths* paths) {
  for (Slot* slot = slots.load(); slot != nullptr; slot = slot->next) {
    Paths* free = nullptr;
    if (slot->paths.compare_exchange_strong(free, paths)) return slot;
  }
  auto* slot = new Slot;  // never freed: a handler may be on its way through the list
  slot->paths = paths;
  slot->next = slots.load();
  while (!slots.compare_exchange_weak(slot->next, slot)) {
  }
  return slot;
}

// Only calls that POSIX lists as async-signal-safe, here and below.
bool is_kept(const Paths& paths) noexcept {
  return paths.owner != ::getpid() ||
         (!paths.unless.empty() && ::access(paths.unless.c_str(), F_OK) == 0);
}

}  // namespace

Leftovers::Leftovers(const std::vector<std::filesystem::path>& paths,
                     const std::filesystem::path& unless)
    : paths_(new Paths{.remove = {}, .unless = unless.string(), .owner = ::getpid()}) {
  for (const auto& path : paths) paths_->remove.push_back(path.string());
  slot_ = publish(paths_);
}

void Leftovers::forget() {
  Paths* mine = paths_;
  if (mine != nullptr && slot_->paths.compare_exchange_strong(mine, nullptr)) delete paths_;
  paths_ = nullptr;
}

void remove_leftovers() noexcept {
  Paths* taken = nullptr;
  for (Slot* slot = slots.load(); slot != nullptr; slot = slot->next) {
    // Not freed: that takes a lock, which the interrupted thread may hold.
    Paths* paths = slot->paths.exchange(nullptr);
    if (paths == nullptr || is_kept(*paths)) continue;
    for (const std::string& path : paths->remove) ::unlink(path.c_str());
    paths->next = taken;
    taken = paths;
  }
  // Folders are empty only after every file has gone, those of other Leftovers too.
  for (; taken != nullptr; taken = taken->next) {
    for (const std::string& path : taken->remove) ::rmdir(path.c_str());
  }
}

}  // namespace contraflow
