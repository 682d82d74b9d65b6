#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <vector>

namespace trialwright {

/// What running a model takes of memory, looked at before anything is loaded.
struct MemoryPlan {
  struct Item {
    std::string what;  ///< For people: "weights".
    std::uint64_t bytes = 0;
  };

  /// Without these the model does not run; in the order in which they are made.
  std::vector<Item> items;
  /// Pages of keys and values that may be filled beside that; the smallest sequence's are an item.
  std::uint64_t cache_bytes = 0;
  std::optional<std::uint64_t> available;  ///< Empty on a system that does not tell.

  /// Sum of the items.
  [[nodiscard]] std::uint64_t needed() const;
  [[nodiscard]] bool fits() const { return !available || needed() <= *available; }
  /// A line an item, then their sum and what is available; each ends with a line end.
  [[nodiscard]] std::string text() const;
};

}  // namespace trialwright
