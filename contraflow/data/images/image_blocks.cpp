#include "contraflow/data/images/image_blocks.h"

#include <ATen/ATen.h>

#include <algorithm>
#include <utility>

namespace contraflow::data::images {

at::Tensor join_blocks(std::vector<at::Tensor> blocks) {
  if (blocks.size() == 1) return blocks.front();
  std::vector<int64_t> shape = blocks.front().sizes().vec();
  shape[0] = 0;
  for (const at::Tensor& block : blocks) shape[0] += block.size(0);
  at::Tensor out = at::empty(shape, blocks.front().options());
  int64_t next = 0;
  for (at::Tensor& block : blocks) {
    out.narrow(0, next, block.size(0)).copy_(block);
    next += block.size(0);
    block.reset();
  }
  return out;
}

void ImageBlocks::add(const at::Tensor& image) {
  constexpr int64_t kBlockBytes = int64_t{1} << 24;
  if (block_.defined() && used_ == block_.size(0)) full_.push_back(std::exchange(block_, {}));
  if (!block_.defined()) {
    std::vector<int64_t> shape = image.sizes().vec();
    shape.insert(shape.begin(), std::max<int64_t>(1, kBlockBytes / image.numel()));
    block_ = at::empty(shape, image.options());
    used_ = 0;
  }
  block_[used_++].copy_(image);
}

at::Tensor ImageBlocks::take() {
  full_.push_back(std::exchange(block_, {}).narrow(0, 0, std::exchange(used_, 0)));
  return join_blocks(std::exchange(full_, {}));
}

}  // namespace contraflow::data::images
