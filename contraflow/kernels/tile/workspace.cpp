#include "contraflow/kernels/tile/workspace.h"

#if defined(__linux__)
#include <sys/mman.h>
#endif

#include <array>
#include <memory>
#include <new>

#include "contraflow/kernels/tile/arena.h"

namespace contraflow::kernels {
namespace {

// Tiles walk through megabytes in rows of a few hundred bytes: with pages of 2 MB, where the system
// grants them, every row is found without a walk through the page table.
constexpr int64_t kHugePage = int64_t{2} << 20;

int64_t alignment_of(int64_t bytes) {
  return bytes >= kHugePage / 2 ? kHugePage : Arena::kAlignment;
}

void ask_for_huge_pages([[maybe_unused]] void* data, [[maybe_unused]] int64_t bytes) {
#if defined(__linux__) && defined(MADV_HUGEPAGE)
  // A wish: what the system answers changes nothing but the time.
  if (bytes >= kHugePage / 2) madvise(data, static_cast<size_t>(bytes), MADV_HUGEPAGE);
#endif
}

class Buffer {
 public:
  Buffer() = default;
  Buffer(const Buffer&) = delete;
  Buffer& operator=(const Buffer&) = delete;
  ~Buffer() { release(); }

  std::byte* at_least(int64_t bytes) {
    if (bytes > size_) {
      release();
      alignment_ = alignment_of(bytes);
      size_ = (bytes + alignment_ - 1) / alignment_ * alignment_;
      data_ = static_cast<std::byte*>(::operator new(static_cast<size_t>(size_), align()));
      ask_for_huge_pages(data_, size_);
    }
    return data_;
  }

 private:
  void release() {
    if (data_ == nullptr) return;
    ::operator delete(data_, align());
    data_ = nullptr;
    size_ = 0;
  }

  std::align_val_t align() const { return std::align_val_t{static_cast<size_t>(alignment_)}; }

  std::byte* data_ = nullptr;
  int64_t size_ = 0;
  int64_t alignment_ = Arena::kAlignment;
};

}  // namespace

std::byte* thread_workspace(Workspace kind, int64_t bytes) {
  thread_local std::array<Buffer, static_cast<size_t>(Workspace::kCount)> buffers;
  return buffers[static_cast<size_t>(kind)].at_least(bytes);
}

}  // namespace contraflow::kernels
