#include "harness/run/trial_outcome.h"

#include <algorithm>

#include "base/text.h"
#include "results/event_format.h"

namespace trialwright {

namespace {

constexpr std::size_t kAlikeBytesMax = 120;

/// Bytes around a path in a sentence.
constexpr std::string_view kPathEnds = " '\",:;()";

/// The first line, with numbers and absolute paths made alike, so that the same cause gives the
/// same text.
std::string alike(std::string_view text) {
  text = text.substr(0, text.find('\n')).substr(0, kAlikeBytesMax);
  text.remove_suffix(incomplete_utf8_tail(text));
  std::string out;
  for (std::size_t at = 0; at < text.size(); ++at) {
    const char c = text[at];
    const bool starts = at == 0 || kPathEnds.find(text[at - 1]) != std::string_view::npos;
    if (c == '/' && starts) {
      out += "/…";
      at = std::min(text.find_first_of(kPathEnds, at), text.size()) - 1;
    } else if (c < '0' || c > '9') {
      out += c;
    } else if (out.empty() || out.back() != '#') {
      out += '#';
    }
  }
  return out;
}

}  // namespace

Result<void> RecordingObserver::opened(std::span<const Message> opening,
                                       std::span<const ToolDefinition> tools) {
  return recorder_.opening(opening, tools);
}

Result<void> RecordingObserver::completed(std::span<const Message> sent,
                                          const Completion& completion) {
  turns_.turn_ended(trial_, ++count_);
  if (const auto first = served_.differs_from_first(completion.served_model)) {
    auto noted =
        recorder_.note(kOtherModelServed, {{"first", *first}, {"now", completion.served_model}});
    if (!noted) return noted;
  }
  return recorder_.completion(sent, completion);
}

Result<void> RecordingObserver::observed(const Observation& observation) {
  return recorder_.observation(observation);
}

std::chrono::microseconds since(const Clock& clock, std::chrono::steady_clock::time_point start) {
  return std::chrono::duration_cast<std::chrono::microseconds>(clock.now() - start);
}

bool ended_by_limit(EpisodeEnd end) {
  return end == EpisodeEnd::TurnLimit || end == EpisodeEnd::TokenLimit ||
         end == EpisodeEnd::RepeatLimit || end == EpisodeEnd::TimeLimit ||
         end == EpisodeEnd::ContextFull;
}

void add_usage(TrialOutcome& outcome, const Trace& trace) {
  outcome.turns = static_cast<int>(trace.turns.size());
  for (const Turn& turn : trace.turns) {
    const Usage& usage = turn.completion.usage;
    outcome.prompt_tokens += usage.prompt_tokens;
    outcome.cached_tokens += usage.cached_tokens;
    outcome.completion_tokens += usage.completion_tokens;
    const Timings& timings = turn.completion.timings;
    outcome.model_time += timings.queued + timings.prefill + timings.decode;
  }
}

TrialResult without_grade(Verdict verdict, const std::string& reason) {
  TrialResult result;
  result.outcome.verdict = verdict;
  result.outcome.reason = reason;
  result.outcome.signature = std::string(verdict_name(verdict)) + ": " + alike(reason);
  return result;
}

TrialResult graded(Grade grade, const Trace& trace) {
  TrialResult result;
  TrialOutcome& outcome = result.outcome;
  const bool limited = ended_by_limit(trace.end);
  outcome.verdict = grade.score >= 1 ? Verdict::Passed : limited ? Verdict::Limit : Verdict::Failed;
  outcome.reward = grade.score;
  if (outcome.verdict != Verdict::Passed) {
    outcome.reason = grade.explanation;
    outcome.signature = std::string(episode_end_name(trace.end)) + ": " + alike(grade.explanation);
  }
  result.grades.push_back(std::move(grade));
  return result;
}

Result<TrialResult> broken(const Error& error, std::stop_token stop, Verdict verdict) {
  if (error.kind == ErrorKind::Cancelled || stop.stop_requested()) {
    return cancelled("the trial was stopped");
  }
  return without_grade(verdict, error.message);
}

}  // namespace trialwright
