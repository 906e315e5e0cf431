#include "contraflow/training/collective.h"

#include <ATen/ATen.h>

#include "contraflow/core/error.h"
#include "contraflow/training/state.h"

namespace contraflow {
namespace {

// All rows of what each rank has a share of, in float64 on the device of the share.
at::Tensor gathered(const at::Tensor& part, const RowShare& share, Collective& collective) {
  at::Tensor all = at::zeros({share.rows}, part.options().dtype(at::kDouble));
  all.narrow(0, share.begin, share.size()).copy_(part);
  collective.all_reduce_sum(all);
  return all;
}

}  // namespace

RowShare share_of(int64_t rows, const Collective* collective) {
  if (collective == nullptr) return {0, rows, rows};
  const int64_t rank = collective->rank(), size = collective->size();
  if (rows < size) {
    fail<ConfigError>("training", "rows", c10::str("at least one for each of ", size, " ranks"),
                      std::to_string(rows), "Raise batch_size and validation_rows.");
  }
  return {rows * rank / size, rows * (rank + 1) / size, rows};
}

at::Tensor mean_part(const at::Tensor& values, const RowShare& share) {
  const at::Tensor mean = values.mean();
  if (share.is_all()) return mean;
  return mean * (static_cast<double>(share.size()) / static_cast<double>(share.rows));
}

Estimate mean_loss(const RowLosses& losses, Collective* collective) {
  if (collective == nullptr) return weighted_mean(losses.loss, losses.weight);
  const at::Tensor loss = gathered(losses.loss, losses.share, *collective);
  if (!losses.weight.defined()) return weighted_mean(loss, {});
  return weighted_mean(loss, gathered(losses.weight, losses.share, *collective));
}

void broadcast_state(const torch::nn::Module& module, Collective* collective) {
  if (collective == nullptr) return;
  const at::NoGradGuard no_grad;
  for (const auto& [name, tensor] : state_of(module)) collective->broadcast(tensor);
}

bool any_rank(bool value, Collective* collective) {
  if (collective == nullptr) return value;
  const at::Tensor count = at::full({1}, value ? 1.0 : 0.0, at::kDouble);
  collective->all_reduce_sum(count);
  return count.item<double>() > 0.0;
}

}  // namespace contraflow
