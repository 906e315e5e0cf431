#include "contraflow/data/splits.h"

#include <ATen/ATen.h>

#include <algorithm>
#include <cmath>
#include <string>

#include "contraflow/core/error.h"
#include "contraflow/data/sources.h"

namespace contraflow::data {
namespace {

int64_t part_size(const char* name, int64_t count, double fraction, std::optional<int64_t> rows) {
  if (rows) {
    if (*rows >= 0) return *rows;
    fail<ConfigError>("split", std::string(name) + "_rows", ">= 0", std::to_string(*rows),
                      "Give a number of rows, or leave it out.");
  }
  if (!(fraction >= 0.0 && fraction < 1.0)) {
    fail<ConfigError>("split", std::string(name) + "_fraction", "in [0, 1)",
                      std::to_string(fraction), "Give the part of the rows, for example 0.1.");
  }
  if (fraction == 0.0) return 0;
  return std::max<int64_t>(1, std::llround(fraction * static_cast<double>(count)));
}

SourcePtr part_of(const char* part, const Batch& all, const at::Tensor& rows, const Rng& rng,
                  std::optional<at::ScalarType> dtype) {
  if (rows.size(0) == 0) return nullptr;
  const auto pick = [&](const at::Tensor& t) {
    return t.defined() ? t.index_select(0, rows) : at::Tensor();
  };
  const auto pick_as = [&](const at::Tensor& t) {
    return t.defined() && dtype ? pick(t).to(*dtype) : pick(t);
  };
  return std::make_shared<TensorSource>(part, pick(all.x), pick_as(all.condition),
                                        pick_as(all.weight), rng.fork("order").fork(part), dtype);
}

}  // namespace

std::pair<int64_t, int64_t> part_sizes(int64_t count, const SplitSizes& sizes) {
  const int64_t test = part_size("test", count, sizes.test_fraction, sizes.test_rows);
  const int64_t validation =
      part_size("validation", count, sizes.validation_fraction, sizes.validation_rows);
  if (test >= count || validation >= count - test) {
    fail<ConfigError>("split", "rows",
                      "more than the " + std::to_string(validation) + " for validation and the " +
                          std::to_string(test) + " for the test",
                      std::to_string(count), "Ask for fewer of them, or bring more rows.");
  }
  return {test, validation};
}

SplitRows split_rows(int64_t count, const SplitSizes& sizes, const Rng& rng) {
  const auto [test, validation] = part_sizes(count, sizes);
  const at::Tensor order = rng.permutation(count);
  return {order.narrow(0, test + validation, count - test - validation),
          order.narrow(0, test, validation), order.narrow(0, 0, test)};
}

Splits split_tensors(const Batch& rows, const SplitSizes& sizes, const Rng& rng,
                     std::optional<at::ScalarType> dtype) {
  if (!rows.x.defined() || rows.x.dim() < 2) {
    fail<ShapeError>("split", "x", "[N, event...]",
                     rows.x.defined() ? c10::str(rows.x.sizes()) : "no tensor",
                     "Use x.unsqueeze(1) for events of one number.");
  }
  return take_parts(rows, split_rows(rows.x.size(0), sizes, rng.fork("split")), rng, dtype);
}

Splits take_parts(const Batch& rows, const SplitRows& parts, const Rng& rng,
                  std::optional<at::ScalarType> dtype) {
  return {part_of("train", rows, parts.train, rng, dtype),
          part_of("validation", rows, parts.validation, rng, dtype),
          part_of("test", rows, parts.test, rng, dtype)};
}

}  // namespace contraflow::data
