#include "contraflow/data/augment.h"

#include <ATen/ATen.h>

#include <utility>

#include "contraflow/core/error.h"

namespace contraflow::data {
namespace {

class Augmented final : public Source {
 public:
  Augmented(SourcePtr source, Augmentation change, const Rng& rng)
      : source_(std::move(source)), change_(std::move(change)), rng_(rng) {}

  std::optional<int64_t> size() const override { return source_->size(); }
  std::vector<int64_t> event_shape() const override { return source_->event_shape(); }
  std::string name() const override { return source_->name(); }

 private:
  int64_t do_batch_rows(int64_t batch_size) const override {
    return source_->batch_rows(batch_size);
  }
  Batch do_batch(int64_t step, int64_t batch_size, int64_t begin, int64_t end) const override {
    const Batch batch = source_->batch(step, batch_size, begin, end);
    Batch out = change_(batch, rng_.rows_from(batch.first_row));
    if (!out.x.defined() || out.x.sizes() != batch.x.sizes()) {
      fail<ShapeError>("augment", name(), c10::str("a batch of ", batch.x.sizes()),
                       out.x.defined() ? c10::str(out.x.sizes()) : "no tensor",
                       "Return the rows of the batch, each with its event's shape.");
    }
    out.first_row = batch.first_row;
    return out;
  }
  Batch do_rows(int64_t begin, int64_t end) const override { return source_->rows(begin, end); }

  SourcePtr source_;
  Augmentation change_;
  Rng rng_;
};

}  // namespace

SourcePtr augment(SourcePtr source, Augmentation change, const Rng& rng) {
  return std::make_shared<Augmented>(std::move(source), std::move(change), rng);
}

}  // namespace contraflow::data
