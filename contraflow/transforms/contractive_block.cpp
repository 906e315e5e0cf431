#include "contraflow/transforms/contractive_block.h"

#include <ATen/ATen.h>
#include <ATen/core/grad_mode.h>
#include <torch/csrc/autograd/custom_function.h>

#include <algorithm>
#include <numbers>

#include "contraflow/core/error.h"
#include "contraflow/core/registry_entry.h"
#include "contraflow/transforms/block_lowering.h"
#include "contraflow/transforms/block_relation.h"

namespace contraflow {
namespace {

using torch::autograd::AutogradContext;
using torch::autograd::variable_list;

// What autograd does at the leaves, without a node for each.
void add_to_gradients(const std::vector<at::Tensor>& parameters,
                      const std::vector<at::Tensor>& gradients) {
  for (size_t i = 0; i < parameters.size(); ++i) {
    if (!parameters[i].requires_grad() || !gradients[i].defined()) continue;
    at::Tensor& sum = parameters[i].mutable_grad();
    if (sum.defined()) {
      sum.add_(gradients[i]);
    } else {
      sum = gradients[i].clone(at::MemoryFormat::Contiguous);
    }
  }
}

// A relation and where its gradients go.
struct TrainedRelation {
  BlockRelation relation;
  std::shared_ptr<const LearnedForm> learned;  // null: a fixed matrix
  bool inverse;

  std::vector<at::Tensor> parameters() const {
    std::vector<at::Tensor> out = relation.net->parameters();
    if (learned) out.push_back(learned->offset());
    return out;
  }
  // In the order of parameters().
  std::vector<at::Tensor> gradients(const RelationGradients& found) const {
    std::vector<at::Tensor> out = found.parameters;
    // The inverse is the relation of the swapped form: its B / A is the block's D / C.
    if (learned)
      out.push_back(learned->offset_gradient(inverse ? found.ratios.flip(0) : found.ratios));
    return out;
  }
};

// Carries one evaluated relation into the autograd graph. Saved: w, the condition, the probes.
class RelationFunction : public torch::autograd::Function<RelationFunction> {
 public:
  // `inputs`: x, the condition if there is one, the parameters; with `direct` only one parameter,
  // so that the result has a graph.
  static variable_list forward(AutogradContext* ctx, at::TensorList /*inputs*/,
                               const at::Tensor* condition_or_null, const TrainedRelation& trained,
                               const RelationResult& result, bool direct) {
    const LogDetEstimate& e = result.log_det;
    const at::Tensor condition = condition_or_null != nullptr ? *condition_or_null : at::Tensor();
    ctx->save_for_backward({result.w, condition, e.u, e.t, e.jac, e.ratios});
    ctx->saved_data["relation"] = torch::IValue::make_capsule(c10::make_intrusive<Holder>(trained));
    ctx->saved_data["direct"] = direct;
    ctx->set_materialize_grads(false);
    return {result.y, e.value};
  }

  static variable_list backward(AutogradContext* ctx, const variable_list& outer) {
    refuse_second_derivative();
    const auto saved = ctx->get_saved_variables();
    const TrainedRelation& trained =
        static_cast<Holder*>(ctx->saved_data["relation"].toCapsule().get())->trained;
    RelationResult result;
    result.w = saved[0];
    result.log_det.u = saved[2];
    result.log_det.t = saved[3];
    result.log_det.jac = saved[4];
    result.log_det.ratios = saved[5];
    const RelationGradients gradients =
        relation_gradients(trained.relation, result, saved[1], outer[0], outer[1]);
    const std::vector<at::Tensor> of_parameters = trained.gradients(gradients);
    variable_list out = {gradients.w};
    if (saved[1].defined()) out.push_back(gradients.condition);
    if (ctx->saved_data["direct"].toBool()) {
      add_to_gradients(trained.parameters(), of_parameters);
      out.emplace_back();
    } else {
      out.insert(out.end(), of_parameters.begin(), of_parameters.end());
    }
    out.resize(out.size() + 4);  // what is not a tensor list has no gradient
    return out;
  }

