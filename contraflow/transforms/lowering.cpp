#include "contraflow/transforms/lowering.h"

#include <ATen/ATen.h>
#include <ATen/core/grad_mode.h>
#include <torch/csrc/autograd/autograd.h>
#include <torch/csrc/autograd/custom_function.h>

#include <algorithm>
#include <cmath>

#include "contraflow/core/error.h"
#include "contraflow/core/parallel.h"
#include "contraflow/kernels/float32_program.h"
#include "contraflow/kernels/isa.h"
#include "contraflow/kernels/tile/call.h"
#include "contraflow/transforms/block_relation.h"
#include "contraflow/transforms/lowering_cuda.h"

namespace contraflow {
namespace {

using torch::autograd::AutogradContext;
using torch::autograd::variable_list;

constexpr int64_t kMostFeatures = 1024;

// The kernels' numbers of one run, for backward.
struct Saved {
  at::Tensor points;      // [steps, B, D]
  at::Tensor probe_sums;  // [n]
};

int64_t probe_sum_size(const TileLowering& lowering) {
  int64_t rows = 0;
  for (const kernels::TileStep& step : lowering.program.steps) {
    const auto* block = std::get_if<kernels::TileBlock>(&step);
    if (block != nullptr && !block->exact) rows += block->series.probe_count;
  }
  return rows * lowering.batch * lowering.program.dim;
}

void require_solved(const char* where, const TileLowering& lowering,
                    const kernels::TileSolveStatus& status) {
  if (status.row < 0) return;
  double tolerance = 0.0;
  for (const kernels::TileStep& step : lowering.program.steps) {
    if (const auto* block = std::get_if<kernels::TileBlock>(&step))
      tolerance = std::max(tolerance, block->tolerance);
  }
  const std::string got =
      status.diverged ? std::string("divergence") : c10::str("a bound of ", status.bound);
  fail<ConvergenceError>(
      where, "solve", c10::str("an error of at most ", tolerance, " in every row"),
      c10::str(got, " in row ", status.row, " after ", status.iterations, " evaluations"),
      "Raise the tolerance or solver.max_iterations, lower the Lipschitz bound, "
      "or compute in float64.");
}

template <class T>
T* data_or_null(const at::Tensor& t) {
  return t.defined() ? t.data_ptr<T>() : nullptr;
}

// The points of all steps as float32 finds them, in float64: where its solves all end well, else
// undefined. A float64 solve that starts there takes a step or two instead of all of them.
at::Tensor float32_points(const TileLowering& lowering, const at::Tensor& rows) {
  const kernels::Float32Program program(lowering.program, lowering.batch);
  const auto steps = static_cast<int64_t>(lowering.program.steps.size());
  const at::Tensor x = rows.to(at::kFloat);
  const at::Tensor points = at::empty({steps, lowering.batch, lowering.program.dim}, x.options());
  kernels::TileCall<float> call;
  call.program = &program.get();
  call.batch = lowering.batch;
  call.x = x.const_data_ptr<float>();
  call.points = points.data_ptr<float>();
  kernels::run_tiles(call);
  return call.status.row < 0 ? points.to(at::kDouble) : at::Tensor();
}

TransformOutput forward(const TileLowering& lowering, const at::Tensor& x, bool wants_log_det,
                        Saved* saved) {
  const at::Tensor rows = x.detach().contiguous();
  TransformOutput out;
  out.value = at::empty_like(rows);
  if (wants_log_det) out.log_det = at::empty({lowering.batch}, lowering.options);
  if (lowering.solves) out.solve_error_bound = at::empty({lowering.batch}, lowering.options);
  if (lowering.biased && wants_log_det)
    out.log_det_bias_bound = at::empty({lowering.batch}, lowering.options);
  if (saved != nullptr) {
    const auto steps = static_cast<int64_t>(lowering.program.steps.size());
    saved->points = at::empty({steps, lowering.batch, lowering.program.dim}, lowering.options);
    if (const int64_t size = probe_sum_size(lowering); size > 0)
      saved->probe_sums = at::empty({size}, lowering.options);
  }
  at::Tensor start;
  if (lowering.solves && rows.is_cpu() && rows.scalar_type() == at::kDouble)
    start = float32_points(lowering, rows);
  AT_DISPATCH_FLOATING_TYPES(rows.scalar_type(), "run_lowered", [&] {
    kernels::TileCall<scalar_t> call;
    call.start = start.defined() ? start.const_data_ptr<scalar_t>() : nullptr;
    call.program = &lowering.program;
    call.batch = lowering.batch;
    call.x = rows.const_data_ptr<scalar_t>();
    call.y = out.value.data_ptr<scalar_t>();
    call.log_det = data_or_null<scalar_t>(out.log_det);
    call.solve_error = data_or_null<scalar_t>(out.solve_error_bound);
    call.bias_bound = data_or_null<scalar_t>(out.log_det_bias_bound);
    if (saved != nullptr) {
      call.points = saved->points.data_ptr<scalar_t>();
      call.probe_sums = data_or_null<scalar_t>(saved->probe_sums);
    }
    run_tiles_at(rows, call);
    require_solved("ContractiveBlock", lowering, call.status);
  });
  return out;
}

// Parameter gradients of a run, added to `slots`.
void scatter(const TileLowering& lowering, const at::Tensor& program_gradient, double log_det_bar,
             std::vector<void*> slots) {
  const LoweredGradients gradients{program_gradient.scalar_type(),
                                   program_gradient.const_data_ptr(), log_det_bar,
                                   std::move(slots)};
  constexpr int64_t kWorthThreads = int64_t{1} << 14;  // numbers that take a thread 25 us
  if (program_gradient.numel() < kWorthThreads) {
    for (const GradientTask& task : lowering.tasks) task(gradients);
  } else {
    parallel_items(std::ssize(lowering.tasks),
                   [&](int64_t t) { lowering.tasks[static_cast<size_t>(t)](gradients); });
  }
  for (const GradientTask& task : lowering.late_tasks) task(gradients);
}

class TileFunction : public torch::autograd::Function<TileFunction> {
 public:
  // `inputs`: x, the parameters, the condition where it wants a gradient.
  static variable_list forward(AutogradContext* ctx, at::TensorList /*inputs*/,
                               const TransformOutput& out, const Saved& saved,
                               const std::shared_ptr<TileLowering>& lowering) {
    ctx->save_for_backward({saved.points, saved.probe_sums});
    ctx->saved_data["lowering"] =
        torch::IValue::make_capsule(c10::make_intrusive<Holder>(lowering));
    ctx->set_materialize_grads(false);
    if (!out.log_det.defined()) return {out.value};
    return {out.value, out.log_det};
  }

