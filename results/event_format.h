#pragma once

#include <cstdint>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "results/run_record.h"
#include "results/trace.h"

namespace trialwright {

// How events tell a trial's course; docs/trace-format.md lists the kinds with an example of each.

inline constexpr std::string_view kTrialStarted = "trial_started";
inline constexpr std::string_view kOpening = "opening";
inline constexpr std::string_view kCompletion = "completion";
inline constexpr std::string_view kObservation = "observation";
inline constexpr std::string_view kAgentEnd = "agent_end";
inline constexpr std::string_view kGrade = "grade";
inline constexpr std::string_view kTrialEnded = "trial_ended";
inline constexpr std::string_view kNote = "note";

/// The text of the note that flags a run in which an endpoint changed its model. Its detail names
/// the model served `first` and the one served `now`.
inline constexpr std::string_view kOtherModelServed =
    "the endpoint serves another model than at first";

/// What an event says.
struct EventContent {
  std::string_view kind;  ///< One of the constants above.
  std::string text;       ///< The main text: what was said, seen or answered.
  Json detail = Json::object();
  std::string tokens;  ///< As encode_tokens gives them; only of completions.
};

/// The messages themselves are not in it: the event refers to them.
EventContent opening_content(std::span<const ToolDefinition> tools);
EventContent completion_content(const Completion& completion);
EventContent observation_content(const Observation& observation);
EventContent agent_end_content(EpisodeEnd end, std::string_view error, std::string_view answer);
EventContent grade_content(const Grade& grade);
EventContent trial_ended_content(const TrialOutcome& outcome);

/// One stored event as it stands in the file; docs/trace-format.md lists the kinds.
struct StoredEvent {
  int attempt = 1;
  int sequence = 0;
  std::int64_t at_us = 0;  ///< Microseconds since 1970-01-01 UTC.
  std::string kind;        ///< "opening", "completion", "observation" and so on.
  std::string text;        ///< The event's main text: what was said, seen or answered.
  Json detail = Json::object();
  std::vector<GeneratedToken> tokens;  ///< Only of completions.
  std::string context;  ///< Hash of the messages that were sent, in hexadecimal, or empty.
};

/// The ways back, each for its own kind. Errors: Integrity, naming the field.
Result<std::vector<ToolDefinition>> tools_from_event(const StoredEvent& event);
Result<Completion> completion_from_event(const StoredEvent& event);
Result<Observation> observation_from_event(const StoredEvent& event);
Result<Grade> grade_from_event(const StoredEvent& event);
Result<TrialOutcome> outcome_from_event(const StoredEvent& event);

/// Rebuilds a trace. `opening` are the messages that the opening event refers to. Without an
/// agent_end event the trace ends with EpisodeEnd::Error. Errors: Integrity, naming the event.
Result<Trace> trace_from_events(std::span<const StoredEvent> events, std::vector<Message> opening);

/// The trace for other programs and for comparison: everything but the tokens' alternatives; times
/// only if asked for.
Json trace_to_json(const Trace& trace, bool with_times);

/// Equal for two traces that differ in nothing but recorded times and cache use.
Digest trace_digest(const Trace& trace);

}  // namespace trialwright
