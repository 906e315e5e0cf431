#pragma once

#include <gtest/gtest.h>

#include <array>
#include <functional>
#include <memory>
#include <string>
#include <vector>

#include "tests/kernels/tile_samples.h"

namespace contraflow::kernels {

constexpr std::array kElementwise{Activation::kElu,  Activation::kTanh,  Activation::kSoftplus,
                                  Activation::kSin,  Activation::kSwish, Activation::kLipSwish,
                                  Activation::kPila, Activation::kCRelu, Activation::kClipSwish,
                                  Activation::kCPila};

/// Relative to the largest entry: solves run to 1e-13 or 1e-6, the rest is the order of sums.
template <class T>
constexpr double kProgramTolerance = sizeof(T) == 8 ? 1e-10 : 2e-4;

/// Programs that every implementation of run_tiles() must agree on.
template <class T>
struct ProgramCase {
  std::string name;
  int64_t dim;
  std::function<void(SampleProgram<T>&)> build;

  std::unique_ptr<SampleProgram<T>> make(int64_t batch) const {
    auto sample = std::make_unique<SampleProgram<T>>(dim, batch);
    build(*sample);
    return sample;
  }
};

template <class T>
void build_series(SampleProgram<T>& sample, bool counts) {
  sample.make_series(sample.add_block({5, 6}, Activation::kLipSwish, /*dense=*/true), 2, counts);
  sample.add_affine();
  TileBlock& second = sample.add_block({7}, Activation::kCPila, /*dense=*/true);
  sample.make_monotone(second);
  sample.make_series(second, 1, counts);
}

template <class T>
std::vector<ProgramCase<T>> program_cases() {
  using Sample = SampleProgram<T>;
  std::vector<ProgramCase<T>> out{
      {"affine", 3,
       [](Sample& s) {
         s.add_affine();
         s.add_affine();
       }},
      {"dense_and_affine", 2,
       [](Sample& s) {
         s.add_affine();
         s.add_block({6, 6, 6}, Activation::kClipSwish, /*dense=*/true);
         s.add_affine();
         s.add_block({9}, Activation::kCPila, /*dense=*/true);
       }},
      {"solves", 3,
       [](Sample& s) {
         s.make_monotone(s.add_block({6, 5}, Activation::kCPila, /*dense=*/true));
         s.make_inverse_residual(s.add_block({8}, Activation::kLipSwish, /*dense=*/false));
         s.add_affine();
       }},
      {"exact_8", 8,
       [](Sample& s) { s.make_monotone(s.add_block({10}, Activation::kElu, /*dense=*/false)); }},
      {"roulette", 3, [](Sample& s) { build_series(s, /*counts=*/true); }},
      {"truncated", 3, [](Sample& s) { build_series(s, /*counts=*/false); }},
  };
  for (const Activation kind : kElementwise) {
    out.push_back(
        {std::string("residual_") + enum_names(Activation{})[static_cast<size_t>(kind)].first, 2,
         [kind](Sample& s) {
           s.add_block({5, 7}, kind, /*dense=*/false);
         }});
  }
  return out;
}

/// Some run_tiles(), on pointers of the host.
template <class T>
using Runner = std::function<void(TileCall<T>&)>;

template <class T>
Runner<T> on_cpu() {
  return [](TileCall<T>& call) { run_tiles(call); };
}

template <class T>
void run_forward(const SampleProgram<T>& sample, const Runner<T>& run, SampleOutputs<T>& out) {
  const SampleInputs<T> in(sample);
  TileCall<T> call;
  call.program = &sample.program;
  call.batch = sample.batch();
  call.x = in.x.data();
  call.y = out.y.data();
  call.log_det = out.log_det.data();
  call.solve_error = out.solve_error.data();
  call.bias_bound = out.bias_bound.data();
  run(call);
  out.status = call.status;
}

template <class T>
SampleOutputs<T> run_forward(const SampleProgram<T>& sample, const Runner<T>& run) {
  SampleOutputs<T> out(sample);
  run_forward(sample, run, out);
  return out;
}

template <class T>
void expect_near(const char* name, const std::vector<T>& got, const std::vector<T>& want) {
  ASSERT_EQ(got.size(), want.size());
  double size = 1.0;
  for (const T v : want) size = std::max(size, std::abs(static_cast<double>(v)));
  for (size_t k = 0; k < got.size(); ++k)
    ASSERT_NEAR(got[k], want[k], kProgramTolerance<T> * size) << name << " " << k;
}

template <class T>
void expect_same(const SampleOutputs<T>& got, const SampleOutputs<T>& want) {
  expect_near("y", got.y, want.y);
  expect_near("log_det", got.log_det, want.log_det);
  expect_near("solve_error", got.solve_error, want.solve_error);
  expect_near("bias_bound", got.bias_bound, want.bias_bound);
  EXPECT_EQ(got.status.row, want.status.row);
}

}  // namespace contraflow::kernels
