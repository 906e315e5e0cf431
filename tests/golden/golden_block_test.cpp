#include <ATen/ATen.h>
#include <gtest/gtest.h>

#include <cmath>
#include <filesystem>
#include <fstream>
#include <nlohmann/json.hpp>
#include <numeric>
#include <set>

#include "contraflow/distributions/energies.h"
#include "contraflow/log_det/exact.h"
#include "contraflow/networks/activation_layer.h"
#include "contraflow/networks/grid_layer.h"
#include "contraflow/networks/induced_norm.h"
#include "contraflow/networks/layered_net.h"
#include "contraflow/networks/lipschitz_conv.h"
#include "contraflow/networks/lipschitz_linear.h"
#include "contraflow/networks/sequential.h"
#include "contraflow/transforms/contractive_block.h"

namespace contraflow {
namespace {

using Json = nlohmann::json;

constexpr double kValueTolerance = 1e-9;     // outputs, w, log-dets, series terms
constexpr double kGradientTolerance = 1e-8;  // gradients

std::vector<std::string> golden_blocks() {
  std::vector<std::string> out;
  for (const auto& file :
       std::filesystem::directory_iterator(std::string(CONTRAFLOW_TEST_DATA) + "/blocks")) {
    out.push_back(file.path().stem().string());
  }
  std::sort(out.begin(), out.end());
  return out;
}

Json load(const std::string& name) {
  std::ifstream in(std::string(CONTRAFLOW_TEST_DATA) + "/" + name);
  return Json::parse(in);
}

at::Tensor tensor_of(const Json& json) {
  if (json.is_number()) return at::tensor(json.get<double>(), at::kDouble);
  std::vector<int64_t> shape;
  const Json* level = &json;
  while (level->is_array()) {
    shape.push_back(static_cast<int64_t>(level->size()));
    level = &level->front();
  }
  std::vector<double> flat;
  const std::function<void(const Json&)> collect = [&](const Json& j) {
    if (!j.is_array()) return flat.push_back(j.get<double>());
    for (const Json& item : j) collect(item);
  };
  collect(json);
  return at::tensor(flat, at::kDouble).reshape(shape);
}

Activation activation_of(const std::string& name) {
  for (const auto& [text, value] : enum_names(Activation{})) {
    if (name == text) return value;
  }
  throw std::runtime_error("unknown activation " + name);
}

// The golden weights are used as they are: caps far away, and a constant that is declared, because
// only the Jacobians at the golden points stay below 1.
class DeclaredNet final : public ContractiveNet {
 public:
  DeclaredNet(std::shared_ptr<LayeredNet> inner, double lipschitz)
      : inner_(std::move(inner)), lipschitz_(lipschitz) {
    register_module("inner", inner_);
  }
  int64_t dim() const override { return inner_->dim(); }
  double lipschitz() const override { return lipschitz_; }
  bool proven() const override { return false; }
  NetMap map(const at::Tensor& c) const override { return inner_->map(c); }
  std::unique_ptr<NetPoint> linearize(const at::Tensor& w, const at::Tensor& c) const override {
    return inner_->linearize(w, c);
  }
  void refresh(bool force) override { inner_->refresh(force); }

