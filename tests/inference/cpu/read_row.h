#pragma once

#include <span>

#include "inference/cpu/packed_matrix.h"

namespace trialwright {

/// One row of a packed matrix as numbers, read without the kernels. 0 <= row < rows(),
/// out.size() == cols().
void read_row(const PackedMatrix& matrix, int row, std::span<float> out);

}  // namespace trialwright
