#include "contraflow/transforms/marginal_curves.h"

#include <ATen/ATen.h>
#include <ATen/Dispatch.h>
#include <ATen/core/grad_mode.h>
#include <torch/csrc/autograd/custom_function.h>

#include "contraflow/core/error.h"
#include "contraflow/core/parallel.h"
#include "contraflow/transforms/monotone_curve.h"

namespace contraflow {
namespace {

using torch::autograd::AutogradContext;
using torch::autograd::variable_list;

constexpr int64_t kNumbersPerRange = 1024;  // 100 us of curves

std::vector<CurveView> views_of(const variable_list& arrays, const std::vector<int64_t>& first) {
  std::vector<CurveView> out(first.size() - 1);
  for (size_t d = 0; d < out.size(); ++d) {
    const double* tail = arrays[3].const_data_ptr<double>() + 2 * d;
    out[d] = {arrays[0].const_data_ptr<double>() + first[d],
              arrays[1].const_data_ptr<double>() + first[d],
              arrays[2].const_data_ptr<double>() + first[d],
              first[d + 1] - first[d],
              tail[0],
              tail[1]};
  }
  return out;
}

// Rows share the threads; each is one range's own.
template <class T>
void run_rows(const std::vector<CurveView>& curves, const T* x, int64_t rows, bool inverse,
              T* value, T* log_det, double* places) {
  const auto columns = std::ssize(curves);
  const int64_t grain = std::max<int64_t>(1, kNumbersPerRange / columns);
  parallel_for(0, rows, grain, [&](int64_t begin, int64_t end) {
    for (int64_t row = begin; row < end; ++row) {
      double sum = 0.0;
      for (int64_t d = 0; d < columns; ++d) {
        const int64_t at = row * columns + d;
        const CurveView& curve = curves[static_cast<size_t>(d)];
        const auto in = static_cast<double>(x[at]);
        const CurvePoint point = inverse ? curve_inverse(curve, in) : curve_forward(curve, in);
        value[at] = static_cast<T>(point.value);
        if (places != nullptr) places[at] = inverse ? point.value : in;
        sum += point.log_slope;
      }
      log_det[row] = static_cast<T>(inverse ? -sum : sum);
    }
  });
}

// Where gradients of one call are added.
struct Sums {
  double* x;  // null: not wanted
  double* height;
  double* slope;
  double* tail;
};

// One column's derivatives. `by_value` and `by_log_slope` weigh the map from place to height; for
// the inverse x' = f^-1(z) those are found from dx = (dz - df) / slope along the parameters.
void add_gradients(const CurveView& curve, const double* places, const double* value_bar,
                   const double* log_det_bar, int64_t rows, int64_t columns, bool inverse,
                   const Sums& to) {
  for (int64_t row = 0; row < rows; ++row) {
    int64_t k = 0;
    const double x = places[row * columns];
    const CurveDerivatives d = curve_derivatives(curve, x, k);
    double by_value = value_bar[row * columns], by_log_slope = log_det_bar[row];
    double by_x = by_value * d.value.by_place + by_log_slope * d.log_slope.by_place;
    if (inverse) {
      by_x = (by_value - by_log_slope * d.log_slope.by_place) / d.value.by_place;
      by_value = -by_x;
      by_log_slope = -by_log_slope;
    }
    if (to.x != nullptr) to.x[row * columns] = by_x;
    const auto sum = [&](double CurveSlopes::*part) {
      return by_value * d.value.*part + by_log_slope * d.log_slope.*part;
    };
    to.height[k] += sum(&CurveSlopes::by_height);
    to.slope[k] += sum(&CurveSlopes::by_slope);
    const bool left = x < curve.place[0];
    if (left || k == curve.knots - 1) {
      to.tail[left ? 0 : 1] += sum(&CurveSlopes::by_weight);
    } else {
      to.height[k + 1] += sum(&CurveSlopes::by_next_height);
      to.slope[k + 1] += sum(&CurveSlopes::by_next_slope);
    }
  }
}

void refuse_another_derivative() {
  if (!at::GradMode::is_enabled()) return;
  fail<InverseUnavailable>("MarginalSpline.backward", "create_graph", "a first derivative",
                           "a request for a second one",
                           "Use finite differences of the gradient, or do without this layer.");
}

class CurvesFunction : public torch::autograd::Function<CurvesFunction> {
 public:
  static variable_list forward(AutogradContext* ctx, const at::Tensor& x, const at::Tensor& place,
                               const at::Tensor& height, const at::Tensor& slope,
                               const at::Tensor& tail, const std::vector<int64_t>& first,
                               bool inverse) {
    const at::Tensor in = x.contiguous();
    const variable_list arrays{place.contiguous(), height.contiguous(), slope.contiguous(),
                               tail.contiguous()};
    at::Tensor value = at::empty_like(in), log_det = at::empty({in.size(0)}, in.options());
    at::Tensor places = at::empty(in.sizes(), in.options().dtype(at::kDouble));
    AT_DISPATCH_FLOATING_TYPES(in.scalar_type(), "map_curves", [&] {
      run_rows(views_of(arrays, first), in.const_data_ptr<scalar_t>(), in.size(0), inverse,
               value.data_ptr<scalar_t>(), log_det.data_ptr<scalar_t>(), places.data_ptr<double>());
    });
    ctx->save_for_backward({places, arrays[0], arrays[1], arrays[2], arrays[3]});
    ctx->saved_data["first"] = first;
    ctx->saved_data["inverse"] = inverse;
    ctx->saved_data["needs_x"] = x.requires_grad();
    return {value, log_det};
  }

