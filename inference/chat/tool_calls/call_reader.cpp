#include "inference/chat/tool_calls/call_reader.h"

#include <algorithm>

namespace trialwright {

std::size_t partial_mark(std::string_view text, std::string_view mark) {
  for (std::size_t length = std::min(text.size(), mark.size() - 1); length > 0; --length) {
    if (text.ends_with(mark.substr(0, length))) return length;
  }
  return 0;
}

}  // namespace trialwright
