#include "cli/block_forms.h"

#include <algorithm>

#include "cli/console.h"
#include "contraflow/core/text.h"
#include "contraflow/transforms/contractive_map.h"

namespace contraflow::cli {
namespace {

using Json = nlohmann::ordered_json;

std::vector<const ContractiveMap*> blocks_of(const Flow& flow) {
  std::vector<const ContractiveMap*> out;
  for (const Member& leaf : leaves_of(flow.transform())) {
    if (const ContractiveMap* map = leaf.transform->contractive()) out.push_back(map);
  }
  return out;
}

}  // namespace

Json block_forms_json(const Flow& flow) {
  Json out = Json::array();
  int64_t number = 0;
  for (const auto& block : blocks_of(flow)) {
    const BlockForm form = block->form();
    out.push_back({{"block", "block " + std::to_string(++number)},
                   {"form", block->form_name()},
                   {"learned", block->learns_form()},
                   {"matrix", {form.a, form.b, form.c, form.d}}});
  }
  return out;
}

std::string block_forms_text(const Flow& flow) {
  const auto blocks = blocks_of(flow);
  if (std::none_of(blocks.begin(), blocks.end(), [](const auto& b) { return b->learns_form(); }))
    return "";
  const auto left = Align::kLeft, right = Align::kRight;
  TextTable table({"block", "form", "A", "B", "C", "D"}, {left, left, right, right, right, right});
  int64_t number = 0;
  for (const auto& block : blocks) {
    const BlockForm form = block->form();
    const std::string start = block->form_name();
    table.add_row({"block " + std::to_string(++number),
                   block->learns_form() ? "learned from " + start : start, fixed(form.a, 4),
                   fixed(form.b, 4), fixed(form.c, 4), fixed(form.d, 4)});
  }
  return table.str() + "x = A w + B G(w), y = C w + D G(w)\n";
}

}  // namespace contraflow::cli
