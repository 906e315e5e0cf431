#include "contraflow/kernels/isa.h"

#include <hwy/highway.h>

#include <array>
#include <atomic>
#include <cstdlib>
#include <mutex>

#include "contraflow/core/error.h"
#include "contraflow/core/text.h"
#include "contraflow/kernels/tile/compiled_targets.h"

namespace contraflow::kernels {
namespace {

constexpr const char* kComposed = "composed";

std::string isa_name(int64_t target) {
  switch (target) {
    case HWY_AVX3:
      return "avx512";
    case HWY_AVX2:
      return "avx2";
    case HWY_SCALAR:
    case HWY_EMU128:
      return "scalar";
    default: {
      std::string name = hwy::TargetName(target);
      for (char& c : name) c = static_cast<char>(std::tolower(static_cast<unsigned char>(c)));
      return name;
    }
  }
}

std::vector<int64_t> find_targets() {
  std::vector<int64_t> out;
  const int64_t able = hwy::SupportedTargets() & compiled_targets();
  for (int bit = 0; bit < 63; ++bit) {  // lower bits are better targets
    if ((able & (int64_t{1} << bit)) != 0) out.push_back(int64_t{1} << bit);
  }
  return out;
}

// Asked once, because pinning changes what Highway answers.
const std::vector<int64_t>& targets() {
  static const std::vector<int64_t> all = find_targets();
  return all;
}

std::atomic<bool> composed{false};
std::atomic<int64_t> pinned{0};

void pin(const std::string& name) {
  if (name == kComposed) {
    composed = true;
    return;
  }
  for (const int64_t target : targets()) {
    if (isa_name(target) != name) continue;
    composed = false;
    pinned = target;
    hwy::SetSupportedTargetsForTest(target);
    hwy::GetChosenTarget().DeInit();
    return;
  }
  fail<ConfigError>("kernels", "CONTRAFLOW_ISA",
                    "one of " + join(available_isas(), ", ") + ", composed", "'" + name + "'",
                    "Unset it to use the best one.");
}

void read_environment() {
  static std::once_flag once;
  std::call_once(once, [] {
    const char* name = std::getenv("CONTRAFLOW_ISA");
    if (name != nullptr && *name != '\0') pin(name);
  });
}

}  // namespace

std::vector<std::string> available_isas() {
  static const std::vector<std::string> names = [] {
    std::vector<std::string> out;
    for (const int64_t target : targets()) out.push_back(isa_name(target));
    return out;
  }();
  return names;
}

bool tiles_enabled() {
  read_environment();
  return !composed;
}

std::string current_isa() {
  read_environment();
  if (composed) return kComposed;
  return pinned != 0 ? isa_name(pinned) : available_isas().front();
}

ScopedIsa::ScopedIsa(const std::string& name) {
  before_ = current_isa();
  pin(name);
}

ScopedIsa::~ScopedIsa() { pin(before_); }

}  // namespace contraflow::kernels
