#include "cli/reproduce/machine.h"

#include <ATen/Parallel.h>

#include <fstream>
#include <string>
#include <thread>

namespace contraflow::cli {
namespace {

// Linux says it there; elsewhere the kind stays unknown, which a table can live with.
std::string cpu_model() {
  std::ifstream in("/proc/cpuinfo");
  for (std::string line; std::getline(in, line);) {
    const size_t colon = line.find(": ");
    if (line.starts_with("model name") && colon != std::string::npos) return line.substr(colon + 2);
  }
  return "unknown";
}

}  // namespace

nlohmann::ordered_json machine_json() {
  return {{"cpu", cpu_model()},
          {"cores", std::thread::hardware_concurrency()},
          {"threads", at::get_num_threads()}};
}

}  // namespace contraflow::cli
