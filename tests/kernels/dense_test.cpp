#include "contraflow/kernels/dense.h"

#include <gtest/gtest.h>

#include <cmath>

#include "contraflow/kernels/isa.h"
#include "tests/kernels/dense_matrices.h"

namespace contraflow {
namespace {

using kernels::dense_padded;
using testing::dense_sizes;
using testing::HeldMatrix;
using testing::padded_vector;

constexpr double kEps = std::numeric_limits<double>::epsilon();

// Calls f(isa) with each instruction set of the machine in use.
template <class F>
void on_every_isa(F f) {
  for (const std::string& isa : kernels::available_isas()) {
    const kernels::ScopedIsa pin(isa);
    f(isa);
  }
}

at::Tensor normal(int64_t rows, int64_t columns, uint64_t seed = 1) {
  return Rng(seed).normal({rows, columns}, at::kDouble);
}

// Whether the sums of `terms` products differ by their rounding only; sizes[i, j] is the sum of the
// products' absolute values.
void expect_near(const at::Tensor& got, const at::Tensor& want, const at::Tensor& sizes,
                 int64_t terms, const std::string& what) {
  const at::Tensor allowed = kEps * static_cast<double>(terms + 2) * sizes;
  EXPECT_TRUE((got - want).abs().le(allowed).all().item<bool>()) << what;
}

template <class T>
void check_largest(const at::Tensor& values, const std::string& what) {
  at::Tensor w = values.to(c10::CppTypeToScalarType<T>::value).contiguous();
  T* data = w.data_ptr<T>();
  const int64_t n = w.numel();
  EXPECT_EQ(kernels::largest_entry(data, n), w.abs().max().item<double>()) << what;
  for (const int64_t at : {int64_t{0}, n / 2, n - 1}) {
    const T before = data[at];
    data[at] = T(-1e30);
    EXPECT_EQ(kernels::largest_entry(data, n), static_cast<double>(T(1e30))) << what;
    for (const T bad : {std::numeric_limits<T>::quiet_NaN(), std::numeric_limits<T>::infinity(),
                        -std::numeric_limits<T>::infinity()}) {
      data[at] = bad;
      EXPECT_TRUE(std::isnan(kernels::largest_entry(data, n))) << what << " " << bad;
    }
    data[at] = before;
  }
}

TEST(Dense, LargestEntryRefusesWhatIsNotFinite) {
  on_every_isa([](const std::string& isa) {
    for (const int64_t n : dense_sizes()) {
      const std::string what = c10::str(isa, " ", n);
      check_largest<float>(normal(1, n), what);
      check_largest<double>(normal(1, n), what);
      const at::Tensor extreme = at::full({n}, std::numeric_limits<double>::max(), at::kDouble);
      EXPECT_EQ(kernels::largest_entry(extreme.data_ptr<double>(), n), extreme[0].item<double>());
    }
  });
}

TEST(Dense, LoadTallScalesTransposesAndPads) {
  on_every_isa([](const std::string& isa) {
    for (const int64_t rows : dense_sizes()) {
      for (const int64_t cols : {1, 2, 7, 8, 9, 33, 65, 128, 131}) {
        const at::Tensor w = normal(rows, cols), f32 = w.to(at::kFloat);
        HeldMatrix out(std::max(rows, cols), std::min(rows, cols));
        const auto check = [&](const at::Tensor& from) {
          const at::Tensor wide = from.to(at::kDouble) * 0.25;
          const at::Tensor want = cols <= rows ? wide : wide.t();
          EXPECT_TRUE(out.values().equal(want)) << isa << " " << rows << "x" << cols;
          const at::Tensor loaded = out.padded().narrow(0, 0, out.matrix.rows);
          const int64_t columns = out.matrix.columns;
          EXPECT_TRUE(loaded.narrow(1, columns, loaded.size(1) - columns).eq(0).all().item<bool>())
              << isa << " " << rows << "x" << cols;
        };
        kernels::load_tall(w.const_data_ptr<double>(), rows, cols, 0.25, out.matrix);
        check(w);
        kernels::load_tall(f32.const_data_ptr<float>(), rows, cols, 0.25, out.matrix);
        check(f32);
      }
    }
  });
}

void check_gram(int64_t m, int64_t n, const std::string& isa) {
  const HeldMatrix u(normal(m, n));
  const HeldMatrix g(n, n);
  kernels::form_gram(u.matrix, g.matrix);
  const std::string what = c10::str(isa, " ", m, "x", n);
  const at::Tensor values = u.values();
  expect_near(g.values(), values.t().mm(values), values.abs().t().mm(values.abs()), m, what);
  EXPECT_TRUE(g.values().equal(g.values().t())) << what;
  const at::Tensor padded = g.padded();
  EXPECT_TRUE(padded.narrow(1, n, padded.size(1) - n).eq(0).all().item<bool>()) << what;
  EXPECT_TRUE(padded.narrow(0, n, padded.size(0) - n).eq(0).all().item<bool>()) << what;
}

TEST(Dense, GramAgreesWithPlainProducts) {
  on_every_isa([](const std::string& isa) {
    for (const int64_t n : dense_sizes()) {
      check_gram(n, n, isa);
      check_gram(n + 3, n, isa);
    }
    check_gram(2500, 65, isa);  // several passes over the rows
  });
}

TEST(Dense, ProductsWithVectors) {
  on_every_isa([](const std::string& isa) {
    for (const int64_t n : dense_sizes()) {
      for (const int64_t m : {n, n + 1, int64_t{5}}) {
        const HeldMatrix a(normal(m, n));
        const at::Tensor x = padded_vector(normal(1, n, 2)[0]), z = normal(1, m, 3)[0];
        const std::string what = c10::str(isa, " ", m, "x", n);
        at::Tensor right = at::empty({m}, at::kDouble), left = at::empty_like(x);
        kernels::right_multiply(a.matrix, x.const_data_ptr<double>(), right.data_ptr<double>());
        kernels::left_multiply(z.const_data_ptr<double>(), a.matrix, left.data_ptr<double>());
        const at::Tensor values = a.values(), columns = x.narrow(0, 0, n);
        expect_near(right, values.mv(columns), values.abs().mv(columns.abs()), n, what);
        expect_near(left.narrow(0, 0, n), values.t().mv(z), values.abs().t().mv(z.abs()), m, what);
        EXPECT_TRUE(left.narrow(0, n, left.size(0) - n).eq(0).all().item<bool>()) << what;
        expect_near(at::scalar_tensor(
                        kernels::inner_product(x.const_data_ptr<double>(),
                                               left.const_data_ptr<double>(), dense_padded(n)),
                        at::kDouble),
                    x.dot(left), x.abs().dot(left.abs()), n, what);
      }
    }
  });
}

TEST(Dense, OrthogonaliseLeavesWhatIsNotInTheBasis) {
  on_every_isa([](const std::string& isa) {
    for (const int64_t n : dense_sizes()) {
      const int64_t count = std::min<int64_t>(n, 1 + n % 7);
      const HeldMatrix basis(std::get<0>(at::linalg_qr(normal(n, count))).t().contiguous());
      const at::Tensor before = normal(1, n, 2)[0], y = padded_vector(before);
      kernels::orthogonalise(basis.matrix, count, y.data_ptr<double>());
      const at::Tensor got = y.narrow(0, 0, n), rows = basis.values();
      EXPECT_LT(rows.mv(got).norm().item<double>(), 1e-14 * before.norm().item<double>() * 4)
          << isa << n;
      EXPECT_LT((got - (before - rows.t().mv(rows.mv(before)))).norm().item<double>(), 1e-13)
          << isa << n;
    }
  });
}

}  // namespace
}  // namespace contraflow
