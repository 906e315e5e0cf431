#include "contraflow/kernels/tile/workspace.h"

#include <array>
#include <memory>
#include <new>

#include "contraflow/kernels/tile/arena.h"

namespace contraflow::kernels {
namespace {

class Buffer {
 public:
  Buffer() = default;
  Buffer(const Buffer&) = delete;
  Buffer& operator=(const Buffer&) = delete;
  ~Buffer() { release(); }

  std::byte* at_least(int64_t bytes) {
    if (bytes > size_) {
      release();
      data_ = static_cast<std::byte*>(
          ::operator new (static_cast<size_t>(bytes), std::align_val_t{Arena::kAlignment}));
      size_ = bytes;
    }
    return data_;
  }

 private:
  void release() {
    if (data_ == nullptr) return;
    ::operator delete (data_, std::align_val_t{Arena::kAlignment});
    data_ = nullptr;
    size_ = 0;
  }

  std::byte* data_ = nullptr;
  int64_t size_ = 0;
};

}  // namespace

std::byte* thread_workspace(Workspace kind, int64_t bytes) {
  thread_local std::array<Buffer, static_cast<size_t>(Workspace::kCount)> buffers;
  return buffers[static_cast<size_t>(kind)].at_least(bytes);
}

}  // namespace contraflow::kernels
