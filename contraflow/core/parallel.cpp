#include "contraflow/core/parallel.h"

#include <ATen/Parallel.h>
#include <c10/util/StringUtil.h>
#include <pthread.h>
#include <sched.h>
#include <time.h>

#ifdef _OPENMP
#include <omp.h>
#endif

#include <algorithm>
#include <atomic>
#include <chrono>
#include <exception>
#include <thread>
#include <utility>
#include <vector>

#include "contraflow/core/log.h"
#include "contraflow/core/thread_choice.h"

// MKL's, where LibTorch has it: the calling thread's number of threads. Returns the one before.
extern "C" int MKL_Set_Num_Threads_Local(int threads) __attribute__((weak));

namespace contraflow {
namespace {

using Range = std::function<void(int64_t begin, int64_t end)>;

double seconds() {
  const auto now = std::chrono::steady_clock::now().time_since_epoch();
  return std::chrono::duration<double>(now).count();
}

double processor_seconds() {
  timespec time{};
  clock_gettime(CLOCK_THREAD_CPUTIME_ID, &time);
  return static_cast<double>(time.tv_sec) + 1e-9 * static_cast<double>(time.tv_nsec);
}

// Adds the processor time that this thread spends in a scope.
class ProcessorTime {
 public:
  explicit ProcessorTime(std::atomic<double>& total) : total_(total), begin_(processor_seconds()) {}
  ~ProcessorTime() { total_ += processor_seconds() - begin_; }
  ProcessorTime(const ProcessorTime&) = delete;
  ProcessorTime& operator=(const ProcessorTime&) = delete;

 private:
  std::atomic<double>& total_;
  double begin_;
};

// A child process has none of its parent's threads, and OpenMP would wait for them for ever. A
// child whose parent had started threads does everything on the calling thread.
std::atomic<bool> g_started{false};  // this process has started threads
std::atomic<bool> g_orphan{false};   // the parent had

void watch_forks() {
  static const int registered = pthread_atfork(nullptr, nullptr, [] {
    if (g_started) g_orphan = true;
  });
  static_cast<void>(registered);
  g_started = true;
}

// Whether this thread is in a region that OpenMP does not know of.
thread_local bool t_inside = false;

bool within_region() { return t_inside || at::in_parallel_region(); }

// A region that the caller runs alone. Functions of LibTorch run on one thread in it, as they do in
// a shared region: the bits of their products depend on their number of threads.
class AloneScope {
 public:
  AloneScope() {
    t_inside = true;
#ifdef _OPENMP
    omp_set_num_threads(1);
    if (MKL_Set_Num_Threads_Local != nullptr) mkl_threads_ = MKL_Set_Num_Threads_Local(1);
#endif
  }
  ~AloneScope() {
    t_inside = false;
#ifdef _OPENMP
    omp_set_num_threads(threads_);
    if (MKL_Set_Num_Threads_Local != nullptr) MKL_Set_Num_Threads_Local(mkl_threads_);
#endif
  }
  AloneScope(const AloneScope&) = delete;
  AloneScope& operator=(const AloneScope&) = delete;

