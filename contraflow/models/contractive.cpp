#include "contraflow/models/contractive.h"

#include <algorithm>
#include <nlohmann/json.hpp>

#include "contraflow/core/error.h"
#include "contraflow/models/block_parts.h"
#include "contraflow/models/front.h"
#include "contraflow/transforms/actnorm.h"
#include "contraflow/transforms/contractive_block.h"

namespace contraflow {
namespace {

using Json = nlohmann::ordered_json;

void check_forms(const ContractiveOptions& o) {
  if (std::ssize(o.forms) > o.blocks) {
    fail<ConfigError>("model", "forms", c10::str("at most ", o.blocks, " forms, one per block"),
                      c10::str(o.forms.size(), " forms"),
                      "Raise model.blocks, or shorten the list.");
  }
  if (std::find(o.forms.begin(), o.forms.end(), FormKind::kCustom) != o.forms.end()) {
    fail<ConfigError>("model", "forms", "residual, inverse_residual or monotone", "'custom'",
                      "Build a FlowSpec with the matrix of each block, or set model.learn_form.");
  }
}

// Linear layers would take an image for a row of pixels: that is asked for in the data.
void check_event(const ContractiveOptions& o, const EventShape& event) {
  if (event.is_row() || !o.net.kernels.empty()) return;
  const bool image = event.sizes().size() == 3;
  fail<ConfigError>(
      "model", "net.kernels",
      (image ? "sides of convolutions, for " : "rows of numbers, not ") +
          ("events of shape " + event.text()),
      "a net of linear layers, which are for rows of numbers",
      image ? "Set model.net.kernels, one side for each linear layer, as [3, 1, 3] for two hidden "
              "widths, or data.flatten = true, or choose a model of images such as image_small."
            : "Flatten each event to one row: data.flatten = true.");
}

class SpecBuilder {
 public:
  SpecBuilder(const ContractiveOptions& options, const EventInfo& info)
      : o_(options), info_(info) {}

  void add_front() {
    transforms_ = front_transforms(info_, {.standardize = o_.standardize,
                                           .marginals = o_.marginals,
                                           .logit_alpha = o_.logit_alpha,
                                           .logit = o_.logit,
                                           .dequantization = o_.dequantization,
                                           .mass_table = o_.mass_table});
  }

  void add_blocks() {
    for (int64_t k = 0; k < o_.blocks; ++k) {
      if (o_.actnorm) add(transform_spec("actnorm", ActNormOptions{.event = info_.event}));
      for (const FormKind form : forms_of_block(k)) add_block(form);
    }
    if (o_.actnorm) add(transform_spec("actnorm", ActNormOptions{.event = info_.event}));
  }

  FlowSpec finish() {
    const std::vector<ConditionScale> none;
    return {chain_spec(std::move(transforms_), o_.standardize ? info_.condition_scale : none),
            base_for(o_.base, info_.event)};
  }

 private:
  std::vector<FormKind> forms_of_block(int64_t k) const {
    if (o_.forms.empty()) return forms_of(o_.family);
    return {o_.forms[static_cast<size_t>(k % std::ssize(o_.forms))]};
  }

  void add(Json transform) { transforms_.push_back(std::move(transform)); }

  void add_block(FormKind form) {
    ContractiveBlockOptions block = block_options(o_, info_, form);
    block.event = info_.event;
    block.learn_form = o_.learn_form;
    block.net = o_.net;
    block.seed = network_seed(o_.seed, networks_++);
    add(transform_spec("contractive_block", block));
  }

  const ContractiveOptions& o_;
  const EventInfo& info_;
  int64_t networks_ = 0;
  Json transforms_ = Json::array();
};

}  // namespace

FlowSpec contractive_spec(const ContractiveOptions& options, const EventInfo& info) {
  check_forms(options);
  check_event(options, info.event);
  SpecBuilder builder(options, info);
  builder.add_front();
  builder.add_blocks();
  return builder.finish();
}

}  // namespace contraflow