 private:
  std::shared_ptr<LayeredNet> inner_;
  double lipschitz_;
};

struct GoldenNet {
  std::shared_ptr<LayeredNet> net;
  std::map<std::string, at::Tensor> parameters;  // by golden name
  std::set<std::string> betas;                   // those that are raw_beta of ours
};

EventShape event_of(const Json& golden) {
  if (golden["kind"] == "mlp") return golden["dims"].front().get<int64_t>();
  const int64_t size = golden["size"];
  return {golden["channels"].get<int64_t>(), size, size};
}

// Widths from the event's features on: one linear layer between two of them.
std::vector<int64_t> widths_of(const Json& golden) {
  if (golden["kind"] == "mlp") return golden["dims"].get<std::vector<int64_t>>();
  const int64_t channels = golden["channels"], hidden = golden["hidden"];
  return {channels, hidden, hidden, channels};
}

constexpr double kFarCap = 1e9;

// A linear layer, or the convolution whose kernel the golden weight has.
LayerPtr bounded_layer(const Json& golden, const std::string& prefix, int64_t inputs,
                       int64_t outputs) {
  const Json& weight = golden["parameters"][prefix + "weight"];
  const bool is_conv = golden["kind"] == "conv" && weight[0][0].size() > 1;
  if (!is_conv) {
    return std::make_shared<LipschitzLinear>(
        LipschitzLinearOptions{.inputs = inputs, .outputs = outputs, .cap = kFarCap});
  }
  const int64_t size = golden["size"], kernel = std::ssize(weight[0][0]);
  return std::make_shared<LipschitzConv>(LipschitzConvOptions{.inputs = inputs,
                                                              .outputs = outputs,
                                                              .kernel = kernel,
                                                              .grid = {size, size},
                                                              .cap = kFarCap});
}

GoldenNet build_net(const Json& golden) {
  GoldenNet out;
  const Activation kind = activation_of(golden["activation"]);
  const EventShape event = event_of(golden);
  const std::vector<int64_t> widths = widths_of(golden);
  std::vector<LayerPtr> layers;
  const auto add_grid = [&](GridLayer::Direction direction) {
    if (!event.is_row()) layers.push_back(std::make_shared<GridLayer>(event, direction));
  };
  add_grid(GridLayer::Direction::kToGrid);
  for (size_t k = 0; k + 1 < widths.size(); ++k) {
    const std::string prefix = std::to_string(k) + ".";
    const auto act = std::make_shared<ActivationLayer>(kind, widths[k]);
    const LayerPtr linear = bounded_layer(golden, prefix, act->outputs(), widths[k + 1]);
    layers.insert(layers.end(), {act, linear});
    if (has_beta(kind)) {
      out.betas.insert(prefix + "beta");
      out.parameters[prefix + "beta"] = act->named_parameters()["raw_beta"];
    }
    out.parameters[prefix + "weight"] = linear->named_parameters()["weight"];
    out.parameters[prefix + "bias"] = linear->named_parameters()["bias"];
  }
  add_grid(GridLayer::Direction::kToRows);
  out.net = std::make_shared<LayeredNet>(std::make_shared<Sequential>(layers), 0);
  out.net->to(at::kDouble);
  at::NoGradGuard guard;
  for (auto& [name, parameter] : out.parameters) {
    const Json& value = golden["parameters"][name];
    if (out.betas.count(name) > 0) {
      const double beta = value.get<double>();
      parameter.fill_(beta + std::log(-std::expm1(-beta)));  // inverse of softplus
    } else {
      parameter.copy_(tensor_of(value).view_as(parameter));  // 1x1 kernels are matrices
    }
  }
  out.net->refresh(true);
  return out;
}

FormKind form_of(const std::string& name) {
  if (name == "custom") return FormKind::kCustom;
  if (name == "residual") return FormKind::kResidual;
  return name == "inverse" ? FormKind::kInverseResidual : FormKind::kMonotone;
}

void expect_near(const at::Tensor& ours, const at::Tensor& golden, double tolerance,
                 const std::string& what) {
  ASSERT_EQ(ours.numel(), golden.numel()) << what;
  const double worst = (ours.reshape(golden.sizes()) - golden).abs().max().item<double>();
  const double size = 1 + golden.abs().max().item<double>();
  EXPECT_LE(worst, tolerance * size) << what;
}

ContractiveBlockOptions options_of(const Json& golden) {
  ContractiveBlockOptions out{.event = event_of(golden),
                              .form = form_of(golden["form"]),
                              .train_tolerance = 1e-13,
                              .tolerance = 1e-13,
                              .backward_tolerance = 1e-13};
  if (golden.contains("matrix")) out.matrix = golden["matrix"].get<std::vector<double>>();
  return out;
}

class GoldenBlock : public ::testing::TestWithParam<std::string> {};

TEST_P(GoldenBlock, ValuesTermsAndGradients) {
  const Json golden = load("blocks/" + GetParam() + ".json");
  const GoldenNet net = build_net(golden);
  const ContractiveBlockOptions options = options_of(golden);
  const ContractiveBlock block(options, std::make_shared<DeclaredNet>(net.net, 0.995));
  at::Tensor x = tensor_of(golden["x"]).requires_grad_();

  const TransformOutput out = block.forward(x);
  expect_near(out.value, tensor_of(golden["y"]), kValueTolerance, "y");
  expect_near(out.log_det, tensor_of(golden["log_det"]), kValueTolerance, "log_det");
  const at::Tensor w = tensor_of(golden["w"]).flatten(1);
  const BlockForm form = block.form();
  const auto point = net.net->linearize(w, {});
  expect_near(w * form.a + point->value() * form.b, x.detach(), kValueTolerance, "x from w");
  expect_near(w * form.c + point->value() * form.d, tensor_of(golden["y"]), kValueTolerance,
              "y from w");

  const at::Tensor jac = jacobian(*point);
  at::Tensor power = jac;
  for (size_t k = 1; k <= golden["series_terms"].size(); ++k) {
    const at::Tensor term =
        power.diagonal(0, 1, 2).sum(1) * series_coefficient(form, static_cast<int>(k));
    expect_near(term, tensor_of(golden["series_terms"][k - 1]), kValueTolerance,
                "term " + std::to_string(k));
    power = at::bmm(power, jac);
  }

  const at::Tensor loss = (out.value * tensor_of(golden["weight_y"])).sum() +
                          (out.log_det * tensor_of(golden["weight_log_det"])).sum();
  loss.backward();
  expect_near(x.grad(), tensor_of(golden["grad_x"]), kGradientTolerance, "grad x");
  for (const auto& [name, parameter] : net.parameters) {
    at::Tensor gradient = parameter.grad();
    ASSERT_TRUE(gradient.defined()) << name;
    if (net.betas.count(name) > 0)
      gradient = gradient / at::sigmoid(parameter.detach());  // d beta / d raw
    expect_near(gradient, tensor_of(golden["grad_parameters"][name]), kGradientTolerance,
                "grad " + name);
  }
  const TransformOutput back = block.inverse(out.value.detach());
  expect_near(back.value, x.detach(), kValueTolerance, "round trip");
  expect_near(back.log_det, -out.log_det.detach(), kValueTolerance, "inverse log_det");
}

// A probe for each feature, which a colour of its own gives, leaves the estimators no randomness:
// the golden log-determinants within what each certifies.
TEST_P(GoldenBlock, EstimatorsWithAProbeForEachFeature) {
  const Json golden = load("blocks/" + GetParam() + ".json");
  ContractiveBlockOptions options = options_of(golden);
  const int64_t size = options.event.size();
  std::vector<int64_t> colors(static_cast<size_t>(size));
  std::iota(colors.begin(), colors.end(), 0);
  const at::Tensor x = tensor_of(golden["x"]), expected = tensor_of(golden["log_det"]);
  std::vector<LogDetOptions> estimators{
      TruncatedSeries{.terms = 5, .probes = size, .colors = colors}};
  // As many products of convolutions in float64 take seconds, and add nothing.
  if (options.event.is_row()) {
    estimators.emplace_back(
        AdaptiveSeries{.tolerance = 1e-10, .max_terms = 10'000, .probes = size, .colors = colors});
    estimators.emplace_back(KrylovQuadrature{.steps = size, .probes = size, .colors = colors});
  }
  for (const LogDetOptions& estimator : estimators) {
    options.eval_log_det = options.train_log_det = estimator;
    const ContractiveBlock block(options,
                                 std::make_shared<DeclaredNet>(build_net(golden).net, 0.995));
    const at::NoGradGuard guard;
    const TransformOutput out = block.forward(x);
    const at::Tensor error = (out.log_det - expected).abs();
    const double rounding = 1e-12;
    if (std::holds_alternative<TruncatedSeries>(estimator)) {
      EXPECT_TRUE((error <= out.log_det_bias_bound + rounding).all().item<bool>()) << error;
    } else {
      EXPECT_LE(error.max().item<double>(), kValueTolerance) << "estimator " << estimator.index();
    }
  }
}

INSTANTIATE_TEST_SUITE_P(Files, GoldenBlock, ::testing::ValuesIn(golden_blocks()),
                         [](const auto& test) { return test.param; });

// An empty or a halved folder is not a green run.
TEST(GoldenFiles, AreAllThere) { EXPECT_GE(golden_blocks().size(), 29U); }

double order_of(const Json& json) {
  return json.is_string() ? std::numeric_limits<double>::infinity() : json.get<double>();
}

TEST(GoldenNorms, OfMatricesWithTwoColumns) {
  for (const Json& matrix : load("norms.json")) {
    const at::Tensor weight = tensor_of(matrix["weight"]);
    for (const Json& golden : matrix["cases"]) {
      const double p = order_of(golden["p"]), q = order_of(golden["q"]), norm = golden["norm"];
      at::Tensor left = at::zeros({weight.size(0)}, at::kDouble),
                 right = at::zeros({weight.size(1)}, at::kDouble);
      const NormInterval found =
          update_induced_norm(weight, left, right, p, q, NormMethod::kCholesky, 1e-9);
      SCOPED_TRACE(c10::str(weight.size(0), " rows, ", p, " to ", q));
      EXPECT_NEAR(found.upper, norm, 1e-8 * norm);
      EXPECT_LE(found.lower, norm * (1 + 1e-12));
      if (induced_norm_is_exact(p, q)) {
        EXPECT_GE(found.upper, norm);
      }
    }
  }
}

TEST(GoldenEnergies, ValuesAndNormalisers) {
  const Json golden = load("energies.json");
  const at::Tensor points = tensor_of(golden["points"]);
  for (const auto& [name, kind] : enum_names(EnergyKind{})) {
    SCOPED_TRACE(name);
    const Json& expected = golden[std::string(name)];
    expect_near(energy(kind, points), tensor_of(expected["energy"]), 1e-12, "energy");
    EXPECT_NEAR(log_normaliser(kind), expected["log_normaliser"].get<double>(), 1e-6);
  }
}

TEST(GoldenActivations, ValueAndBothDerivatives) {
  constexpr double kTolerance = 1e-12;
  const Json golden = load("activations.json");
  const at::Tensor z = tensor_of(golden["z"]);
  const at::Tensor beta = at::tensor(golden["beta"].get<double>(), at::kDouble);
  for (const auto& [name, expected] : golden["functions"].items()) {
    const ActivationJet jet = activation_jet(activation_of(name), z, beta, 2);
    expect_near(jet.value, tensor_of(expected["value"]), kTolerance, name + " value");
    expect_near(jet.slope, tensor_of(expected["first"]), kTolerance, name + " slope");
    expect_near(jet.curvature, tensor_of(expected["second"]), kTolerance, name + " curvature");
  }
}

}  // namespace
}  // namespace contraflow
