#pragma once

#include <chrono>
#include <filesystem>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "base/digest.h"
#include "base/result.h"
#include "inference/model.h"

namespace trialwright {

/// How tool calls travel between the loop and the model.
enum class ToolProtocol {
  Auto,    ///< What suits the model; settled before a run is planned.
  Native,  ///< Through the tools of the model's chat template or API.
  Fenced,  ///< As fenced blocks in plain text, one a turn.
};

std::string_view protocol_name(ToolProtocol protocol);
std::optional<ToolProtocol> protocol_from_name(std::string_view name);

/// What an agent may use in one trial.
struct ScaffoldLimits {
  int turns_max = 10;
  int tokens_per_turn_max = 384;
  int tokens_max = 3072;  ///< Generated in the whole trial.
  int repeats_max = 3;    ///< Turns in a row with the same calls and the same results.
  std::chrono::seconds command_timeout{20};
  int observation_chars_max = 2400;  ///< Longer ones lose their middle.
};

/// A tool that the scaffold offers, by the name of one of the built-in tools.
struct ScaffoldTool {
  std::string name;
  std::string description;
};

/// The editable document around a model: prompts, tools, limits, sampling.
struct Scaffold {
  std::string name;
  std::string description;
  ToolProtocol protocol = ToolProtocol::Auto;
  /// `{{working_folder}}` is replaced by the task's own.
  std::string system_prompt;
  std::string qa_prompt;        ///< The system prompt of tasks that are one question.
  std::string fenced_examples;  ///< Calls in the fenced protocol, shown after the tools' forms.
  /// How the fenced protocol tells a result; `{{result}}` stands for it. Empty: the bare result.
  std::string fenced_observation;
  std::string nudge;
  int nudges_max = 1;
  std::string repeat_notice;  ///< Sent when a turn did and saw what the one before it had.
  ScaffoldLimits limits;
  Sampling sampling;  ///< The seed is the trial's, not the scaffold's.
  std::vector<ScaffoldTool> tools;
  std::string source;  ///< The document as it was read.
};

/// Reads a scaffold document (TOML). Errors: Invalid, naming line and field; unknown fields are
/// errors, so a misspelt limit cannot be silently ignored.
Result<Scaffold> parse_scaffold(std::string_view toml);

/// The document at `path`, or the bundled one if `path` is empty.
Result<Scaffold> load_scaffold(const std::filesystem::path& path);

/// Over everything that can change a trial: protocol, prompts, tools as the model is told of them,
/// limits. Not over sampling,
/// which is a part of its own of a trial's identity, nor over name, description and comments.
Digest scaffold_digest(const Scaffold& scaffold);

/// A result as the fenced protocol tells it to the model.
std::string fenced_observation(const Scaffold& scaffold, std::string_view result);

}  // namespace trialwright
