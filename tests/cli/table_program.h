#pragma once

#include <ATen/ATen.h>

#include <cmath>

#include "contraflow/core/rng.h"
#include "contraflow/data/table.h"
#include "tests/cli/program.h"
#include "tests/support/csv_text.h"
#include "tests/support/npy.h"

namespace contraflow::testing {

inline const double kNormalEntropy = 0.5 * std::log(2.0 * M_PI * M_E);

inline at::Tensor normal_values(uint64_t seed, int64_t rows = 2000) {
  return Rng(seed).normal({rows}, at::kDouble);
}

inline at::Tensor uniform_values(uint64_t seed, int64_t rows = 2000) {
  return Rng(seed).uniform({rows}, at::kDouble);
}

/// Tables with a known truth, through the program as a user would send them.
class TableProgram : public ::testing::Test {
 protected:
  std::string path(const std::string& name) const { return (folder_ / name).string(); }
  void write(const std::string& name, const std::string& text) const {
    write_bytes(folder_ / name, text);
  }

  nlohmann::ordered_json train(const std::string& data, const std::vector<std::string>& more = {}) {
    const Ran ran = try_train(data, more);
    EXPECT_EQ(ran.code, 0) << ran.err;
    notes_ = ran.err;
    return ran.json();
  }
  Ran try_train(const std::string& data, const std::vector<std::string>& more = {}) const {
    const auto model = settings({"model.blocks=2", "model.net.depth=1", "model.net.growth=8",
                                 "training.steps=150", "training.validate_every=50"});
    return run(std::vector<std::string>{"train", "--data", path(data), "--out", path("run"),
                                        "--overwrite", "--json"} +
               model + more);
  }
  nlohmann::ordered_json evaluate(const std::vector<std::string>& more = {}) const {
    const Ran ran = run(std::vector<std::string>{"evaluate", path("run"), "--json"} + more);
    EXPECT_EQ(ran.code, 0) << ran.err;
    return ran.json();
  }
  double nll(const std::vector<std::string>& more = {}) const {
    return evaluate(more)["nll_nats"]["mean"];
  }
  /// The first column of scores of a file.
  at::Tensor scores(const std::string& input, const std::vector<std::string>& more = {}) const {
    const Ran ran =
        run(std::vector<std::string>{"score", path("run"), path(input), "-o", path("scores.npy")} +
            more);
    EXPECT_EQ(ran.code, 0) << ran.err;
    return data::read_table(path("scores.npy")).rows.select(1, 0);
  }
  /// Drawn rows, with the column log_prob at the end.
  at::Tensor draw(int64_t count, const std::vector<std::string>& more = {}) const {
    const Ran ran = run(std::vector<std::string>{"sample", path("run"), "-n", std::to_string(count),
                                                 "-o", path("drawn.npy"), "--log-prob"} +
                        more);
    EXPECT_EQ(ran.code, 0) << ran.err;
    return data::read_table(path("drawn.npy")).rows;
  }

  TempFolder folder_;
  std::string notes_;  ///< What the last training said.
};

}  // namespace contraflow::testing
