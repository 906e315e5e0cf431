#include "contraflow/transforms/multi_scale.h"

#include <ATen/ATen.h>

#include <algorithm>

#include "contraflow/core/defined.h"
#include "contraflow/core/error.h"
#include "contraflow/core/event_shape.h"
#include "contraflow/core/registry_entry.h"
#include "contraflow/transforms/carried_error.h"

namespace contraflow {
namespace {

std::string place_of(const char* list, size_t k) { return c10::str(list, "[", k, "]"); }

// Of two parts that are independent of each other; undefined = exact.
at::Tensor joint_error(const at::Tensor& a, const at::Tensor& b) {
  if (!a.defined()) return b;
  return b.defined() ? (a.square() + b.square()).sqrt() : a;
}

void add_log_dets(TransformOutput& total, const TransformOutput& step) {
  total.log_det = add_defined(total.log_det, step.log_det);
  total.log_det_bias_bound = add_defined(total.log_det_bias_bound, step.log_det_bias_bound);
}

std::optional<double> constant_of(const Transform& t, bool inverse) {
  return inverse ? t.inverse_lipschitz() : t.forward_lipschitz();
}

// Rows that members are initialised from. Their networks have hundreds of channels, and means and
// deviations of pixels are known from few images.
int64_t prepared_rows(int64_t numbers) {
  constexpr int64_t kMostNumbers = int64_t{1} << 18, kFewest = 64;
  return std::max(kFewest, kMostNumbers / numbers);
}

// Of the transform's value in its input while its condition has an error as well: unknown.
std::optional<double> constant_beside_condition(const Transform& t, bool inverse) {
  return t.conditional() ? std::nullopt : constant_of(t, inverse);
}

}  // namespace

// `total` is what stays, with the sums of all log-determinants; `left` are the parts of the latent.
struct MultiScale::Pass {
  TransformOutput total;
  std::vector<at::Tensor> left = {};
  at::Tensor left_error = {};

