#pragma once

#include <array>
#include <utility>

#include "contraflow/core/export.h"
#include "contraflow/core/options.h"
#include "contraflow/transforms/transform.h"

namespace contraflow {

/// Which numbers of an event have a table of masses together.
enum class MassTable {
  kPixel,    ///< Each number has its own.
  kChannel,  ///< All of a feature: a column of a row, a channel of an image.
  kShared,   ///< All.
};

constexpr auto enum_names(MassTable) {
  return std::array{std::pair{"pixel", MassTable::kPixel},
                    std::pair{"channel", MassTable::kChannel},
                    std::pair{"shared", MassTable::kShared}};
}

struct MarginalDequantizeOptions {
  /// Shape of one event; its first axis counts the features.
  EventShape event = {};
  /// Values a feature takes, 0 ... levels - 1: one number for all features, or one per feature. A
  /// feature of 0 levels passes unchanged.
  std::vector<int64_t> levels = {256};
  /// Of rows, pixel and channel are the same. Few tables are enough where what follows sees a pixel's
  /// neighbours, which tell more than its place.
  MassTable table = MassTable::kChannel;
  /// What table = "shared" was called before; still read.
  bool shared = false;
  /// Rows that the masses start from before the data are counted, >= 0: half of them spread evenly
  /// over the levels, half as all tables of as many levels together are.
  double smoothing = 1.0;
};

template <class Field>
void visit(MarginalDequantizeOptions& o, Field&& field) {
  field("event", o.event, non_empty(),
        "Shape of one event: features, or [channels, height, width].");
  field(
      "levels", o.levels, non_empty() && closed_interval(0, 65536),
      "Values 0 ... levels - 1 of a column, 0 to pass it unchanged: one number for all columns, or "
      "one per column.");
  field("table", o.table,
        "Masses for each pixel, each channel (column of a row), or shared by all.");
  field("shared", o.shared, "Earlier name of table = 'shared'.");
  field("smoothing", o.smoothing, non_negative(),
        "Rows that the masses start from before the data are counted.");
}
CF_EXPORT void validate(const MarginalDequantizeOptions& options);

/// Integer columns to normal scores: level k becomes a uniform draw from its interval of the
/// column's cumulative masses, then its score:
///   z = Phi^-1(F(k - 1) + mass_k u),  u uniform on (0, 1).
/// With a standard normal base and nothing in between, log_prob is exactly the log-probability of
/// independent categorical columns, whatever u is: a level that is nearly certain costs nothing,
/// and a flow has to learn how the columns hang together only.
///
/// Shapes     x: [B, D] or [B, C, H, W], integers 0 ... levels - 1 in a floating type; z: the same
///            shape; log_det: [B]. context: none.
/// Types      float32, float64, computed in float64; outputs keep the type and device of x.
/// Direction  forward = data -> latent; log_det = sum(log(mass) - log phi(z)), in nats.
///            E[log p(z) + log_det] is a lower bound on the log-probability of x.
/// Inverse    the level whose interval holds Phi(z); it undoes every forward exactly, but forward
///            does not undo it: not a bijection of the reals.
/// Log-det    exact.
/// Cost       a uniform number, Phi^-1 and three look-ups a number.
/// Random     u from context.rng, kept away from 0 and 1 by the rounding of z, so that it does not
///            carry z into the next cell.
/// State      the first prepare() sets the buffer mass from the counts of x; the buffer
///            `initialized` (0 or 1) records it. Before, masses are equal. No mass is below 2^-20,
///            which float32 still resolves. Nothing is trained.
/// Threads    const members may run concurrently; prepare() needs exclusive access.
/// Throws     ShapeError, DtypeError; ConfigError (a shared table for different levels, or
///            beside another table);
///            DomainError (not an integer, or out of range: row, column).
/// Source     none; uniform dequantization: Theis et al. 2016, arXiv:1511.01844.
/// Example    MarginalDequantize map({.event = {1, 8, 8}, .levels = {17}, .table = MassTable::kPixel});
///            map.prepare(digits);
class CF_EXPORT MarginalDequantize final : public Transform {
 public:
  using Options = MarginalDequantizeOptions;
  static constexpr const char* kType = "marginal_dequantize";
  static constexpr const char* kSummary = "integer columns to normal scores by their own masses";
  static constexpr const char* kSource = "";

  explicit MarginalDequantize(MarginalDequantizeOptions options);

  std::vector<int64_t> event_shape() const override { return options_.event.sizes(); }
  nlohmann::ordered_json spec() const override;
  bool prepare_needs_data() const override;
  Randomness randomness(Phase /*phase*/) const override { return Randomness::kUnbiased; }
  bool bijective() const override { return false; }
  std::vector<std::string> feature_notes() const override;

  /// Masses of the levels of each feature, or with table = pixel of each number, [T, largest number
  /// of levels], float64; rows sum to 1.
  at::Tensor masses() const;

 private:
  struct Table;
  TransformOutput do_forward(const at::Tensor& x, const Context& context) const override;
  TransformOutput do_inverse(const at::Tensor& z, const Context& context) const override;
  void do_prepare(const at::Tensor& x, const Context& context) override;

  bool shared() const;
  /// A row of numbers for each table: [B, event] as [T, N], and back.
  at::Tensor by_table(const at::Tensor& x) const;
  at::Tensor by_event(const at::Tensor& x_tn, int64_t rows) const;
  void check_levels(const at::Tensor& x_tn, const at::Tensor& x) const;
  at::Tensor counts(const at::Tensor& x) const;
  at::Tensor smoothed(const at::Tensor& count) const;
  at::Tensor log_det(const Table& table, const at::Tensor& level_tn, const at::Tensor& z_tn,
                     int64_t rows) const;

  MarginalDequantizeOptions options_;
  at::Tensor levels_;       ///< [T, 1], float64; 0: passes unchanged
  at::Tensor initialized_;  ///< [], 0 or 1
  at::Tensor mass_;         ///< [T, L], zero after a table's last level
};

}  // namespace contraflow
