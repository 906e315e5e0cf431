#pragma once

#include <optional>
#include <string_view>
#include <vector>

#include "contraflow/core/event_info.h"
#include "contraflow/core/export.h"
#include "contraflow/distributions/flow_spec.h"
#include "contraflow/models/contractive.h"
#include "contraflow/models/front.h"
#include "contraflow/models/model_registry.h"

namespace contraflow {

/// The convolutional network of Residual Flows: 3x3 to `width` channels, 1x1, 3x3 back.
inline NetOptions convolutional_net(int64_t width) {
  return {.kind = NetKind::kSequential,
          .hidden = {width, width},
          .kernels = {3, 1, 3},
          .activation = Activation::kLipSwish,
          .activate_input = true,
          .lipschitz = 0.94};
}

/// A contractive flow of images at several scales, as Residual Flows build it. From data to latent:
///   [front, squeeze if squeeze_first], ActNorm, {block, ActNorm} x blocks[0], squeeze,
///   {block, ActNorm} x blocks[1], squeeze, ..., {fully connected block, ActNorm} x fc_blocks.
/// The latent is one row of numbers. Its presets have the papers' settings.
struct ImageOptions {
  Family family = Family::kResidual;
  /// Blocks of each scale; each scale but the last ends with a squeeze.
  std::vector<int64_t> blocks = {16, 16, 16};
  /// The network of a block, with kernels; its activation before the first layer is left out in the
  /// first block of the flow.
  NetOptions net = convolutional_net(512);
  /// Blocks at the end of the last scale whose networks see all numbers at once, each with an
  /// ActNorm of each number.
  int64_t fc_blocks = 0;
  NetOptions fc_net = {};
  /// Trade pixels for channels before the first block as well.
  bool squeeze_first = false;
  /// After each scale but the last, half of the channels leaves for the latent.
  bool factor_out = false;
  /// What leaves is normal given what stays (SplitPrior), instead of as the base has it.
  bool split_prior = false;
  /// Least variance that an ActNorm starts from.
  double variance_floor = 0.2;
  /// Integers: normal scores of each level's share of the training data, unless `logit`.
  Marginals marginals = Marginals::kAuto;
  double logit_alpha = 0.05;
  bool logit = true;
  /// auto: as `logit` and `marginals` say; otherwise they do not count. See FrontOptions.
  Dequantization dequantization = Dequantization::kAuto;
  std::optional<MassTable> mass_table = std::nullopt;
  /// From here on as in ContractiveOptions.
  std::optional<LogDetOptions> train_log_det = std::nullopt;
  std::optional<LogDetOptions> eval_log_det = std::nullopt;
  SolverOptions solver = {};
  double train_tolerance = SolveDefaults::train_tolerance;
  double tolerance = SolveDefaults::tolerance;
  double backward_tolerance = SolveDefaults::backward_tolerance;
  /// Of the latent row.
  nlohmann::ordered_json base = {{"type", "normal"}};
  int64_t seed = 0;
};

template <class Field>
void visit(ImageOptions& o, Field&& field) {
  field("family", o.family, "Blocks: residual, inverse_residual, implicit or monotone.");
  field("blocks", o.blocks, non_empty() && at_least(1),
        "Blocks of each scale, as [16, 16, 16]; a squeeze ends each scale but the last.");
  field("net", o.net, "The contractive network of a block; net.kernels make it convolutional.");
  field("fc_blocks", o.fc_blocks, at_least(0),
        "Blocks at the end whose networks see all numbers at once.");
  field("fc_net", o.fc_net, "The network of such a block.");
  field("squeeze_first", o.squeeze_first, "A squeeze before the first block.");
  field("factor_out", o.factor_out, "Half of the channels leaves after each scale but the last.");
  field("split_prior", o.split_prior,
        "With factor_out: a normal density of what leaves, given what stays.");
  field("variance_floor", o.variance_floor, non_negative(),
        "Least variance that an ActNorm divides by at the start; 0 = none.");
  field("marginals", o.marginals,
        "Integers without a logit: auto = normal scores of each level's share of the data.");
  field("logit", o.logit, "Integers: a logit after uniform dequantization.");
  field("logit_alpha", o.logit_alpha, open_interval(0.0, 0.5), "Margin of the logit.");
  field(
      "dequantization", o.dequantization,
      "marginal = normal scores of the levels' masses, uniform = noise and a logit, whatever logit "
      "says; auto = as logit says.");
  field(
      "mass_table", o.mass_table,
      "Masses of marginal dequantization: for each pixel, each channel, or shared; unset: pixel.");
  visit_model_settings(o, field);
}

/// split_prior without factor_out -> ConfigError.
CF_EXPORT void validate(const ImageOptions& options);

/// The transforms and base of `options` for such events: everything the choice depends on is written
/// out in the spec. ConfigError for events that are not [channels, height, width], and for sides that
/// cannot be halved as often as there are squeezes.
CF_EXPORT FlowSpec image_spec(const ImageOptions& options, const EventInfo& info);

namespace models {

/// The options of a preset of images; ConfigError with the nearest match for an unknown name, and for
/// a preset of rows.
CF_EXPORT ImageOptions image_preset(std::string_view name);

/// Flows of images, for the registry.
CF_EXPORT ModelEntry image_entry();

}  // namespace models
}  // namespace contraflow
