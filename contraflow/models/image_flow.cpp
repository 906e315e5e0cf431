#include "contraflow/models/image_flow.h"

#include <nlohmann/json.hpp>

#include "contraflow/core/error.h"
#include "contraflow/models/block_parts.h"
#include "contraflow/transforms/actnorm.h"
#include "contraflow/transforms/multi_scale.h"
#include "contraflow/transforms/split_prior.h"
#include "contraflow/transforms/squeeze.h"

namespace contraflow {
namespace {

using Json = nlohmann::ordered_json;

void check_image(const EventShape& event) {
  if (event.sizes().size() == 3) return;
  fail<ConfigError>("model", "event", "images [channels, height, width]",
                    event.is_row() ? c10::str("rows of ", event.features(), " columns")
                                   : "events of shape " + event.text(),
                    "Keep images as they are (data.flatten = false), or choose a model of rows, "
                    "for example model.preset = \"monotone\".");
}

int64_t squeezes_of(const ImageOptions& o) {
  return std::ssize(o.blocks) - 1 + (o.squeeze_first ? 1 : 0);
}

// Each squeeze halves both sides.
void check_sides(const ImageOptions& o, const EventShape& event) {
  const int64_t height = event.sizes()[1], width = event.sizes()[2];
  int64_t most = 0;
  while (height % (int64_t{2} << most) == 0 && width % (int64_t{2} << most) == 0) ++most;
  const int64_t squeezes = squeezes_of(o);
  if (squeezes <= most) return;
  fail<ConfigError>(
      "model", "blocks",
      c10::str("sides that can be halved ", squeezes, " times, once for each scale but the last",
               o.squeeze_first ? " and for squeeze_first" : ""),
      c10::str(height, " x ", width, " pixels, which can be halved ", most, " times"),
      most > 0 || !o.squeeze_first ? c10::str("Give at most ", most + 1 - (o.squeeze_first ? 1 : 0),
                                              " scales, as model.blocks = [4], or pad the images.")
                                   : "Set model.squeeze_first = false, or pad the images.");
}

class ImageBuilder {
 public:
  ImageBuilder(const ImageOptions& options, const EventInfo& info)
      : o_(options), info_(info), event_(info.event) {}

  FlowSpec build() {
    Json transforms = front_transforms(info_, {.standardize = false,
                                               .marginals = o_.marginals,
                                               .logit_alpha = o_.logit_alpha,
                                               .logit = asks_logit(),
                                               .dequantization = o_.dequantization,
                                               .mass_table = o_.mass_table});
    if (o_.squeeze_first) transforms.push_back(squeeze());
    MultiScaleOptions scales{.factor_out = o_.factor_out};
    for (size_t k = 0; k < o_.blocks.size(); ++k) {
      scales.scales.push_back(scale(k));
      if (!o_.split_prior || k + 1 == o_.blocks.size()) continue;
      scales.priors.push_back(
          transform_spec("split_prior", SplitPriorOptions{.event = event_, .condition = event_}));
    }
    transforms.push_back(transform_spec("multi_scale", scales));
    return {chain_spec(std::move(transforms), info_.condition_scale),
            base_for(o_.base, info_.event.size())};
  }

 private:
  bool asks_logit() const { return o_.dequantization == Dequantization::kAuto && o_.logit; }

  Json scale(size_t k) {
    members_ = Json::array();
    if (k == 0) add_actnorm(/*each_number=*/false);
    for (int64_t b = 0; b < o_.blocks[k]; ++b) add_block(o_.net, /*each_number=*/false);
    if (k + 1 == o_.blocks.size()) {
      for (int64_t b = 0; b < o_.fc_blocks; ++b) add_block(o_.fc_net, /*each_number=*/true);
      return chain_spec(members_);
    }
    members_.push_back(squeeze());
    if (o_.factor_out) halve();
    return chain_spec(members_);
  }

  Json squeeze() {
    const std::vector<int64_t>& s = event_.sizes();
    Json out = transform_spec("squeeze", SqueezeOptions{.event = event_});
    event_ = {4 * s[0], s[1] / 2, s[2] / 2};
    return out;
  }

  void halve() {
    const std::vector<int64_t>& s = event_.sizes();
    event_ = {s[0] / 2, s[1], s[2]};
  }

  void add_actnorm(bool each_number) {
    members_.push_back(transform_spec("actnorm", ActNormOptions{.event = event_,
                                                                .variance_floor = o_.variance_floor,
                                                                .each_number = each_number}));
  }

  void add_block(NetOptions net, bool each_number) {
    // Data enter the first block; an activation before it would only lose of them.
    if (networks_ == 0) net.activate_input = false;
    for (const FormKind form : forms_of(o_.family)) {
      ContractiveBlockOptions block = block_options(o_, info_, form);
      block.event = event_;
      block.net = net;
      block.seed = network_seed(o_.seed, networks_++);
      members_.push_back(transform_spec("contractive_block", block));
    }
    add_actnorm(each_number);
  }

  const ImageOptions& o_;
  const EventInfo& info_;
  EventShape event_;
  int64_t networks_ = 0;
  Json members_;
};

}  // namespace

void validate(const ImageOptions& o) {
  if (!o.split_prior || o.factor_out) return;
  fail<ConfigError>("model", "split_prior", "a model with factor_out", "one without",
                    "Set model.factor_out = true, or drop split_prior: nothing leaves.");
}

FlowSpec image_spec(const ImageOptions& options, const EventInfo& info) {
  validate(options);
  check_image(info.event);
  check_sides(options, info.event);
  return ImageBuilder(options, info).build();
}

}  // namespace contraflow
