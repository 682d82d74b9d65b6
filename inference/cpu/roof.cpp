#include "inference/cpu/roof.h"

#include <algorithm>
#include <atomic>
#include <cstdint>
#include <cstring>
#include <functional>

#include "inference/cpu/arena.h"
#include "inference/cpu/matmul_kernels.h"

namespace trialwright {
namespace {

constexpr std::size_t kPieceBytes = std::size_t{1} << 20U;
constexpr int kRounds = 4096;
constexpr int kPiecesOfProducts = 16;
constexpr int kPassesMax = 1000;  ///< Whatever the clock says.

/// Of the fastest pass that begins within `time`, in seconds.
double best_seconds(const Clock& clock, std::chrono::milliseconds time,
                    const std::function<void()>& pass) {
  const auto start = clock.now();
  double best = 0;
  auto before = start;
  for (int i = 0; i == 0 || (i < kPassesMax && before - start < time); ++i) {
    pass();
    const auto after = clock.now();
    const double seconds = std::max(std::chrono::duration<double>(after - before).count(), 1e-9);
    best = best == 0 ? seconds : std::min(best, seconds);
    before = after;
  }
  return best;
}

}  // namespace

Result<Roof> measure_roof(Cpu& cpu, const Clock& clock, const RoofOptions& options) {
  const MatmulKernels& kernels = cpu.matmuls();
  // What comes out goes here, so that nothing is left out as being without effect.
  std::atomic<std::int32_t> sink{0};
  Roof roof;

  Arena arena;
  const std::size_t pieces = std::max<std::size_t>(options.read_bytes / kPieceBytes, 1);
  auto memory = arena.allocate(pieces * kPieceBytes);
  if (!memory) return memory.error();
  const auto* bytes = reinterpret_cast<const std::uint8_t*>(*memory);
  // Untouched pages would all be one page of zeros.
  cpu.pool().parallel_for(static_cast<int>(pieces), [&](int i) {
    std::memset(*memory + static_cast<std::size_t>(i) * kPieceBytes, i + 1, kPieceBytes);
  });
  const double read_seconds = best_seconds(clock, options.time_each, [&] {
    cpu.pool().parallel_for(static_cast<int>(pieces), [&](int i) {
      sink += kernels.read_bytes(bytes + static_cast<std::size_t>(i) * kPieceBytes, kPieceBytes);
    });
  });
  roof.read_bytes_per_second = static_cast<double>(pieces * kPieceBytes) / read_seconds;

  const double multiply_seconds = best_seconds(clock, options.time_each, [&] {
    cpu.pool().parallel_for(kPiecesOfProducts, [&](int) {
      sink += kernels.multiply_bytes(bytes, reinterpret_cast<const std::int8_t*>(bytes), kRounds);
    });
  });
  roof.operations_per_second =
      static_cast<double>(kernels.roof_operations) * kRounds * kPiecesOfProducts / multiply_seconds;
  return roof;
}

}  // namespace trialwright
