#pragma once

#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "contraflow/core/export.h"
#include "contraflow/log_det/block_form.h"
#include "contraflow/log_det/law_state.h"
#include "contraflow/log_det/options.h"
#include "contraflow/networks/contractive_net.h"
#include "contraflow/networks/net_options.h"
#include "contraflow/solvers/fixed_point.h"
#include "contraflow/transforms/block_relation.h"
#include "contraflow/transforms/block_settings.h"
#include "contraflow/transforms/contractive_map.h"
#include "contraflow/transforms/form_kind.h"
#include "contraflow/transforms/learned_form.h"
#include "contraflow/transforms/lowerable.h"

namespace contraflow {

struct ContractiveBlockOptions {
  /// Shape of one event; the network sees it as a row of event.size() numbers, or with net.kernels
  /// as an image [channels, height, width].
  EventShape event = 2;
  /// Shape of the condition, flattened for the network; empty = unconditional.
  EventShape condition = {};
  FormKind form = FormKind::kResidual;
  /// A, B, C, D of form 'custom': |B| kappa < |A|, |D| kappa < |C|, A D != B C.
  std::vector<double> matrix = {};
  /// Train the matrix (LearnedForm), starting at `form`; such a block trains composed.
  bool learn_form = false;
  NetOptions net = {};
  /// From here to backward_tolerance: see block_settings.h.
  LogDetOptions train_log_det = RussianRoulette{};
  LogDetOptions eval_log_det = ExactLogDet{};
  SolverOptions solver = {};
  double train_tolerance = SolveDefaults::train_tolerance;
  double tolerance = SolveDefaults::tolerance;
  double backward_tolerance = SolveDefaults::backward_tolerance;
  /// Seed of the initial weights.
  int64_t seed = 0;
};

template <class Field>
void visit(ContractiveBlockOptions& o, Field&& field) {
  field("event", o.event, non_empty(),
        "Shape of one event: features, or [channels, height, width].");
  field("condition", o.condition, "Shape of the condition; 0 = unconditional.");
  field("form", o.form, "The 2x2 matrix: residual, inverse_residual, monotone or custom.");
  field("matrix", o.matrix, "A, B, C, D of form 'custom'.");
  field("learn_form", o.learn_form,
        "Train the matrix within its admissible set, starting at form.");
  field("net", o.net, "The contractive network.");
  visit_estimators(o, field);
  visit_solves(o, field);
  field("seed", o.seed, "Seed of the initial weights.");
}

/// The matrix of the options; ConfigError when it is not admissible.
CF_EXPORT BlockForm block_form(const ContractiveBlockOptions& options);
CF_EXPORT void validate(const ContractiveBlockOptions& options);

/// Contractive block:  x = A w + B G(w),  z = C w + D G(w),  Lip(G) <= kappa < 1 in the norm of
/// order net.norm_order() (Euclidean unless the network says otherwise).
///
/// Matrix     fixed, or with learn_form trained: two parameters form.offset (LearnedForm). The tile
///            kernels have no derivatives by the matrix: where they are wanted the block runs
///            composed, and otherwise (evaluation, samples) in the kernels. Its series takes all
///            powers, a monotone start's even ones too: their derivatives are not 0.
/// Shapes     x, z: [B, event], log_det: [B], condition: [B, condition]. Inside, rows of
///            D = event.size() numbers.
/// Direction  forward = data -> latent; log_det = log|det dz/dx| in nats.
/// Solves     forward solves A w + B G(w) = x unless B = 0; inverse solves C w + D G(w) = z. Both
///            are certified row by row: solve_error_bound >= |error|, at most `tolerance` (float32: or
///            what float32 can certify, 16 eps sqrt(D)(1 + |x|) / (1 - kappa), where that is more).
/// Log-det    train_log_det / eval_log_det by context.phase; nothing else chooses.
/// Products   of the network's own type; with net.products those of series and of the first part of solves
///            are of reduced precision in float32, and bias_bound has their rounding. Solves end in working
///            ones. ConfigError in prepare() on float64.
/// Gradients  by the formulas of docs/numerics.md, "The block", in closed form or by a transposed
///            solve; one autograd node, which keeps w and the probes. A second derivative is an error.
/// Cost       forward: one solve, one network pass, the log-det's products. Backward: one pass, one
///            dual reverse, and for implicit forms one transposed solve and one more reverse.
/// Random     context.rng (probes, roulette, calibration).
/// State      prepare() refreshes the norms and, for an optimal roulette, measures the series on
///            its first 256 rows at the first call and at last every `calibrate_every` calls
///            (buffers train_law.law, eval_law.law).
/// Threads    const members may run concurrently; prepare() needs exclusive access.
/// Throws     ShapeError, DtypeError; ConvergenceError with the worst row and its bound.
/// Source     Chen et al. 2019 (residual); Lu et al. 2021 (implicit); Ahn et al. 2022 (monotone).
class CF_EXPORT ContractiveBlock final : public Transform, public ContractiveMap, public Lowerable {
 public:
  using Options = ContractiveBlockOptions;
  static constexpr const char* kType = "contractive_block";
  static constexpr const char* kSummary =
      "Contractive block: residual, inverse residual, monotone or any 2x2 form";
  static constexpr const char* kSource = "Chen et al. 2019; Lu et al. 2021; Ahn et al. 2022";

