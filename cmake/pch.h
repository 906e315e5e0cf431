// Precompiled for every target that uses LibTorch. Nearly every unit needs torch/nn/module.h, and a unit is a
// folder. Measured (g++ 12, user seconds): the header itself 33 -> 53; an empty unit 4 -> 6; one that includes
// module.h 11 -> 6; all of transforms/ 88 in three units with ATen alone here, 31 in one unit with these.
#pragma once
#include <ATen/ATen.h>
#include <torch/autograd.h>
#include <torch/nn/module.h>

#include <nlohmann/json.hpp>
#include <string>
#include <vector>
