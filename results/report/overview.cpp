#include <algorithm>
#include <array>
#include <set>

#include "base/clock.h"
#include "base/text.h"
#include "results/report/html.h"
#include "results/report/sections.h"
#include "results/statistics.h"

namespace trialwright {

namespace {

using html::element;
using html::fact;

constexpr std::array kVerdicts = {Verdict::Passed, Verdict::Failed,      Verdict::Limit,
                                  Verdict::Infra,  Verdict::GraderError, Verdict::Invalid,
                                  Verdict::Skipped};

std::vector<TrialSummary> summaries_of(const ReportInput& input) {
  std::vector<TrialSummary> summaries;
  for (const ReportTrial& trial : input.trials) summaries.push_back(trial.summary);
  return summaries;
}

int count_of(const ScoreSummary& score, Verdict verdict) {
  const auto found = score.counts.find(verdict);
  return found == score.counts.end() ? 0 : found->second;
}

/// An interval on a line from 0 to 1. Numbers in attributes, because the page's policy allows no
/// style attributes.
std::string whisker(const Estimate& estimate) {
  if (estimate.tasks == 0) return "";
  const auto at = [](double value) { return html::number(std::clamp(value, 0.0, 1.0) * 100, 2); };
  std::string out =
      R"(<svg class="whisker" viewBox="0 0 100 10" preserveAspectRatio="none" role="img" aria-label=")" +
      html::attribute(to_text(estimate)) +
      R"("><rect class="axis" x="0" y="4.5" width="100" height="1"/>)";
  if (estimate.interval) {
    const double width = estimate.interval->high - estimate.interval->low;
    out += "<rect class=\"range\" x=\"" + at(estimate.interval->low) + R"(" y="3" width=")" +
           at(std::max(width, 0.004)) + R"(" height="4"/>)";
  }
  const double left = std::clamp(estimate.value - 0.004, 0.0, 0.992);
  return out + "<rect class=\"point\" x=\"" + at(left) +
         R"(" y="0.5" width="0.8" height="9"/></svg>)";
}

std::string interval_text(const Estimate& estimate) {
  if (!estimate.interval) return "no interval";
  return "[" + html::number(estimate.interval->low) + ", " + html::number(estimate.interval->high) +
         "]";
}

std::string score_card(std::string_view name, const Estimate& estimate,
                       std::string_view explanation) {
  const std::string value = estimate.tasks == 0 ? "–" : html::number(estimate.value);
  std::string basis =
      counted(estimate.trials, "scored trial") + " of " + counted(estimate.tasks, "task");
  if (estimate.interval) basis += " · " + html::number(estimate.level * 100, 0) + " % interval";
  if (!estimate.method.empty()) basis += ", " + html::text(estimate.method);
  return element(
      "div", "card score",
      element("h2", "", name) +
          element("p", "value", value + element("span", "interval", interval_text(estimate))) +
          whisker(estimate) + element("p", "basis", basis) +
          element("p", "explanation", explanation));
}

/// Every verdict's share of the planned trials as one bar.
std::string verdict_bar(const ScoreSummary& score) {
  if (score.planned == 0) return "";
  std::string out =
      R"(<svg class="bar" viewBox="0 0 100 6" preserveAspectRatio="none" aria-hidden="true">)";
  double x = 0;
  for (const Verdict verdict : kVerdicts) {
    const double width = 100.0 * count_of(score, verdict) / score.planned;
    if (width > 0) {
      out += "<rect class=\"f-" + std::string(verdict_name(verdict)) + "\" x=\"" + html::number(x) +
             "\" y=\"0\" width=\"" + html::number(width) + "\" height=\"6\"/>";
    }
    x += width;
  }
  return out + "</svg>";
}

