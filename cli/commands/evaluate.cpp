#include <algorithm>
#include <nlohmann/json.hpp>

#include "cli/commands/common.h"
#include "contraflow/core/estimate.h"
#include "contraflow/core/text.h"
#include "contraflow/evaluation/exact_cost.h"
#include "contraflow/evaluation/likelihood.h"
#include "contraflow/evaluation/row_feed.h"
#include "contraflow/runs/model.h"
#include "contraflow/training/reverse_kl.h"

namespace contraflow::cli {
namespace {

using Json = nlohmann::ordered_json;

constexpr const char* kEvaluateExamples =
    "Examples:\n"
    "  contraflow evaluate runs/checkerboard                  test rows, best weights, float64\n"
    "  contraflow evaluate runs/digits --replicates 16 --json\n"
    "  contraflow evaluate runs/events --split validation --rows 10000\n"
    "  contraflow evaluate runs/events --set model.eval_log_det=krylov --set "
    "model.eval_log_det.steps=16\n"
    "  contraflow evaluate runs/mnist --exact --rows 500      exact bits per dimension of 500 "
    "images\n\n"
    "Prints the mean of log p(x) in nats per row, the mean of the scores that 'contraflow score' "
    "writes,\n"
    "with its standard error (spread over rows, probes and dequantization together), and its "
    "negative,\n"
    "the loss: the lower the better. Then bits per dimension for integer columns, and the distance "
    "to the\n"
    "true entropy where it is known. 'latent' compares -log p(z) with the entropy of the base: "
    "they\n"
    "agree when the latents look like the base. Rows count by their weights where the data has "
    "them "
    "(data.weight);\n"
    "the rows they are as good as are (sum w)^2 / sum w^2. Data with an energy (u1 to u4): also "
    "the "
    "reverse\n"
    "KL of the model to exp(-U)/Z by samples of it, and Z by importance sampling beside its value; "
    "an estimate\n"
    "below that by more than its error tells of a mode the model misses.\n"
    "\n"
    "--exact takes the whole Jacobian of every block, whatever the config says: on images from "
    "(2R+1)^2\n"
    "products a channel for a block that reads R pixels far, then LU. Nothing but dequantization "
    "is "
    "random\n"
    "then, and the mean over --draws of it is a density of the integers, an estimate of log P(x). "
    "Memory is\n"
    "bounded by --batch; what it comes to is said first. The error is split: by the choice of rows "
    "(data),\n"
    "and by the random numbers of dequantization, probes and roulette.\n";

struct EvaluateArguments {
  std::string run;
  std::string split = "test";
  std::vector<std::string> set;
  bool allow_changed = false;
  bool exact = false;
  int64_t rows = 0;
  int64_t replicates = 4;
  int64_t seed = 0;
  int64_t batch = 0;
  FloatType dtype = FloatType::kFloat64;
  DeviceKind device = DeviceKind::kCpu;
  WeightChoice weights = WeightChoice::kSelected;
};

// How far a mean lies above a number that has no error.
Estimate above(Estimate value, double least) {
  value.mean -= least;
  return value;
}

/// A model against the energy of its data.
struct EnergyFit {
  double log_z = 0.0;  ///< By quadrature.
  ReverseKlReport report;
  bool has_ratios = true;  ///< The log-densities are without noise, so that ratios mean something.

