#pragma once

#include <optional>
#include <string>
#include <vector>

#include "base/check.h"
#include "base/random.h"
#include "inference/constrain/parse_states.h"

namespace trialwright {

/// A text of the grammar, found by taking random bytes that are allowed; nothing if it does not end
/// soon. There is always one that is.
inline std::optional<std::string> walk_bytes(const std::shared_ptr<const Grammar>& grammar) {
  constexpr int kBytesMax = 60;
  ParseStates states(grammar, {});
  RandomStream random(1, 0);
  std::string text;
  ParseStates::Id id = states.start();
  for (int i = 0; i < kBytesMax; ++i) {
    if (states.may_end(id) && (!states.takes_bytes(id) || random.below(8) == 0)) return text;
    std::vector<std::uint8_t> next;
    for (unsigned byte = 0; byte < 256; ++byte) {
      const auto value = static_cast<std::uint8_t>(byte);
      if (states.step(id, value) != ParseStates::kDead) next.push_back(value);
    }
    CHECK(!next.empty(), "what does not lead to an end has been taken out");
    const std::uint8_t byte = next[random.below(next.size())];
    text += static_cast<char>(byte);
    id = states.step(id, byte);
  }
  return std::nullopt;
}

}  // namespace trialwright