std::string verdict_table(const ScoreSummary& score) {
  std::string rows;
  for (const Verdict verdict : kVerdicts) {
    const int count = count_of(score, verdict);
    rows +=
        element("tr", count == 0 ? "none" : "",
                element("th", "", html::verdict(verdict)) + element("td", "count", grouped(count)) +
                    element("td", "in", enters_score(verdict) ? "scored" : "not scored"));
  }
  rows +=
      element("tr", score.missing == 0 ? "none" : "",
              element("th", "", html::missing()) + element("td", "count", grouped(score.missing)) +
                  element("td", "in", "no outcome yet"));
  const std::string total =
      element("tr", "total",
              element("th", "", "planned") + element("td", "count", grouped(score.planned)) +
                  element("td", "in", grouped(score.scored) + " scored"));
  return element(
      "div", "card verdicts",
      element("h2", "", "Verdicts") + verdict_bar(score) +
          element("table", "", "<tbody>" + rows + "</tbody><tfoot>" + total + "</tfoot>"));
}

/// What the trials took altogether.
std::string effort_line(const ReportInput& input) {
  std::int64_t turns = 0;
  std::int64_t prompt = 0;
  std::int64_t cached = 0;
  std::int64_t completion = 0;
  std::chrono::microseconds time{0};
  for (const ReportTrial& trial : input.trials) {
    if (!trial.summary.outcome) continue;
    const TrialOutcome& outcome = *trial.summary.outcome;
    turns += outcome.turns;
    prompt += outcome.prompt_tokens;
    cached += outcome.cached_tokens;
    completion += outcome.completion_tokens;
    time += outcome.total_time;
  }
  return element("dl", "facts effort",
                 fact("turns", grouped(turns)) + fact("prompt tokens", grouped(prompt)) +
                     fact("of them cached", grouped(cached)) +
                     fact("completion tokens", grouped(completion)) +
                     fact("time of all trials", duration_text(time)));
}

/// A line that must not be overlooked, where the numbers do not say all.
std::string warning_line(const ScoreSummary& score, const ReportInput& input) {
  std::vector<std::string> warnings;
  for (const ServedModelChange& change : input.served_model_changes) {
    warnings.push_back("the endpoint served another model, " +
                       element("code", "", html::text(change.now)) + " instead of " +
                       element("code", "", html::text(change.first)) + ", in " +
                       counted(change.trials, "trial") + ", first in " + html::text(change.task) +
                       "@" + std::to_string(change.epoch));
  }
  if (score.scored == 0) warnings.emplace_back("no trial was scored, so there is no score");
  if (score.missing > 0)
    warnings.push_back(counted(score.missing, "planned trial") + " without an outcome");
  if (input.status == RunStatus::Running) warnings.emplace_back("the run has not ended in order");
  const int broken = count_of(score, Verdict::Infra) + count_of(score, Verdict::GraderError);
  if (broken > 0) {
    warnings.push_back(counted(broken, "trial") +
                       " ended by an error that is not the agent's, and left out of the score");
  }
  if (const int invalid = count_of(score, Verdict::Invalid); invalid > 0) {
    warnings.push_back(counted(invalid, "trial") + " tampered with its grading");
  }
  std::string out;
  for (const std::string& warning : warnings) out += element("li", "", warning);
  return out.empty() ? "" : element("ul", "warnings", out);
}

std::string tag_table(const ReportInput& input) {
  std::map<std::string, std::vector<TrialSummary>> by_tag;
  for (const ReportTrial& trial : input.trials) {
    const std::set<std::string> tags(trial.summary.trial.tags.begin(),
                                     trial.summary.trial.tags.end());
    for (const std::string& tag : tags) by_tag[tag].push_back(trial.summary);
  }
  if (by_tag.empty()) return "";
  std::string rows;
  for (const auto& [tag, trials] : by_tag) {
    const ScoreSummary score = summarize(trials);
    rows += element(
        "tr", "",
        element("th", "", html::text(tag)) +
            element("td", "n", score.reward.tasks == 0 ? "–" : html::number(score.reward.value)) +
            element("td", "range", interval_text(score.reward)) +
            element("td", "line", whisker(score.reward)) +
            element("td", "n",
                    grouped(count_of(score, Verdict::Passed)) + " / " + grouped(score.scored)));
  }
  return element(
      "div", "card tags",
      element("h2", "", "By tag") +
          element("table", "",
                  "<thead><tr><th>tag</th><th class=\"n\">score</th><th class=\"range\">95 % "
                  "interval</th>"
                  "<th class=\"line\">0 to 1</th><th class=\"n\">passed</th></tr></thead><tbody>" +
                      rows + "</tbody>"));
}

