#pragma once

#include <cstdint>
#include <exception>
#include <functional>
#include <optional>
#include <string>

#include "contraflow/core/error.h"
#include "contraflow/core/export.h"

namespace contraflow {

/// Memory that was asked for and is not there.
class CF_EXPORT MemoryError final : public Error {
  using Error::Error;
};

/// What was computed when memory ran out, for a message that says what to change.
struct MemoryUse {
  std::string where;   ///< For messages.
  std::string batch;   ///< "71 images [3, 32, 32]"
  std::string remedy;  ///< A sentence that names the option to lower.
};

/// Whether `error` is an allocation that failed: std::bad_alloc, or LibTorch's on any device.
CF_EXPORT bool is_out_of_memory(const std::exception& error);

/// Runs `work`; an allocation that fails in it becomes a MemoryError with the batch, the size that was
/// asked for where it is known, and the remedy. Other exceptions pass.
///
/// Example    with_memory({"evaluate", "71 images [3, 32, 32]", "Lower --batch."}, [&] {...});
CF_EXPORT void with_memory(const MemoryUse& use, const std::function<void()>& work);

/// Bytes that this process may still ask for, as the system tells: free and reclaimable memory, within the
/// limit of its control group. Unset where the system tells nothing.
CF_EXPORT std::optional<int64_t> available_memory();

/// For programs, not for libraries: memory that was freed stays with the process (up to 1 GiB at the end of
/// its heap), and large tensors lie on large pages where the system has them. A step that frees and asks for
/// the same hundred megabytes then does not wait for the system to clear them each time.
///
/// State      of the whole process; call it first in main(). Variables of the environment that are set by
///            the user stand: THP_MEM_ALLOC_ENABLE, MALLOC_TRIM_THRESHOLD_, MALLOC_MMAP_THRESHOLD_.
/// Cost       a step of a block of convolutions took 18 % less processor time (docs/performance.md).
CF_EXPORT void keep_freed_memory();

}  // namespace contraflow
