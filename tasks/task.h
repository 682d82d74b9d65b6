#pragma once

#include <chrono>
#include <cstdint>
#include <filesystem>
#include <map>
#include <optional>
#include <string>
#include <string_view>
#include <variant>
#include <vector>

#include "base/digest.h"
#include "base/json.h"

namespace trialwright {

/// What the ids of tasks are made of; '/' stands between their parts.
inline constexpr std::string_view kIdCharacters =
    "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789._-/";
/// True if this can be one part of an id.
inline bool is_id_part(std::string_view text) {
  return !text.empty() && text.find('/') == std::string_view::npos &&
         text.find_first_not_of(kIdCharacters) == std::string_view::npos;
}

/// The most that a task or suite may set as a size, in megabytes.
inline constexpr std::int64_t kMegabytesMax = std::int64_t{1} << 30U;

/// What a trial of a task may use, as the task's author set it.
struct TaskLimits {
  std::chrono::seconds agent_timeout{600};
  std::chrono::seconds verifier_timeout{120};
  std::chrono::seconds build_timeout{600};
  std::uint64_t memory_bytes = std::uint64_t{1} << 30U;
  std::uint64_t storage_bytes = std::uint64_t{512} << 20U;
  int processes_max = 256;
};

/// Puts a file or folder of the task's build context into the workspace.
///
/// A folder's content goes into the folder `target`, beside what is there already; symbolic links
/// in it stay links. A file becomes `target`, or, if `target` ends in '/' or is a folder by then,
/// goes into it under its own name. Folders above `target` are made. Execute bits are kept unless
/// `mode` says otherwise.
struct CopyStep {
  std::filesystem::path source;  ///< On the host, inside the task's folder.
  std::string target;            ///< Absolute inside the workspace.
  /// The permissions of every file and folder that this step makes; those there before keep theirs.
  std::optional<unsigned> mode{};
};

/// Runs a shell command while the workspace is made, without network. It fails the build if it
/// does not exit with 0.
struct RunStep {
  std::string command;  ///< For `/bin/sh -c`.
  std::string cwd;      ///< Absolute; made if it is not there.
  std::map<std::string, std::string> env;
};

using BuildStep = std::variant<CopyStep, RunStep>;

/// The machine a task starts from, read from its Dockerfile and settings.
struct EnvironmentSpec {
  std::string
      base;  ///< The image named by FROM: a note, the sandbox decides what stands in for it.
  std::vector<BuildStep> steps;
  std::string working_folder =
      "/app";  ///< Made before the first step, so that a copy can go into it.
  std::map<std::string, std::string> env;
  bool network_wanted = false;  ///< The task asked for one; the sandbox gives none.
};

/// What one step of a task asks for and how it is checked. Most tasks have one step.
struct TaskStep {
  std::string name;  ///< Empty if the task has only one.
  std::string instruction;
  /// Staged at /tests, after the agent is dead; empty if `test_command` is all there is.
  std::filesystem::path tests_folder;
  /// Run by the verifier with `bash -c`, in the working folder: "bash /tests/test.sh", or a whole
  /// script.
  std::string test_command;
  std::filesystem::path solution_folder;  ///< Staged at /solution for the reference agent alone.
  /// Run for the reference with `bash -c`, in the working folder; empty if the task has none.
  std::string solution_command;
  std::map<std::string, std::string> verifier_env;
  std::map<std::string, std::string> solution_env;
  std::optional<std::chrono::seconds> agent_timeout;  ///< Where the step sets its own.
  std::optional<std::chrono::seconds> verifier_timeout;
  /// If the step's reward is lower, the steps after it are not run and count 0.
  std::optional<double> reward_min;
};

/// How the rewards of several steps become the task's one.
enum class StepsReward {
  Mean,   ///< Steps that were not reached count 0.
  Final,  ///< The last step's; 0 if it was not reached.
};

/// How the verifier's word is read.
enum class RewardSource {
  RewardFile,  ///< /logs/verifier/reward.json or reward.txt (Harbor).
  ExitCode,    ///< Exit status 0 of the test command is 1 (Terminal-Bench 1).
};

/// A task that is solved by changing files or answering in a shell.
struct WorkspaceTask {
  std::filesystem::path folder;
  EnvironmentSpec environment;
  std::vector<TaskStep> steps;  ///< At least one.
  RewardSource reward = RewardSource::RewardFile;
  StepsReward steps_reward = StepsReward::Mean;
  /// Why this program cannot run the task, such as "it grades with a model"; empty if it can.
  std::string unsupported;
  /// What the task asks for and is done otherwise or not at all here, one sentence each.
  std::vector<std::string> notes;
};

struct ExactAnswer {
  std::vector<std::string> accepted;
  bool ignore_case = false;
};
struct NumericAnswer {
  double value = 0;
  double tolerance = 0;  ///< Absolute.
};
struct RegexAnswer {
  std::string pattern;  ///< RE2; found anywhere in the answer unless anchored.
  /// An answer that the author holds to be right, for the reference agent; never shown to a model.
  std::optional<std::string> reference{};
};
struct SchemaAnswer {
  Json schema;  ///< JSON Schema draft 7 that the answer's JSON must fulfil.
  std::optional<std::string> reference{};  ///< As a pattern's, written as JSON.
};
/// Answered by comparing the log-probabilities of the choices' labels.
struct ChoiceAnswer {
  std::vector<std::string> choices;
  std::size_t correct = 0;
};
using Answer = std::variant<ExactAnswer, NumericAnswer, RegexAnswer, SchemaAnswer, ChoiceAnswer>;

/// A task that is one question with one answer, in text.
struct QaTask {
  std::string prompt;
  Answer answer;
  int tokens_max = 256;
};

/// One problem.
struct Task {
  std::string id;  ///< `suite/folder/name`, unique in a run; what selections and reports show.
  std::vector<std::string> tags;
  TaskLimits limits;
  std::variant<WorkspaceTask, QaTask> content;
  /// Over everything that decides the outcome: instruction, environment, tests, limits; not paths
  /// of the host, not times.
  Digest digest;
  Json metadata = Json::object();  ///< What the task file says beside, shown and never used.
};

}  // namespace trialwright
