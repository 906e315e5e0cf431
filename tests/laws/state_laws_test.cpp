// What goes out through options and files comes back the same.
#include <ATen/ATen.h>
#include <ATen/core/grad_mode.h>

#include "contraflow/core/safetensors.h"
#include "tests/laws/law_case.h"
#include "tests/support/temp_folder.h"
#include "tests/support/tensors.h"

namespace contraflow::laws {
namespace {

SafetensorsFile state_of(const Transform& transform) {
  SafetensorsFile file;
  for (const auto& item : transform.named_parameters()) {
    file.tensors["parameter." + item.key()] = item.value().detach();
  }
  for (const auto& item : transform.named_buffers()) {
    file.tensors["buffer." + item.key()] = item.value();
  }
  return file;
}

void expect_same_outputs(const Transform& a, const Transform& b, const Instance& data) {
  const TransformOutput forward_a = a.forward(data.x, data.context);
  const TransformOutput forward_b = b.forward(data.x, data.context);
  EXPECT_TRUE(at::equal(forward_a.value, forward_b.value));
  EXPECT_TRUE(at::equal(forward_a.log_det, forward_b.log_det));
  EXPECT_TRUE(at::equal(a.inverse(forward_a.value, data.context).value,
                        b.inverse(forward_a.value, data.context).value));
}

TEST_P(TransformLaw, OptionsRoundTrip) {
  const nlohmann::ordered_json resolved = resolve_transform(GetParam().spec());
  EXPECT_EQ(resolved["type"], GetParam().entry->name);
  EXPECT_EQ(resolved, resolve_transform(resolved));
  const Instance instance = make_instance(GetParam(), at::kDouble);
  const TransformPtr again = make_transform(resolved);
  again->to(at::kDouble);
  const SafetensorsFile state = state_of(*make_transform(GetParam().spec()));
  for (const auto& [name, tensor] : state_of(*make_transform(resolved)).tensors) {
    ASSERT_TRUE(state.tensors.contains(name)) << name;
    EXPECT_TRUE(at::equal(tensor, state.tensors.at(name))) << name;
  }
  EXPECT_EQ(again->event_shape(), instance.transform->event_shape());
  EXPECT_EQ(again->latent_shape(), instance.transform->latent_shape());
  EXPECT_EQ(again->condition_shape(), instance.transform->condition_shape());
}

TEST_P(TransformLaw, UnknownOptionIsAnError) {
  nlohmann::ordered_json spec = GetParam().spec();
  spec["no_such_option"] = 1;
  const std::string text =
      contraflow::testing::error_of<ConfigError>([&] { make_transform(spec, "config"); });
  EXPECT_THAT(text, ::testing::HasSubstr("no_such_option"));
  EXPECT_THAT(text, ::testing::HasSubstr("config"));
}

TEST_P(TransformLaw, EntryIsDescribed) {
  const TransformEntry& entry = *GetParam().entry;
  EXPECT_FALSE(entry.summary.empty());
  EXPECT_FALSE(entry.describe().empty());
  for (const OptionInfo& row : entry.describe()) EXPECT_FALSE(row.help.empty()) << row.path;
}

TEST_P(TransformLaw, StateRoundTripsThroughAFile) {
  for (const at::ScalarType dtype : {at::kDouble, at::kFloat}) {
    const Instance instance = make_instance(GetParam(), dtype);
    const contraflow::testing::TempFolder folder;
    write_safetensors(folder / "state.safetensors", state_of(*instance.transform));
    const SafetensorsFile file = read_safetensors(folder / "state.safetensors");

    const TransformPtr fresh = make_transform(GetParam().spec());
    fresh->to(dtype);
    const at::NoGradGuard no_grad;
    const SafetensorsFile target = state_of(*fresh);
    ASSERT_EQ(target.tensors.size(), file.tensors.size());
    for (const auto& [name, tensor] : target.tensors) tensor.copy_(file.tensors.at(name));
    expect_same_outputs(*instance.transform, *fresh, instance);
    EXPECT_EQ(fresh->prepare_needs_data(), instance.transform->prepare_needs_data());
  }
}

TEST_P(TransformLaw, PrepareTwiceChangesNothing) {
  const Instance instance = make_instance(GetParam(), at::kDouble);
  const SafetensorsFile before = state_of(*instance.transform);
  std::map<std::string, at::Tensor> copies;
  for (const auto& [name, tensor] : before.tensors) {
    if (name.starts_with("parameter.")) copies[name] = tensor.clone();
  }
  EXPECT_FALSE(instance.transform->prepare_needs_data());
  const TransformOutput first = instance.transform->forward(instance.x, instance.context);
  instance.transform->prepare(instance.x, instance.context);
  instance.transform->prepare({}, instance.context);
  for (const auto& [name, tensor] : copies) {
    EXPECT_TRUE(at::equal(tensor, before.tensors.at(name))) << name;
  }
  // Norm bounds may still tighten, by less than their proof's slack.
  constexpr double kSlack = 1e-2;
  EXPECT_TRUE(contraflow::testing::near(
      instance.transform->forward(instance.x, instance.context).value, first.value, kSlack));
}

}  // namespace
}  // namespace contraflow::laws
