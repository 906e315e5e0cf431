#include "contraflow/training/training_options.h"

#include <nlohmann/json.hpp>

#include "contraflow/core/error.h"

namespace contraflow {

int64_t patience_of(const TrainingOptions& options) {
  constexpr int64_t kUsual = 20;
  return options.patience.value_or(options.validate_every > 0 ? kUsual : 0);
}

void validate(const TrainingOptions& options) {
  if (options.patience.value_or(0) > 0 && options.validate_every == 0) {
    fail<ConfigError>("training", "patience", "0 without validation",
                      std::to_string(*options.patience),
                      "Set validate_every above 0 or patience to 0.");
  }
  if (options.steps == 0 && options.minutes == 0.0) {
    fail<ConfigError>("training", "steps", "1 or more, or a budget of time", "0 and no minutes",
                      "Set steps or minutes above 0.");
  }
  if (const int64_t warmup = warmup_of(options.schedule, options.steps);
      options.steps > 0 && warmup > options.steps) {
    fail<ConfigError>("training", "schedule.warmup_steps",
                      "at most steps = " + std::to_string(options.steps), std::to_string(warmup),
                      "Shorten the warm-up or train longer.");
  }
}

nlohmann::ordered_json resume_relevant(const TrainingOptions& options) {
  nlohmann::ordered_json json = options_to_json(options);
  for (const char* key :
       {"steps", "minutes", "log_every", "checkpoint_every", "device", "threads"}) {
    json.erase(key);
  }
  return json;
}

}  // namespace contraflow
