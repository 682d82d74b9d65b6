// Whatever the bytes are, reading them as Safetensors ends in tensors that lie within them or in an
// error.

#include <cstdint>
#include <numeric>

#include "base/check.h"
#include "inference/safetensors/safetensors_file.h"

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  const auto bytes = std::as_bytes(std::span(data, size));
  const auto tensors = trialwright::parse_safetensors(bytes, "fuzz");
  if (!tensors) return 0;
  std::size_t total = 0;
  std::size_t sum = 0;
  for (const auto& tensor : *tensors) {
    total += tensor.data.size();
    sum = std::accumulate(
        tensor.data.begin(), tensor.data.end(), sum,
        [](std::size_t so_far, std::byte b) { return so_far + std::to_integer<std::size_t>(b); });
  }
  CHECK(total < size, "no byte belongs to two tensors");
  volatile std::size_t sink = sum;
  (void)sink;
  return 0;
}
