#include "contraflow/transforms/registry.h"

#include <cmath>

#include "contraflow/core/json.h"
#include "contraflow/transforms/actnorm.h"
#include "contraflow/transforms/batch_norm.h"
#include "contraflow/transforms/chain.h"
#include "contraflow/transforms/column_map.h"
#include "contraflow/transforms/contractive_block.h"
#include "contraflow/transforms/dequantize.h"
#include "contraflow/transforms/inverse.h"
#include "contraflow/transforms/logit.h"
#include "contraflow/transforms/marginal_dequantize.h"
#include "contraflow/transforms/marginal_spline.h"
#include "contraflow/transforms/multi_scale.h"
#include "contraflow/transforms/scale.h"
#include "contraflow/transforms/split_prior.h"
#include "contraflow/transforms/squeeze.h"
#include "contraflow/transforms/standardize.h"

namespace contraflow {
namespace {

constexpr const char* kListTransforms = "contraflow list transforms";

using Json = nlohmann::ordered_json;

std::string member_place(std::string_view where, std::string_view key, size_t k) {
  return c10::str(where, " ", key, "[", k, "]");
}

void check_list(const Json& specs, std::string_view where, std::string_view key) {
  if (specs.is_array()) return;
  fail<ConfigError>(where, key, "a list of tables", shorten(json_text(specs)),
                    "Write [{\"type\": ...}, ...].");
}

TransformEntry chain_entry() {
  TransformEntry out = entry<Chain>({});
  out.make = [](const Json& json, std::string_view where) -> TransformPtr {
    const auto options = options_from_json<ChainOptions>(json, where);
    return std::make_shared<Chain>(make_transforms(options.transforms, where), options.condition);
  };
  out.resolve = [](const Json& json, std::string_view where) {
    auto options = options_from_json<ChainOptions>(json, where);
    options.transforms = resolve_transforms(options.transforms, where);
    return options_to_json(options);
  };
  out.member_keys = {"transforms"};
  const Json pixels = Json::array({{{"type", "dequantize"}, {"event", 3}, {"levels", {17}}},
                                   {{"type", "logit"}, {"event", 3}},
                                   {{"type", "actnorm"}, {"event", 3}}});
  const Json affine =
      Json::array({{{"type", "standardize"}, {"event", 2}},
                   {{"type", "inverse"}, {"transform", {{"type", "actnorm"}, {"event", 2}}}}});
  out.samples = {
      law_sample("integers", ChainOptions{pixels}, {InputKind::kInteger, 0, 16}),
      law_sample("affine", ChainOptions{affine}),
  };
  return out;
}

TransformEntry inverse_entry() {
  TransformEntry out = entry<Inverse>({});
  out.make = [](const Json& json, std::string_view where) -> TransformPtr {
    const auto options = options_from_json<InverseOptions>(json, where);
    return std::make_shared<Inverse>(
        make_transform(options.transform, std::string(where) + " transform"));
  };
  out.resolve = [](const Json& json, std::string_view where) {
    auto options = options_from_json<InverseOptions>(json, where);
    options.transform = resolve_transform(options.transform, std::string(where) + " transform");
    return options_to_json(options);
  };
  out.member_keys = {"transform"};
  out.samples = {
      law_sample("actnorm", InverseOptions{{{"type", "actnorm"}, {"event", 3}}}),
      // Latents of the logit's bounds lie at -2.9 and 2.9.
      law_sample("logit", InverseOptions{{{"type", "logit"}, {"event", 2}}},
                 {InputKind::kBounded, -2.5, 2.5}),
  };
  return out;
}

TransformEntry multi_scale_entry() {
  TransformEntry out = entry<MultiScale>({});
  out.make = [](const Json& json, std::string_view where) -> TransformPtr {
    const auto options = options_from_json<MultiScaleOptions>(json, where);
    return std::make_shared<MultiScale>(make_transforms(options.scales, where, "scales"),
                                        options.factor_out,
                                        make_transforms(options.priors, where, "priors"));
  };
  out.resolve = [](const Json& json, std::string_view where) {
    auto options = options_from_json<MultiScaleOptions>(json, where);
    options.scales = resolve_transforms(options.scales, where, "scales");
    options.priors = resolve_transforms(options.priors, where, "priors");
    return options_to_json(options);
  };
  out.member_keys = {"scales", "priors"};
  const auto actnorm = [](const std::vector<int64_t>& event) {
    return Json{{"type", "actnorm"}, {"event", event}};
  };
  const Json first = chain_spec(
      Json::array({actnorm({2, 2, 4}), Json{{"type", "squeeze"}, {"event", {2, 2, 4}}}}));
  out.samples = {
      law_sample("halves", MultiScaleOptions{.scales = {first, actnorm({4, 1, 2})},
                                             .priors = Json::array({actnorm({4, 1, 2})})}),
      law_sample("whole",
                 MultiScaleOptions{.scales = {first, actnorm({8, 1, 2})}, .factor_out = false}),
  };
  return out;
}

// Solves and norms tight enough for finite differences; weights large enough that the caps bind.
ContractiveBlockOptions block_sample() {
  ContractiveBlockOptions o{.event = 2, .form = FormKind::kResidual};
  o.net.activation = Activation::kClipSwish;
  o.net.depth = 2;
  o.net.growth = 8;
  o.net.lipschitz = 0.8;
  o.net.norm_tolerance = 1e-9;
  o.net.init_gain = 2.0;
  o.train_log_det = ExactLogDet{};
  o.train_tolerance = o.tolerance = o.backward_tolerance = 1e-12;
  return o;
}

}  // namespace

const std::vector<TransformEntry>& transform_registry() {
  static const std::vector<TransformEntry> registry{
      entry<ActNorm>({law_sample("dim3", ActNormOptions{.event = 3})}),
      entry<BatchNorm>({law_sample("dim3", BatchNormOptions{.event = 3})}),
      entry<Scale>({law_sample("dim3", ScaleOptions{.event = 3})}),
      entry<Standardize>({law_sample("dim3", StandardizeOptions{.event = 3})}),
      entry<Logit>(
          {law_sample("unit", LogitOptions{.event = 3}, {InputKind::kBounded, 0.0, 1.0}),
           law_sample("columns",
                      LogitOptions{.event = 2, .lower = {-2, -3}, .upper = {4, 3}, .alpha = 1e-3},
                      {InputKind::kBounded, -2.0, 3.0})}),
      entry<ColumnMap>(
          {law_sample("real", ColumnMapOptions{{{.center = 3.0, .scale = 2.0},
                                                {.kind = ColumnKind::kPositive, .lower = -9.0}}}),
           law_sample("bounded",
                      ColumnMapOptions{{{.kind = ColumnKind::kBounded, .lower = -1.0, .upper = 2.0},
                                        {.kind = ColumnKind::kBounded, .upper = 1.5},
                                        {.kind = ColumnKind::kBounded, .lower = -0.5}}},
                      {InputKind::kBounded, 0.0, 1.0}),
           law_sample("whole",
                      ColumnMapOptions{{{.kind = ColumnKind::kInteger, .step = 0.5, .center = 4.0},
                                        {.kind = ColumnKind::kInteger, .levels = 17},
                                        {.kind = ColumnKind::kCount, .scale = 3.0}}},
                      {InputKind::kInteger, 0, 16}, /*exact_log_det=*/true, std::log(0.5))}),
      entry<Dequantize>({law_sample("levels17", DequantizeOptions{.event = 3, .levels = {17}},
                                    {InputKind::kInteger, 0, 16}),
                         law_sample("columns", DequantizeOptions{.event = 2, .levels = {4, 256}},
                                    {InputKind::kInteger, 0, 3})}),
      entry<MarginalSpline>(
          {law_sample("columns", MarginalSplineOptions{.event = 3, .knots = {0, 6, 12}}),
           law_sample("affine", MarginalSplineOptions{.event = 2, .knots = {0}}),
           law_sample("fixed", MarginalSplineOptions{.event = 2, .knots = {40}, .train = false})}),
      entry<MarginalDequantize>(
          {law_sample("columns", MarginalDequantizeOptions{.event = 3, .levels = {4, 17, 0}},
                      {InputKind::kInteger, 0, 3}),
           law_sample(
               "shared",
               MarginalDequantizeOptions{.event = 3, .levels = {17}, .table = MassTable::kShared},
               {InputKind::kInteger, 0, 16})}),
      entry<SplitPrior>({law_sample(
          "image",
          SplitPriorOptions{.event = {2, 3, 2}, .condition = {1, 3, 2}, .init_gain = 1.0})}),
      entry<Squeeze>({law_sample("image", SqueezeOptions{.event = {2, 4, 6}})}),
      entry<ContractiveBlock>({law_sample("residual", block_sample())}),
      chain_entry(),
      inverse_entry(),
      multi_scale_entry(),
  };
  return registry;
}

TransformPtr make_transform(const Json& spec, std::string_view where) {
  return find_entry(transform_registry(), spec, where, kListTransforms)
      .make(options_of(spec), where);
}

Json resolve_transform(const Json& spec, std::string_view where) {
  const TransformEntry& found = find_entry(transform_registry(), spec, where, kListTransforms);
  return with_type(found.name, found.resolve(options_of(spec), where));
}

int64_t change_leaves(Json& spec, const std::function<bool(const TransformEntry&, Json&)>& change,
                      std::string_view where) {
  const TransformEntry& found = find_entry(transform_registry(), spec, where, kListTransforms);
  Json options = options_of(spec);
  int64_t changed = 0;
  if (found.member_keys.empty()) changed = change(found, options) ? 1 : 0;
  for (const std::string& key : found.member_keys) {
    Json& members = options.at(key);
    if (members.is_array()) {
      for (Json& member : members) changed += change_leaves(member, change, where);
    } else {
      changed += change_leaves(members, change, where);
    }
  }
  spec = with_type(found.name, options);
  return changed;
}

std::vector<TransformPtr> make_transforms(const Json& specs, std::string_view where,
                                          std::string_view key) {
  check_list(specs, where, key);
  std::vector<TransformPtr> out;
  for (size_t k = 0; k < specs.size(); ++k) {
    out.push_back(make_transform(specs[k], member_place(where, key, k)));
  }
  return out;
}

Json resolve_transforms(const Json& specs, std::string_view where, std::string_view key) {
  check_list(specs, where, key);
  Json out = Json::array();
  for (size_t k = 0; k < specs.size(); ++k) {
    out.push_back(resolve_transform(specs[k], member_place(where, key, k)));
  }
  return out;
}

}  // namespace contraflow