  Estimate kl() const { return above(report.loss, -log_z); }
};

struct Evaluation {
  const EvaluateArguments& arguments;
  const Model& model;
  LikelihoodReport report;
  int64_t rows;
  std::optional<int64_t> all_rows;  ///< Of the split; unset: endless.
  int64_t batch;                    ///< Rows at a time.
  double rows_per_second;
  std::optional<EnergyFit> energy;  ///< Where the data has one.
};

Json energy_json(const EnergyFit& fit) {
  Json out{{"kl_nats", estimate_json(fit.kl())},
           {"samples", fit.report.loss.count},
           {"log_z", json_number(fit.log_z)},
           {"log_z_estimate", nullptr},
           {"effective_samples", nullptr}};
  if (!fit.has_ratios) return out;
  out["log_z_estimate"] = estimate_json({fit.report.log_z, fit.report.log_z_error, 0});
  out["effective_samples"] = json_number(fit.report.effective_rows);
  return out;
}

/// The mean of the scores that 'contraflow score' writes of these rows.
Estimate mean_log_prob(const LikelihoodReport& r) {
  Estimate out = r.probability.value_or(r.nll);
  out.mean = -out.mean;
  return out;
}

/// The parts of the error in the same units as a mean.
struct ErrorParts {
  double data, dequantization, probe, roulette;
};

ErrorParts error_parts(const LikelihoodReport& r) {
  return {r.data_error(), r.dequantization_error(), r.probe_error(), r.roulette_error()};
}

ErrorParts in_bits(const ErrorParts& nats, int64_t dim) {
  const auto bits = [dim](double value) { return bits_per_dim(value, dim); };
  return {bits(nats.data), bits(nats.dequantization), bits(nats.probe), bits(nats.roulette)};
}

Json parts_json(const ErrorParts& parts) {
  return {{"data", json_number(parts.data)},
          {"dequantization", json_number(parts.dequantization)},
          {"probe", json_number(parts.probe)},
          {"roulette", json_number(parts.roulette)}};
}

// "data ±0.0121, dequantization ±0.0008": those that there are.
std::string parts_text(const ErrorParts& parts) {
  std::vector<std::string> out;
  const auto add = [&out](const char* name, double value) {
    if (value > 0.0) out.push_back(std::string(name) + " ±" + brief(value));
  };
  add("data", parts.data);
  add("dequantization", parts.dequantization);
  add("probes", parts.probe);
  add("roulette", parts.roulette);
  return join(out, ", ");
}

Json exact_json(const Evaluation& e) {
  if (!evaluates_exactly(*e.model.flow)) return nullptr;
  const ExactCost cost = exact_cost(*e.model.flow);
  return {{"blocks", cost.blocks},
          {"features", cost.features},
          {"products", cost.products},
          {"bytes_per_row", cost.bytes_per_row},
          {"rows_at_a_time", e.batch}};
}

// What exact log-determinants take, before they take it.
std::string exact_text(const Model& model, int64_t batch) {
  const ExactCost cost = exact_cost(*model.flow);
  const std::string word = row_word(model.columns), side = format_count(cost.features);
  return "exact log-determinants: " + format_count(cost.blocks) + " blocks, Jacobians of up to " +
         side + " x " + side + " from " + format_count(cost.products) + " products; " +
         format_bytes(cost.bytes_per_row) + " for each " + word + ", " + format_count(batch) + " " +
         word + "s at a time (" + format_bytes(batch * cost.bytes_per_row) + "), " +
         brief(cost.operations) + " operations of LU for each " + word;
}

Json result_json(const Evaluation& e) {
  const LikelihoodReport& r = e.report;
  const data::Columns& columns = e.model.columns;
  Json out{{"command", "evaluate"},
           {"checkpoint", e.model.checkpoint_path.string()},
           {"weights", enum_name(e.model.weights)},
           {"step", e.model.counters.step},
           {"split", e.arguments.split},
           {"rows", e.rows},
           {"rows_of_split", e.all_rows ? Json(*e.all_rows) : Json()},
           {"effective_rows", json_number(r.effective_rows)},
           {"exact", exact_json(e)},
           {"dtype", enum_name(e.arguments.dtype)},
           {"replicates", r.replicates},
           {"mean_log_prob", estimate_json(mean_log_prob(r))},
           {"lower_bound", columns.has_steps() && !r.probability},
           {"nll_nats", estimate_json(r.nll)},
           {"upper_bound", columns.has_steps()},
           {"estimator_error", json_number(r.noise_error)},
           {"error_parts", parts_json(error_parts(r))},
           {"bias_bound", json_number(r.bias_bound)}};
  if (r.probability) {
    out["probability_nats"] = estimate_json(*r.probability);
    out["probability_bias"] = json_number(r.probability_bias);
  }
  if (columns.levels > 0) {
    out["bits_per_dim"] = estimate_json(bits_per_dim(r.nll, columns.dim()));
    out["bits_per_dim_parts"] = parts_json(in_bits(error_parts(r), columns.dim()));
    if (r.probability) {
      out["probability_bits_per_dim"] = estimate_json(bits_per_dim(*r.probability, columns.dim()));
    }
  }
  if (columns.entropy) {
    out["data_entropy"] = *columns.entropy;
    out["kl_nats"] = estimate_json(above(r.nll, *columns.entropy));
  }
  if (e.energy) out["reverse_kl"] = energy_json(*e.energy);
  out["latent_nats"] = estimate_json(r.latent);
  out["base_entropy"] = estimate_json(r.base_entropy);
  out["rows_per_second"] = json_number(e.rows_per_second);
  return out;
}

void add_energy(const EnergyFit& fit, Facts& facts) {
  const ReverseKlReport& r = fit.report;
  facts.add("reverse KL", with_error(fit.kl()) + " nats, by " + format_count(r.loss.count) +
                              " samples of the model");
  std::string text = fixed(fit.log_z);
  if (fit.has_ratios) {
    text += "; by importance sampling " + with_error({r.log_z, r.log_z_error, 0}) +
            ", the samples as good as " + fixed(r.effective_rows, 1);
  }
  facts.add("log Z", text);
}

// The log-likelihood with the sign of a score, then the loss, which is its negative.
void add_likelihood(const LikelihoodReport& r, const data::Columns& columns, const Console& console,
                    Facts& facts) {
  std::string of_draws, of_loss = "the mean of -log p(x)";
  if (r.probability) {
    of_draws = ", an estimate of log P(x) by the mean over " + std::to_string(r.replicates) +
               " draws of the noise in steps, low by about " + brief(r.probability_bias);
  } else if (columns.has_steps()) {
    of_draws = ", a lower bound on log P(x): the mean over random draws";
  }
  if (columns.has_steps())
    of_loss += ", an upper bound on -log P(x): the mean over the noise in integers and steps";
  const std::string unit = " nats per " + row_word(columns);
  facts.add("mean log p(x)", console.bold(with_error(mean_log_prob(r))) + unit + of_draws);
  if (r.probability && columns.levels > 0)
    facts.add("", console.bold(with_error(bits_per_dim(*r.probability, columns.dim()))) +
                      " bits per dimension by it");
  facts.add("loss", with_error(r.nll) + unit + ", " + of_loss);
  if (columns.levels > 0)
    facts.add("", console.bold(with_error(bits_per_dim(r.nll, columns.dim()))) +
                      " bits per dimension, the same in other units");
}

// Where the error comes from, in nats and for integers in bits.
void add_error_parts(const LikelihoodReport& r, const data::Columns& columns, Facts& facts) {
  if (r.replicates < 2) return;
  const ErrorParts parts = error_parts(r);
  facts.add("estimator", "±" + brief(r.noise_error) + " nats of the error come from " +
                             std::to_string(r.replicates) + " random draws per " +
                             row_word(columns));
  facts.add("error of the loss", parts_text(parts) + " nats");
  if (columns.levels > 0)
    facts.add("", parts_text(in_bits(parts, columns.dim())) + " bits per dimension");
}

// "1,000 images", "the first 500 of 10,000 images".
std::string rows_of_split(const Evaluation& e) {
  const std::string word = row_word(e.model.columns);
  const std::string text = rows_text(e.rows, e.report.effective_rows, word);
  if (!e.all_rows || *e.all_rows == e.rows) return text;
  return "the first " + text + " of " + format_count(*e.all_rows);
}

std::string result_text(const Evaluation& e, const Console& console) {
  const LikelihoodReport& r = e.report;
  const data::Columns& columns = e.model.columns;
  Facts facts;
  facts.add("model", e.model.checkpoint_path.string() + ", " + enum_name(e.model.weights) +
                         " weights, step " + format_count(e.model.counters.step));
  facts.add("data",
            e.model.config().data.name + ", " + e.arguments.split + ", " + rows_of_split(e));
  add_likelihood(r, columns, console, facts);
  if (columns.entropy) {
    facts.add("true entropy", fixed(*columns.entropy) + " nats, so KL " +
                                  with_error(above(r.nll, *columns.entropy)));
  }
  if (e.energy) add_energy(*e.energy, facts);
  add_error_parts(r, columns, facts);
  if (r.bias_bound > 0.0) facts.add("bias", "at most " + brief(r.bias_bound) + " nats (certified)");
  facts.add("latent", "mean -log p(z) " + with_error(r.latent) + " nats; base entropy " +
                          fixed(r.base_entropy.mean));
  facts.add("speed", rate_text(e.rows_per_second) + " " + row_word(columns) + "s/s in " +
                         enum_name(e.arguments.dtype));
  return facts.str();
}

std::optional<EnergyFit> fit_to_energy(const Model& model, int64_t samples, const Rng& rng) {
  const auto kind = energy_of(model.config());
  if (!kind) return std::nullopt;
  const Energy target = [kind](const at::Tensor& x) { return energy(*kind, x); };
  return EnergyFit{log_normaliser(*kind), measure_reverse_kl(*model.flow, target, samples, rng),
                   model.flow->randomness(Phase::kEvaluate) == Randomness::kNone};
}

int run_evaluate(const EvaluateArguments& a, const Console& console) {
  const Model model = load(
      a.run,
      {.dtype = a.dtype, .device = a.device, .weights = a.weights, .set = a.set, .exact = a.exact});
  const data::Dataset dataset = open_data(model, a.allow_changed);
  const data::Source& source = split_of(dataset, a.split);
  constexpr int64_t kStreamRows = 100'000;  // of an endless split
  const int64_t all = source.size().value_or(a.rows > 0 ? a.rows : kStreamRows);
  const int64_t rows = a.rows > 0 ? std::min(a.rows, all) : all;
  const int64_t batch = std::min(rows, rows_per_chunk(*model.flow, a.batch));
  constexpr int64_t kManyFeatures = 100;  // fewer are done before anyone asks
  if (evaluates_exactly(*model.flow) && exact_cost(*model.flow).features > kManyFeatures)
    console.note(exact_text(model, batch));
  RowProgress progress(console, "evaluating", rows, row_word(model.columns) + "s");
  const ScoreOptions options{.replicates = a.replicates,
                             .rng = Rng(static_cast<uint64_t>(a.seed)).fork("evaluate"),
                             .batch = a.batch};
  const RowsDone counted = [&progress](int64_t done) { progress.done(done); };
  Evaluation e{.arguments = a,
               .model = model,
               .report = measure_likelihood(*model.flow, source, rows, options, counted),
               .rows = rows,
               .all_rows = source.size(),
               .batch = batch,
               .rows_per_second = 0,
               .energy = std::nullopt};
  e.rows_per_second = progress.rows_per_second();
  constexpr int64_t kMostSamples = 20'000;  // an inverse costs more than a row
  e.energy = fit_to_energy(model, std::min(rows, kMostSamples), options.rng.fork("energy"));
  console.result(result_json(e), result_text(e, console));
  return 0;
}

}  // namespace

Command add_evaluate(CLI::App& parent) {
  Command command =
      new_command(parent, "evaluate", "Held-out likelihood of a trained flow, with its error.",
                  kEvaluateExamples);
  const auto a = std::make_shared<EvaluateArguments>();
  CLI::App& app = *command.app;
  add_model_argument(app, a->run);
  add_split_option(app, a->split);
  add_changed_data_option(app, a->allow_changed);
  app.add_flag("--exact", a->exact,
               "Exact log-determinants of all blocks, whatever the config says.");
  add_set_option(app, a->set);
  add_draw_options(app, a->rows, a->replicates, a->seed);
  add_batch_option(app, a->batch);
  add_dtype_option(app, a->dtype);
  add_device_option(app, a->device);
  add_choice(app, "--weights", a->weights,
             "Which weights: selected = best validated, else averaged, else last.");
  command.run = [a](const Console& console) { return run_evaluate(*a, console); };
  return command;
}

}  // namespace contraflow::cli
