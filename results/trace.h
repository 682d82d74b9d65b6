#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <variant>
#include <vector>

#include "base/digest.h"
#include "base/json.h"
#include "inference/model.h"

namespace trialwright {

/// How a trial ended. Only the first three enter a score.
enum class Verdict {
  Passed,
  Failed,
  Limit,        ///< Turns, tokens or time ran out; still graded.
  Infra,        ///< Our fault or the machine's.
  GraderError,  ///< The grader failed, so nothing is known about the agent.
  Invalid,      ///< Tampering was detected.
  Skipped,
};

/// "passed", "failed", "limit", "infra", "grader_error", "invalid" or "skipped".
std::string_view verdict_name(Verdict verdict);
Result<Verdict> verdict_from_name(std::string_view name);
/// The sign that stands for a verdict where there is room for one character: "✓", "✗", "◷" for a
/// limit, "!" for the machine, "?" for the grader, "⊘" for tampering, "–" for skipped.
std::string_view verdict_glyph(Verdict verdict);
/// True for Passed, Failed and Limit.
bool enters_score(Verdict verdict);

/// What a tool gave back.
struct Observation {
  std::string tool_call_id;
  std::string text;  ///< As the model sees it, truncated by the scaffold's rule.
  bool is_error = false;
};

/// One completion and what its tool calls brought.
struct Turn {
  Completion completion;
  std::vector<Observation> observations;
};

/// Why the agent stopped.
enum class EpisodeEnd {
  Submitted,
  NoToolCall,
  TurnLimit,
  TokenLimit,
  RepeatLimit,  ///< The same call with the same result, again and again.
  TimeLimit,
  ContextFull,
  Cancelled,
  Error
};
std::string_view episode_end_name(EpisodeEnd end);
Result<EpisodeEnd> episode_end_from_name(std::string_view name);

/// The record of one episode.
struct Trace {
  std::vector<Message> opening;  ///< System prompt and instruction.
  std::vector<ToolDefinition> tools;
  std::vector<Turn> turns;
  EpisodeEnd end = EpisodeEnd::Submitted;
  std::string error;   ///< Only with EpisodeEnd::Error.
  std::string answer;  ///< The text the agent submitted or answered with.
};

/// One grader's word on one trial.
struct Grade {
  std::string grader;   ///< For example "tests" or "exact".
  std::string version;  ///< Of the grader's rule; a change makes grades incomparable.
  double score = 0;     ///< In [0, 1].
  std::string explanation;
  Json evidence = Json::object();  ///< Enough to compute the score again.
  std::string digest;  ///< Over the grader's settings for this task; empty if it has none.
};

}  // namespace trialwright
