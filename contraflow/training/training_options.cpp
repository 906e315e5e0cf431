#include "contraflow/training/training_options.h"

#include <nlohmann/json.hpp>

#include "contraflow/core/error.h"

namespace contraflow {

void validate(const TrainingOptions& options) {
  if (options.patience > 0 && options.validate_every == 0) {
    fail<ConfigError>("training", "patience", "0 without validation",
                      std::to_string(options.patience),
                      "Set validate_every above 0 or patience to 0.");
  }
  if (options.steps == 0 && options.minutes == 0.0) {
    fail<ConfigError>("training", "steps", "1 or more, or a budget of time", "0 and no minutes",
                      "Set steps or minutes above 0.");
  }
  if (options.steps > 0 && options.schedule.warmup_steps > options.steps) {
    fail<ConfigError>(
        "training", "schedule.warmup_steps", "at most steps = " + std::to_string(options.steps),
        std::to_string(options.schedule.warmup_steps), "Shorten the warm-up or train longer.");
  }
}

nlohmann::ordered_json resume_relevant(const TrainingOptions& options) {
  nlohmann::ordered_json json = options_to_json(options);
  for (const char* key : {"log_every", "checkpoint_every", "device", "threads"}) json.erase(key);
  if (options.schedule.kind == Schedule::kConstant) {
    for (const char* key : {"steps", "minutes"}) json.erase(key);
  }
  return json;
}

}  // namespace contraflow