 private:
  int threads_ = at::get_num_threads();
  int mkl_threads_ = 0;
};

#ifdef CF_PLAIN_THREADS

// The thread sanitizer sees these threads, not OpenMP's.
void on_threads(int64_t begin, int64_t end, int64_t grain, const Range& body) {
  const int64_t count = std::clamp<int64_t>((end - begin) / grain, 1, at::get_num_threads());
  std::vector<std::exception_ptr> errors(static_cast<size_t>(count));
  const auto part = [&](int64_t k) {
    t_inside = true;
    try {
      body(begin + k * (end - begin) / count, begin + (k + 1) * (end - begin) / count);
    } catch (...) {
      errors[static_cast<size_t>(k)] = std::current_exception();
    }
    t_inside = false;
  };
  std::vector<std::thread> threads;
  for (int64_t k = 1; k < count; ++k) threads.emplace_back(part, k);
  part(0);
  for (std::thread& thread : threads) thread.join();
  for (const std::exception_ptr& error : errors) {
    if (error) std::rethrow_exception(error);
  }
}

#else

void on_threads(int64_t begin, int64_t end, int64_t grain, const Range& body) {
  at::parallel_for(begin, end, grain, body);
}

#endif

bool may_share() {
  return parallel_for_has_threads() && at::get_num_threads() > 1 && !g_orphan && !within_region();
}

// Runs a region as the caller's ThreadChoice says. `alone(deadline)` does the work on this thread
// and returns whether it came to the end before the deadline. `shared(processor)` does the rest on
// all threads, and adds their processor time where the pointer is not null.
template <class Alone, class Shared>
void run_region(const Alone& alone, const Shared& shared) {
  watch_forks();
  const double start = seconds();
  ThreadChoice& choice = thread_choice();
  const ThreadChoice::Plan plan = choice.next(start);
  std::atomic<double> processor{0};
  bool done = false;
  if (plan.alone) {
    const AloneScope scope;
    const ProcessorTime time(processor);
    done = alone(start + ThreadChoice::kLongRegion);
  }
  if (!done) shared(plan.measure ? &processor : nullptr);
  if (!plan.measure) return;
  const double end = seconds();
  choice.report(end, end - start, processor);
}

template <class Body>
void timed(std::atomic<double>* processor, const Body& body) {
  if (processor == nullptr) return body();
  const ProcessorTime time(*processor);
  body();
}

}  // namespace

ThreadChoice& thread_choice() {
  thread_local ThreadChoice choice;
  return choice;
}

int cores() {
  cpu_set_t set;
  if (sched_getaffinity(0, sizeof(set), &set) == 0) return CPU_COUNT(&set);
  return static_cast<int>(std::thread::hardware_concurrency());
}

void parallel_for(int64_t begin, int64_t end, int64_t grain, const Range& body) {
  if (begin >= end) return;
  if (end - begin <= grain || !may_share()) return body(begin, end);
  int64_t next = begin;
  const auto alone = [&](double deadline) {
    const int64_t piece = std::max(grain, (end - begin + 15) / 16);
    while (next < end && seconds() < deadline) {
      const int64_t first = next;
      next = end - first < 2 * piece ? end : first + piece;
      body(first, next);
    }
    return next == end;
  };
  run_region(alone, [&](std::atomic<double>* processor) {
    on_threads(next, end, grain,
               [&](int64_t first, int64_t last) { timed(processor, [&] { body(first, last); }); });
  });
}

void parallel_items(int64_t count, const std::function<void(int64_t index)>& body) {
  std::atomic<int64_t> next{0};
  const auto alone = [&](double deadline) {
    while (next < count && seconds() < deadline) body(next++);
    return next >= count;
  };
  if (count < 2 || !may_share()) {
    for (int64_t i = 0; i < count; ++i) body(i);
    return;
  }
  run_region(alone, [&](std::atomic<double>* processor) {
    // Which range a thread was given does not matter; that there is one for each thread does.
    on_threads(0, count, 1, [&](int64_t /*begin*/, int64_t /*end*/) {
      timed(processor, [&] {
        for (int64_t i = next++; i < count; i = next++) body(i);
      });
    });
  });
}

bool parallel_for_has_threads() {
#if defined(_OPENMP) || defined(CF_PLAIN_THREADS)
  return true;
#else
  return false;
#endif
}

void set_threads(const char* where, int64_t threads) {
  if (threads > 0) at::set_num_threads(static_cast<int>(threads));
  static std::atomic<int> warned{0};  // each number once
  const int chosen = at::get_num_threads(), most = cores();
  if (most == 0 || chosen <= most || warned.exchange(chosen) == chosen) return;
  log(LogLevel::kWarning,
      c10::str("[", where, "] threads: expected at most ", most,
               ", the cores that this process may use, got ", chosen,
               ". Threads that share a core wait for each other; use threads = ", most, "."));
}

}  // namespace contraflow
