#pragma once

#include <chrono>
#include <cstddef>

#include "base/clock.h"
#include "base/result.h"
#include "inference/cpu/cpu.h"

namespace trialwright {

/// What the machine can do at most with the threads and the instruction set of a Cpu: no model can
/// read its weights or multiply faster.
struct Roof {
  double read_bytes_per_second = 0;  ///< Memory on huge pages, far more of it than caches hold.
  double operations_per_second = 0;  ///< Multiplications and additions of bytes, from registers.
};

struct RoofOptions {
  std::size_t read_bytes = std::size_t{256} << 20U;  ///< More than caches hold; whole mebibytes.
  std::chrono::milliseconds time_each{150};          ///< For each of the two.
};

/// Measures both and takes the best of several passes.
/// Errors: Unavailable if there is no memory to read.
Result<Roof> measure_roof(Cpu& cpu, const Clock& clock, const RoofOptions& options = {});

}  // namespace trialwright
