#pragma once

#include <cstddef>
#include <cstdint>
#include <memory>
#include <vector>

#include "base/result.h"
#include "inference/cpu/attention.h"

namespace trialwright {

/// Memory for the keys and values of kPageTokens positions in all layers, in half precision. Shared
/// by all that hold those positions; the last holder gives it back to its pool.
using KvPage = std::shared_ptr<std::uint16_t>;

/// Where the layers' keys and values lie in a page.
struct KvPageLayout {
  std::vector<KvLayer> layers;
  std::size_t halves = 0;  ///< Of a whole page.

  /// head_dim is a multiple of 16.
  static KvPageLayout make(int layers, int kv_heads, int head_dim);

  [[nodiscard]] std::size_t bytes() const { return halves * sizeof(std::uint16_t); }
};

/// Pages needed for so many positions.
constexpr int pages_for(int positions) { return (positions + kPageTokens - 1) / kPageTokens; }

/// Gives out pages, on huge pages of the system where it grants them, and takes them back. Memory
/// stays with the pool until the pool and all its pages are gone. Any thread.
class KvPagePool {
 public:
  explicit KvPagePool(KvPageLayout layout);

  [[nodiscard]] const KvPageLayout& layout() const;

  /// A page, whatever is in it. Errors: Unavailable.
  Result<KvPage> take();

  /// Pages that are held by somebody.
  [[nodiscard]] int in_use() const;

 private:
  struct Store;
  std::shared_ptr<Store> store_;  ///< Pages may outlive the pool.
};

}  // namespace trialwright
