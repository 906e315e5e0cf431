// The settings of the papers' image models, from their texts and codes, and small ones of our own.
#include "contraflow/core/error.h"
#include "contraflow/models/image_flow.h"

namespace contraflow::models {
namespace {

// A row of the papers' tables of architectures: what a data set changes.
struct ImageData {
  const char* name;
  const char* title;
  std::vector<int64_t> blocks;
  bool squeeze_first, factor_out;
  int64_t fc_blocks;
  double logit_alpha;
};

const std::vector<ImageData>& image_data() {
  static const std::vector<ImageData> rows{
      {"mnist", "MNIST", {16, 16, 16}, false, false, 4, 1e-6},
      {"cifar10", "CIFAR-10 or SVHN", {16, 16, 16}, false, false, 4, 0.05},
      {"imagenet32", "ImageNet32", {32, 32, 32}, false, false, 4, 0.05},
      {"imagenet64", "ImageNet64", {32, 32, 32}, true, true, 4, 0.05},
      {"celeba64", "CelebA 64", {16, 16, 16, 16}, true, true, 0, 0.05},
      {"celebahq256", "CelebA-HQ 256", {16, 16, 16, 16, 16, 16}, true, true, 0, 0.05}};
  return rows;
}

const ImageData& data_of(std::string_view name) {
  for (const ImageData& row : image_data()) {
    if (row.name == name) return row;
  }
  fail<ConfigError>("image presets", "data", "a row of the list", std::string(name), "Add it.");
}

ImageOptions options_for(const ImageData& data) {
  return {.blocks = data.blocks,
          .fc_blocks = data.fc_blocks,
          .squeeze_first = data.squeeze_first,
          .factor_out = data.factor_out,
          .variance_floor = 0.2,
          .marginals = Marginals::kNone,
          .logit_alpha = data.logit_alpha,
          .logit = true};
}

RussianRoulette poisson(int64_t exact_terms, ProbeKind probe = ProbeKind::kGaussian) {
  return {.exact_terms = exact_terms,
          .law = RouletteLaw::kPoisson,
          .poisson_mean = 2.0,
          .probe = probe};
}

// Of the paper's text; its scripts have poisson(2).
RussianRoulette geometric(int64_t exact_terms) {
  return {.exact_terms = exact_terms,
          .law = RouletteLaw::kGeometric,
          .geometric_p = 0.5,
          .probe = ProbeKind::kGaussian};
}

constexpr double kCoefficient = 0.98;  // of each weight, where ours bounds the network
constexpr double kOfThree = kCoefficient * kCoefficient * kCoefficient;
constexpr double kOfFour = kOfThree * kCoefficient;

NetOptions three_one_three(Activation activation, double lipschitz) {
  NetOptions out = convolutional_net(512);
  out.activation = activation;
  out.lipschitz = lipschitz;
  return out;
}

NetOptions two_hidden(Activation activation, double lipschitz) {
  return {.kind = NetKind::kSequential,
          .hidden = {128, 128},
          .activation = activation,
          .activate_input = true,
          .lipschitz = lipschitz};
}

NetOptions dense_convolutions(int64_t depth, int64_t growth, Activation activation) {
  NetOptions out{.kind = NetKind::kDense,
                 .depth = depth,
                 .growth = growth,
                 .kernels = std::vector<int64_t>(static_cast<size_t>(depth), 3),
                 .activation = activation,
                 .lipschitz = kOfFour};
  out.kernels.push_back(1);
  return out;
}

NetOptions dense_rows(Activation activation) {
  return {.kind = NetKind::kDense,
          .depth = 3,
          .growth = 32,
          .stem = 64,
          .activation = activation,
          .lipschitz = kOfFour};
}

ImageOptions residual_options(const ImageData& data) {
  const bool faces = data.name == std::string_view("celebahq256");
  const Activation activation = faces ? Activation::kElu : Activation::kLipSwish;
  ImageOptions o = options_for(data);
  o.family = Family::kResidual;
  o.net = three_one_three(activation, kOfThree);
  o.fc_net = two_hidden(activation, kOfThree);
  o.train_log_det = geometric(faces ? 8 : 2);
  o.eval_log_det = geometric(20);
  return o;
}

// Dense nets: i-DenseNets and Monotone Flows.
ImageOptions dense_options(const ImageData& data, Family family, Activation activation,
                           int64_t exact_terms) {
  ImageOptions o = options_for(data);
  o.family = family;
  o.net = dense_convolutions(3, 172, activation);
  o.fc_net = dense_rows(activation);
  o.train_log_det = poisson(exact_terms);
  o.eval_log_det = poisson(20);
  return o;
}

ImageOptions idensenet_options(const ImageData& data) {
  return dense_options(data, Family::kResidual, Activation::kClipSwish, 2);
}

ImageOptions monotone_options(const ImageData& data) {
  return dense_options(data, Family::kMonotone, Activation::kCPila, 10);
}

// Two networks a block and two blocks a scale, whatever the data: published for CIFAR-10.
ImageOptions implicit_options(const ImageData& data) {
  constexpr double kOfThreeAtNine = 0.9 * 0.9 * 0.9;
  ImageOptions o = options_for(data);
  o.family = Family::kImplicit;
  o.blocks.assign(data.blocks.size(), 2);
  o.fc_blocks = 0;
  o.net = three_one_three(Activation::kLipSwish, kOfThreeAtNine);
  o.fc_net = two_hidden(Activation::kLipSwish, kOfThreeAtNine);
  o.train_log_det = poisson(10, ProbeKind::kRademacher);
  o.eval_log_det = poisson(20, ProbeKind::kRademacher);
  return o;
}

struct PaperFamily {
  const char* name;
  const char* title;
  ImageOptions (*options)(const ImageData& data);
};

void add_paper_presets(std::vector<Preset>& to) {
  constexpr std::array kFamilies{
      PaperFamily{"residual", "Residual Flow (Chen et al. 2019)", residual_options},
      PaperFamily{"idensenet", "i-DenseNet (Perugachi-Diaz et al. 2021)", idensenet_options},
      PaperFamily{"implicit", "Implicit Flow (Lu et al. 2021)", implicit_options},
      PaperFamily{"monotone", "Monotone Flow (Ahn et al. 2022)", monotone_options}};
  for (const PaperFamily& family : kFamilies) {
    for (const ImageData& data : image_data()) {
      to.push_back(make_preset(c10::str(family.name, "_", data.name),
                               c10::str(family.title, ", ", data.title), family.options(data)));
    }
  }
}

// Table 3 of Residual Flows: the biased series and ELU, then the unbiased one; with LipSwish it is
// the flow itself.
void add_ablations(std::vector<Preset>& to) {
  for (const char* name : {"mnist", "cifar10"}) {
    ImageOptions o = residual_options(data_of(name));
    o.net.activation = o.fc_net.activation = Activation::kElu;
    to.push_back(make_preset(c10::str("residual_elu_", name),
                             "ablation of Residual Flows: ELU instead of LipSwish", o));
    o.train_log_det = TruncatedSeries{.terms = 10, .probe = ProbeKind::kGaussian};
    to.push_back(make_preset(c10::str("iresnet_elu_", name),
                             "ablation of Residual Flows: i-ResNet, 10 terms, biased, ELU", o));
  }
}

// CIFAR-10 with four blocks a scale: a Residual Flow, and i-DenseNets of as many parameters.
void add_equal_budgets(std::vector<Preset>& to) {
  ImageOptions residual = residual_options(data_of("cifar10"));
  residual.blocks = {4, 4, 4};
  to.push_back(make_preset("residual_444_cifar10", "Residual Flow, 4-4-4 blocks", residual));
  for (const auto& [depth, growth] :
       {std::pair{2, 318}, std::pair{3, 178}, std::pair{4, 122}, std::pair{5, 92}}) {
    ImageOptions o = idensenet_options(data_of("cifar10"));
    o.blocks = {4, 4, 4};
    o.net = dense_convolutions(depth, growth, Activation::kClipSwish);
    to.push_back(
        make_preset(c10::str("idensenet_444_depth", depth, "_cifar10"),
                    c10::str("i-DenseNet, 4-4-4 blocks of depth ", depth, ", growth ", growth), o));
  }
}

// Small enough for two cores: half an hour on MNIST, a minute on the digits. The squeeze in front
// makes each product a quarter as long, and the blocks reach twice as far; blocks that see all
// pixels at once cost as much as one of convolutions and learn what the images have in common.
void add_small_presets(std::vector<Preset>& to) {
  ImageOptions o{.family = Family::kResidual,
                 .blocks = {2, 3},
                 .net = convolutional_net(32),
                 .squeeze_first = true,
                 .logit = false};
  to.push_back(make_preset("image_small", "small Residual Flow of images, for two cores", o));
  o.family = Family::kMonotone;
  o.blocks = {2, 2};
  o.net.activation = Activation::kCPila;
  o.net.hidden = {24, 24};
  o.fc_blocks = 3;
  o.fc_net = {.kind = NetKind::kSequential,
              .hidden = {256, 256},
              .activation = Activation::kCPila,
              .activate_input = true,
              .lipschitz = 0.95};
  to.push_back(
      make_preset("image_small_monotone", "small Monotone Flow of images, for two cores", o));
}

std::vector<Preset> image_presets() {
  std::vector<Preset> out;
  add_small_presets(out);
  add_paper_presets(out);
  add_ablations(out);
  add_equal_budgets(out);
  return out;
}

}  // namespace

ModelEntry image_entry() {
  return make_entry<ImageOptions>("image", "contractive blocks on images, at several scales",
                                  image_presets(), image_spec);
}

ImageOptions image_preset(std::string_view name) {
  const auto [entry, preset] = find_preset(name);
  if (entry.name == "image") return options_from_json<ImageOptions>(preset.options, "model");
  fail<ConfigError>("model", "preset", "a model of images",
                    c10::str("'", name, "', of the family ", entry.name),
                    "Read its options with models::read_model().");
}

}  // namespace contraflow::models
