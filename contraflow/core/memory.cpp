#include "contraflow/core/memory.h"

#include <c10/util/Exception.h>

#if defined(__GLIBC__)
#include <malloc.h>
#endif

#include <algorithm>
#include <charconv>
#include <cstdlib>
#include <fstream>
#include <new>

#include "contraflow/core/text.h"

namespace contraflow {
namespace {

// LibTorch's allocator of the CPU has no exception of its own: its words tell.
constexpr const char* kCpuWords[] = {"can't allocate memory", "not enough memory"};

bool has_words_of_memory(std::string_view text) {
  return std::any_of(std::begin(kCpuWords), std::end(kCpuWords),
                     [&](const char* words) { return text.find(words) != std::string_view::npos; });
}

// "5.2 GiB" of "... you tried to allocate 5583457484 bytes ...", if it says so.
std::optional<std::string> size_in(std::string_view text) {
  constexpr std::string_view kBefore = "tried to allocate ";
  const size_t begin = text.find(kBefore);
  if (begin == std::string_view::npos) return std::nullopt;
  const char* first = text.data() + begin + kBefore.size();
  int64_t bytes = 0;
  const auto [end, error] = std::from_chars(first, text.data() + text.size(), bytes);
  const std::string_view rest(end, static_cast<size_t>(text.data() + text.size() - end));
  if (error != std::errc() || !rest.starts_with(" bytes")) return std::nullopt;
  return format_bytes(bytes);
}

std::string words_of(const std::exception& error) {
  const auto* torch = dynamic_cast<const c10::Error*>(&error);
  return torch != nullptr ? torch->what_without_backtrace() : error.what();
}

// The number that a line "name: 123 kB" of a file of the kernel has, in bytes.
std::optional<int64_t> kernel_number(const char* file, std::string_view name) {
  std::ifstream in(file);
  for (std::string line; std::getline(in, line);) {
    if (!line.starts_with(name)) continue;
    const size_t digit = line.find_first_of("0123456789");
    if (digit == std::string::npos) return std::nullopt;
    int64_t value = 0;
    std::from_chars(line.data() + digit, line.data() + line.size(), value);
    return line.ends_with("kB") ? value * 1024 : value;
  }
  return std::nullopt;
}

}  // namespace

bool is_out_of_memory(const std::exception& error) {
  if (dynamic_cast<const std::bad_alloc*>(&error) != nullptr) return true;
  if (dynamic_cast<const c10::OutOfMemoryError*>(&error) != nullptr) return true;
  return dynamic_cast<const c10::Error*>(&error) != nullptr && has_words_of_memory(words_of(error));
}

void with_memory(const MemoryUse& use, const std::function<void()>& work) {
  try {
    work();
  } catch (const Error&) {
    throw;
  } catch (const std::exception& error) {
    if (!is_out_of_memory(error)) throw;
    const auto size = size_in(words_of(error));
    fail<MemoryError>(use.where, "memory", "room for a batch of " + use.batch,
                      size ? "none for " + *size + " more" : "none", use.remedy);
  }
}

std::optional<int64_t> available_memory() {
  std::optional<int64_t> out = kernel_number("/proc/meminfo", "MemAvailable");
  const auto most = kernel_number("/sys/fs/cgroup/memory.max", "");
  const auto used = kernel_number("/sys/fs/cgroup/memory.current", "");
  const auto cached = kernel_number("/sys/fs/cgroup/memory.stat", "inactive_file");
  if (!most || !used) return out;
  const int64_t left = std::max<int64_t>(0, *most - *used + cached.value_or(0));
  return out ? std::min(*out, left) : left;
}

void keep_freed_memory() {
  ::setenv("THP_MEM_ALLOC_ENABLE", "1",
           /*overwrite=*/0);  // LibTorch reads it when it first allocates
#if defined(__GLIBC__)
  constexpr int kLargestOfHeap = 32 << 20;  // as much as glibc takes
  constexpr int kKept = 1 << 30;
  if (std::getenv("MALLOC_MMAP_THRESHOLD_") == nullptr) ::mallopt(M_MMAP_THRESHOLD, kLargestOfHeap);
  if (std::getenv("MALLOC_TRIM_THRESHOLD_") == nullptr) ::mallopt(M_TRIM_THRESHOLD, kKept);
#endif
}

}  // namespace contraflow
