#include "cli/words.h"

#include <algorithm>
#include <array>
#include <cctype>
#include <nlohmann/json.hpp>

#include "contraflow/core/error.h"
#include "contraflow/core/text.h"

namespace contraflow::cli {
namespace {

using Json = nlohmann::ordered_json;

struct Word {
  const char* word;
  const char* key;
};

// A word with two meanings has two lines. Where a key itself has the word as its last part, no line
// is needed.
constexpr std::array kWords{
    Word{"lr", "training.adam.learning_rate"},
    Word{"rate", "training.adam.learning_rate"},
    Word{"step_size", "training.adam.learning_rate"},
    Word{"batch", "training.batch_size"},
    Word{"batchsize", "training.batch_size"},
    Word{"bs", "training.batch_size"},
    Word{"iterations", "training.steps"},
    Word{"iters", "training.steps"},
    Word{"num_steps", "training.steps"},
    Word{"n_steps", "training.steps"},
    Word{"max_steps", "training.steps"},
    Word{"time", "training.minutes"},
    Word{"hours", "training.minutes"},
    Word{"optimizer", "training.adam"},
    Word{"eps", "training.adam.epsilon"},
    Word{"wd", "training.adam.weight_decay"},
    Word{"scheduler", "training.schedule.kind"},
    Word{"schedule", "training.schedule.kind"},
    Word{"warmup", "training.schedule.warmup_steps"},
    Word{"grad_clip", "training.clip_norm"},
    Word{"clip", "training.clip_norm"},
    Word{"clip_grad", "training.clip_norm"},
    Word{"max_grad_norm", "training.clip_norm"},
    Word{"ema", "training.ema_decay"},
    Word{"early_stopping", "training.patience"},
    Word{"loss", "training.objective"},
    Word{"precision", "training.dtype"},
    Word{"gpu", "training.device"},
    Word{"cuda", "training.device"},
    Word{"num_threads", "training.threads"},
    Word{"random_state", "training.seed"},
    Word{"eval_every", "training.validate_every"},
    Word{"val_every", "training.validate_every"},
    Word{"save_every", "training.checkpoint_every"},
    Word{"log_interval", "training.log_every"},
    Word{"val_fraction", "data.validation_fraction"},
    Word{"val_split", "data.validation_fraction"},
    Word{"validation_split", "data.validation_fraction"},
    Word{"val_size", "data.validation_fraction"},
    Word{"test_split", "data.test_fraction"},
    Word{"test_size", "data.test_fraction"},
    Word{"dataset", "data.name"},
    Word{"path", "data.name"},
    Word{"file", "data.name"},
    Word{"features", "data.columns"},
    Word{"context", "data.condition"},
    Word{"target", "data.label"},
    Word{"labels", "data.label"},
    Word{"weights", "data.weight"},
    Word{"sample_weight", "data.weight"},
    Word{"sep", "data.delimiter"},
    Word{"separator", "data.delimiter"},
    Word{"arch", "model.preset"},
    Word{"architecture", "model.preset"},
    Word{"layers", "model.blocks"},
    Word{"layers", "model.net.depth"},
    Word{"num_layers", "model.blocks"},
    Word{"num_layers", "model.net.depth"},
    Word{"n_layers", "model.blocks"},
    Word{"n_layers", "model.net.depth"},
    Word{"flows", "model.blocks"},
    Word{"num_flows", "model.blocks"},
    Word{"n_flows", "model.blocks"},
    Word{"num_blocks", "model.blocks"},
    Word{"n_blocks", "model.blocks"},
    Word{"width", "model.net.hidden"},
    Word{"width", "model.net.growth"},
    Word{"units", "model.net.hidden"},
    Word{"units", "model.net.growth"},
    Word{"hidden_size", "model.net.hidden"},
    Word{"hidden_size", "model.net.growth"},
    Word{"hidden_units", "model.net.hidden"},
    Word{"hidden_units", "model.net.growth"},
    Word{"hidden_dim", "model.net.hidden"},
    Word{"hidden_dim", "model.net.growth"},
    Word{"coeff", "model.net.lipschitz"},
    Word{"lip", "model.net.lipschitz"},
    Word{"logdet", "model.train_log_det"},
    Word{"logdet", "model.eval_log_det"},
    Word{"log_det", "model.train_log_det"},
    Word{"log_det", "model.eval_log_det"},
    Word{"tol", "model.tolerance"},
    Word{"prior", "model.base"},
    Word{"latent", "model.base"},
};

std::string plain(std::string_view word) {
  std::string out(word);
  for (char& c : out) {
    c = c == '-' ? '_' : static_cast<char>(std::tolower(static_cast<unsigned char>(c)));
  }
  return out;
}

std::string last_part(const std::string& key) { return key.substr(key.rfind('.') + 1); }

bool is_within(const std::string& key, const std::string& table) {
  return key.size() > table.size() && key[table.size()] == '.' && key.starts_with(table);
}

// Whole keys, and the tables that hold them.
bool is_key(const std::string& key, const std::vector<std::string>& known) {
  return std::any_of(known.begin(), known.end(), [&](const std::string& other) {
    return other == key || is_within(other, key);
  });
}

void check_table(const Json& table, const std::string& path, const std::vector<std::string>& known,
                 const std::string& where) {
  if (!table.is_object()) return;
  for (const auto& [name, value] : table.items()) {
    const std::string key = path.empty() ? name : path + "." + name;
    // What stands in a known key (a list, a kind with keys of its own) is read elsewhere.
    if (std::find(known.begin(), known.end(), key) != known.end()) continue;
    if (is_key(key, known)) {
      check_table(value, key, known, where);
      continue;
    }
    const std::vector<std::string> meant = keys_meant(name, known);
    if (meant.empty()) continue;
    fail<ConfigError>(where, shorten(key), "a known key", "an unknown one", did_you_mean(meant));
  }
}

}  // namespace

std::vector<std::string> keys_meant(std::string_view word, const std::vector<std::string>& known) {
  const std::string wanted = plain(word);
  std::vector<std::string> out;
  const auto add = [&](const std::string& key) {
    const bool is_new = std::find(out.begin(), out.end(), key) == out.end();
    if (is_new && is_key(key, known)) out.push_back(key);
  };
  for (const Word& entry : kWords) {
    if (wanted == entry.word) add(entry.key);
  }
  if (!out.empty()) return out;
  for (const std::string& key : known) {
    if (last_part(key) == wanted) add(key);
  }
  constexpr size_t kMostMeanings = 3;  // "kind" says nothing
  return out.size() <= kMostMeanings ? out : std::vector<std::string>{};
}

void check_config_words(const Json& config, const std::vector<std::string>& known,
                        const std::string& where) {
  check_table(config, "", known, where);
}

std::string did_you_mean(const std::vector<std::string>& candidates) {
  std::vector<std::string> quoted;
  for (const std::string& candidate : candidates) quoted.push_back("'" + candidate + "'");
  return "Did you mean " + join(quoted, " or ") + "?";
}

}  // namespace contraflow::cli
