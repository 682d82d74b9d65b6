#include "harness/run/reference.h"

#include <algorithm>
#include <vector>

#include "base/files.h"
#include "base/text.h"
#include "graders/choice_grader.h"

namespace trialwright {

namespace {

namespace fs = std::filesystem;

Result<void> run_quietly(const std::vector<std::string>& argv, Workspace& workspace,
                         std::stop_token stop) {
  const auto result = workspace.run(argv, {}, std::move(stop));
  if (!result) return result.error();
  if (result->end == CommandEnd::Exited && result->code == 0) return {};
  return invalid(joined(argv, " ") + ": " + result->err.text());
}

Result<void> stage_entry(const fs::path& source, const std::string& target, Workspace& workspace,
                         const std::stop_token& stop) {
  std::error_code failure;
  const fs::file_status status = fs::symlink_status(source, failure);
  if (failure) return invalid(source.string() + ": " + failure.message());
  if (fs::is_symlink(status)) {
    const fs::path leads_to = fs::read_symlink(source, failure);
    if (failure) return invalid(source.string() + ": " + failure.message());
    return run_quietly({"ln", "-sfn", "--", leads_to.string(), target}, workspace, stop);
  }
  if (fs::is_regular_file(status)) {
    const auto content = read_file(source);
    if (!content) return content.error();
    const bool executable = (status.permissions() & fs::perms::owner_exec) != fs::perms::none;
    return workspace.write_file(target, *content, executable ? 0755U : 0644U);
  }
  if (!fs::is_directory(status)) return {};
  if (auto made = run_quietly({"mkdir", "-p", "--", target}, workspace, stop); !made) return made;
  std::vector<fs::path> entries;
  for (fs::directory_iterator at(source, failure), end; !failure && at != end;
       at.increment(failure)) {
    entries.push_back(at->path());
  }
  if (failure) return invalid(source.string() + ": " + failure.message());
  std::sort(entries.begin(), entries.end());
  for (const fs::path& entry : entries) {
    auto staged = stage_entry(entry, target + "/" + entry.filename().string(), workspace, stop);
    if (!staged) return staged;
  }
  return {};
}

}  // namespace

Result<void> stage_solution(const fs::path& folder, Workspace& workspace, std::stop_token stop) {
  return stage_entry(folder, "/solution", workspace, stop);
}

Result<void> run_reference(const TaskStep& step, std::chrono::milliseconds timeout,
                           Workspace& workspace, TrialRecorder& recorder, std::stop_token stop) {
  if (!step.solution_folder.empty()) {
    auto staged = stage_solution(step.solution_folder, workspace, stop);
    if (!staged) return staged.error().during("staging the reference solution");
  }
  CommandOptions options;
  options.timeout = timeout;
  options.env = step.solution_env;
  options.merge_streams = true;
  const std::vector<std::string> argv = {"bash", "-c", step.solution_command};
  auto result = workspace.run(argv, options, stop);
  if (!result) return result.error();
  if (result->end == CommandEnd::Cancelled) return cancelled("the reference was stopped");
  return recorder.note("reference solution", {{"end", command_end_name(result->end)},
                                              {"code", result->code},
                                              {"output", to_valid_utf8(result->out.text())}});
}

std::optional<std::string> reference_answer(const Answer& answer) {
  if (const auto* exact = std::get_if<ExactAnswer>(&answer)) return exact->accepted.front();
  if (const auto* numeric = std::get_if<NumericAnswer>(&answer))
    return to_text(Json(numeric->value));
  if (const auto* regex = std::get_if<RegexAnswer>(&answer)) return regex->reference;
  if (const auto* schema = std::get_if<SchemaAnswer>(&answer)) return schema->reference;
  return choice_label(std::get<ChoiceAnswer>(answer).correct);
}

}  // namespace trialwright
