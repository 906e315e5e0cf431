#pragma once

#include <ATen/core/Tensor.h>

#include <filesystem>
#include <string>

#include "cli/figures.h"

namespace contraflow::cli {

/// Data and samples as small images.
void draw_images(const FigureInput& input, const std::filesystem::path& path);

/// Samples [N, C, H, W] of integers alone.
void draw_image_samples(const at::Tensor& images, const data::Columns& columns,
                        const std::string& title, const std::filesystem::path& path);

/// Images of the data, what they are after data -> latent -> data, rounded to integers, and where the two
/// differ, with the number of such pixels. Needs input.dataset.
void draw_reconstructions(const FigureInput& input, const std::filesystem::path& path);

}  // namespace contraflow::cli