struct Cluster {
  int trials = 0;
  std::set<std::string> tasks;
  std::size_t example = 0;  ///< Index of the first trial.
};

/// What went wrong alike, most frequent first.
std::string cluster_table(const ReportInput& input) {
  std::map<std::string, Cluster> clusters;
  for (std::size_t i = 0; i < input.trials.size(); ++i) {
    const auto& outcome = input.trials[i].summary.outcome;
    if (!outcome || outcome->verdict == Verdict::Passed || outcome->verdict == Verdict::Skipped)
      continue;
    const std::string& signature =
        outcome->signature.empty() ? outcome->reason : outcome->signature;
    if (signature.empty()) continue;
    auto [place, is_new] = clusters.try_emplace(signature);
    if (is_new) place->second.example = i;
    ++place->second.trials;
    place->second.tasks.insert(input.trials[i].summary.trial.task);
  }
  std::vector<std::pair<std::string, Cluster>> order(clusters.begin(), clusters.end());
  std::ranges::stable_sort(
      order, [](const auto& a, const auto& b) { return a.second.trials > b.second.trials; });
  constexpr std::size_t kShown = 12;
  std::string rows;
  for (std::size_t i = 0; i < std::min(order.size(), kShown); ++i) {
    const auto& [signature, cluster] = order[i];
    rows +=
        element("tr", "",
                element("td", "n", grouped(cluster.trials)) +
                    element("td", "n", grouped(static_cast<std::int64_t>(cluster.tasks.size()))) +
                    element("td", "what",
                            "<a href=\"#" + trial_anchor(cluster.example) + "\">" +
                                html::text_start(signature, 300) + "</a>"));
  }
  if (rows.empty()) return "";
  if (order.size() > kShown) {
    rows += element("tr", "",
                    R"(<td colspan="3" class="what">and )" +
                        counted(static_cast<std::int64_t>(order.size() - kShown), "more cause") +
                        "</td>");
  }
  return element(
      "div", "card clusters",
      element("h2", "", "What went wrong") +
          element("table", "",
                  "<thead><tr><th class=\"n\">trials</th><th class=\"n\">tasks</th><th>cause, with "
                  "an example</th></tr></thead><tbody>" +
                      rows + "</tbody>"));
}

}  // namespace

std::string overview_section(const ReportInput& input) {
  const ScoreSummary score = summarize(summaries_of(input));
  const std::string title = input.title.empty() ? input.run.id : input.title;
  const std::string header =
      element("p", "brand", "trialwright report") + element("h1", "", html::text(title)) +
      element("p", "when",
              element("code", "", html::text(input.run.id)) + " · " +
                  html::moment(input.run.created_us) + " · " +
                  element("span", "status", name_words(run_status_name(input.status))));
  const std::string cards =
      score_card("Score", score.reward,
                 "Mean reward over tasks; each task is the mean of its epochs.") +
      score_card("Passed", score.passed,
                 "Share of trials that passed, over tasks in the same way.") +
      verdict_table(score) + effort_line(input);
  return element("header", "page-head", header) + warning_line(score, input) +
         element("section", "cards", cards);
}

std::string breakdown_section(const ReportInput& input) {
  const std::string tables = tag_table(input) + cluster_table(input);
  return tables.empty() ? "" : element("section", "breakdown", tables);
}

}  // namespace trialwright
