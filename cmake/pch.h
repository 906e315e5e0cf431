// Precompiled for every target that uses LibTorch.
#pragma once
#include <ATen/ATen.h>
#include <torch/csrc/autograd/custom_function.h>
#include <torch/nn/module.h>

#include <nlohmann/json.hpp>
#include <string>
#include <vector>
