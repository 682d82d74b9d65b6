#include "results/transcript.h"

#include <gtest/gtest.h>

#include <cstdlib>

#include "base/text.h"
#include "results/terminal_text.h"
#include "tests/results/run_fixture.h"

namespace trialwright {
namespace {

void expect_golden(const std::string& name, const std::string& text) {
  const auto path = std::filesystem::path(TRIALWRIGHT_GOLDEN_FOLDER) / "results" / name;
  if (std::getenv("UPDATE_GOLDEN") != nullptr) {
    ASSERT_TRUE(write_file_atomically(path, text));
    return;
  }
  auto golden = read_file(path);
  ASSERT_TRUE(golden) << golden.error().message;
  EXPECT_EQ(text, *golden) << "UPDATE_GOLDEN=1 rewrites " << path;
}

TrialSummary sample_summary() { return {sample_plan(2)[1], 2, 2, sample_outcome(0.25)}; }

Trace long_trace() {
  Trace trace = sample_trace("data.txt");
  std::string listing;
  for (int i = 1; i <= 60; ++i) listing += "line " + std::to_string(i) + " of the listing\n";
  trace.turns[0].observations[0].text = listing;
  trace.turns[0].completion.tool_calls[0].arguments["script"] =
      "for f in *; do\n\twc -l \"$f\"\ndone\n";
  trace.turns[1].observations = {{"call-3", "", false},
                                 {"call-4", kOddBytes + "\r\n\u202Etxt.exe 漢字かな", true}};
  return trace;
}

std::vector<StoredGrade> stored(const std::vector<Grade>& grades) {
  std::vector<StoredGrade> result;
  for (const Grade& grade : grades) result.push_back({"", 2, 0, grade});
  return result;
}

TEST(Transcript, ReadsWellInANarrowTerminal) {
  const auto grades = stored(sample_grades(0.25));
  expect_golden("transcript_60.txt", render_transcript(sample_summary(), long_trace(), grades,
                                                       {.width = 60, .lines_max = 8}));
}

TEST(Transcript, ReadsWellInColour) {
  const auto grades = stored(sample_grades(1));
  expect_golden("transcript_colour.txt",
                render_transcript(sample_summary(), long_trace(), grades,
                                  {.width = 100, .colour = true, .lines_max = 8, .times = false}));
}

TEST(Transcript, StaysInsideTheWidth) {
  for (const int width : {40, 57, 80, 200}) {
    const std::string text = render_transcript(sample_summary(), long_trace(),
                                               stored(sample_grades(1)), {.width = width});
    for (const auto line : split(text, '\n')) EXPECT_LE(display_width(line), width) << line;
  }
}

TEST(Transcript, NeverLetsAnAgentControlTheTerminal) {
  Trace trace = long_trace();
  const std::string hostile = "\x1b]0;title\x07\x1b[2J\x9b\r\b";
  trace.turns[0].completion.text = hostile;
  trace.turns[0].completion.tool_calls[0].name = hostile;
  trace.turns[0].completion.tool_calls[0].arguments = {{hostile, hostile}};
  trace.turns[0].completion.tool_call_errors = {hostile};
  trace.turns[0].observations[0].text = hostile;
  trace.answer = hostile;
  trace.error = hostile;
  TrialSummary summary = sample_summary();
  summary.trial.task = hostile;
  summary.outcome->reason = hostile;
  auto grades = sample_grades(1);
  grades[0].explanation = hostile;
  grades[0].grader = hostile;
  const std::string text = render_transcript(summary, trace, stored(grades), {});
  for (const char c : text) {
    EXPECT_TRUE(c == '\n' || static_cast<unsigned char>(c) >= 0x20);
    EXPECT_NE(c, 0x7f);
  }
}

TEST(Transcript, SaysThatATrialIsNotFinished) {
  TrialSummary summary = sample_summary();
  summary.outcome.reset();
  EXPECT_NE(render_transcript(summary, {}, {}).find("! not finished"), std::string::npos);
}

TEST(TerminalText, ShowsControlCharactersAsEscapes) {
  EXPECT_EQ(visible_text(std::string("a\0b\x1b[0m\x7f\r\n", 10)), "a\\x00b\\x1b[0m\\x7f\\r\n");
  EXPECT_EQ(visible_text("a\tb"), "a   b");
  EXPECT_EQ(visible_text("\xff\xc3\xa9"), "\\xff\xc3\xa9");
  EXPECT_EQ(visible_text("x\u202Ey\u200Bz\u0085"), "x\\u{202e}y\\u{200b}z\\x85");
}

TEST(TerminalText, LetsNoTextFromOutsidePassForALineOfOurs) {
  EXPECT_EQ(visible_line("exit 1\n[2/2] PASSED x\r\n"), "exit 1 [2/2] PASSED x\\r ");
}

TEST(TerminalText, KnowsHowWideTextIs) {
  EXPECT_EQ(display_width("abc"), 3);
  EXPECT_EQ(display_width("漢字"), 4);
  EXPECT_EQ(display_width("e\u0301"), 1);
  EXPECT_EQ(display_width("🙂"), 2);
  EXPECT_EQ(display_width("✅"), 2);
  EXPECT_EQ(display_width(painted("✓ passed", Colour::Green)), 8);
}

TEST(TerminalText, BreaksLinesBetweenWords) {
  using Lines = std::vector<std::string>;
  EXPECT_EQ(wrapped("one two three", 7), (Lines{"one two", "three"}));
  EXPECT_EQ(wrapped("  indented words", 10), (Lines{"  indented", "words"}));
  EXPECT_EQ(wrapped("abcdefghij", 4), (Lines{"abcd", "efgh", "ij"}));
  EXPECT_EQ(wrapped("a\n\nb", 4), (Lines{"a", "", "b"}));
  EXPECT_EQ(wrapped("漢字漢字", 5), (Lines{"漢字", "漢字"}));
  EXPECT_EQ(wrapped("", 5), Lines{});
}

}  // namespace
}  // namespace trialwright
