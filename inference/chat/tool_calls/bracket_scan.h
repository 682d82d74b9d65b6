#pragma once

#include <cstddef>
#include <optional>
#include <string_view>

namespace trialwright {

/// Finds where a JSON object ends, going on where it stopped when the text has grown.
class BracketScan {
 public:
  /// Behind the bracket that closes the one at `begin`; nothing if it is not closed yet. Brackets
  /// inside strings do not count. Until `reset`, `begin` is the same and `text` only grows.
  std::optional<std::size_t> end(std::string_view text, std::size_t begin);
  void reset() { *this = {}; }

 private:
  std::optional<std::size_t> end_;
  std::size_t at_ = 0;  ///< The next byte to look at; 0 before the first.
  int depth_ = 0;
  bool in_string_ = false;
  bool escaped_ = false;
};

}  // namespace trialwright
