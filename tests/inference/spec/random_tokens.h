#pragma once

#include <cstdint>
#include <vector>

#include "base/random.h"

namespace trialwright {

/// `count` tokens out of [0, alphabet), with stretches that came before, as texts have them.
inline std::vector<std::int32_t> random_tokens(RandomStream& random, std::size_t count,
                                               std::uint64_t alphabet) {
  std::vector<std::int32_t> ids;
  while (ids.size() < count) {
    if (ids.size() > 4 && random.below(4) == 0) {
      const std::size_t from = random.below(ids.size());
      const std::size_t length = 1 + random.below(12);
      for (std::size_t i = 0; i < length && ids.size() < count; ++i) {
        ids.push_back(ids[from + i]);
      }
    } else {
      ids.push_back(static_cast<std::int32_t>(random.below(alphabet)));
    }
  }
  return ids;
}

}  // namespace trialwright