 private:
  struct Holder : torch::CustomClassHolder {
    explicit Holder(TrainedRelation t) : trained(std::move(t)) {}
    TrainedRelation trained;
  };
};

bool needs_graph(const at::Tensor& x, const at::Tensor& condition,
                 const std::vector<at::Tensor>& parameters) {
  if (!at::GradMode::is_enabled()) return false;
  if (x.requires_grad() || (condition.defined() && condition.requires_grad())) return true;
  return std::any_of(parameters.begin(), parameters.end(),
                     [](const at::Tensor& p) { return p.requires_grad(); });
}

ContractiveNetPtr own_net(const ContractiveBlockOptions& o) {
  return make_net(o.event, o.condition.size(), o.net,
                  Rng(static_cast<uint64_t>(o.seed)).fork("net"));
}

// A net of the caller's may be of other sizes than the options say.
void check_net(const ContractiveBlockOptions& options, const ContractiveNetPtr& net) {
  const auto text = [](int64_t dim, int64_t condition) {
    return c10::str("a network of ", dim, " features with a condition of width ", condition);
  };
  const int64_t dim = options.event.size(), condition = options.condition.size();
  if (net && net->dim() == dim && net->condition_size() == condition) return;
  fail<ConfigError>("contractive_block", "net", text(dim, condition),
                    net ? text(net->dim(), net->condition_size()) : "none",
                    "Make the network and the options event and condition agree.");
}

at::ScalarType weight_type(const ContractiveNet& net) {
  const std::vector<at::Tensor> parameters = net.parameters();
  return parameters.empty() ? at::kFloat : parameters[0].scalar_type();
}

// In float64 all products are working ones: what was asked for would not happen.
void check_products(const NetOptions& net, at::ScalarType type) {
  if (net.products == ProductType::kWorking || type == at::kFloat) return;
  fail<ConfigError>("contractive_block", "net.products", "'working' to train in float64",
                    c10::str("'", enum_name(net.products), "'"),
                    "Set it to 'working', or training.dtype to 'float32'.");
}

// Of a network that others made, once it is known to fit.
double lipschitz_of(const ContractiveBlockOptions& options, const ContractiveNetPtr& net) {
  check_net(options, net);
  return net->lipschitz();
}

}  // namespace

BlockForm block_form(const ContractiveBlockOptions& options) {
  constexpr double h = std::numbers::sqrt2 / 2;
  switch (options.form) {
    case FormKind::kResidual:
      return {1, 0, 1, 1};
    case FormKind::kInverseResidual:
      return {1, 1, 1, 0};
    case FormKind::kMonotone:
      return {h, h, h, -h};
    case FormKind::kCustom:
      break;
  }
  if (options.matrix.size() != 4) {
    fail<ConfigError>("contractive_block", "matrix", "the four numbers A, B, C, D",
                      std::to_string(options.matrix.size()) + " numbers",
                      "Write matrix = [A, B, C, D].");
  }
  return {options.matrix[0], options.matrix[1], options.matrix[2], options.matrix[3]};
}

void validate(const ContractiveBlockOptions& options) {
  validate(options.net);
  check_net_event(options.net, options.event);
  if (options.form != FormKind::kCustom && !options.matrix.empty()) {
    fail<ConfigError>("contractive_block", "matrix", "no matrix unless form is 'custom'", "one",
                      "Set form = 'custom', or drop the matrix.");
  }
  const BlockForm form = block_form(options);
  if (!form.admissible(options.net.lipschitz) || form.determinant() == 0) {
    fail<ConfigError>("contractive_block", "matrix",
                      "|B| kappa < |A|, |D| kappa < |C| and A D != B C",
                      c10::str("A, B, C, D = ", form.a, ", ", form.b, ", ", form.c, ", ", form.d,
                               " with kappa = ", options.net.lipschitz),
                      "Lower net.lipschitz, or change the matrix.");
  }
}

ContractiveBlock::ContractiveBlock(const ContractiveBlockOptions& options)
    : ContractiveBlock(options, own_net(options), options.net.lipschitz) {
  declared_lipschitz_ = options.net.lipschitz;
}

ContractiveBlock::ContractiveBlock(const ContractiveBlockOptions& options, ContractiveNetPtr net)
    : ContractiveBlock(options, net, lipschitz_of(options, net)) {}

ContractiveBlock::ContractiveBlock(const ContractiveBlockOptions& options, ContractiveNetPtr net,
                                   double kappa)
    : options_(options), form_(block_form(options)), net_(std::move(net)) {
  validate(options_);
  register_module("net", net_);
  if (options_.learn_form)
    learned_ = register_module("form", std::make_shared<LearnedForm>(form_, kappa));
  train_law_ = law_state(options_.train_log_det, "train_law", RouletteGoal::kGradient);
  eval_law_ = law_state(options_.eval_log_det, "eval_law", RouletteGoal::kValue);
}

std::shared_ptr<LawState> ContractiveBlock::law_state(const LogDetOptions& options,
                                                      const char* name, RouletteGoal goal) {
  const auto* roulette = std::get_if<RussianRoulette>(&options);
  if (roulette == nullptr || roulette->law != RouletteLaw::kOptimal) return nullptr;
  return register_module(name, std::make_shared<LawState>(*roulette, goal));
}

std::optional<TermLaw> ContractiveBlock::term_law(Phase phase) const {
  const auto* roulette = std::get_if<RussianRoulette>(&log_det(phase));
  if (roulette == nullptr) return std::nullopt;
  if (const auto& state = law_state(phase)) return state->law(form(), net_->lipschitz());
  return contraflow::term_law(*roulette, form(), net_->lipschitz());
}

std::optional<Calibration> ContractiveBlock::calibration(Phase phase) const {
  const auto& state = law_state(phase);
  return state ? state->calibration() : std::nullopt;
}

std::vector<std::string> ContractiveBlock::warnings(Phase phase) const {
  const auto* roulette = std::get_if<RussianRoulette>(&log_det(phase));
  if (roulette == nullptr) return {};
  // Training moves the bound in force up to the one that was asked for, and a form anywhere.
  const auto infinite = infinite_variance(*roulette, learned_ ? learned_->widest() : form_,
                                          declared_lipschitz_.value_or(net_->lipschitz()));
  return infinite ? std::vector<std::string>{*infinite} : std::vector<std::string>{};
}

Randomness ContractiveBlock::randomness(Phase phase) const {
  const bool rounds = is_series(log_det(phase)) && net_->has_reduced_products(weight_type(*net_));
  return rounds ? Randomness::kBiased : contraflow::randomness(log_det(phase));
}

nlohmann::ordered_json ContractiveBlock::spec() const {
  // Only a network made from the options has a declared bound.
  if (!declared_lipschitz_) return Transform::spec();
  return spec_of<ContractiveBlock>(options_);
}

bool ContractiveBlock::prepare_needs_data() const {
  return (train_law_ && train_law_->due()) || (eval_law_ && eval_law_->due());
}

void ContractiveBlock::defer_calibration() {
  if (train_law_) train_law_->postpone();
  if (eval_law_) eval_law_->postpone();
}

std::optional<double> ContractiveBlock::forward_lipschitz() const {
  return form().lipschitz(net_->lipschitz()) * net_->euclidean_factor();
}

std::optional<double> ContractiveBlock::inverse_lipschitz() const {
  return form().swapped().lipschitz(net_->lipschitz()) * net_->euclidean_factor();
}

BlockRelation ContractiveBlock::relation(Phase phase, bool inverse) const {
  const bool training = phase == Phase::kTrain;
  // Outside training a gradient is asked for by itself, and gets the accuracy of the solve.
  const double backward = training ? options_.backward_tolerance
                                   : std::min(options_.backward_tolerance, options_.tolerance);
  return {inverse ? form().swapped() : form(),
          net_,
          log_det(phase),
          options_.solver,
          training ? options_.train_tolerance : options_.tolerance,
          backward,
          /*to_rounding=*/!training,
          term_law(phase)};
}

bool ContractiveBlock::lower(TileLowering& to, const Context& context, bool inverse) const {
  const bool gradients = at::GradMode::is_enabled() || context.hints.direct_gradients;
  if (learned_ && learned_->offset().requires_grad() && gradients) return false;
  return lower_relation(relation(context.phase, inverse), context, to);
}

TransformOutput ContractiveBlock::run(const at::Tensor& x, const Context& context,
                                      bool inverse) const {
  if (tiles_apply(x)) {
    TileLowering lowering(x);
    if (lower(lowering, context, inverse))
      return run_lowered(std::move(lowering), x, context.hints.wants_log_det);
  }
  return relate(x, context, inverse);
}

TransformOutput ContractiveBlock::relate(const at::Tensor& x, const Context& context,
                                         bool inverse) const {
  const TrainedRelation trained{relation(context.phase, inverse), learned_, inverse};
  const BlockRelation& relation = trained.relation;
  const std::vector<at::Tensor> parameters = trained.parameters();
  const bool graph = needs_graph(x, context.condition, parameters);
  const RelationParts parts = graph                         ? RelationParts::kLogDetAndGradient
                              : context.hints.wants_log_det ? RelationParts::kLogDet
                                                            : RelationParts::kValue;
  RelationResult result = evaluate_relation(relation, x, context.condition, context.rng, parts);
  if (!graph)
    return {result.y, result.log_det.value, result.log_det.bias_bound, result.error_bound};
  std::vector<at::Tensor> inputs = {x};
  if (context.condition.defined()) inputs.push_back(context.condition);
  const auto leaf = std::find_if(parameters.begin(), parameters.end(),
                                 [](const at::Tensor& p) { return p.requires_grad(); });
  const bool direct = context.hints.direct_gradients && leaf != parameters.end();
  inputs.insert(inputs.end(), direct ? leaf : parameters.begin(),
                direct ? leaf + 1 : parameters.end());
  const at::Tensor* condition = context.condition.defined() ? &context.condition : nullptr;
  const variable_list out =
      RelationFunction::apply(at::TensorList(inputs), condition, trained, result, direct);
  return {out[0], out[1], result.log_det.bias_bound, result.error_bound};
}

TransformOutput ContractiveBlock::run_rows(const at::Tensor& x, const Context& context,
                                           bool inverse) const {
  if (options_.event.is_row() && !conditional()) return run(x, context, inverse);
  Context flat = context;
  if (flat.condition.defined()) flat.condition = flat.condition.flatten(1);
  TransformOutput out = run(x.flatten(1), flat, inverse);
  out.value = out.value.view_as(x);
  return out;
}

TransformOutput ContractiveBlock::do_forward(const at::Tensor& x, const Context& context) const {
  return run_rows(x, context, /*inverse=*/false);
}

TransformOutput ContractiveBlock::do_inverse(const at::Tensor& z, const Context& context) const {
  return run_rows(z, context, /*inverse=*/true);
}

void ContractiveBlock::do_prepare(const at::Tensor& x, const Context& context) {
  if (declared_lipschitz_) check_products(options_.net, weight_type(*net_));
  net_->refresh(false);
  std::unique_ptr<NetPoint> point;
  for (const auto& state : {train_law_, eval_law_}) {
    if (!state) continue;
    if (!state->due()) {
      state->count();
      continue;
    }
    if (!point) point = measuring_point(x, context.condition);
    state->update(form(), *point, net_->lipschitz(), context.rng.fork("calibrate"));
  }
}

std::unique_ptr<NetPoint> ContractiveBlock::measuring_point(const at::Tensor& x,
                                                            const at::Tensor& condition) const {
  const int64_t rows = std::min<int64_t>(x.size(0), kMostMeasuredRows);
  const at::Tensor own = condition.defined() ? condition.narrow(0, 0, rows).flatten(1) : condition;
  const at::Tensor w = hidden_point(relation(Phase::kTrain, /*inverse=*/false),
                                    x.narrow(0, 0, rows).flatten(1), own);
  return net_->linearize(w, own);
}

}  // namespace contraflow
