#include "results/trace.h"

namespace trialwright {

std::string_view verdict_name(Verdict verdict) {
  switch (verdict) {
    case Verdict::Passed:
      return "passed";
    case Verdict::Failed:
      return "failed";
    case Verdict::Limit:
      return "limit";
    case Verdict::Infra:
      return "infra";
    case Verdict::GraderError:
      return "grader_error";
    case Verdict::Invalid:
      return "invalid";
    case Verdict::Skipped:
      return "skipped";
  }
  CHECK(false, "every verdict has a name");
}

std::string_view verdict_glyph(Verdict verdict) {
  switch (verdict) {
    case Verdict::Passed:
      return "✓";
    case Verdict::Failed:
      return "✗";
    case Verdict::Limit:
      return "◷";
    case Verdict::Infra:
      return "!";
    case Verdict::GraderError:
      return "?";
    case Verdict::Invalid:
      return "⊘";
    case Verdict::Skipped:
      return "–";
  }
  CHECK(false, "every verdict has a sign");
}

Result<Verdict> verdict_from_name(std::string_view name) {
  for (const Verdict verdict : {Verdict::Passed, Verdict::Failed, Verdict::Limit, Verdict::Infra,
                                Verdict::GraderError, Verdict::Invalid, Verdict::Skipped}) {
    if (verdict_name(verdict) == name) return verdict;
  }
  return invalid("\"" + std::string(name) + "\" is no verdict");
}

bool enters_score(Verdict verdict) {
  return verdict == Verdict::Passed || verdict == Verdict::Failed || verdict == Verdict::Limit;
}

std::string_view episode_end_name(EpisodeEnd end) {
  switch (end) {
    case EpisodeEnd::Submitted:
      return "submitted";
    case EpisodeEnd::NoToolCall:
      return "no_tool_call";
    case EpisodeEnd::TurnLimit:
      return "turn_limit";
    case EpisodeEnd::TokenLimit:
      return "token_limit";
    case EpisodeEnd::RepeatLimit:
      return "repeat_limit";
    case EpisodeEnd::TimeLimit:
      return "time_limit";
    case EpisodeEnd::ContextFull:
      return "context_full";
    case EpisodeEnd::Cancelled:
      return "cancelled";
    case EpisodeEnd::Error:
      return "error";
  }
  CHECK(false, "every end has a name");
}

Result<EpisodeEnd> episode_end_from_name(std::string_view name) {
  for (const EpisodeEnd end :
       {EpisodeEnd::Submitted, EpisodeEnd::NoToolCall, EpisodeEnd::TurnLimit,
        EpisodeEnd::TokenLimit, EpisodeEnd::RepeatLimit, EpisodeEnd::TimeLimit,
        EpisodeEnd::ContextFull, EpisodeEnd::Cancelled, EpisodeEnd::Error}) {
    if (episode_end_name(end) == name) return end;
  }
  return invalid("\"" + std::string(name) + "\" is no way for an episode to end");
}

}  // namespace trialwright
