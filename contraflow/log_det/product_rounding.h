#pragma once

#include <ATen/core/Tensor.h>

#include "contraflow/networks/contractive_net.h"

namespace contraflow {

/// What products of reduced precision leave in a chain w_k = (K^T)^k v and in the sum of its terms
/// c_k v . w_k, as a bound for each row. With w~_k the chain as computed and e the point's product_error():
///   |w~_k - w_k| <= d_k,   d_k = norm d_(k-1) + e |w~_(k-1)|,   norm >= |K|,
/// and the sum is off by at most the sum of |c_k| |v| d_k. Nothing where products are the working ones.
class ProductRounding {
 public:
  ProductRounding(const NetPoint& point, double norm, const at::Tensor& v);

  /// Before a product with the rows that are left: `vector` [p, rows, d] is what it starts from.
  void advance(const at::Tensor& vector);
  /// A term of the rows that are left; `weight` is |c_k|.
  void add(double weight);
  /// The first `rows` are left; the sums of the others stay.
  void narrow(int64_t rows);
  /// These rows are all there is.
  void select(const at::Tensor& rows);

  /// [rows], mean over probes; undefined for working products.
  at::Tensor sum() const { return sum_; }
  /// A bound [rows] on what is left, tail_factor |v| |w~_k|, for w_k and with the sum.
  at::Tensor added_to(const at::Tensor& tail, double tail_factor) const;

 private:
  bool any() const { return error_.defined(); }
  at::Tensor off() const { return (size_ * distance_).mean(0); }

  at::Tensor error_;  // []: of a product, relative; undefined: none
  double norm_;
  at::Tensor size_;      // [p, rows]: |v|
  at::Tensor distance_;  // [p, rows]: d_k
  at::Tensor sum_;       // [all rows]
};

}  // namespace contraflow
