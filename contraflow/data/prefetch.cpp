#include "contraflow/data/prefetch.h"

#include <ATen/Parallel.h>

#include <condition_variable>
#include <deque>
#include <exception>
#include <mutex>
#include <thread>
#include <utility>

#include "contraflow/core/error.h"

// OpenMP's, where LibTorch has it: the number of threads of what the calling thread does in parallel.
extern "C" void omp_set_num_threads(int threads) __attribute__((weak));

namespace contraflow::data {
namespace {

// The caller's work has the cores; this thread must not start a crew of its own.
void use_one_thread_here() {
  at::get_num_threads();  // LibTorch sets the number on the first use: now, not later
  if (omp_set_num_threads != nullptr) omp_set_num_threads(1);
}

// Arguments of one batch().
struct Request {
  int64_t step = 0, batch_size = 0, begin = 0, end = 0;
  Request later(int64_t steps) const { return {step + steps, batch_size, begin, end}; }
  bool operator==(const Request&) const = default;
};

struct Item {
  Batch batch;
  std::exception_ptr error;
};

class Prefetch final : public Source {
 public:
  Prefetch(SourcePtr source, int64_t ahead)
      : source_(std::move(source)), ahead_(ahead), thread_([this] { read_ahead(); }) {}

  ~Prefetch() override {
    {
      const std::lock_guard lock(mutex_);
      stopping_ = true;
    }
    wake_reader_.notify_all();
    thread_.join();
  }
  Prefetch(const Prefetch&) = delete;
  Prefetch& operator=(const Prefetch&) = delete;

  std::optional<int64_t> size() const override { return source_->size(); }
  std::vector<int64_t> event_shape() const override { return source_->event_shape(); }
  std::string name() const override { return source_->name(); }

 private:
  int64_t do_batch_rows(int64_t batch_size) const override {
    return source_->batch_rows(batch_size);
  }
  Batch do_rows(int64_t begin, int64_t end) const override { return source_->rows(begin, end); }
  Batch do_batch(int64_t step, int64_t batch_size, int64_t begin, int64_t end) const override;

  void restart(const Request& request) const;
  std::optional<Item> take(std::unique_lock<std::mutex>& lock) const;
  Item read(const Request& request) const;
  void read_ahead();

  SourcePtr source_;
  int64_t ahead_;
  mutable std::mutex mutex_;
  mutable std::condition_variable wake_reader_, wake_caller_;
  // ready_[k] is the batch of next_.later(k). A restart drops what is there; a batch that was being
  // read meanwhile carries an older run and is dropped too.
  mutable Request next_;
  mutable std::deque<Item> ready_;
  mutable int64_t run_ = 0;
  mutable bool reading_ = false;  // there is a run, and no step of it has failed
  bool stopping_ = false;
  std::thread thread_;  // last: it uses the others
};

Batch Prefetch::do_batch(int64_t step, int64_t batch_size, int64_t begin, int64_t end) const {
  const Request request{step, batch_size, begin, end};
  std::optional<Item> item;
  {
    std::unique_lock lock(mutex_);
    const bool expected = (reading_ || !ready_.empty()) && request == next_;
    if (!expected) restart(request);
    item = take(lock);
  }
  // Another caller restarted meanwhile: this one reads for itself.
  if (!item) return source_->batch(step, batch_size, begin, end);
  if (item->error) std::rethrow_exception(item->error);
  return std::move(item->batch);
}

void Prefetch::restart(const Request& request) const {
  next_ = request;
  ready_.clear();
  ++run_;
  reading_ = true;
  wake_reader_.notify_one();
  wake_caller_.notify_all();
}

// The batch of next_; none if another caller restarts before it is there.
std::optional<Item> Prefetch::take(std::unique_lock<std::mutex>& lock) const {
  const int64_t run = run_;
  const Request wanted = next_;
  wake_caller_.wait(lock, [&] { return run_ != run || next_ != wanted || !ready_.empty(); });
  if (run_ != run || next_ != wanted) return std::nullopt;
  Item item = std::move(ready_.front());
  ready_.pop_front();
  next_ = next_.later(1);
  wake_reader_.notify_one();
  wake_caller_.notify_all();
  return item;
}

Item Prefetch::read(const Request& request) const {
  try {
    return {source_->batch(request.step, request.batch_size, request.begin, request.end), nullptr};
  } catch (...) {
    return {{}, std::current_exception()};
  }
}

void Prefetch::read_ahead() {
  use_one_thread_here();
  std::unique_lock lock(mutex_);
  while (true) {
    wake_reader_.wait(lock,
                      [this] { return stopping_ || (reading_ && std::ssize(ready_) < ahead_); });
    if (stopping_) return;
    const int64_t run = run_;
    const Request request = next_.later(std::ssize(ready_));
    lock.unlock();
    Item item = read(request);
    lock.lock();
    if (run != run_) continue;
    if (item.error) reading_ = false;
    ready_.push_back(std::move(item));
    wake_caller_.notify_all();
  }
}

}  // namespace

SourcePtr prefetch(SourcePtr source, int64_t ahead) {
  if (ahead < 1) {
    fail<ConfigError>("prefetch", "ahead", ">= 1", std::to_string(ahead),
                      "Read at least one batch ahead.");
  }
  return std::make_shared<Prefetch>(std::move(source), ahead);
}

}  // namespace contraflow::data
