#include "contraflow/bases/base.h"

#include <ATen/ATen.h>

#include <cmath>
#include <nlohmann/json.hpp>

#include "contraflow/core/check.h"
#include "contraflow/core/error.h"

namespace contraflow {

at::Tensor Base::log_prob(const at::Tensor& z) const {
  check_event("Base.log_prob", "z", z, event_shape());
  check_not_empty("Base.log_prob", "z", z);
  check_floating("Base.log_prob", "z", z);
  check_same_kind("Base.log_prob", "z", z, at::empty({0}, tensor_options()));
  return do_log_prob(z);
}

at::Tensor Base::sample(int64_t count, const Rng& rng, double temperature) const {
  if (count < 1) {
    fail<ShapeError>("Base.sample", "count", ">= 1", std::to_string(count), "Ask for a sample.");
  }
  if (!std::isfinite(temperature) || temperature <= 0.0) {
    fail<DomainError>("Base.sample", "temperature", "a finite number > 0", c10::str(temperature),
                      "Use 1 for the density itself.");
  }
  return do_sample(count, rng, temperature);
}

std::vector<int64_t> Base::batch_shape(int64_t count) const {
  std::vector<int64_t> out = event_shape();
  out.insert(out.begin(), count);
  return out;
}

nlohmann::ordered_json Base::spec() const {
  fail<ConfigError>("Base.spec", name(), "a base that was built from its options",
                    "one that cannot say how to build it",
                    "Use a base of the registry, or override spec().");
}

}  // namespace contraflow
