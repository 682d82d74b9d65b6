#include "harness/cli/summary.h"

#include <algorithm>
#include <numeric>
#include <set>

#include "base/clock.h"
#include "base/text.h"
#include "harness/cli/progress.h"
#include "results/statistics.h"

namespace trialwright {

namespace {

std::string count_text(const ScoreSummary& summary, const Console& out) {
  std::vector<std::string> parts;
  for (const auto& [verdict, count] : summary.counts) {
    parts.push_back(out.paint(verdict_glyph(verdict), verdict_colour(verdict)) + " " +
                    std::to_string(count) + " " + std::string(verdict_name(verdict)));
  }
  if (summary.missing > 0) parts.push_back("· " + std::to_string(summary.missing) + " missing");
  return joined(parts, "  ");
}

std::vector<TrialSummary> of_tag(const std::vector<TrialSummary>& trials, const std::string& tag) {
  std::vector<TrialSummary> chosen;
  for (const TrialSummary& trial : trials) {
    const auto& tags = trial.trial.tags;
    if (std::find(tags.begin(), tags.end(), tag) != tags.end()) chosen.push_back(trial);
  }
  return chosen;
}

std::vector<std::string> row_of(const std::string& name, const ScoreSummary& summary) {
  const auto passed = summary.counts.find(Verdict::Passed);
  return {name, std::to_string(summary.reward.tasks), std::to_string(summary.scored),
          std::to_string(passed == summary.counts.end() ? 0 : passed->second),
          summary.scored == 0 ? "-" : to_text(summary.reward)};
}

/// How long the run took, and what was generated for it.
std::string effort_text(const std::vector<TrialSummary>& trials,
                        std::chrono::microseconds elapsed) {
  std::int64_t prompt = 0;
  std::int64_t cached = 0;
  std::int64_t generated = 0;
  for (const TrialSummary& trial : trials) {
    if (!trial.outcome) continue;
    prompt += trial.outcome->prompt_tokens;
    cached += trial.outcome->cached_tokens;
    generated += trial.outcome->completion_tokens;
  }
  std::string text = "took " + duration_text(elapsed);
  if (generated > 0) {
    const double share =
        prompt == 0 ? 0 : 100.0 * static_cast<double>(cached) / static_cast<double>(prompt);
    text += ", " + counted(generated, "token") + " generated";
    if (prompt > 0) {
      text += ", " + grouped(prompt) + " read (" + std::to_string(static_cast<int>(share + 0.5)) +
              "% from cache)";
    }
  }
  return text;
}

void print_changes(const std::vector<ServedModelChange>& changes, const Console& console) {
  for (const ServedModelChange& change : changes) {
    console.line(console.paint("! flagged:", Colour::Yellow) + " the endpoint served \"" +
                 visible_line(change.now) + "\" instead of \"" + visible_line(change.first) +
                 "\" in " + counted(change.trials, "trial") + ", first in " +
                 visible_line(change.task) + "@" + std::to_string(change.epoch));
  }
}

}  // namespace

void print_speculation(const Model* model, const Console& out) {
  const auto stats = model == nullptr ? std::nullopt : model->speculation();
  if (stats && stats->steps > 0) out.line("guesses: " + stats->line());
}

Result<void> print_flags(const std::filesystem::path& run, const Console& err) {
  auto reader = RunReader::open(run);
  if (!reader) return reader.error();
  auto changes = reader->served_model_changes();
  if (!changes) return changes.error();
  print_changes(*changes, err);
  return {};
}

Result<void> print_summary(const std::filesystem::path& run, const Console& out) {
  auto reader = RunReader::open(run);
  if (!reader) return reader.error();
  auto record = reader->run();
  if (!record) return record.error();
  auto trials = reader->trials();
  if (!trials) return trials.error();
  auto elapsed = reader->elapsed();
  if (!elapsed) return elapsed.error();
  auto changes = reader->served_model_changes();
  if (!changes) return changes.error();
  const ScoreSummary whole = summarize(*trials);

  std::set<std::string> tags;
  for (const TrialSummary& trial : *trials)
    tags.insert(trial.trial.tags.begin(), trial.trial.tags.end());
  std::vector<std::vector<std::string>> rows = {
      {"TAG", "TASKS", "SCORED", "PASSED", "SCORE [95%]"}};
  for (const std::string& tag : tags) rows.push_back(row_of(tag, summarize(of_tag(*trials, tag))));
  rows.push_back(row_of("all", whole));
  constexpr int kAllColumns = 52;
  if (out.table_columns() < kAllColumns) {
    // On a narrow terminal the score is worth more than what it is made of.
    for (auto& row : rows) row.erase(row.begin() + 1, row.begin() + 3);
  }
  const std::size_t score = rows.front().size() - 1;
  std::vector<std::size_t> numbers(score - 1);
  std::iota(numbers.begin(), numbers.end(), std::size_t{1});
  out.write(table_text(rows, numbers, out.table_columns()));

  out.line("");
  const bool scored = whole.scored > 0;
  out.line(out.paint("score " + (scored ? to_text(whole.reward) : "-"), Colour::Bold) +
           (scored ? "  (" + whole.reward.method + ")" : ""));
  out.line("over " + counted(whole.reward.tasks, "task") + ", " + grouped(whole.scored) + " of " +
           counted(whole.planned, "trial") + " scored:  " + count_text(whole, out));
  out.line(effort_text(*trials, *elapsed));
  print_changes(*changes, out);
  out.line("run " + record->id + "  " + visible_line(run.string()));
  return {};
}

}  // namespace trialwright