  static variable_list backward(AutogradContext* ctx, const variable_list& outer) {
    refuse_another_derivative();
    const variable_list saved = ctx->get_saved_variables();
    const variable_list arrays(saved.begin() + 1, saved.end());
    const std::vector<int64_t> first = ctx->saved_data["first"].toIntVector();
    const std::vector<CurveView> curves = views_of(arrays, first);
    const bool inverse = ctx->saved_data["inverse"].toBool();
    const at::Tensor value_bar = outer[0].to(at::kDouble).contiguous();
    const at::Tensor log_det_bar = outer[1].to(at::kDouble).contiguous();
    at::Tensor x_bar;
    if (ctx->saved_data["needs_x"].toBool()) x_bar = at::empty_like(saved[0]);
    const at::Tensor height_bar = at::zeros_like(arrays[1]), slope_bar = at::zeros_like(arrays[2]);
    const at::Tensor tail_bar = at::zeros_like(arrays[3]);
    const int64_t rows = saved[0].size(0), columns = saved[0].size(1);
    // A column is added up by one thread, in the order of its rows.
    const int64_t grain = std::max<int64_t>(1, kNumbersPerRange / rows);
    parallel_for(0, columns, grain, [&](int64_t begin, int64_t end) {
      for (int64_t d = begin; d < end; ++d) {
        const auto c = static_cast<size_t>(d);
        add_gradients(
            curves[c], saved[0].const_data_ptr<double>() + d,
            value_bar.const_data_ptr<double>() + d, log_det_bar.const_data_ptr<double>(), rows,
            columns, inverse,
            {x_bar.defined() ? x_bar.data_ptr<double>() + d : nullptr,
             height_bar.data_ptr<double>() + first[c], slope_bar.data_ptr<double>() + first[c],
             tail_bar.data_ptr<double>() + 2 * d});
      }
    });
    if (x_bar.defined()) x_bar = x_bar.to(outer[0].scalar_type());
    return {x_bar, {}, height_bar, slope_bar, tail_bar, {}, {}};
  }
};

}  // namespace

CurvesOutput map_curves(const MarginalCurves& curves, const at::Tensor& x, bool inverse) {
  if (!x.is_cpu()) return composed_curves(curves, x, inverse);
  const variable_list out = CurvesFunction::apply(x, curves.place, curves.height, curves.slope,
                                                  curves.tail, curves.first_knot, inverse);
  return {out[0], out[1]};
}

}  // namespace contraflow
