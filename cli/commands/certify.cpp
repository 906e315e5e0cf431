#include <algorithm>
#include <cmath>
#include <nlohmann/json.hpp>

#include "cli/commands/common.h"
#include "contraflow/core/text.h"
#include "contraflow/evaluation/certificate.h"
#include "contraflow/evaluation/row_feed.h"
#include "contraflow/runs/model.h"

namespace contraflow::cli {
namespace {

using Json = nlohmann::ordered_json;

constexpr const char* kCertifyExamples =
    "Examples:\n"
    "  contraflow certify runs/checkerboard                1,000 test rows\n"
    "  contraflow certify runs/digits --rows 360 --verbose    with every layer\n"
    "  contraflow certify runs/mnist --rows 1000           wrong pixels of 1,000 test images\n\n"
    "A flow is worth its likelihoods only if it can be undone: no two points may go to one. Each "
    "of "
    "its\n"
    "blocks can be undone if its network moves any two points by less than their distance: if its "
    "Lipschitz\n"
    "constant is below 1. This command proves that from the weights, and sends rows through the "
    "flow and\n"
    "back to see it. For every block it prints\n"
    "  Lip <=      the proven bound on that constant, Euclidean unless another order p is named\n"
    "  Lip >=      the largest slope found at the rows: the constant is not smaller\n"
    "  round trip  how far a row was from itself after data -> latent -> data, at worst\n"
    "  solve       the proven error of the points that its solver found, at worst; 0: none is "
    "needed\n"
    "  certified   the bound that is proven on the round trip\n"
    "in float64 on the CPU, a few rows at a time. Of integers, such as pixels, it says how many "
    "came "
    "back\n"
    "as another integer. Before them stand the same two numbers for the whole flow, and one of "
    "three\n"
    "verdicts:\n"
    "  CERTIFIED   every bound is proven and below 1, every row came back within its bound\n"
    "  NOT PROVEN  the same, but a norm is an estimate (model.net.norm = \"estimated\", or learned "
    "orders\n"
    "              and others that have no proof in model.net.norm_order with model.net.euclidean "
    "= 0)\n"
    "  FAILED      otherwise; the exit code is 1\n";

struct CertifyArguments {
  std::string run;
  std::string split = "test";
  int64_t rows = 1000;
  bool verbose = false;
  bool allow_changed = false;
};

std::string verdict_remark(Verdict verdict) {
  switch (verdict) {
    case Verdict::kCertified:
      return "every inverse exists, and came back within its bound";
    case Verdict::kNotProven:
      return "norms are estimates; train with model.net.norm = \"cholesky\" and "
             "model.net.euclidean "
             "above 0";
    case Verdict::kFailed:
      break;
  }
  return "a bound is 1 or more, or a row did not come back within its bound";
}

std::string order_text(double order) {
  return std::isinf(order) ? "inf" : fixed(order, order == std::round(order) ? 0 : 3);
}

Json order_json(double order) { return std::isinf(order) ? Json("inf") : Json(order); }

// "proven", "proven, p = inf": in which norm a block's constant holds.
std::string bound_text(const BlockCertificate& block) {
  const std::string word = block.proven ? "proven" : "estimated";
  return block.norm_order == 2.0 ? word : word + ", p = " + order_text(block.norm_order);
}

// "proven", "proven, 1 -> 2": of which mixed norm a layer's bound is.
std::string bound_text(const LayerBound& layer) {
  const std::string word = layer.proven ? "proven" : "estimated";
  if (layer.input_order == 2.0 && layer.output_order == 2.0) return word;
  return word + ", " + order_text(layer.input_order) + " -> " + order_text(layer.output_order);
}

Json block_json(const BlockCertificate& block) {
  Json out{{"name", block.name},
           {"form", block.form},
           {"norm_order", order_json(block.norm_order)},
           {"lipschitz_upper", json_number(block.upper)},
           {"lipschitz_lower", json_number(block.lower)},
           {"proven", block.proven},
           {"worst_round_trip_error", json_number(block.worst_error)},
           {"worst_error_bound", json_number(block.worst_bound)},
           {"worst_solve_bound", json_number(block.worst_solve)},
           {"verdict", enum_name(block.verdict())},
           {"layers", Json::array()}};
  for (const LayerBound& layer : block.layers) {
    out["layers"].push_back({{"name", layer.name},
                             {"upper", json_number(layer.upper)},
                             {"lower", json_number(layer.lower)},
                             {"proven", layer.proven},
                             {"input_order", order_json(layer.input_order)},
                             {"output_order", order_json(layer.output_order)}});
  }
  return out;
}

Json result_json(const CertifyArguments& a, const Model& model, const Certificate& c) {
  Json out{{"command", "certify"},
           {"checkpoint", model.checkpoint_path.string()},
           {"split", a.split},
           {"rows", c.rows},
           {"verdict", enum_name(c.verdict())},
           {"worst_round_trip_error", json_number(c.worst_error)},
           {"worst_error_bound", json_number(c.worst_bound)},
           {"useful_bound", c.has_useful_bound()},
           {"standardised", c.standardised},
           {"values", c.values},
           {"wrong_values", model.columns.levels > 0 ? Json(c.wrong_values) : Json()},
           {"wrong_rows", model.columns.levels > 0 ? Json(c.wrong_rows) : Json()},
           {"worst_own_errors", Json::array()},
           {"blocks", Json::array()}};
  for (const double error : c.own_errors) out["worst_own_errors"].push_back(json_number(error));
  for (const BlockCertificate& block : c.blocks) out["blocks"].push_back(block_json(block));
  return out;
}

std::string block_table(const Certificate& c) {
  const auto right = Align::kRight;
  TextTable table(
      {"block", "form", "Lip <=", "Lip >=", "bound", "solve", "round trip", "certified", "verdict"},
      {Align::kLeft, Align::kLeft, right, right, Align::kLeft, right, right, right, Align::kLeft});
  for (const BlockCertificate& block : c.blocks) {
    table.add_row(
        {block.name, block.form, fixed(block.upper), fixed(block.lower), bound_text(block),
         block.worst_solve == 0.0 ? "0" : scientific(block.worst_solve),
         scientific(block.worst_error), scientific(block.worst_bound), enum_name(block.verdict())});
  }
  return table.str();
}

std::string layer_table(const Certificate& c) {
  TextTable table({"block", "layer", "norm <=", "norm >=", "bound"},
                  {Align::kLeft, Align::kLeft, Align::kRight, Align::kRight, Align::kLeft});
  for (const BlockCertificate& block : c.blocks) {
    for (const LayerBound& layer : block.layers) {
      table.add_row({block.name, layer.name, fixed(layer.upper, 6), fixed(layer.lower, 6),
                     bound_text(layer)});
    }
  }
  return table.str();
}

std::string unit_text(const Certificate& c) {
  return c.standardised ? " in standardised units, where data have a spread of about 1"
                        : " in the units that the flow takes";
}

// "price 1.2e-09, rooms 0"; of many columns the worst one.
std::string own_errors_text(const Certificate& c, const std::vector<std::string>& names) {
  constexpr size_t kMostColumns = 12;
  const std::vector<double>& errors = c.own_errors;
  if (names.size() != errors.size() || errors.size() > kMostColumns) {
    const auto worst = std::max_element(errors.begin(), errors.end());
    if (*worst == 0.0) return "0";
    const auto place = static_cast<size_t>(worst - errors.begin());
    return brief(*worst) + " at worst, " +
           (names.size() == errors.size() ? names[place] : "number " + std::to_string(place));
  }
  std::vector<std::string> parts;
  for (size_t k = 0; k < errors.size(); ++k) parts.push_back(names[k] + " " + brief(errors[k]));
  return join(parts, ", ");
}

// Why a bound on the whole says nothing.
std::string useless_text(const Certificate& c) {
  const std::string start = "no useful bound: ";
  if (!std::isfinite(c.worst_bound)) {
    return start + "member " + c.unbounded +
           " of the flow has no known constant by which it carries errors on";
  }
  return start + "the worst cases of " + format_count(std::ssize(c.blocks)) +
         " blocks multiply to an error of " + scientific(c.worst_bound) +
         ", more than the spread of the data; each block's own bound below holds";
}

void add_whole(const Certificate& c, const Model& model, Facts& facts) {
  if (c.own_errors.empty()) {
    facts.add("round trip", "not measured: nothing in the flow has an inverse");
    return;
  }
  const bool images = has_image_events(model.columns);
  facts.add("round trip", std::string(images ? "an image" : "a row") + " came back at most " +
                              scientific(c.worst_error) + " from itself," + unit_text(c));
  if (model.columns.levels > 0) {
    facts.add(images ? "wrong pixels" : "wrong integers",
              format_count(c.wrong_values) + " of " + format_count(c.values) +
                  " after the way to the latent and back, in " + format_count(c.wrong_rows) +
                  " of " + format_count(c.rows) + " " + row_word(model.columns) + "s");
  }
  if (!images)
    facts.add("", "in the columns' own units: " + own_errors_text(c, model.columns.names));
  facts.add("proven", c.has_useful_bound()
                          ? "at most " + scientific(c.worst_bound) +
                                ", and as near to the exact inverse, by local slopes"
                          : useless_text(c));
}

std::string result_text(const CertifyArguments& a, const Model& model, const Certificate& c,
                        const Console& console) {
  Facts facts;
  facts.add(row_word(model.columns) + "s",
            format_count(c.rows) + " of the " + a.split + " split, in float64");
  add_whole(c, model, facts);
  const std::string word = enum_name(c.verdict());
  facts.add("verdict",
            (c.verdict() == Verdict::kCertified ? console.good(word) : console.bad(word)) + ": " +
                verdict_remark(c.verdict()));
  std::string out = facts.str();
  if (!c.blocks.empty()) out += "\n" + block_table(c);
  if (a.verbose) out += "\n" + layer_table(c);
  return out;
}

int run_certify(const CertifyArguments& a, const Console& console) {
  const Model model = load(a.run);
  const data::Dataset dataset = open_data(model, a.allow_changed);
  const data::Source& source = split_of(dataset, a.split);
  const int64_t rows = std::min(a.rows, source.size().value_or(a.rows));
  RowProgress progress(console, "certifying", rows, row_word(model.columns) + "s");
  const Certificate certificate = certify(*model.flow, source, rows, Rng(0).fork("certify"),
                                          [&progress](int64_t done) { progress.done(done); });
  console.result(result_json(a, model, certificate), result_text(a, model, certificate, console));
  return certificate.verdict() == Verdict::kFailed ? 1 : 0;
}

}  // namespace

Command add_certify(CLI::App& parent) {
  Command command = new_command(
      parent, "certify", "Prove that every block inverts, and check it on data.", kCertifyExamples);
  const auto a = std::make_shared<CertifyArguments>();
  CLI::App& app = *command.app;
  add_model_argument(app, a->run);
  add_split_option(app, a->split);
  add_changed_data_option(app, a->allow_changed);
  app.add_option("--rows", a->rows, "Rows to send through the flow and back, at most.")
      ->check(integer_range(1, kMostInteger))
      ->capture_default_str();
  app.add_flag("--verbose", a->verbose, "List every layer.");
  command.run = [a](const Console& console) { return run_certify(*a, console); };
  return command;
}

}  // namespace contraflow::cli
