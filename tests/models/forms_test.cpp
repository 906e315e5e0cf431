// Models whose blocks have different forms, fixed or learned.
#include <torch/csrc/autograd/autograd.h>

#include "contraflow/kernels/isa.h"
#include "contraflow/models/presets.h"
#include "tests/support/derivatives.h"
#include "tests/support/tensors.h"

namespace contraflow {
namespace {

using Json = nlohmann::ordered_json;
using kernels::ScopedIsa;
using testing::error_of;
using ::testing::HasSubstr;
using testing::near;

ContractiveOptions mixture(bool learn) {
  ContractiveOptions o = models::contractive_preset("monotone");
  o.blocks = 5;
  o.forms = {FormKind::kResidual, FormKind::kMonotone, FormKind::kInverseResidual};
  o.learn_form = learn;
  o.net.depth = 2;
  o.net.growth = 6;
  o.net.init_gain = 3.0;
  o.tolerance = o.train_tolerance = o.backward_tolerance = 1e-12;
  return o;
}

std::vector<std::string> forms_of(const ContractiveOptions& options) {
  std::vector<std::string> out;
  const FlowSpec spec = contractive_spec(options, {.event = 2});
  for (const Json& transform : spec.transform["transforms"]) {
    if (transform["type"] == "contractive_block") out.push_back(transform["form"]);
  }
  return out;
}

FlowPtr flow_of(const ContractiveOptions& options, int64_t dim = 2) {
  FlowPtr flow = build_flow(contractive_spec(options, {.event = dim}));
  flow->to(at::kDouble);
  flow->prepare(0.5 + 2 * Rng(1).normal({100, dim}, at::kDouble));
  const at::NoGradGuard guard;
  for (const auto& item : flow->named_parameters()) {
    // Learned forms somewhere else than at their start.
    if (item.key().find("form.offset") != std::string::npos)
      item.value().copy_(Rng(2).fork(item.key()).normal({2}, at::kDouble));
  }
  return flow;
}

at::Tensor rows() { return 0.5 + 2 * Rng(5).normal({23, 2}, at::kDouble); }

TEST(Forms, AreRepeatedOverTheBlocks) {
  EXPECT_EQ(forms_of(mixture(false)),
            (std::vector<std::string>{"residual", "monotone", "inverse_residual", "residual",
                                      "monotone"}));
  ContractiveOptions plain = mixture(false);
  plain.forms = {};
  plain.blocks = 2;
  EXPECT_EQ(forms_of(plain), (std::vector<std::string>{"monotone", "monotone"}));
  plain.family = Family::kImplicit;
  EXPECT_EQ(forms_of(plain), (std::vector<std::string>{"residual", "inverse_residual", "residual",
                                                       "inverse_residual"}));
}

TEST(Forms, ComeFromAConfig) {
  Json json = Json::object();
  json["preset"] = "monotone";
  json["blocks"] = 3;
  json["forms"] = Json::array({"residual", "monotone"});
  json["learn_form"] = true;
  const Json model = models::read_model(json, "config");
  ContractiveOptions options;
  Json own = model;
  own.erase("preset");
  update_options(options, own, "config");
  EXPECT_EQ(forms_of(options), (std::vector<std::string>{"residual", "monotone", "residual"}));
  const FlowSpec spec = contractive_spec(options, {.event = 2});
  EXPECT_EQ(spec.transform["transforms"].back()["learn_form"], true);
  EXPECT_EQ(models::read_model(model, "again"), model);
}

TEST(Forms, MistakesSayWhatToDo) {
  ContractiveOptions options = mixture(false);
  options.blocks = 2;
  EXPECT_THAT(error_of<ConfigError>([&] { contractive_spec(options, {.event = 2}); }),
              HasSubstr("[model] forms: expected at most 2 forms, one per block, got 3 forms."));
  options.forms = {FormKind::kCustom};
  EXPECT_THAT(error_of<ConfigError>([&] { contractive_spec(options, {.event = 2}); }),
              HasSubstr("[model] forms: expected residual, inverse_residual or monotone"));
  Json unknown = Json::object();
  unknown["forms"] = Json::array({"residuals"});
  EXPECT_THAT(error_of<ConfigError>([&] { models::read_model(unknown, "config"); }),
              ::testing::AllOf(HasSubstr("forms"), HasSubstr("residual")));
}

TEST(Forms, LogProbIsThatOfTheJacobian) {
  for (const bool learn : {false, true}) {
    const FlowPtr flow = flow_of(mixture(learn));
    const at::Tensor x = rows();
    const auto map = [&](const at::Tensor& at) { return flow->transform()->forward(at).value; };
    const at::Tensor log_det = std::get<1>(at::linalg_slogdet(testing::batch_jacobian(map, x)));
    EXPECT_TRUE(near(flow->log_prob(x), flow->base()->log_prob(map(x)) + log_det, 1e-9));
  }
}

TEST(Forms, RoundTrip) {
  for (const bool learn : {false, true}) {
    const FlowPtr flow = flow_of(mixture(learn));
    const at::NoGradGuard guard;
    const at::Tensor x = rows();
    EXPECT_TRUE(
        near(flow->transform()->inverse(flow->transform()->forward(x).value).value, x, 1e-9));
    const SampleWithLogProb sample = flow->sample_and_log_prob(20, {.rng = Rng(3)});
    EXPECT_TRUE(near(sample.log_prob, flow->log_prob(sample.sample), 1e-8));
  }
}

TEST(Forms, KernelsEqualTheComposedModel) {
  for (const bool learn : {false, true}) {
    const FlowPtr flow = flow_of(mixture(learn));
    const at::Tensor x = rows();
    const auto run = [&] {
      const at::Tensor log_prob = flow->log_prob(x, {.phase = Phase::kTrain});
      std::vector<at::Tensor> out = torch::autograd::grad(
          {(log_prob * at::arange(x.size(0), at::kDouble).sin()).sum()}, flow->parameters());
      out.push_back(log_prob);
      const at::NoGradGuard guard;
      out.push_back(flow->log_prob(x));
      return out;
    };
    const auto kernel = run();
    const ScopedIsa composed("composed");
    const auto expected = run();
    for (size_t k = 0; k < expected.size(); ++k) {
      const double scale = std::max(1.0, expected[k].abs().max().item<double>());
      EXPECT_TRUE(near(kernel[k] / scale, expected[k] / scale, 1e-9)) << k;
    }
  }
}

// The trainer's way to gradients, past autograd, with blocks that the kernels leave out.
TEST(Forms, GradientsInOneVisitAreThoseOfAutograd) {
  for (const bool learn : {false, true}) {
    const FlowPtr flow = flow_of(mixture(learn));
    const at::Tensor x = rows(), weight = at::arange(x.size(0), at::kDouble).sin();
    const std::vector<at::Tensor> parameters = flow->parameters();
    const Context context{.phase = Phase::kTrain};
    const std::vector<at::Tensor> expected =
        torch::autograd::grad({(flow->log_prob(x, context) * weight).sum()}, parameters);
    flow->add_log_prob_gradient(x, weight, context);
    for (size_t k = 0; k < expected.size(); ++k) {
      const double scale = std::max(1.0, expected[k].abs().max().item<double>());
      EXPECT_TRUE(near(parameters[k].grad() / scale, expected[k] / scale, 1e-9)) << k;
    }
  }
}

}  // namespace
}  // namespace contraflow
