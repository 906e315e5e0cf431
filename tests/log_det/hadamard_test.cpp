#include "contraflow/log_det/hadamard.h"

#include <ATen/ATen.h>
#include <gtest/gtest.h>

namespace contraflow {
namespace {

// What a device draws, on tensors of the host: the same bits, also from the middle of a group on.
TEST(Hadamard, TensorsDrawTheProbesOfTheHost) {
  for (const int64_t dim : {1, 2, 3, 8, 43, 130}) {
    for (const int64_t probes : {1, 3}) {
      const Rng rng = Rng(5).rows_from(1021);
      EXPECT_TRUE(at::equal(hadamard_probes_on_tensors(probes, 70, dim, at::kFloat, rng),
                            hadamard_probes(probes, 70, dim, at::kFloat, rng)));
    }
  }
}

TEST(Hadamard, AWholeGroupIsOrthogonal) {
  const at::Tensor v = hadamard_probes(1, 8, 8, at::kDouble, Rng(3)).flatten(1);
  EXPECT_TRUE(at::equal(v.mm(v.t()), 8.0 * at::eye(8, at::kDouble)));
}

}  // namespace
}  // namespace contraflow