  static variable_list backward(AutogradContext* ctx, const variable_list& outer) {
    refuse_second_derivative();
    const TileLowering& lowering =
        *static_cast<Holder*>(ctx->saved_data["lowering"].toCapsule().get())->lowering;
    const auto kept = ctx->get_saved_variables();
    return gradients(lowering, {kept[0], kept[1]}, outer);
  }

 private:
  struct Holder : torch::CustomClassHolder {
    explicit Holder(std::shared_ptr<TileLowering> l) : lowering(std::move(l)) {}
    std::shared_ptr<TileLowering> lowering;
  };

  static variable_list gradients(const TileLowering& lowering, const Saved& saved,
                                 const variable_list& outer);
};

variable_list TileFunction::gradients(const TileLowering& lowering, const Saved& saved,
                                      const variable_list& outer) {
  const auto whole = [&](size_t k, at::IntArrayRef sizes) {
    return k < outer.size() && outer[k].defined() ? outer[k].contiguous()
                                                  : at::zeros(sizes, lowering.options);
  };
  const at::Tensor y_bar = whole(0, {lowering.batch, lowering.program.dim});
  const at::Tensor c = whole(1, {lowering.batch});
  const at::Tensor x_bar = at::empty_like(y_bar);
  at::Tensor condition_bar;
  if (lowering.conditional_gradient())
    condition_bar = at::empty(lowering.condition.sizes(), lowering.options);
  const at::Tensor program = at::zeros({lowering.program.gradient_size}, lowering.options);
  AT_DISPATCH_FLOATING_TYPES(y_bar.scalar_type(), "tile_backward", [&] {
    kernels::TileCall<scalar_t> call;
    call.program = &lowering.program;
    call.mode = kernels::TileMode::kBackward;
    call.batch = lowering.batch;
    call.points = saved.points.data_ptr<scalar_t>();
    call.probe_sums = data_or_null<scalar_t>(saved.probe_sums);
    call.y_bar = y_bar.const_data_ptr<scalar_t>();
    call.log_det_bar = c.const_data_ptr<scalar_t>();
    call.x_bar = x_bar.data_ptr<scalar_t>();
    call.condition_bar = data_or_null<scalar_t>(condition_bar);
    call.gradient = program.data_ptr<scalar_t>();
    kernels::run_tiles(call);
    require_solved("ContractiveBlock.backward", lowering, call.status);
  });
  variable_list out = {x_bar};
  std::vector<void*> slots;
  for (const at::Tensor& parameter : lowering.parameters) {
    out.push_back(at::zeros_like(parameter, at::MemoryFormat::Contiguous));
    slots.push_back(out.back().data_ptr());
  }
  scatter(lowering, program, c.sum().item<double>(), std::move(slots));
  if (condition_bar.defined()) out.push_back(condition_bar);
  out.resize(out.size() + 3);  // what is not a tensor list has no gradient
  return out;
}

}  // namespace

void TileLowering::take(const at::Tensor& given) {
  if (condition.defined()) return;
  condition = given;
  kept.push_back(given.detach().contiguous());
  program.condition = kept.back().const_data_ptr();
  program.conditions = given.size(1);
}

TileLowering::Mark TileLowering::mark() const {
  return {program.steps.size(),
          parameters.size(),
          tasks.size(),
          late_tasks.size(),
          kept.size(),
          owners.size(),
          program.gradient_size,
          blocks,
          solves,
          biased,
          condition.defined()};
}

void TileLowering::reset(const Mark& mark) {
  program.steps.resize(mark.steps, kernels::TileAffine{});
  parameters.resize(mark.parameters);
  tasks.resize(mark.tasks);
  late_tasks.resize(mark.late_tasks);
  kept.resize(mark.kept);
  owners.resize(mark.owners);
  program.gradient_size = mark.gradient_size;
  blocks = mark.blocks;
  solves = mark.solves;
  biased = mark.biased;
  if (mark.conditional) return;
  condition = at::Tensor();
  program.condition = nullptr;
  program.conditions = 0;
}

std::vector<double> to_doubles(const at::Tensor& t) {
  const at::Tensor values = t.detach().to(at::kCPU, at::kDouble).contiguous();
  const auto* data = values.const_data_ptr<double>();
  return {data, data + values.numel()};
}

bool tiles_apply(const at::Tensor& x) {
  return kernels::tiles_enabled() && (x.is_cpu() || cuda_lowering_applies(x)) && x.dim() == 2 &&
         x.size(1) <= kMostFeatures &&
         (x.scalar_type() == at::kFloat || x.scalar_type() == at::kDouble);
}

TransformOutput run_lowered(TileLowering lowering, const at::Tensor& x, bool wants_log_det) {
  bool graph = false;
  if (at::GradMode::is_enabled()) {
    graph = x.requires_grad() || lowering.conditional_gradient();
    for (const at::Tensor& parameter : lowering.parameters)
      graph = graph || parameter.requires_grad();
  }
  const at::NoGradGuard guard;
  if (!graph) return forward(lowering, x, wants_log_det, nullptr);
  Saved saved;
  const auto shared = std::make_shared<TileLowering>(std::move(lowering));
  TransformOutput out = forward(*shared, x, wants_log_det, &saved);
  std::vector<at::Tensor> inputs = {x};
  inputs.insert(inputs.end(), shared->parameters.begin(), shared->parameters.end());
  if (shared->conditional_gradient()) inputs.push_back(shared->condition);
  const at::AutoGradMode enabled(true);
  const variable_list tracked = TileFunction::apply(at::TensorList(inputs), out, saved, shared);
  out.value = tracked[0];
  if (tracked.size() > 1) out.log_det = tracked[1];
  return out;
}

bool lower_transform(const Transform& transform, TileLowering& to, const Context& context,
                     bool inverse) {
  const Lowerable* lowerable = transform.lowerable();
  return lowerable != nullptr && lowerable->lower(to, context, inverse);
}

std::unique_ptr<LoweredTail> Lowerable::lower_tail(const at::Tensor& x,
                                                   const Context& context) const {
  if (!tiles_apply(x)) return nullptr;
  auto tail = std::make_unique<LoweredTail>(LoweredTail{TileLowering(x), x, {}});
  if (!lower(tail->lowering, context, /*inverse=*/false)) return nullptr;
  return tail->lowering.blocks > 0 ? std::move(tail) : nullptr;
}

std::unique_ptr<LoweredTail> lower_tail(const Transform& transform, const at::Tensor& x,
                                        const Context& context) {
  if (!x.is_cpu()) return nullptr;                   // its gradients go through the host
  if (!context.hints.wants_log_det) return nullptr;  // the loss has one
  if (context.condition.defined() && context.condition.requires_grad())
    return nullptr;  // the loss has no gradient of it
  const Lowerable* lowerable = transform.lowerable();
  return lowerable == nullptr ? nullptr : lowerable->lower_tail(x, context);
}

namespace {

// Goes on with the gradient of the sum of weighted log-densities before the tail: `x_bar` is that of
// the tail's input.
void add_gradient_before(const LoweredTail& tail, const at::Tensor& x_bar,
                         const at::Tensor& weight) {
  variable_list roots, bars;
  if (x_bar.defined()) {
    roots.push_back(tail.input);
    bars.push_back(x_bar);
  }
  if (tail.log_det.defined() && tail.log_det.requires_grad()) {
    roots.push_back(tail.log_det);
    bars.push_back(weight.to(tail.log_det.scalar_type()));
  }
  if (!roots.empty()) torch::autograd::backward(roots, bars);
}

}  // namespace

LatentOutput run_lowered_loss(const LoweredTail& tail, const at::Tensor& weight,
                              const kernels::RowScore& score) {
  const at::NoGradGuard guard;
  const TileLowering& lowering = tail.lowering;
  const at::Tensor rows = tail.input.detach().contiguous(), w = weight.contiguous();
  at::Tensor x_bar;  // undefined: nothing before the tail learns
  if (tail.input.requires_grad()) x_bar = at::empty_like(rows);
  const at::Tensor y = at::empty_like(rows),
                   log_det = at::empty({lowering.batch}, lowering.options);
  const at::Tensor program = at::zeros({lowering.program.gradient_size}, lowering.options);
  AT_DISPATCH_FLOATING_TYPES(rows.scalar_type(), "run_lowered_loss", [&] {
    kernels::TileCall<scalar_t> call;
    call.program = &lowering.program;
    call.mode = kernels::TileMode::kLoss;
    call.score = &score;
    call.batch = lowering.batch;
    call.x = rows.const_data_ptr<scalar_t>();
    call.y = y.data_ptr<scalar_t>();
    call.log_det = log_det.data_ptr<scalar_t>();
    call.log_det_bar = w.const_data_ptr<scalar_t>();
    call.x_bar = data_or_null<scalar_t>(x_bar);
    call.gradient = program.data_ptr<scalar_t>();
    kernels::run_tiles(call);
    require_solved("ContractiveBlock", lowering, call.status);
  });
  add_gradient_before(tail, x_bar, w);
  std::vector<void*> slots;
  std::vector<at::Tensor> dropped;
  for (const at::Tensor& parameter : lowering.parameters) {
    if (!parameter.requires_grad()) {  // frozen: computed with the others, and dropped
      dropped.push_back(at::zeros_like(parameter, at::MemoryFormat::Contiguous));
      slots.push_back(dropped.back().data_ptr());
      continue;
    }
    at::Tensor& grad = parameter.mutable_grad();
    if (!grad.defined()) grad = at::zeros_like(parameter, at::MemoryFormat::Contiguous);
    if (!grad.is_contiguous()) grad = grad.contiguous();
    slots.push_back(grad.data_ptr());
  }
  scatter(lowering, program, w.sum().item<double>(), std::move(slots));
  return {y, log_det, tail.log_det.defined() ? tail.log_det.detach() : at::Tensor()};
}

std::optional<LatentOutput> add_lowered_gradient(const Transform& transform, const at::Tensor& x,
                                                 const at::Tensor& weight,
                                                 const kernels::RowScore& score,
                                                 const Context& context) {
  const auto tail = lower_tail(transform, x, context);
  if (tail == nullptr) return std::nullopt;
  return run_lowered_loss(*tail, weight, score);
}

}  // namespace contraflow
