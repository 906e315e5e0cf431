#include "cli/block_tables.h"

#include <algorithm>
#include <nlohmann/json.hpp>

#include "contraflow/core/json.h"
#include "contraflow/core/number_text.h"
#include "contraflow/core/text.h"

namespace contraflow::cli {
namespace {

using Json = nlohmann::ordered_json;

// Terms that fewer than one row in a thousand computes are not worth a reader's line.
constexpr double kLeastShown = 1e-3;
constexpr size_t kMostShown = 8;

const char* phase_text(Phase phase) { return phase == Phase::kTrain ? "training" : "evaluation"; }

std::string survival_text(const std::vector<double>& survival) {
  std::string out;
  for (size_t k = 0; k < survival.size() && survival[k] >= kLeastShown; ++k) {
    if (k == kMostShown) return out + " ...";
    out += (k > 0 ? " " : "") + (survival[k] == 1.0 ? "1" : fixed(survival[k], 3).substr(1));
  }
  return out;
}

std::string law_text(const BlockLaw& law) {
  const std::string name = enum_name(law.law);
  if (law.law != RouletteLaw::kOptimal || law.calibrated) return name;
  return name + ", not calibrated yet";
}

}  // namespace

Json block_matrices_json(const std::vector<BlockMatrix>& blocks) {
  Json out = Json::array();
  for (const BlockMatrix& block : blocks) {
    const BlockForm& m = block.matrix;
    out.push_back({{"block", block.block},
                   {"form", block.form},
                   {"learned", block.learned},
                   {"matrix", {m.a, m.b, m.c, m.d}}});
  }
  return out;
}

std::string block_matrices_text(const std::vector<BlockMatrix>& blocks) {
  if (std::none_of(blocks.begin(), blocks.end(), [](const auto& b) { return b.learned; }))
    return "";
  const auto left = Align::kLeft, right = Align::kRight;
  TextTable table({"block", "form", "A", "B", "C", "D"}, {left, left, right, right, right, right});
  for (const BlockMatrix& block : blocks) {
    const BlockForm& m = block.matrix;
    table.add_row({block.block, block.learned ? "learned from " + block.form : block.form,
                   fixed(m.a, 4), fixed(m.b, 4), fixed(m.c, 4), fixed(m.d, 4)});
  }
  return table.str() + "x = A w + B G(w), y = C w + D G(w)\n";
}

Json block_laws_json(const std::vector<BlockLaw>& laws) {
  Json out = Json::array();
  for (const BlockLaw& law : laws) {
    const std::vector<double>& all = law.terms.survival;
    size_t shown = 0;
    while (shown < all.size() && all[shown] >= kLeastShown) ++shown;
    out.push_back(
        {{"block", law.block},
         {"phase", phase_text(law.phase)},
         {"law", enum_name(law.law)},
         {"calibrated", law.calibrated},
         {"shift", law.terms.shift},
         {"expected_terms", law.expected_terms},
         {"expected_passes", law.expected_passes},
         {"gain", law.calibrated ? json_number(law.gain) : Json(nullptr)},
         {"survival",
          std::vector<double>(all.begin(), all.begin() + static_cast<std::ptrdiff_t>(shown))}});
  }
  return out;
}

std::string block_laws_text(const std::vector<BlockLaw>& laws) {
  if (laws.empty()) return "";
  const auto left = Align::kLeft, right = Align::kRight;
  TextTable table({"block", "phase", "law", "terms", "passes", "shift", "gain", "P_1, P_2, ..."},
                  {left, left, left, right, right, right, right, left});
  for (const BlockLaw& law : laws) {
    table.add_row({law.block, phase_text(law.phase), law_text(law), fixed(law.expected_terms, 2),
                   fixed(law.expected_passes, 2), fixed(law.terms.shift, 3),
                   law.calibrated ? fixed(law.gain, 2) : "-", survival_text(law.terms.survival)});
  }
  return table.str() +
         "terms and passes: expected for a row, passes through the network for one step "
         "(training)\n"
         "or value (evaluation); gain: cost x variance of geometric(.5) + 2 over this law's\n";
}

}  // namespace contraflow::cli