  // False where the step was stopped.
  bool append(const TransformOutput& step, const Transform& by, bool inverse) {
    if (!step.value.defined()) return false;
    const at::Tensor carried =
        carried_error(total.solve_error_bound, [&] { return constant_of(by, inverse); });
    add_log_dets(total, step);
    total.value = step.value;
    total.solve_error_bound = add_defined(carried, step.solve_error_bound);
    return true;
  }
};

MultiScale::MultiScale(std::vector<TransformPtr> scales, bool factor_out,
                       std::vector<TransformPtr> priors)
    : scales_(std::move(scales)), priors_(std::move(priors)), factor_out_(factor_out) {
  if (scales_.empty()) {
    fail<ConfigError>("MultiScale", "scales", "at least one scale", "none", "Add a transform.");
  }
  for (size_t k = 0; k < scales_.size(); ++k) check_scale(k);
  check_priors();
  for (size_t k = 0; k < scales_.size(); ++k) {
    register_module(scale(k).name, scales_[k]);
    if (k < priors_.size()) register_module(prior(k).name, priors_[k]);
    if (splits_after(k)) part_sizes_.push_back(EventShape(half_of(k)).size());
  }
  part_sizes_.push_back(EventShape(scales_.back()->latent_shape()).size());
}

void MultiScale::check_scale(size_t k) {
  const std::string name = place_of("scales", k);
  if (!scales_[k]) fail<ConfigError>("MultiScale", name, "a transform", "null", "Pass one.");
  if (k > 0 && scales_[k]->event_shape() != staying(k - 1)) {
    fail<ConfigError>("MultiScale", name,
                      c10::str("events of shape ", at::IntArrayRef(staying(k - 1)), ", ",
                               factor_out_ ? "the half that stays of what the scale before it gives"
                                           : "which the scale before it gives"),
                      c10::str(at::IntArrayRef(scales_[k]->event_shape())),
                      "Make the shapes of neighbours agree.");
  }
  if (const std::vector<int64_t> out = scales_[k]->latent_shape();
      splits_after(k) && out.front() % 2 != 0) {
    fail<ConfigError>("MultiScale", name,
                      "an even number of channels at its end, so that half of them can leave",
                      c10::str("the shape ", at::IntArrayRef(out)),
                      "End the scale with a squeeze, or set factor_out = false.");
  }
  const std::vector<int64_t> condition = scales_[k]->condition_shape();
  if (!condition.empty() && !condition_shape_.empty() && condition != condition_shape_) {
    fail<ConfigError>("MultiScale", name,
                      c10::str("conditions of shape ", at::IntArrayRef(condition_shape_)),
                      c10::str(at::IntArrayRef(condition)),
                      "Give all conditional scales conditions of one shape.");
  }
  if (!condition.empty()) condition_shape_ = condition;
}

void MultiScale::check_priors() const {
  if (priors_.empty()) return;
  const size_t splits = factor_out_ ? scales_.size() - 1 : 0;
  if (priors_.size() != splits) {
    fail<ConfigError>("MultiScale", "priors", c10::str(splits, ", one for each split, or none"),
                      std::to_string(priors_.size()),
                      "Give one transform for each scale but the last, with factor_out = true.");
  }
  for (size_t k = 0; k < priors_.size(); ++k) check_prior(k);
}

void MultiScale::check_prior(size_t k) const {
  const std::string name = place_of("priors", k);
  if (!priors_[k]) fail<ConfigError>("MultiScale", name, "a transform", "null", "Pass one.");
  const std::vector<int64_t> half = half_of(k), condition = priors_[k]->condition_shape();
  if (priors_[k]->event_shape() != half || priors_[k]->latent_shape() != half) {
    fail<ConfigError>(
        "MultiScale", name,
        c10::str("events and latents of shape ", at::IntArrayRef(half), ", the half that leaves"),
        c10::str(at::IntArrayRef(priors_[k]->event_shape()), " and ",
                 at::IntArrayRef(priors_[k]->latent_shape())),
        "Give the prior the shape of what leaves.");
  }
  if (condition.empty() || condition == half) return;
  fail<ConfigError>(
      "MultiScale", name,
      c10::str("a condition of shape ", at::IntArrayRef(half), ", the half that stays, or none"),
      c10::str(at::IntArrayRef(condition)), "Give the prior the shape of what stays.");
}

std::vector<int64_t> MultiScale::half_of(size_t k) const {
  std::vector<int64_t> out = scales_[k]->latent_shape();
  out.front() /= 2;
  return out;
}

std::vector<int64_t> MultiScale::staying(size_t k) const {
  return splits_after(k) ? half_of(k) : scales_[k]->latent_shape();
}

std::vector<int64_t> MultiScale::latent_shape() const {
  int64_t out = 0;
  for (const int64_t size : part_sizes_) out += size;
  return {out};
}

Member MultiScale::scale(size_t k) const { return {"scale" + std::to_string(k), scales_[k]}; }
Member MultiScale::prior(size_t k) const { return {"prior" + std::to_string(k), priors_[k]}; }

std::vector<Member> MultiScale::members() const {
  std::vector<Member> out;
  for (size_t k = 0; k < scales_.size(); ++k) {
    out.push_back(scale(k));
    if (k < priors_.size()) out.push_back(prior(k));
  }
  return out;
}

nlohmann::ordered_json MultiScale::spec() const {
  MultiScaleOptions out{.factor_out = factor_out_};
  for (const TransformPtr& scale : scales_) out.scales.push_back(scale->spec());
  for (const TransformPtr& prior : priors_) out.priors.push_back(prior->spec());
  return spec_of<MultiScale>(out);
}

Context MultiScale::scale_context(size_t k, const Context& context) const {
  return context_of(*scales_[k], 2 * k, context);
}

// A prior's condition is what stays, not the caller's.
Context MultiScale::prior_context(size_t k, const Context& context,
                                  const at::Tensor& staying) const {
  Context out = context.fork(2 * k + 1);
  out.condition = priors_[k]->conditional() ? staying : at::Tensor();
  return out;
}

// The second half of the channels, through its prior, becomes a part of the latent.
bool MultiScale::leave(size_t k, Pass& pass, const Context& context, const Call& call) const {
  const int64_t half = half_of(k).front();
  const at::Tensor staying = pass.total.value.narrow(1, 0, half);
  at::Tensor leaving = pass.total.value.narrow(1, half, half);
  at::Tensor error = pass.total.solve_error_bound;
  if (k < priors_.size()) {
    const TransformOutput out = call(prior(k), leaving, prior_context(k, context, staying));
    if (!out.value.defined()) return false;
    add_log_dets(pass.total, out);
    error = add_defined(carried_error(error,
                                      [&] {
                                        return constant_beside_condition(*priors_[k],
                                                                         /*inverse=*/false);
                                      }),
                        out.solve_error_bound);
    leaving = out.value;
  }
  pass.left.push_back(leaving.flatten(1));
  pass.left_error = joint_error(pass.left_error, error);
  pass.total.value = staying;
  return true;
}

TransformOutput MultiScale::run_forward(const at::Tensor& x, const Context& context,
                                        const Call& call) const {
  Pass pass{{x, {}, {}, {}}};
  for (size_t k = 0; k < scales_.size(); ++k) {
    const TransformOutput out = call(scale(k), pass.total.value, scale_context(k, context));
    if (!pass.append(out, *scales_[k], /*inverse=*/false)) return {};
    if (splits_after(k) && !leave(k, pass, context, call)) return {};
  }
  TransformOutput out = std::move(pass.total);
  pass.left.push_back(out.value.flatten(1));
  out.value = pass.left.size() == 1 ? pass.left.front() : at::cat(pass.left, 1);
  out.solve_error_bound = joint_error(out.solve_error_bound, pass.left_error);
  return out;
}

// What left after scale k, `part` of the latent, back to where it was.
bool MultiScale::join(size_t k, const at::Tensor& part, Pass& pass, const Context& context,
                      const Call& call) const {
  std::vector<int64_t> shape = half_of(k);
  shape.insert(shape.begin(), part.size(0));
  at::Tensor leaving = part.reshape(shape), error;
  if (k < priors_.size()) {
    const TransformOutput out =
        call(prior(k), leaving, prior_context(k, context, pass.total.value));
    if (!out.value.defined()) return false;
    add_log_dets(pass.total, out);
    leaving = out.value;
    // The part itself is exact; of the condition's error only a 0 says something.
    if (priors_[k]->conditional())
      error = carried_error(pass.total.solve_error_bound, [] { return std::optional<double>(); });
    error = add_defined(error, out.solve_error_bound);
  }
  pass.total.value = at::cat({pass.total.value, leaving}, 1);
  pass.total.solve_error_bound = joint_error(pass.total.solve_error_bound, error);
  return true;
}

TransformOutput MultiScale::run_inverse(const at::Tensor& z, const Context& context,
                                        const Call& call) const {
  const std::vector<at::Tensor> parts = z.split_with_sizes(part_sizes_, 1);
  std::vector<int64_t> last = scales_.back()->latent_shape();
  last.insert(last.begin(), z.size(0));
  Pass pass{{parts.back().reshape(last), {}, {}, {}}};
  for (size_t k = scales_.size(); k-- > 0;) {
    if (splits_after(k) && !join(k, parts[k], pass, context, call)) return {};
    const TransformOutput out = call(scale(k), pass.total.value, scale_context(k, context));
    if (!pass.append(out, *scales_[k], /*inverse=*/true)) return {};
  }
  return pass.total;
}

TransformOutput MultiScale::do_forward(const at::Tensor& x, const Context& context) const {
  return run_forward(x, context,
                     [](const Member& member, const at::Tensor& input, const Context& own) {
                       return member.transform->forward(input, own);
                     });
}

TransformOutput MultiScale::do_inverse(const at::Tensor& z, const Context& context) const {
  return run_inverse(z, context,
                     [](const Member& member, const at::Tensor& input, const Context& own) {
                       return member.transform->inverse(input, own);
                     });
}

TransformOutput MultiScale::do_trace(const at::Tensor& x, const Context& context, bool inverse,
                                     const TraceVisitor& visit, const std::string& name) const {
  const Call call = [&](const Member& member, const at::Tensor& input, const Context& own) {
    return member.transform->trace(input, own, inverse, visit, member_name(name, member.name));
  };
  return inverse ? run_inverse(x, context, call) : run_forward(x, context, call);
}

bool MultiScale::prepare_needs_data() const {
  const std::vector<Member> all = members();
  return std::any_of(all.begin(), all.end(),
                     [](const Member& member) { return member.transform->prepare_needs_data(); });
}

bool MultiScale::needs_data_after(size_t k) const {
  const auto needs = [](const TransformPtr& t) { return t->prepare_needs_data(); };
  const auto from = [](const std::vector<TransformPtr>& list, size_t first) {
    return list.begin() + static_cast<ptrdiff_t>(std::min(first, list.size()));
  };
  return std::any_of(from(scales_, k + 1), scales_.end(), needs) ||
         std::any_of(from(priors_, k), priors_.end(), needs);
}

// The part that stays of `value`, which is undefined where nobody looks at it any more.
at::Tensor MultiScale::prepare_prior(size_t k, const at::Tensor& value, const Context& context) {
  at::Tensor staying, leaving;
  if (value.defined()) {
    const int64_t half = half_of(k).front();
    staying = value.narrow(1, 0, half);
    leaving = value.narrow(1, half, half);
  }
  if (k < priors_.size()) priors_[k]->prepare(leaving, prior_context(k, context, staying));
  return staying;
}

void MultiScale::do_prepare(const at::Tensor& x, const Context& given) {
  Context context = given;
  at::Tensor value;
  if (prepare_needs_data()) {
    const int64_t rows = std::min(x.size(0), prepared_rows(x.numel() / x.size(0)));
    value = x.narrow(0, 0, rows);
    if (context.condition.defined()) context.condition = context.condition.narrow(0, 0, rows);
  }
  for (size_t k = 0; k < scales_.size(); ++k) {
    const bool goes_on = value.defined() && needs_data_after(k);
    const Context own = scale_context(k, context);
    scales_[k]->prepare(value, own);
    value = goes_on ? scales_[k]->forward(value, own).value : at::Tensor();
    if (splits_after(k)) value = prepare_prior(k, value, context);
  }
}

// From the last scale on: what leaves passes its prior only, what stays the rest.
std::optional<double> MultiScale::lipschitz(bool inverse) const {
  double rest = 1.0;
  for (size_t k = scales_.size(); k-- > 0;) {
    if (splits_after(k)) {
      std::optional<double> of_leaving = 1.0;
      if (k < priors_.size()) of_leaving = constant_beside_condition(*priors_[k], inverse);
      if (!of_leaving) return std::nullopt;
      rest = std::max(rest, *of_leaving);
    }
    const std::optional<double> own = constant_of(*scales_[k], inverse);
    if (!own) return std::nullopt;
    rest *= *own;
  }
  return rest;
}

std::optional<double> MultiScale::forward_lipschitz() const { return lipschitz(false); }
std::optional<double> MultiScale::inverse_lipschitz() const { return lipschitz(true); }

}  // namespace contraflow
