#include <algorithm>
#include <map>
#include <set>

#include "base/clock.h"
#include "base/text.h"
#include "results/report/html.h"
#include "results/report/sections.h"

namespace trialwright {

namespace {

using html::element;
using html::fact;

std::string outcome_name(const TrialSummary& summary) {
  return summary.outcome ? std::string(verdict_name(summary.outcome->verdict)) : "missing";
}

std::string outcome_badge(const TrialSummary& summary) {
  if (summary.outcome) return html::verdict(summary.outcome->verdict);
  return html::missing();
}

std::string reward_text(const TrialSummary& summary) {
  if (!summary.outcome || !summary.outcome->reward) return "–";
  return html::number(*summary.outcome->reward, 2);
}

/// A cell of the matrix: a link to the trial that says what it is without its colour.
std::string cell(const ReportTrial& trial, std::size_t index) {
  const TrialSummary& summary = trial.summary;
  const std::string glyph(summary.outcome ? verdict_glyph(summary.outcome->verdict) : "·");
  const std::string label = "epoch " + std::to_string(summary.trial.epoch) + ": " +
                            outcome_words(summary) + ", reward " + reward_text(summary);
  return "<a class=\"cell v-" + outcome_name(summary) + "\" href=\"#" + trial_anchor(index) +
         "\" title=\"" + html::attribute(label) + "\" aria-label=\"" + html::attribute(label) +
         "\">" + glyph + "</a>";
}

struct TaskRow {
  std::string task;
  std::vector<std::size_t> trials;
};

/// The tasks in the order of the plan, with the places of their trials by epoch.
std::vector<TaskRow> task_rows(const ReportInput& input) {
  std::vector<TaskRow> rows;
  std::map<std::string, std::size_t> places;
  for (std::size_t i = 0; i < input.trials.size(); ++i) {
    const std::string& task = input.trials[i].summary.trial.task;
    const auto [place, is_new] = places.try_emplace(task, rows.size());
    if (is_new) rows.push_back({task, {}});
    rows[place->second].trials.push_back(i);
  }
  for (TaskRow& row : rows) {
    std::ranges::stable_sort(row.trials, {},
                             [&](std::size_t i) { return input.trials[i].summary.trial.epoch; });
  }
  return rows;
}

std::string trial_facts(const TrialSummary& summary) {
  std::string facts;
  if (summary.outcome) {
    const TrialOutcome& outcome = *summary.outcome;
    facts += fact("tokens", grouped(outcome.prompt_tokens) + " prompt (" +
                                grouped(outcome.cached_tokens) + " cached), " +
                                grouped(outcome.completion_tokens) + " completion");
    facts += fact("time", duration_text(outcome.setup_time) + " set-up, " +
                              duration_text(outcome.model_time) + " model, " +
                              duration_text(outcome.tool_time) + " tools, " +
                              duration_text(outcome.grading_time) + " grading");
  }
  if (summary.attempts > 1) facts += fact("attempts", std::to_string(summary.attempts));
  if (!summary.trial.tags.empty()) {
    facts += fact("tags", html::text(joined(summary.trial.tags, ", ")));
  }
  facts += fact("seed", std::to_string(summary.trial.seed)) +
           fact("trial", element("code", "id", html::text(summary.trial.id))) +
           fact("task digest", element("code", "", summary.trial.task_digest.hex()));
  return element("dl", "facts", facts);
}

std::string grade_box(const StoredGrade& stored) {
  const Grade& grade = stored.grade;
  std::string head = element("span", "who", html::text(grade.grader)) +
                     element("span", "grade-score", html::number(grade.score, 2)) +
                     element("span", "detail", "version " + html::text(grade.version));
  if (stored.generation > 0)
    head += element("span", "detail", "generation " + std::to_string(stored.generation));
  std::string out = element("div", "head", head);
  if (!grade.explanation.empty()) out += html::block(grade.explanation);
  if (grade.evidence.is_object() && !grade.evidence.empty()) {
    const std::string evidence = grade.evidence.dump(2, ' ', false, Json::error_handler_t::replace);
    out += "<details class=\"more\"><summary>evidence</summary>" + html::block(evidence) +
           "</details>";
  }
  return element("div", "grade", out);
}

/// The one line of a trial.
std::string trial_line(const TrialSummary& summary) {
  std::string out = outcome_badge(summary) +
                    element("span", "task", html::text(summary.trial.task)) +
                    element("span", "n epoch", std::to_string(summary.trial.epoch)) +
                    element("span", "n reward", reward_text(summary));
  if (summary.outcome) {
    const TrialOutcome& outcome = *summary.outcome;
    out += element("span", "n turns", grouped(outcome.turns)) +
           element("span", "n tokens", grouped(outcome.prompt_tokens + outcome.completion_tokens)) +
           element("span", "n time", duration_text(outcome.total_time)) +
           element("span", "reason", html::text_start(outcome.reason, 400));
  } else {
    out +=
        R"(<span class="n turns"></span><span class="n tokens"></span><span class="n time"></span><span class="reason"></span>)";
  }
  return element("summary", "row", out);
}

std::string trial_item(const ReportTrial& trial, std::size_t index, const std::string& run,
                       const std::string* transcript) {
  const TrialSummary& summary = trial.summary;
  std::string body = trial_facts(summary);
  // A short reason is read in the trial's line.
  if (summary.outcome && summary.outcome->reason.size() > 60) {
    body += element("div", "why", html::block(summary.outcome->reason));
  }
  for (const StoredGrade& grade : trial.grades) body += grade_box(grade);
  if (transcript != nullptr) {
    body += element("div", "transcript", *transcript);
  } else if (summary.outcome || summary.attempts > 0) {
    body += element(
        "p", "note",
        "The transcript is not in this page. To read it: " +
            element("code", "", "trialwright show " + html::text(run + ":" + summary.trial.id)));
  } else {
    body += element("p", "note", "This trial was not run.");
  }
  const std::string tags = joined(summary.trial.tags, "\t");
  return "<details class=\"trial\" id=\"" + trial_anchor(index) + "\" data-verdict=\"" +
         outcome_name(summary) + "\" data-tags=\"" + html::attribute(tags) + "\">" +
         trial_line(summary) + element("div", "body", body) + "</details>";
}

/// Works with the page's script only, which shows it.
std::string filter_bar(const ReportInput& input) {
  // Verdicts in their own order, and what is missing last.
  std::map<int, std::pair<std::string, int>> verdicts;
  std::set<std::string> tags;
  for (const ReportTrial& trial : input.trials) {
    const auto& outcome = trial.summary.outcome;
    auto& entry = verdicts[outcome ? static_cast<int>(outcome->verdict) : 99];
    entry.first = outcome_name(trial.summary);
    ++entry.second;
    tags.insert(trial.summary.trial.tags.begin(), trial.summary.trial.tags.end());
  }
  std::string chips;
  for (const auto& [order, verdict] : verdicts) {
    const auto& [name, count] = verdict;
    chips += "<label class=\"chip v-" + name +
             R"("><input type="checkbox" name="verdict" value=")" + name + "\"> " +
             name_words(name) + " <span>" + grouped(count) + "</span></label>";
  }
  std::string options = "<option value=\"\">every tag</option>";
  for (const std::string& tag : tags) {
    options +=
        "<option value=\"" + html::attribute(tag) + "\">" + html::attribute(tag) + "</option>";
  }
  return R"(<form class="filters" role="search"><input type="search" name="text" placeholder="Filter by task, reason or id" aria-label="Filter by task, reason or id">)" +
         (tags.empty() ? "" : R"(<select name="tag" aria-label="Tag">)" + options + "</select>") +
         R"(<button type="button" name="fold">open all</button>)" + element("div", "chips", chips) +
         R"(<span class="shown" role="status"></span></form>)";
}

}  // namespace

std::string trial_anchor(std::size_t index) { return "t" + std::to_string(index + 1); }

std::string outcome_words(const TrialSummary& summary) {
  return summary.outcome ? html::verdict_words(summary.outcome->verdict) : "missing";
}

std::string matrix_section(const ReportInput& input) {
  std::string rows;
  for (const TaskRow& row : task_rows(input)) {
    std::string cells;
    int scored = 0;
    int passed = 0;
    for (const std::size_t i : row.trials) {
      const auto& outcome = input.trials[i].summary.outcome;
      cells += cell(input.trials[i], i);
      scored += outcome && enters_score(outcome->verdict) ? 1 : 0;
      passed += outcome && outcome->verdict == Verdict::Passed ? 1 : 0;
    }
    rows +=
        element("li", "",
                element("span", "task", html::text(row.task)) + element("span", "cells", cells) +
                    element("span", "n", std::to_string(passed) + "/" + std::to_string(scored)));
  }
  if (rows.empty()) return "";
  return element(
      "section", "matrix",
      element("h2", "", "Tasks and epochs") +
          element(
              "p", "hint",
              "One square a trial, in the order of the epochs; passed of scored at the right.") +
          element("ul", "", rows));
}

std::string trials_section(const ReportInput& input,
                           const std::map<std::string, std::string>& transcripts) {
  std::string items;
  for (std::size_t i = 0; i < input.trials.size(); ++i) {
    const auto found = transcripts.find(input.trials[i].summary.trial.id);
    items += trial_item(input.trials[i], i, input.run.id,
                        found == transcripts.end() ? nullptr : &found->second);
  }
  const std::string head =
      R"(<div class="row columns" aria-hidden="true"><span>verdict</span><span class="task">task</span><span class="n epoch">epoch</span><span class="n reward">reward</span><span class="n turns">turns</span><span class="n tokens">tokens</span><span class="n time">time</span><span class="reason">reason</span></div>)";
  std::string hint;
  if (transcripts.size() < input.trials.size()) {
    hint =
        element("p", "hint",
                grouped(static_cast<std::int64_t>(transcripts.size())) + " of " +
                    counted(static_cast<std::int64_t>(input.trials.size()), "trial") +
                    " have their transcript in this page. Any other: " +
                    element("code", "", "trialwright show " + html::text(input.run.id + ":TRIAL")));
  }
  return element("section", "trials",
                 element("h2", "", "Trials") + hint + filter_bar(input) + head +
                     element("div", "list", items));
}

}  // namespace trialwright
