#pragma once

#include "contraflow/kernels/tile_program.h"

namespace contraflow::kernels {

/// The program with its nets laid out for a forward run, which reads no layer again once the next
/// one is done: pre-activations of all layers share the rows of the widest, and the features of a
/// plain sequence go back and forth between two panels after the input's. Slopes stay apart where
/// a series goes back through the layers. A tile then takes a third of the memory for nets of some
/// layers, and more samples fit the second-level cache.
///
/// Offsets of the net alone change; gradients, which a forward run has not, are not laid out.
TileProgram forward_program(const TileProgram& program);

}  // namespace contraflow::kernels
