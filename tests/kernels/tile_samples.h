#pragma once

#include <cmath>
#include <cstdint>
#include <deque>
#include <limits>
#include <vector>

#include "contraflow/kernels/tile/call.h"

namespace contraflow::kernels {

/// Smooth numbers that repeat for no one: the same on every machine.
class Numbers {
 public:
  explicit Numbers(double seed) : at_(seed) {}
  double next() {
    at_ += 1.0;
    return std::sin(1.7 * at_ + 0.3 * std::sin(3.1 * at_)) * std::cos(0.61 * at_ * at_);
  }
  std::vector<double> take(int64_t count, double scale = 1.0) {
    std::vector<double> out(static_cast<size_t>(count));
    for (double& v : out) v = scale * next();
    return out;
  }

 private:
  double at_;
};

/// A program by hand, with the arrays of type T it points into.
template <class T>
class SampleProgram {
 public:
  SampleProgram(int64_t dim, int64_t batch) : batch_(batch) { program.dim = dim; }
  SampleProgram(const SampleProgram&) = delete;
  SampleProgram& operator=(const SampleProgram&) = delete;

  TileProgram program;

  int64_t batch() const { return batch_; }

  void add_affine() {
    TileAffine affine;
    affine.scale = numbers_.take(program.dim, 0.3);
    for (double& s : affine.scale) s += 1.2;
    affine.shift = numbers_.take(program.dim);
    for (const double s : affine.scale) {
      affine.log_det += std::log(std::abs(s));
      affine.lipschitz = std::max(affine.lipschitz, std::abs(s));
    }
    affine.gradient_begin = program.gradient_size;
    program.gradient_size += 2 * program.dim;
    program.steps.emplace_back(affine);
  }

  /// A block of hidden layers of these widths; `dense` lets each read everything before it.
  TileBlock& add_block(const std::vector<int64_t>& widths, Activation activation, bool dense) {
    TileBlock block;
    block.net = make_net(widths, activation, dense);
    block.b = 0;
    block.kappa = 0.9;
    block.lipschitz = 1.9;
    block.tolerance = sizeof(T) == 8 ? 1e-13 : 1e-6;
    block.backward_tolerance = block.tolerance;
    program.steps.emplace_back(std::move(block));
    return std::get<TileBlock>(program.steps.back());
  }

  /// One feature, inverse residual, hard to solve: slopes of +-0.99 change sign at each integer of
  /// [-4, 4], and a hidden value of 64 that the last layer takes off again leaves its rounding.
  void add_zigzag() {
    std::vector<double> in{0.0}, shift{64.0}, up{1.0}, down{0.0};
    for (int k = 0; k <= 8; ++k) {
      in.push_back(1.0);
      shift.push_back(4.0 - k);
      up.push_back(k == 0 ? 0.99 : (k % 2 == 0 ? 1.98 : -1.98));
      down.push_back(k == 0 ? 0.99 : 0.0);
    }
    const auto units = static_cast<int64_t>(in.size());
    up.insert(up.end(), down.begin(), down.end());
    TileBlock& block = add_block({units}, Activation::kCRelu, /*dense=*/false);
    TileLayer& hidden = block.net.layers.front();
    TileLayer& last = block.net.layers.back();
    hidden.scale = last.scale = 1.0;
    hidden.weight = keep(in).data();
    hidden.bias = keep(shift).data();
    last.weight = keep(up).data();
    last.bias = keep({-64.0}).data();
    block.kappa = 0.99;
    make_inverse_residual(block);
    block.tolerance = 2e-2 * (std::numeric_limits<T>::epsilon() / 0x1p-23);
  }

  static void make_monotone(TileBlock& block) {
    const double r = 1 / std::sqrt(2.0);
    block.a = block.b = block.c = r;
    block.d = -r;
    block.lipschitz = (1 + block.kappa) / (1 - block.kappa);
  }
  static void make_inverse_residual(TileBlock& block) {
    block.a = block.b = block.c = 1;
    block.d = 0;
    block.lipschitz = 1 / (1 - block.kappa);
  }

  /// A series with every option in use; with `counts` rows differ in their number of terms.
  void make_series(TileBlock& block, int64_t probes, bool counts) {
    block.exact = false;
    block.series.probe_count = probes;
    block.series.probes = keep(numbers_.take(probes * batch_ * program.dim)).data();
    for (int j = 1; j <= 5; ++j)
      block.series.terms.push_back({2 * j - 1, 0.7 / j, 0.7 * (2 * j - 1) / j});
    block.series.shift = 0.05;
    block.series.constant = 0.4;
    if (!counts) {
      block.series.tail_factor = 0.3;
      return;
    }
    std::vector<int64_t>& rows = counts_.emplace_back();
    for (int64_t r = 0; r < batch_; ++r) rows.push_back((7 * r + 2) % 6);
    block.series.counts = rows.data();
  }

 private:
  std::vector<T>& keep(const std::vector<double>& values) {
    return arrays_.emplace_back(values.begin(), values.end());
  }

  TileNet make_net(const std::vector<int64_t>& widths, Activation activation, bool dense) {
    TileNet net;
    net.dim = net.features = program.dim;
    int64_t begin = 0, count = program.dim;
    for (size_t k = 0; k <= widths.size(); ++k) {
      TileLayer layer;
      layer.activated = k < widths.size();
      layer.activation = activation;
      layer.beta = 0.8;
      layer.in_begin = begin;
      layer.inputs = count;
      layer.outputs = layer.activated ? widths[k] : program.dim;
      layer.scale = 0.9;
      // Rows of norm below 1, so that the net contracts.
      layer.weight =
          keep(numbers_.take(layer.inputs * layer.outputs,
                             0.8 / std::sqrt(static_cast<double>(layer.inputs * layer.outputs))))
              .data();
      layer.bias = keep(numbers_.take(layer.outputs, 0.5)).data();
      if (dense) {
        layer.multipliers = numbers_.take(layer.inputs, 0.2);
        for (double& m : layer.multipliers) m += 0.7;
      }
      layer.shares_input = dense && layer.activated;
      layer.z_begin = net.z_rows;
      layer.slope_begin = net.slope_rows;
      layer.gradient_begin = program.gradient_size;
      layer.out_begin = net.features;
      program.gradient_size += layer.gradient_size();
      net.z_rows += layer.outputs;
      if (layer.activated) {
        const int64_t added = layer.outputs * expansion(activation);
        begin = dense ? 0 : net.features;
        net.features += added;
        net.slope_rows += added;
        count = dense ? net.features : added;
      }
      net.layers.push_back(layer);
    }
    return net;
  }

  int64_t batch_;
  Numbers numbers_{0.25};
  std::deque<std::vector<T>> arrays_;
  std::deque<std::vector<int64_t>> counts_;
};

/// Every output of a forward run.
template <class T>
struct SampleOutputs {
  std::vector<T> y, log_det, solve_error, bias_bound;
  TileSolveStatus status;

  explicit SampleOutputs(const SampleProgram<T>& sample)
      : y(static_cast<size_t>(sample.batch() * sample.program.dim)),
        log_det(static_cast<size_t>(sample.batch())),
        solve_error(log_det),
        bias_bound(log_det) {}
};

/// Its inputs.
template <class T>
struct SampleInputs {
  std::vector<T> x;

  explicit SampleInputs(const SampleProgram<T>& sample) {
    Numbers numbers(77.5);
    const int64_t count = sample.batch() * sample.program.dim;
    const std::vector<double> values = numbers.take(count, 1.5);
    x.assign(values.begin(), values.end());
  }
};

}  // namespace contraflow::kernels
