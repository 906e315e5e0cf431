#include "benchmarks/paired/models.h"

#include <ATen/ATen.h>

#include "contraflow/core/error.h"
#include "contraflow/core/json.h"
#include "contraflow/data/sources.h"
#include "contraflow/models/presets.h"
#include "contraflow/networks/layer.h"
#include "contraflow/training/checkpoint.h"
#include "contraflow/training/trainer.h"
#include "contraflow/transforms/contractive_map.h"

namespace contraflow::bench {
namespace {

constexpr int64_t kTableRows = 20000;
constexpr int64_t kTableImages = 2000;
constexpr double kNoise = 0.3;
const EventShape kConvEvent{4, 14, 14};

// What normflows has too: no ActNorm, no standardisation, one activation before each layer.
ContractiveOptions residual(std::vector<int64_t> hidden, int64_t blocks) {
  ContractiveOptions o = models::contractive_preset("residual");
  o.blocks = blocks;
  o.actnorm = false;
  o.standardize = false;
  o.net.hidden = std::move(hidden);
  return o;
}

ContractiveOptions wide(const WorkerOptions& options) {
  const int64_t width = options.width.value_or(512);
  ContractiveOptions o = residual({width, width, width}, 1);
  o.train_log_det = TruncatedSeries{.terms = options.terms.value_or(4)};
  return o;
}

bool is_conv(const WorkerOptions& options) {
  return options.name.find("conv") != std::string::npos;
}

// Of Residual Flows' images: 3x3, 1x1, 3x3, an activation before each. The variance is that of the
// measured roulette; times are of one whose number of terms is the peer's, four in the mean.
ContractiveOptions conv(const WorkerOptions& options) {
  const int64_t width = options.width.value_or(512);
  ContractiveOptions o = residual({width, width}, 1);
  o.net.kernels = {3, 1, 3};
  o.net.lipschitz = 0.98;
  if (options.name.ends_with("_bfloat16")) o.net.products = ProductType::kBFloat16;
  if (options.name.ends_with("_tf32")) o.net.products = ProductType::kTf32;
  o.train_log_det = RussianRoulette{.law = RouletteLaw::kGeometric, .geometric_p = 0.5};
  if (options.name == "conv_variance")
    o.train_log_det = RussianRoulette{.law = RouletteLaw::kOptimal};
  if (options.name == "conv_rate" || options.name == "series_conv")
    o.train_log_det = TruncatedSeries{.terms = options.terms.value_or(4)};
  return o;
}

ContractiveOptions named_model(const WorkerOptions& options) {
  if (is_conv(options)) return conv(options);
  const int64_t width = options.width.value_or(128);
  if (options.name == "residual_block_exact") {
    ContractiveOptions o = residual({width, width, width, width}, 1);
    o.standardize = true;
    return o;
  }
  if (options.name == "idensenet_toy" || options.name == "monotone_toy") {
    ContractiveOptions o =
        models::contractive_preset(options.name == "monotone_toy" ? "monotone" : "idensenet");
    if (options.width) o.net.growth = width;
    return o;
  }
  if (options.name == "gemm_512" || options.name == "series_gradient") return wide(options);
  ContractiveOptions o = residual({width, width, width}, 10);
  // Four probes cost twice one and leave a quarter of its variance (docs/performance.md).
  if (options.name == "gradient_variance_43d")
    o.train_log_det = RussianRoulette{.law = RouletteLaw::kOptimal, .probes = 4};
  return o;
}

}  // namespace

ContractiveOptions case_model(const WorkerOptions& options) {
  ContractiveOptions o = named_model(options);
  if (options.blocks) o.blocks = *options.blocks;
  if (options.tolerance) o.train_tolerance = *options.tolerance;
  if (options.terms) o.train_log_det = TruncatedSeries{.terms = *options.terms};
  o.seed = options.seed;
  return o;
}

int64_t case_batch(const WorkerOptions& options) {
  return options.batch.value_or(is_conv(options) ? 16 : 500);
}

EventShape case_event(const WorkerOptions& options) {
  return is_conv(options) ? kConvEvent : EventShape(case_dim(options));
}

at::Tensor case_events(const WorkerOptions& options, int64_t count, uint64_t stream) {
  std::vector<int64_t> sizes = case_event(options).sizes();
  sizes.insert(sizes.begin(), count);
  return table_rows(case_dim(options), count, stream).view(sizes);
}

int64_t case_dim(const WorkerOptions& options) {
  if (is_conv(options)) return kConvEvent.size();
  if (options.dim) return *options.dim;
  if (options.name.ends_with("_8d")) return 8;
  if (options.name.find("43d") != std::string::npos) return 43;
  return options.name == "gemm_512" || options.name == "series_gradient" ? 128 : 2;
}

FlowPtr case_flow(const WorkerOptions& options) {
  return build_flow(contractive_spec(case_model(options), {.event = case_event(options)}),
                    options.name);
}

at::Tensor table_rows(int64_t dim, int64_t count, uint64_t stream) {
  const auto f64 = at::TensorOptions().dtype(at::kDouble);
  const int64_t factors = std::max<int64_t>(2, dim / 4);
  const Rng table = Rng(43).fork(static_cast<uint64_t>(dim));
  const at::Tensor mixing = table.fork("mixing").normal({factors, dim}, f64);
  const at::Tensor hidden = table.fork("factors").fork(stream).normal({count, factors}, f64);
  const at::Tensor noise = table.fork("noise").fork(stream).normal({count, dim}, f64);
  const at::Tensor x = at::sin(hidden.mm(mixing)) + kNoise * noise;
  return ((x - x.mean(0)) / x.std(0)).to(at::kFloat);
}

data::SourcePtr case_source(const WorkerOptions& options, uint64_t stream) {
  const Rng rng = Rng(static_cast<uint64_t>(options.seed)).fork("data").fork(stream);
  const int64_t dim = case_dim(options);
  if (dim == 2) return std::make_shared<data::ToySource>("8gaussians", rng, at::kFloat);
  const int64_t count = is_conv(options) ? kTableImages : kTableRows;
  return std::make_shared<data::TensorSource>("table", case_events(options, count, 0), at::Tensor(),
                                              at::Tensor(), rng);
}

void train_case(Flow& flow, const WorkerOptions& options, int64_t default_steps) {
  if (!options.checkpoint.empty()) {
    load_weights(flow, load_checkpoint(options.checkpoint), WeightChoice::kSelected,
                 options.checkpoint);
    return;
  }
  const int64_t steps = options.train_steps.value_or(default_steps);
  if (steps == 0) return;
  const data::SourcePtr source = case_source(options, 0);
  fit(flow, {.train = source, .validation = nullptr, .test = nullptr},
      {.steps = steps,
       .batch_size = case_batch(options),
       .adam = {.learning_rate = 2e-3},
       .validate_every = 0});
}

void freeze_scales(Flow& flow, const at::Tensor& x) {
  constexpr double kBelowProof = 1.0 - 3e-3;
  const at::NoGradGuard no_grad;
  for (const auto& module : flow.modules()) {
    const auto* layer = dynamic_cast<const Layer*>(module.get());
    auto own = module->named_parameters(/*recurse=*/false);
    if (layer == nullptr || !own.contains("weight")) continue;
    Tape tape;
    layer->bind(tape, /*condition=*/{});
    own["weight"].copy_(tape.weight * kBelowProof);
  }
  flow.prepare(x);
}

SafetensorsFile exported(const Flow& flow) {
  SafetensorsFile file;
  for (const auto& item : state_of(flow)) file.tensors[item.first] = item.second;
  nlohmann::ordered_json kappa = nlohmann::ordered_json::array();
  for (const Member& leaf : leaves_of(flow.transform())) {
    if (const ContractiveMap* block = leaf.transform->contractive())
      kappa.push_back(block->net()->lipschitz());
  }
  file.metadata["kappa"] = json_text(kappa);
  return file;
}

int64_t parameter_count(const Flow& flow) {
  int64_t count = 0;
  for (const at::Tensor& p : flow.parameters()) count += p.numel();
  return count;
}

}  // namespace contraflow::bench
