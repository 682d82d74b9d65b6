#include "inference/chat/tool_calls/bracket_scan.h"

#include <algorithm>

namespace trialwright {

std::optional<std::size_t> BracketScan::end(std::string_view text, std::size_t begin) {
  for (at_ = std::max(at_, begin); !end_ && at_ < text.size(); ++at_) {
    const char c = text[at_];
    if (in_string_) {
      if (escaped_) {
        escaped_ = false;
      } else if (c == '\\') {
        escaped_ = true;
      } else if (c == '"') {
        in_string_ = false;
      }
    } else if (c == '"') {
      in_string_ = true;
    } else if (c == '{' || c == '[') {
      ++depth_;
    } else if ((c == '}' || c == ']') && --depth_ == 0) {
      end_ = at_ + 1;
    }
  }
  return end_;
}

}  // namespace trialwright
