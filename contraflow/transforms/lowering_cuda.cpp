#include "contraflow/transforms/lowering_cuda.h"

#include <ATen/ATen.h>
#include <ATen/core/grad_mode.h>
#ifdef CF_CUDA
#include <c10/cuda/CUDAGuard.h>
#include <c10/cuda/CUDAStream.h>
#endif

#include "contraflow/kernels/cuda/dispatch.h"
#include "contraflow/kernels/cuda/flatten.h"

namespace contraflow {
namespace {

#ifdef CF_CUDA
template <class T>
void run_on_device(const at::Tensor& x, kernels::TileCall<T>& call) {
  const c10::cuda::CUDAGuard guard(x.device());
  const kernels::TileProgram* host = call.program;
  kernels::TileProgram program = *host;
  std::vector<at::Tensor> kept;  // counts of terms are drawn on the host
  for (kernels::TileStep& step : program.steps) {
    auto* block = std::get_if<kernels::TileBlock>(&step);
    if (block == nullptr || block->exact || block->series.counts == nullptr) continue;
    kept.push_back(
        at::from_blob(const_cast<int64_t*>(block->series.counts), {call.batch}, at::kLong)
            .to(x.device()));
    block->series.counts = kept.back().const_data_ptr<int64_t>();
  }
  call.program = &program;
  kernels::cuda::run_tiles(call, c10::cuda::getCurrentCUDAStream().stream());
  call.program = host;
}
#else
template <class T>
void run_on_device(const at::Tensor& /*x*/, kernels::TileCall<T>& call) {
  kernels::cuda::run_tiles(call, nullptr);  // throws: this build has none
}
#endif

}  // namespace

bool cuda_lowering_applies(const at::Tensor& x) {
  return kernels::cuda::compiled() && x.is_cuda() && !at::GradMode::is_enabled();
}

bool suits_device(const kernels::TileNet& net, bool solves, const TileLowering& to) {
  if (to.options.device().is_cpu()) return true;
  constexpr int64_t kNarrow = 4096;              // numbers of weights
  constexpr int64_t kFewProducts = 100'000'000;  // the composed operations' launches cost more
  const int64_t packed = kernels::cuda::packed_weights(net);
  if (packed <= kNarrow || packed * to.batch <= kFewProducts) return true;
  const auto element_size = static_cast<int64_t>(to.options.dtype().itemsize());
  return solves && kernels::cuda::weights_stay_close(packed, element_size);
}

void run_tiles_at(const at::Tensor& x, kernels::TileCall<float>& call) {
  if (x.is_cpu()) return kernels::run_tiles(call);
  run_on_device(x, call);
}
void run_tiles_at(const at::Tensor& x, kernels::TileCall<double>& call) {
  if (x.is_cpu()) return kernels::run_tiles(call);
  run_on_device(x, call);
}

}  // namespace contraflow
