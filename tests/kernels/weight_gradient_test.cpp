#include "contraflow/kernels/weight_gradient.h"

#include <ATen/ATen.h>
#include <gtest/gtest.h>

#include "contraflow/core/rng.h"
#include "contraflow/kernels/isa.h"

namespace contraflow {
namespace {

template <class T>
void check(int64_t outputs, int64_t inputs, double tolerance) {
  const auto type = c10::CppTypeToScalarType<T>::value;
  const Rng rng(static_cast<uint64_t>(outputs * 1000 + inputs));
  const at::Tensor g = rng.fork("g").normal({inputs, outputs}, type);
  const at::Tensor w = rng.fork("w").normal({outputs, inputs}, type);
  const at::Tensor factor = rng.fork("factor").normal({inputs}, type);
  const at::Tensor before = rng.fork("bar").normal({outputs, inputs}, type);
  at::Tensor bar = before.clone();
  at::Tensor sums = at::full({inputs}, 7.0, at::kDouble);  // what was there does not count
  kernels::add_weight_gradient(g.const_data_ptr<T>(), w.const_data_ptr<T>(),
                               factor.const_data_ptr<T>(), outputs, inputs, bar.data_ptr<T>(),
                               sums.data_ptr<double>());
  const at::Tensor wanted = before.to(at::kDouble) + g.t().to(at::kDouble) * factor.to(at::kDouble);
  const at::Tensor wanted_sums = (g.t().to(at::kDouble) * w.to(at::kDouble)).sum(0);
  EXPECT_LE((bar.to(at::kDouble) - wanted).abs().max().item<double>(), tolerance);
  EXPECT_LE((sums - wanted_sums).abs().max().item<double>(), 20 * tolerance);
}

TEST(WeightGradient, IsTheTransposedProductOnEveryInstructionSet) {
  for (const std::string& isa : kernels::available_isas()) {
    const kernels::ScopedIsa pin(isa);
    SCOPED_TRACE(isa);
    for (const int64_t outputs : {1, 2, 7, 8, 16, 43, 64, 65, 130}) {
      for (const int64_t inputs : {1, 3, 8, 9, 16, 17, 43, 128}) {
        check<float>(outputs, inputs, 2e-6);
        check<double>(outputs, inputs, 5e-15);
      }
    }
  }
}

}  // namespace
}  // namespace contraflow
