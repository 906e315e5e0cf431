#include "contraflow/data/shard.h"

#include <utility>

#include "contraflow/core/error.h"

namespace contraflow::data {
namespace {

class Shard final : public Source {
 public:
  Shard(SourcePtr source, int64_t rank, int64_t ranks)
      : source_(std::move(source)), rank_(rank), ranks_(ranks) {}

  std::optional<int64_t> size() const override { return source_->size(); }
  std::vector<int64_t> event_shape() const override { return source_->event_shape(); }
  std::string name() const override { return source_->name(); }

 private:
  int64_t first(int64_t batch_size, int64_t rank) const {
    return source_->batch_rows(batch_size) * rank / ranks_;
  }
  int64_t do_batch_rows(int64_t batch_size) const override {
    return first(batch_size, rank_ + 1) - first(batch_size, rank_);
  }
  Batch do_batch(int64_t step, int64_t batch_size, int64_t begin, int64_t end) const override {
    const int64_t offset = first(batch_size, rank_);
    return source_->batch(step, batch_size, offset + begin, offset + end);
  }
  Batch do_rows(int64_t begin, int64_t end) const override { return source_->rows(begin, end); }

  SourcePtr source_;
  int64_t rank_;
  int64_t ranks_;
};

}  // namespace

SourcePtr shard(SourcePtr source, int64_t rank, int64_t ranks) {
  if (ranks < 1 || rank < 0 || rank >= ranks) {
    fail<ConfigError>("shard", "rank", "0 <= rank < ranks",
                      std::to_string(rank) + " of " + std::to_string(ranks),
                      "Count the ranks from 0.");
  }
  return std::make_shared<Shard>(std::move(source), rank, ranks);
}

}  // namespace contraflow::data
