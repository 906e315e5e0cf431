#include <array>
#include <charconv>

#include "contraflow/core/error.h"
#include "contraflow/core/text.h"
#include "contraflow/data/choose_columns.h"
#include "contraflow/data/data_entries.h"
#include "contraflow/data/message.h"
#include "contraflow/data/sources.h"
#include "contraflow/data/toy.h"

namespace contraflow::data {
namespace {

constexpr const char* kToyLabel = "label";

// A fixed sample of a toy density, from a stream of its own.
SourcePtr toy_part(const char* part, int64_t rows, const ToySource& stream, const Rng& order) {
  if (rows == 0) return nullptr;
  const Batch all = stream.rows(0, rows);
  return std::make_shared<TensorSource>(part, all.x, all.condition, at::Tensor(), order);
}

// Known for both columns, given the label or nothing.
std::optional<double> entropy_of(const ToyDensity& density, const Columns& columns) {
  if (columns.names.size() != 2 || !columns.condition.empty()) return std::nullopt;
  return columns.label.empty() ? density.entropy : density.entropy_given_label;
}

// Columns of a toy density and the label, where it has one.
Columns columns_of(const ToyDensity& density, const DataOptions& options) {
  if (!options.label.empty() && options.label != kToyLabel) {
    fail<ConfigError>("data", "label", in_quotes(kToyLabel) + ", the part a sample is from",
                      in_quotes(options.label), "Use condition for a column of numbers.");
  }
  if (!options.label.empty() && density.labels == 1) {
    fail<ConfigError>("data", "label", "a toy density of several parts",
                      in_quotes(options.name) + ", which is one piece",
                      "Remove label, or choose for example 8gaussians.");
  }
  Columns out = choose_columns(toy_columns(density), options, kToyLabel);
  if (!out.label.empty()) out.classes = density.labels;
  out.event_shape = {static_cast<int64_t>(out.names.size())};
  out.entropy = entropy_of(density, out);
  out.plot_box = density.box;
  return out;
}

Dataset open_toy(const ToyDensity& density, const DataOptions& options, at::ScalarType dtype) {
  constexpr int64_t kValidationRows = 10'000;
  constexpr int64_t kTestRows = 100'000;
  const Rng rng = rng_of(options);
  Dataset out;
  out.name = options.name;
  out.columns = columns_of(density, options);
  const auto part = [&](const char* name, int64_t rows) {
    const Rng own = rng.fork(name);
    return toy_part(name, rows, ToySource(density.name, own, dtype, out.columns),
                    own.fork("order"));
  };
  out.splits.train =
      std::make_shared<ToySource>(density.name, rng.fork("train"), dtype, out.columns);
  out.splits.validation = part("validation", options.validation_rows.value_or(kValidationRows));
  out.splits.test = part("test", options.test_rows.value_or(kTestRows));
  return out;
}

// "3.142"
std::string three_digits(double value) {
  std::array<char, 32> text{};
  char* const end = text.data() + text.size();
  return {text.data(), std::to_chars(text.data(), end, value, std::chars_format::fixed, 3).ptr};
}

std::string summary_of(const ToyDensity& toy) {
  if (!toy.entropy) return "two columns, endless; on a curve, so without an entropy";
  std::string out = "two columns, endless; entropy " + three_digits(*toy.entropy) + " nats";
  if (!toy.entropy_given_label) return out;
  return out + ", " + three_digits(*toy.entropy_given_label) + " given its label (" +
         std::to_string(toy.labels) + ")";
}

DataEntry entry_of(const ToyDensity& density) {
  return {
      .name = std::string(density.name),
      .kind = "toy density",
      .summary = summary_of(density),
      .source = "",
      .options = {"columns", "condition", "label"},
      .takes = [&density](const std::string& name) { return name == density.name; },
      .open = [&density](const DataOptions& options, at::ScalarType dtype,
                         const KnownData* /*known*/) { return open_toy(density, options, dtype); }};
}

}  // namespace

std::vector<DataEntry> detail::toy_entries() {
  std::vector<DataEntry> out;
  for (const ToyDensity& density : toy_densities()) out.push_back(entry_of(density));
  return out;
}

}  // namespace contraflow::data
