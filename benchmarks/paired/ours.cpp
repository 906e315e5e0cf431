// Our side of a paired benchmark: says hello, then times what it is asked to time. Requests and
// replies are one JSON line each.
//   contraflow_bench CASE [--threads 2] [--export FILE] [--checkpoint FILE] ...
//   -> {"case": ..., "dtype": ..., ...}          the hello, when it is ready
//   <- {"iterations": 5}   -> {"ms": 0.9, ...}   median per iteration; end of input ends it
//   <- {"memory": true}    -> {"peak_bytes": ...}   the process's most during one iteration
#include <ATen/Parallel.h>
#include <malloc.h>

#include <algorithm>
#include <charconv>
#include <fstream>
#include <iostream>
#include <string>
#include <string_view>

#include "benchmarks/paired/workload.h"
#include "contraflow/core/error.h"
#include "contraflow/core/json.h"
#include "contraflow/core/memory.h"

namespace {

using contraflow::ConfigError;
using contraflow::fail;
using contraflow::json_text;
using contraflow::bench::WorkerOptions;

template <class Number>
Number number(std::string_view name, std::string_view text) {
  Number value{};
  const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), value);
  if (error == std::errc() && end == text.data() + text.size()) return value;
  fail<ConfigError>("contraflow_bench", name, "a number", "'" + std::string(text) + "'",
                    "Correct it.");
}

void set_option(WorkerOptions& o, std::string_view name, std::string_view text) {
  if (name == "--export") {
    o.export_path = text;
  } else if (name == "--checkpoint") {
    o.checkpoint = text;
  } else if (name == "--true-error") {
    o.true_error = number<double>(name, text);
  } else if (name == "--tolerance") {
    o.tolerance = number<double>(name, text);
  } else {
    const auto value = number<int64_t>(name, text);
    if (name == "--threads") return void(o.threads = value);
    if (name == "--seed") return void(o.seed = value);
    if (name == "--batch") return void(o.batch = value);
    if (name == "--rows") return void(o.rows = value);
    if (name == "--chunk") return void(o.chunk = value);
    if (name == "--train-steps") return void(o.train_steps = value);
    if (name == "--dim") return void(o.dim = value);
    if (name == "--blocks") return void(o.blocks = value);
    if (name == "--width") return void(o.width = value);
    if (name == "--terms") return void(o.terms = value);
    fail<ConfigError>("contraflow_bench", "option", "one of those in benchmarks/paired/ours.cpp",
                      "'" + std::string(name) + "'", "Correct it.");
  }
}

WorkerOptions parse(int argc, char** argv) {
  WorkerOptions options;
  if (argc < 2 || argc % 2 != 0) {
    fail<ConfigError>("contraflow_bench", "arguments", "CASE and pairs of --option VALUE",
                      std::to_string(argc - 1) + " words", "See benchmarks/README.md.");
  }
  options.name = argv[1];
  for (int k = 2; k < argc; k += 2) set_option(options, argv[k], argv[k + 1]);
  return options;
}

/// Most memory that the process held since the last reset, in bytes.
int64_t most_memory() {
  constexpr std::string_view key = "VmHWM";
  std::ifstream status("/proc/self/status");
  std::string line;
  while (std::getline(status, line)) {
    if (line.starts_with(key)) return std::stoll(line.substr(key.size() + 1)) * 1024;
  }
  fail<contraflow::IoError>("contraflow_bench", "/proc/self/status", std::string(key), "none",
                            "Memory is measured on Linux only.");
}

int64_t peak_of_one_iteration(contraflow::bench::Workload& work) {
  malloc_trim(0);
  std::ofstream("/proc/self/clear_refs") << "5";  // resets VmHWM
  work.run(1);
  return most_memory();
}

void serve(contraflow::bench::Workload& work) {
  std::string line;
  while (std::getline(std::cin, line)) {
    if (line.empty()) continue;
    const auto request = contraflow::parse_json(line, "request");
    nlohmann::ordered_json reply;
    if (request.value("memory", false)) {
      reply["peak_bytes"] = peak_of_one_iteration(work);
    } else {
      reply = work.run(request.at("iterations").get<int64_t>());
    }
    std::cout << json_text(reply) << std::endl;
  }
}

}  // namespace

int main(int argc, char** argv) {
  contraflow::keep_freed_memory();  // as the program does
  try {
    const WorkerOptions options = parse(argc, argv);
    at::set_num_threads(static_cast<int>(options.threads));
    const auto work = contraflow::bench::make_workload(options);
    if (!options.export_path.empty())
      contraflow::write_safetensors(options.export_path, work->shared());
    nlohmann::ordered_json hello{
        {"case", options.name}, {"dtype", "float32"}, {"threads", at::get_num_threads()}};
    hello.update(work->facts());
    std::cout << json_text(hello) << std::endl;
    serve(*work);
    return 0;
  } catch (const std::exception& error) {
    std::cerr << error.what() << '\n';
    return 1;
  }
}
