// Events of any kind and content give a trace, a grade, an outcome, or an error.

#include <array>
#include <cstdint>
#include <string_view>

#include "base/text.h"
#include "results/event_format.h"

using namespace trialwright;

/// Each line is an event: its kind, a space, and its detail as JSON.
extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  const std::string_view text(reinterpret_cast<const char*>(data), size);
  std::vector<StoredEvent> events;
  for (const std::string_view line : split(text, '\n')) {
    const std::size_t space = line.find(' ');
    if (space == std::string_view::npos) continue;
    auto detail = parse_json(line.substr(space + 1), kOwnJsonDepthMax);
    if (!detail) continue;
    StoredEvent event;
    event.sequence = static_cast<int>(events.size());
    event.kind = line.substr(0, space);
    event.text = line;
    event.detail = *std::move(detail);
    static_cast<void>(grade_from_event(event));
    static_cast<void>(outcome_from_event(event));
    events.push_back(std::move(event));
  }
  if (const auto trace = trace_from_events(events, {})) {
    static_cast<void>(to_text(trace_to_json(*trace, true)));
  }
  return 0;
}
