#include "tasks/validation.h"

#include <map>

#include "base/files.h"
#include "base/text.h"

namespace trialwright {

namespace {

namespace fs = std::filesystem;

constexpr std::uint64_t kLargeFileBytes = std::uint64_t{50} << 20U;
constexpr std::uint64_t kTestBytesMax = std::uint64_t{1} << 20U;

/// True if the text names this path itself, and not one that only has it inside, as /app/tests/ has
/// /tests/.
bool names_path(std::string_view text, std::string_view path) {
  const auto goes_on = [](char c) {
    return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9') ||
           std::string_view("._-/~}*").find(c) != std::string_view::npos;
  };
  for (std::size_t at = text.find(path); at != std::string_view::npos; at = text.find(path, at + 1))
    if (at == 0 || !goes_on(text[at - 1])) return true;
  return false;
}

/// Collects what is found about one task.
class TaskChecker {
 public:
  TaskChecker(const Task& task, std::vector<Finding>& findings)
      : task_(task), findings_(findings) {}

  void check(const WorkspaceTask& content) {
    if (!content.unsupported.empty())
      warn("unsupported", "it cannot run here: " + content.unsupported);
    for (const std::string& note : content.notes) warn("note", note);
    for (const TaskStep& step : content.steps) check_step(content, step);
    check_sizes(content.folder);
  }

  void check(const QaTask& question) {
    if (const auto* exact = std::get_if<ExactAnswer>(&question.answer)) {
      for (const std::string& accepted : exact->accepted)
        if (trimmed(accepted).empty())
          fail("empty-answer", "it accepts an answer that is empty, so saying nothing passes");
    }
    if (const auto* choice = std::get_if<ChoiceAnswer>(&question.answer)) {
      for (std::size_t i = 0; i < choice->choices.size(); ++i)
        if (i != choice->correct && choice->choices[i] == choice->choices[choice->correct])
          fail("equal-choices", "a wrong choice is the same as the right one");
    }
  }

 private:
  void check_step(const WorkspaceTask& content, const TaskStep& step) {
    const std::string where = step.name.empty() ? "" : "step \"" + step.name + "\": ";
    if (trimmed(step.instruction).empty())
      fail("no-instruction", where + "the instruction is empty");
    if (trimmed(step.test_command).empty()) fail("no-tests", where + "nothing checks the outcome");
    if (step.solution_command.empty())
      warn("no-reference", where + "there is no reference solution to prove that it can be solved");
    for (const char* path : {"/tests/", "/solution/", "/logs/verifier"}) {
      if (names_path(step.instruction, path))
        warn("points-at-grading", where + "the instruction names " + path + ", which no agent has");
    }
    if (content.reward == RewardSource::RewardFile && !mentions_reward(step.tests_folder))
      fail("no-reward",
           where + "no file of tests/ names a reward file, so nothing would be scored");
  }

  /// True if some test file speaks of a reward, or cannot be read whole.
  static bool mentions_reward(const fs::path& folder) {
    std::error_code error;
    for (fs::recursive_directory_iterator entry(folder, error), end; !error && entry != end;
         entry.increment(error)) {
      std::error_code unknown;
      if (!entry->is_regular_file(unknown)) continue;
      const auto text = read_file(entry->path(), kTestBytesMax);
      if (!text || text->find("reward") != std::string::npos) return true;
    }
    return false;
  }

  void check_sizes(const fs::path& folder) {
    std::error_code error;
    for (fs::recursive_directory_iterator entry(folder, error), end; !error && entry != end;
         entry.increment(error)) {
      std::error_code unknown;
      if (!entry->is_regular_file(unknown)) continue;
      const std::uintmax_t bytes = entry->file_size(unknown);
      if (!unknown && bytes > kLargeFileBytes)
        warn("large-file", entry->path().lexically_relative(folder).string() + " has " +
                               std::to_string(bytes >> 20U) + " MiB");
    }
  }

  void fail(std::string rule, std::string message) {
    findings_.push_back({task_.id, Severity::Error, std::move(rule), std::move(message)});
  }
  void warn(std::string rule, std::string message) {
    findings_.push_back({task_.id, Severity::Warning, std::move(rule), std::move(message)});
  }

  const Task& task_;
  std::vector<Finding>& findings_;
};

}  // namespace

std::string_view severity_name(Severity severity) {
  return severity == Severity::Error ? "error" : "warning";
}

std::vector<Finding> check_suite(const Suite& suite) {
  std::vector<Finding> findings;
  std::map<Digest, std::string> first_of_digest;
  for (const Task& task : suite.tasks) {
    std::visit([&](const auto& content) { TaskChecker(task, findings).check(content); },
               task.content);
    const auto [first, is_new] = first_of_digest.emplace(task.digest, task.id);
    if (!is_new) {
      findings.push_back({task.id, Severity::Error, "same-as-another",
                          "it and " + first->second +
                              " ask and grade the same, so their trials would be the same"});
    }
  }
  return findings;
}

}  // namespace trialwright
