#include "results/report/report.h"

#include <gtest/gtest.h>

#include <cstdlib>
#include <filesystem>
#include <regex>

#include "base/files.h"
#include "results/report/html.h"
#include "tests/results/report/sample_report.h"

namespace trialwright {
namespace {

bool has(const std::string& text, std::string_view part) {
  return text.find(part) != std::string::npos;
}

std::size_t count(const std::string& text, std::string_view part) {
  std::size_t found = 0;
  for (std::size_t at = text.find(part); at != std::string::npos; at = text.find(part, at + 1))
    ++found;
  return found;
}

/// The page without its style and script and their hashes, which change with every touch of them.
std::string without_assets(std::string page) {
  const auto cut = [&](std::string_view from, std::string_view to) {
    const std::size_t begin = page.find(from) + from.size();
    page.replace(begin, page.find(to, begin) - begin, "…");
  };
  cut("<style>", "</style>");
  cut("<script>", "</script>");
  return std::regex_replace(page, std::regex("sha256-[A-Za-z0-9+/=]+"), "sha256-…");
}

TEST(Report, LooksAsApproved) {
  auto page = render_report(sample_report());
  ASSERT_TRUE(page) << page.error().message;
  const auto golden =
      std::filesystem::path(TRIALWRIGHT_GOLDEN_FOLDER) / "results/report/sample.html";
  // A line a tag keeps differences readable.
  std::string text = without_assets(*page);
  text = std::regex_replace(text, std::regex("<(section|details|div|tr|li|table)"), "\n<$1");
  if (std::getenv("UPDATE_GOLDEN") != nullptr) {
    ASSERT_TRUE(write_file_atomically(golden, text));
  }
  auto approved = read_file(golden);
  ASSERT_TRUE(approved);
  EXPECT_TRUE(text == *approved) << "run again with UPDATE_GOLDEN=1 and look at the difference";
}

TEST(Report, ShowsTextFromOutsideOnlyAsText) {
  auto page = render_report(sample_report());
  ASSERT_TRUE(page);
  EXPECT_EQ(count(*page, "<script"), 1U);
  EXPECT_EQ(count(*page, "</script"), 1U);
  EXPECT_EQ(count(*page, "<style"), 1U);
  EXPECT_EQ(count(*page, "<img"), 0U);
  EXPECT_FALSE(has(*page, "onerror=\""));
  EXPECT_TRUE(has(*page, "&lt;script&gt;document.title=&#39;owned&#39;&lt;/script&gt;"));
  EXPECT_TRUE(has(*page, "<span class=\"odd\">U+202E</span>esrever"));
  EXPECT_TRUE(has(*page, "<span class=\"odd\">ESC</span>[31mred"));
  for (const std::string_view odd : {"\x1b", "\u202e", "\u200b", "\ufeff", "\xff"}) {
    EXPECT_FALSE(has(*page, odd));
  }
}

TEST(Report, HoldsHostileTextEverywhere) {
  ReportInput input = sample_report();
  input.title = hostile_text();
  input.run.id = hostile_text();
  for (ReportTrial& trial : input.trials) {
    trial.summary.trial.id += hostile_text();
    trial.summary.trial.task += hostile_text();
    trial.summary.trial.tags = {hostile_text(), "a\tb"};
    if (!trial.summary.outcome) continue;
    trial.summary.outcome->reason = hostile_text();
    trial.summary.outcome->signature = hostile_text();
    for (StoredGrade& stored : trial.grades) {
      stored.grade.grader = stored.grade.version = stored.grade.explanation = hostile_text();
      stored.grade.evidence = {{hostile_text(), hostile_text()}};
    }
  }
  input.run.spec = {{hostile_text(), {{hostile_text(), hostile_text()}}}};
  input.trace = [](const std::string&) -> Result<Trace> { return unavailable(hostile_text()); };
  auto page = render_report(input);
  ASSERT_TRUE(page);
  EXPECT_EQ(count(*page, "<script"), 1U);
  EXPECT_EQ(count(*page, "</script"), 1U);
  EXPECT_EQ(count(*page, "<style"), 1U);
  EXPECT_EQ(count(*page, "<img"), 0U);
  EXPECT_EQ(count(*page, "<!--"), 0U);
}

TEST(Report, AllowsNoScriptOrStyleButItsOwn) {
  auto page = render_report(sample_report());
  ASSERT_TRUE(page);
  EXPECT_TRUE(has(*page, "content=\"default-src 'none'; style-src 'sha256-"));
  EXPECT_FALSE(has(*page, "unsafe"));
  EXPECT_FALSE(has(*page, " style="));
  EXPECT_FALSE(std::regex_search(*page, std::regex("<[^>]* on[a-z]+=")));
  EXPECT_FALSE(has(*page, "http://"));
  EXPECT_FALSE(has(*page, "https://"));
}

TEST(Report, CountsEveryVerdictAndItsDenominator) {
  auto page = render_report(sample_report());
  ASSERT_TRUE(page);
  for (const std::string_view words :
       {"passed", "failed", "limit", "infra", "grader error", "invalid", "skipped", "missing"}) {
    EXPECT_TRUE(has(*page, "</b> " + std::string(words) + "</span></th><td class=\"count\">"))
        << words;
  }
  EXPECT_TRUE(has(*page,
                  "<tr class=\"total\"><th>planned</th><td class=\"count\">20</td><td "
                  "class=\"in\">15 scored</td>"));
}

TEST(Report, LeavesOutTranscriptsThatDoNotFitFailuresLast) {
  ReportInput input = sample_report();
  auto whole = render_report(input);
  ASSERT_TRUE(whole);
  input.bytes_max = whole->size() * 2 / 3;
  std::vector<std::string> asked;
  input.trace = [&asked, trace = input.trace](const std::string& id) {
    asked.push_back(id);
    return trace(id);
  };
  auto page = render_report(input);
  ASSERT_TRUE(page);
  EXPECT_LE(page->size(), input.bytes_max);
  EXPECT_TRUE(has(*page, "trials have their transcript in this page"));
  const std::string& passed = input.trials[0].summary.trial.id;
  const std::string& failed = input.trials[2].summary.trial.id;
  const std::string show = "trialwright show " + input.run.id + ":";
  EXPECT_TRUE(has(*page, show + passed));
  EXPECT_FALSE(has(*page, show + failed));
  ASSERT_FALSE(asked.empty());
  EXPECT_NE(asked.front(), passed);
}

TEST(Report, NamesItsRunsRootHashOrSaysThatThereIsNone) {
  ReportInput input = sample_report();
  EXPECT_TRUE(has(*render_report(input), input.root->hex()));
  input.root.reset();
  EXPECT_TRUE(has(*render_report(input), "none, the run has not ended"));
}

TEST(Report, RefusesToBeLargerThanItMay) {
  ReportInput input = sample_report();
  input.bytes_max = 10'000;
  EXPECT_FALSE(render_report(input));
}

TEST(Report, ReadsWithNoTrialsAtAll) {
  ReportInput input = sample_report();
  input.trials.clear();
  auto page = render_report(input);
  ASSERT_TRUE(page);
  EXPECT_TRUE(has(*page, "no trial was scored, so there is no score"));
}

TEST(ReportText, FoldsWhatIsLongAndLeavesOutWhatIsVeryLong) {
  std::string lines;
  for (int i = 0; i < 100; ++i) lines += "line\n";
  EXPECT_TRUE(has(html::block(lines), "<summary>76 more lines, 380 B</summary>"));
  EXPECT_FALSE(has(html::block("short\n"), "<details"));
  EXPECT_FALSE(has(html::block(lines.substr(0, 150)), "<details"));
  const std::string one_line = html::block(std::string(1'000'000, 'x'));
  EXPECT_LT(one_line.size(), 300'000U);
  EXPECT_TRUE(has(one_line, "737.9 kB more are left out here"));
}

TEST(ReportText, NeverCutsInsideACharacter) {
  std::string text;
  for (int i = 0; i < 100'000; ++i) text += "日";
  EXPECT_FALSE(has(html::block(text), "\xef\xbf\xbd"));
}

TEST(ReportText, PrintsNumbersForPeople) {
  EXPECT_EQ(html::moment(1'795'284'153'000'000), "2026-11-21 18:02:33 UTC");
}

}  // namespace
}  // namespace trialwright