  explicit ContractiveBlock(const ContractiveBlockOptions& options);
  /// With a network of the caller's, for example an AutogradNet; options.net is not used.
  ContractiveBlock(const ContractiveBlockOptions& options, ContractiveNetPtr net);

  std::vector<int64_t> event_shape() const override { return options_.event.sizes(); }
  std::vector<int64_t> condition_shape() const override { return options_.condition.sizes(); }
  std::optional<double> forward_lipschitz() const override;
  std::optional<double> inverse_lipschitz() const override;

  /// ConfigError when the network is the caller's.
  nlohmann::ordered_json spec() const override;
  Randomness randomness(Phase phase) const override;
  /// Why the estimator of that phase may have infinite variance.
  std::vector<std::string> warnings(Phase phase) const override;
  const ContractiveMap* contractive() const override { return this; }

  const Lowerable* lowerable() const override { return this; }
  bool lower(TileLowering& to, const Context& context, bool inverse) const override;

  BlockForm form() const override { return learned_ ? learned_->form() : form_; }
  std::string form_name() const override { return enum_name(options_.form); }
  bool learns_form() const override { return learned_ != nullptr; }
  const ContractiveNetPtr& net() const override { return net_; }
  const ContractiveBlockOptions& options() const { return options_; }
  const LogDetOptions& log_det(Phase phase) const override {
    return phase == Phase::kTrain ? options_.train_log_det : options_.eval_log_det;
  }
  std::optional<TermLaw> term_law(Phase phase) const override;
  std::optional<Calibration> calibration(Phase phase) const override;

  /// True when an optimal law is due to be measured (LawState::due).
  bool prepare_needs_data() const override;
  void defer_calibration() override;

 protected:
  TransformOutput do_forward(const at::Tensor& x, const Context& context) const override;
  TransformOutput do_inverse(const at::Tensor& z, const Context& context) const override;
  void do_prepare(const at::Tensor& x, const Context& context) override;

 private:
  ContractiveBlock(const ContractiveBlockOptions& options, ContractiveNetPtr net, double kappa);

  TransformOutput relate(const at::Tensor& x, const Context& context, bool inverse) const;
  /// run() on events as rows.
  TransformOutput run_rows(const at::Tensor& x, const Context& context, bool inverse) const;
  TransformOutput run(const at::Tensor& x, const Context& context, bool inverse) const;
  BlockRelation relation(Phase phase, bool inverse) const;
  std::unique_ptr<NetPoint> measuring_point(const at::Tensor& x, const at::Tensor& condition) const;
  std::shared_ptr<LawState> law_state(const LogDetOptions& options, const char* name,
                                      RouletteGoal goal);
  const std::shared_ptr<LawState>& law_state(Phase phase) const {
    return phase == Phase::kTrain ? train_law_ : eval_law_;
  }

  ContractiveBlockOptions options_;
  BlockForm form_;  ///< of the options
  ContractiveNetPtr net_;
  std::shared_ptr<LearnedForm> learned_;            ///< null unless the form is learned
  std::optional<double> declared_lipschitz_;        ///< of a network made from the options
  std::shared_ptr<LawState> train_law_, eval_law_;  ///< null unless the phase's law is optimal
};

}  // namespace contraflow
