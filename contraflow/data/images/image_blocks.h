#pragma once

#include <ATen/core/Tensor.h>

#include <vector>

namespace contraflow::data::images {

/// Rows [n, ...] of several blocks in one tensor. The memory of a block is given back as soon as it is
/// copied, so that all together take little more than the result.
at::Tensor join_blocks(std::vector<at::Tensor> blocks);

/// Images that come one by one, in blocks: memory grows with what was read, not with what a header
/// promises.
///
/// Shapes     images [C, H, W] of one size; take(): [N, C, H, W].
/// Types      uint8.
/// Threads    one thread at a time.
/// Example    blocks.add(image);  const at::Tensor pixels = blocks.take();
class ImageBlocks {
 public:
  void add(const at::Tensor& image);
  /// All of them; nothing is left.
  at::Tensor take();

 private:
  std::vector<at::Tensor> full_;
  at::Tensor block_;
  int64_t used_ = 0;
};

}  // namespace contraflow::data::images
