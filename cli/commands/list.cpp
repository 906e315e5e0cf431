#include <nlohmann/json.hpp>

#include "cli/commands/common.h"
#include "contraflow/bases/base_registry.h"
#include "contraflow/core/text.h"
#include "contraflow/data/data_registry.h"
#include "contraflow/kernels/activations.h"
#include "contraflow/models/model_registry.h"
#include "contraflow/transforms/registry.h"

namespace contraflow::cli {
namespace {

using Json = nlohmann::ordered_json;

constexpr const char* kListExamples =
    "Examples:\n"
    "  contraflow list             everything\n"
    "  contraflow list models      what --model takes\n"
    "  contraflow list data        what can be trained on, with names or paths\n\n"
    "A flow is a chain of transforms between the data and a base density that is easy to sample. A "
    "model\n"
    "names such a chain with all its settings; --set changes single ones, and a config file may "
    "hold them.\n"
    "The keys of a config are in 'contraflow train --help-all'.\n";

struct Item {
  std::string name, summary;
};
struct Section {
  std::string name, title;
  std::vector<Item> items;
};

std::vector<Item> presets() {
  std::vector<Item> out;
  for (const models::ModelEntry& entry : models::model_registry()) {
    for (const models::Preset& preset : entry.presets) out.push_back({preset.name, preset.summary});
  }
  return out;
}

std::vector<Item> families() {
  std::vector<Item> out;
  for (const models::ModelEntry& entry : models::model_registry()) {
    std::vector<std::string> names;
    for (const models::Preset& preset : entry.presets) names.push_back(preset.name);
    out.push_back({entry.name, entry.summary + "; presets " + join(names, ", ")});
  }
  return out;
}

template <class Entry>
std::vector<Item> entries(const std::vector<Entry>& registry) {
  std::vector<Item> out;
  for (const Entry& entry : registry) {
    out.push_back(
        {entry.name, entry.summary + (entry.source.empty() ? "" : " (" + entry.source + ")")});
  }
  return out;
}

// Of data with a name, or of files.
std::vector<Item> data_sets(bool builtin) {
  std::vector<data::DataEntry> chosen;
  for (data::DataEntry entry : data::data_registry()) {
    if (entry.is_builtin() != builtin) continue;
    if (!builtin) entry.name = entry.path;
    chosen.push_back(std::move(entry));
  }
  return entries(chosen);
}

std::vector<Item> activations() {
  std::vector<Item> out;
  for (const auto& [name, kind] : enum_names(Activation{})) {
    std::string summary = "slope at most " + fixed(lipschitz_constant(kind), 4);
    if (expansion(kind) == 2) summary += ", doubles the features";
    if (is_sorting(kind)) summary += ", sorts features";
    if (has_beta(kind)) summary += ", beta is trained";
    out.push_back({name, summary});
  }
  return out;
}

std::vector<Section> all_sections() {
  return {
      {"models", "Models, for --model (presets: the key model.preset)", presets()},
      {"families", "Families of models, which share their keys", families()},
      {"data", "Built-in data, for 'contraflow train NAME' (the key data.name)", data_sets(true)},
      {"files", "Files and folders, for 'contraflow train PATH' (the key data.name)",
       data_sets(false)},
      {"transforms", "Transforms, the steps from data to latent that a model is made of",
       entries(transform_registry())},
      {"bases", "Base densities, what the latent follows: model.base = {type = \"...\"}",
       entries(base_registry())},
      {"activations", "Activations of the networks in a block: model.net.activation",
       activations()}};
}

// What a section is called elsewhere, and one of its items.
std::string section_meant(const std::string& word) {
  const std::string plural =
      word.ends_with("y") ? word.substr(0, word.size() - 1) + "ies" : word + "s";
  if (word == "presets" || word == "preset") return "models";
  if (word == "flows" || word == "flow") return "models";
  if (word == "datasets" || word == "dataset" || word == "toys") return "data";
  for (const char* other : {"columns", "formats", "images", "folders", "layouts"}) {
    if (word == other) return "files";
  }
  for (const Section& section : all_sections()) {
    if (section.name == plural) return plural;
  }
  return word;
}

int run_list(const std::string& what, const Console& console) {
  Json json{{"command", "list"}};
  std::string text;
  for (const Section& section : all_sections()) {
    const bool asked = section.name == what || (what == "data" && section.name == "files");
    if (!what.empty() && !asked) continue;
    Facts facts;
    Json items = Json::array();
    for (const Item& item : section.items) {
      facts.add(item.name, item.summary);
      items.push_back({{"name", item.name}, {"summary", item.summary}});
    }
    json[section.name] = std::move(items);
    text += (text.empty() ? "" : "\n") + console.bold(section.title) + "\n" + facts.str();
  }
  console.result(json, text);
  return 0;
}

}  // namespace

Command add_list(CLI::App& parent) {
  Command command =
      new_command(parent, "list", "Presets, data, transforms, bases and activations there are.",
                  kListExamples, /*computes=*/false);
  const auto what = std::make_shared<std::string>();
  std::vector<std::string> names;
  for (const Section& section : all_sections()) names.push_back(section.name);
  command.app->add_option("WHAT", *what, "One section: " + join(names, ", ") + ".")
      ->transform([](const std::string& word) { return section_meant(word); })
      ->check(one_of(names));
  command.run = [what](const Console& console) { return run_list(*what, console); };
  return command;
}

}  // namespace contraflow::cli
