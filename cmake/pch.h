// Precompiled for every target that uses LibTorch. Measured (g++ 12, user seconds per file): a file
// with ATen alone 12.4 -> 3.3; with torch/nn/module.h 17.6 -> 8. Adding module.h or the autograd
// headers here makes every file slower (rng.cpp 3.3 -> 7.4, because their inline functions are
// instantiated again in each file) and saves nothing where they are used.
#pragma once
#include <ATen/ATen.h>

#include <nlohmann/json.hpp>
#include <string>
#include <vector>
