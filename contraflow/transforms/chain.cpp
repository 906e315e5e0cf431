#include "contraflow/transforms/chain.h"

#include <ATen/ATen.h>
#include <ATen/Parallel.h>
#include <ATen/core/grad_mode.h>

#include <algorithm>
#include <limits>

#include "contraflow/core/defined.h"
#include "contraflow/core/error.h"
#include "contraflow/core/parallel.h"
#include "contraflow/core/registry_entry.h"
#include "contraflow/transforms/lowering.h"

namespace contraflow {
namespace {

/// `step` continues `total`; `lipschitz` (called only when there is an error to carry) bounds how
/// much the step enlarges an error of its input.
template <class Lipschitz>
void append(TransformOutput& total, const TransformOutput& step, Lipschitz lipschitz) {
  at::Tensor carried;
  if (total.solve_error_bound.defined()) {
    const double factor = lipschitz().value_or(std::numeric_limits<double>::infinity());
    // An exact input stays exact through a map of unknown constant: 0 times infinity is 0 here.
    carried = at::where(total.solve_error_bound.eq(0), total.solve_error_bound,
                        total.solve_error_bound * factor);
  }
  total.value = step.value;
  total.log_det = add_defined(total.log_det, step.log_det);
  total.log_det_bias_bound = add_defined(total.log_det_bias_bound, step.log_det_bias_bound);
  total.solve_error_bound = add_defined(carried, step.solve_error_bound);
}

template <class Constant>
std::optional<double> product(const std::vector<TransformPtr>& members, Constant constant) {
  double out = 1.0;
  for (const TransformPtr& member : members) {
    const std::optional<double> factor = constant(*member);
    if (!factor) return std::nullopt;
    out *= *factor;
  }
  return out;
}

// The same up to a few deviations, then growing like a logarithm, with one slope where these meet. A
// net of a far condition would be as steep as the condition is far, and its flow could not be solved.
at::Tensor with_short_tails(const at::Tensor& z) {
  constexpr double kPlain = 4.0;
  const at::Tensor away = z.abs();
  const at::Tensor tail = kPlain * (1.0 + (away.clamp_min(kPlain) / kPlain).log());
  return at::where(away.le(kPlain), z, z.sign() * tail);
}

// Images that are enough to prepare with. The first transforms of a flow may count the levels of all
// pixels there are, the next ones look at means; the activations of nets take far more memory than the
// images do.
constexpr int64_t kMostNumbers = int64_t{1} << 22;
constexpr int64_t kNetImages = 128;

bool is_of_single_numbers(const Transform& t) {
  return t.contractive() == nullptr && t.members().empty();
}

// The first `most` images and their conditions; rows of numbers stay as they are.
void take_images(at::Tensor& x, Context& context, int64_t most) {
  if (x.dim() != 4 || x.size(0) <= most) return;
  x = x.narrow(0, 0, most);
  if (context.condition.defined()) context.condition = context.condition.narrow(0, 0, most);
}

}  // namespace

nlohmann::ordered_json chain_spec(nlohmann::ordered_json members,
                                  std::vector<ConditionScale> condition) {
  return spec_of<Chain>(ChainOptions{std::move(members), std::move(condition)});
}

Chain::Chain(std::vector<TransformPtr> members, std::vector<ConditionScale> condition)
    : members_(std::move(members)), condition_(std::move(condition)) {
  if (members_.empty()) {
    fail<ConfigError>("Chain", "transforms", "at least one member", "none", "Add one.");
  }
  for (size_t k = 0; k < members_.size(); ++k) {
    const std::string name = c10::str("transforms[", k, "]");
    if (!members_[k]) fail<ConfigError>("Chain", name, "a transform", "null", "Pass one.");
    register_module(std::to_string(k), members_[k]);
    if (k > 0 && members_[k]->event_shape() != members_[k - 1]->latent_shape()) {
      fail<ConfigError>(
          "Chain", name,
          c10::str("events of shape ", at::IntArrayRef(members_[k - 1]->latent_shape()),
                   ", which the member before it gives"),
          c10::str(at::IntArrayRef(members_[k]->event_shape())),
          "Make the dimensions of neighbours agree.");
    }
    const std::vector<int64_t> shape = members_[k]->condition_shape();
    if (!shape.empty() && !condition_shape_.empty() && shape != condition_shape_) {
      fail<ConfigError>("Chain", name,
                        c10::str("conditions of shape ", at::IntArrayRef(condition_shape_)),
                        c10::str(at::IntArrayRef(shape)),
                        "Give all conditional members conditions of one shape.");
    }
    if (!shape.empty()) condition_shape_ = shape;
  }
  if (condition_.empty()) return;
  check_condition_scales();
  std::vector<double> center, scale;
  for (const ConditionScale& number : condition_) {
    center.push_back(number.center);
    scale.push_back(number.scale);
  }
  condition_center_ = at::tensor(center, at::kDouble);
  condition_scale_ = at::tensor(scale, at::kDouble);
}

void Chain::check_condition_scales() const {
  const bool row = condition_shape_.size() == 1;
  if (row && std::ssize(condition_) <= condition_shape_.front()) return;
  fail<ConfigError>("Chain", "condition",
                    c10::str("scales of some of the numbers of a condition of shape ",
                             at::IntArrayRef(condition_shape_)),
                    c10::str(condition_.size(), " scales"), "Give one per number, or none.");
}

// The context with the condition as the members get it: in their type.
Context Chain::standardised(const Context& context) const {
  if (!context.condition.defined() || (condition_.empty() && !data_side())) return context;
  Context out = context;
  at::Tensor condition = context.condition;
  if (!condition_.empty()) {
    const int64_t count = std::ssize(condition_), rest = condition.size(1) - count;
    const at::Tensor wide = condition.to(at::kDouble);
    const at::Tensor numbers =
        with_short_tails((wide.narrow(1, 0, count) - condition_center_.to(wide.device())) /
                         condition_scale_.to(wide.device()));
    condition = rest == 0 ? numbers : at::cat({numbers, wide.narrow(1, count, rest)}, 1);
    condition = condition.to(context.condition.scalar_type());
  }
  const at::Tensor own = first_floating_tensor(*this);
  out.condition = own.defined() ? condition.to(own.scalar_type()) : condition;
  return out;
}

Context Chain::member_context(size_t k, const Context& context) const {
  return context_of(*members_[k], k, context);
}

// What member k gets of the value before it. Only data-side members meet another type than theirs.
at::Tensor Chain::input_of(size_t k, const at::Tensor& value, bool inverse) const {
  if (!data_side()) return value;
  if (members_[k]->data_side()) return inverse ? value.to(at::kDouble) : value;
  const at::Tensor own = first_floating_tensor(*this);
  return own.defined() ? value.to(own.scalar_type()) : value;
}

// Members that lower run together, as far as they reach; the others one by one.
TransformOutput Chain::run(const at::Tensor& x, const Context& given, bool inverse) const {
  const Context context = standardised(given);
  TransformOutput total{x, {}, {}, {}};
  const size_t count = members_.size();
  const auto member = [&](size_t step) { return inverse ? count - 1 - step : step; };
  const auto lipschitz = [&](size_t k) {
    return inverse ? members_[k]->inverse_lipschitz() : members_[k]->forward_lipschitz();
  };
  size_t tried = 0;  // members before this one are known to gain nothing from lowering
  for (size_t step = 0; step < count;) {
    total.value = input_of(member(step), total.value, inverse);
    if (step >= tried && tiles_apply(total.value)) {
      TileLowering lowering(total.value);
      const size_t begin = step;
      while (step < count && lower_transform(*members_[member(step)], lowering,
                                             member_context(member(step), context), inverse))
        ++step;
      if (lowering.blocks > 0) {
        append(total, run_lowered(std::move(lowering), total.value, context.hints.wants_log_det),
               [&] {
                 std::optional<double> out = 1.0;
                 for (size_t s = begin; s < step && out; ++s) {
                   const std::optional<double> own = lipschitz(member(s));
                   out = own ? std::optional(*out * *own) : std::nullopt;
                 }
                 return out;
               });
        continue;
      }
      tried = step + 1;
      step = begin;
    }
    const size_t k = member(step++);
    const Context own = member_context(k, context);
    append(
        total,
        inverse ? members_[k]->inverse(total.value, own) : members_[k]->forward(total.value, own),
        [&] { return lipschitz(k); });
  }
  return total;
}

TransformOutput Chain::do_trace(const at::Tensor& x, const Context& given, bool inverse,
                                const TraceVisitor& visit, const std::string& name) const {
  const Context context = standardised(given);
  TransformOutput total{x, {}, {}, {}};
  for (size_t step = 0; step < members_.size(); ++step) {
    const size_t k = inverse ? members_.size() - 1 - step : step;
    const Transform& member = *members_[k];
    append(total,
           member.trace(input_of(k, total.value, inverse), member_context(k, context), inverse,
                        visit, member_name(name, std::to_string(k))),
           [&] { return inverse ? member.inverse_lipschitz() : member.forward_lipschitz(); });
    if (!total.value.defined()) break;
  }
  return total;
}

nlohmann::ordered_json Chain::spec() const {
  nlohmann::ordered_json members = nlohmann::ordered_json::array();
  for (const TransformPtr& member : members_) members.push_back(member->spec());
  return chain_spec(std::move(members), condition_);
}

std::vector<Member> Chain::members() const {
  std::vector<Member> out;
  for (size_t k = 0; k < members_.size(); ++k) out.push_back({std::to_string(k), members_[k]});
  return out;
}

TransformOutput Chain::do_forward(const at::Tensor& x, const Context& context) const {
  return run(x, context, /*inverse=*/false);
}

TransformOutput Chain::do_inverse(const at::Tensor& z, const Context& context) const {
  return run(z, context, /*inverse=*/true);
}

bool Chain::lower(TileLowering& to, const Context& given, bool inverse) const {
  const Context context = standardised(given);
  const TileLowering::Mark mark = to.mark();
  for (size_t step = 0; step < members_.size(); ++step) {
    const size_t k = inverse ? members_.size() - 1 - step : step;
    if (!lower_transform(*members_[k], to, member_context(k, context), inverse)) {
      to.reset(mark);
      return false;
    }
  }
  return true;
}

// The program of member k and all after it; none where one of them has no place in it. `x` tells the
// rows and the type of the first member's input.
std::optional<TileLowering> Chain::lowered_from(size_t k, const at::Tensor& x,
                                                const Context& context) const {
  const std::vector<int64_t> event = members_[k]->event_shape();
  if (event.size() != 1) return std::nullopt;
  const at::Tensor own = first_floating_tensor(*this);
  const at::ScalarType type = data_side() && own.defined() ? own.scalar_type() : x.scalar_type();
  const at::Tensor like = at::empty({x.size(0), event[0]}, x.options().dtype(type));
  if (!tiles_apply(like)) return std::nullopt;
  const at::NoGradGuard guard;
  TileLowering to(like);
  for (; k < members_.size(); ++k) {
    if (!lower_transform(*members_[k], to, member_context(k, context), /*inverse=*/false))
      return std::nullopt;
  }
  return to;
}

std::unique_ptr<LoweredTail> Chain::lower_tail(const at::Tensor& x, const Context& given) const {
  const Context context = standardised(given);
  size_t begin = 0;
  std::optional<TileLowering> lowering = lowered_from(begin, x, context);
  while (!lowering && ++begin < members_.size()) lowering = lowered_from(begin, x, context);
  if (!lowering || lowering->blocks == 0) return nullptr;
  LoweredTail tail{std::move(*lowering), x, {}};
  const at::AutoGradMode graph(true);  // for those members that learn
  for (size_t k = 0; k < begin; ++k) {
    const TransformOutput out = members_[k]->forward(input_of(k, tail.input, /*inverse=*/false),
                                                     member_context(k, context));
    tail.input = out.value;
    tail.log_det = add_defined(tail.log_det, out.log_det);
  }
  tail.input = input_of(begin, tail.input, /*inverse=*/false);
  return std::make_unique<LoweredTail>(std::move(tail));
}

bool Chain::prepare_needs_data() const {
  for (const TransformPtr& member : members_) {
    if (member->prepare_needs_data()) return true;
  }
  return false;
}

// No member waits for another's output, so each runs on one thread, several at a time. Few members
// would leave threads idle: they run one after another, and each uses all threads.
void Chain::prepare_without_data(const Context& context) {
  if (std::ssize(members_) < 2 * at::get_num_threads()) {
    for (size_t k = 0; k < members_.size(); ++k)
      members_[k]->prepare(at::Tensor(), member_context(k, context));
    return;
  }
  parallel_items(std::ssize(members_), [&](int64_t k) {
    const auto member = static_cast<size_t>(k);
    members_[member]->prepare(at::Tensor(), member_context(member, context));
  });
}

void Chain::do_prepare(const at::Tensor& x, const Context& given) {
  Context context = standardised(given);
  size_t last = members_.size();  // the last member that needs data, if any
  while (last > 0 && !members_[last - 1]->prepare_needs_data()) --last;
  if (last == 0) return prepare_without_data(context);
  at::Tensor input = x;
  for (size_t k = 0; k < members_.size(); ++k) {
    Transform& member = *members_[k];
    if (k < last && !is_of_single_numbers(member)) take_images(input, context, kNetImages);
    member.prepare(k < last ? input : at::Tensor(), member_context(k, context));
    if (k + 1 < last) {
      take_images(input, context, std::max(kNetImages, kMostNumbers / input[0].numel()));
      input = input_of(k + 1, member.forward(input, member_context(k, context)).value,
                       /*inverse=*/false);
    }
  }
}

std::optional<double> Chain::forward_lipschitz() const {
  return product(members_, [](const Transform& t) { return t.forward_lipschitz(); });
}

std::optional<double> Chain::inverse_lipschitz() const {
  return product(members_, [](const Transform& t) { return t.inverse_lipschitz(); });
}

}  // namespace contraflow
