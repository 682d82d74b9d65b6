#include "graders/answer_grader.h"

#include <gmock/gmock.h>

namespace trialwright {
namespace {

using testing::HasSubstr;

Result<Grade> graded(Answer answer, const std::string& text) {
  Task task;
  task.id = "s/q";
  task.content = QaTask{.prompt = "p", .answer = std::move(answer)};
  Trace trace;
  trace.answer = text;
  return AnswerGrader().grade(task, trace, nullptr, {});
}

double score(Answer answer, const std::string& text) {
  const auto grade = graded(std::move(answer), text);
  EXPECT_TRUE(grade) << grade.error().message;
  return grade ? grade->score : -1;
}

TEST(ExactAnswer, ForgivesWhatDoesNotMatter) {
  const ExactAnswer paris{{"Paris", "City of Light"}, false};
  for (const char* right : {"Paris", " Paris\n", "Paris.", "\"Paris\"", "**Paris**", "`Paris`.",
                            "**\"Paris\".**", "City  of\n Light"})
    EXPECT_EQ(score(paris, right), 1) << right;
  for (const char* wrong :
       {"", "paris", "It is Paris", "Paris, France", "Pari", "Paris?", "\"", "."})
    EXPECT_EQ(score(paris, wrong), 0) << wrong;
  EXPECT_EQ(score(ExactAnswer{{"Paris"}, true}, "PARIS"), 1);
  EXPECT_EQ(score(ExactAnswer{{"..."}, true}, "..."), 1);
}

TEST(NumericAnswer, TakesTheLastNumber) {
  EXPECT_EQ(score(NumericAnswer{18, 0}, "18"), 1);
  EXPECT_EQ(score(NumericAnswer{18, 0}, "Half of 36 is 18."), 1);
  EXPECT_EQ(score(NumericAnswer{18, 0}, "18 is half of 36"), 0);
  EXPECT_EQ(score(NumericAnswer{3.14, 0.005}, "3.145"), 1);
  EXPECT_EQ(score(NumericAnswer{3.14, 0.005}, "3.146"), 0);
  EXPECT_EQ(score(NumericAnswer{0.3, 0}, "0.3"), 1);
  EXPECT_EQ(score(NumericAnswer{18, 0}, "eighteen"), 0);
}

TEST(NumericAnswer, ReadsNumbersAsPeopleWriteThem) {
  const std::vector<std::pair<std::string, double>> numbers = {
      {"1,234.5", 1234.5}, {"1,234,567", 1234567},
      {"1, 2, 3", 3},      {"1,23", 23},
      {"-3", -3},          {"x = -3", -3},
      {"10-3", 3},         {"\u22125", -5},
      {"2e3", 2000},       {"1.5E-2", 0.015},
      {"50%", 50},         {"$5", 5},
      {"5kg", 5},          {"1/4", 0.25},
      {"-1/2", -0.5},      {"12/25/2024", 2024},
      {".5", 0.5},         {"H2O weighs 18", 18},
      {"18 (H2O)", 18},    {"\\boxed{18}", 18},
      {"18.", 18},         {"1/0", 0},
      {"the 3rd of 4", 4}, {"7 or 1e999", 7},
      {"so ...42", 42},    {"..42", 42},
      {"-$5", -5},         {"-\u20ac5.50", -5.5},
      {"$-5", -5},         {"10-$3", 3}};
  for (const auto& [text, number] : numbers) {
    ASSERT_TRUE(last_number(text)) << text;
    EXPECT_EQ(*last_number(text), number) << text;
  }
  for (const char* none : {"", "none", "H2O", "-", ".", ",", "1e999", "e5"})
    EXPECT_FALSE(last_number(none)) << none;
}

TEST(RegexAnswer, IsFoundAnywhereUnlessAnchored) {
  EXPECT_EQ(score(RegexAnswer{"\\b2024-12-25\\b"}, "It is 2024-12-25, of course."), 1);
  EXPECT_EQ(score(RegexAnswer{"^2024"}, "It is 2024"), 0);
  EXPECT_EQ(graded(RegexAnswer{"[0-9]+"}, "a 17 b")->evidence["read"], "17");
  // A pattern that makes others take exponential time.
  EXPECT_EQ(score(RegexAnswer{"(a*)*b"}, std::string(50'000, 'a')), 0);
  EXPECT_FALSE(graded(RegexAnswer{"("}, "x"));
}

TEST(SchemaAnswer, FindsTheJsonInAnAnswer) {
  const auto schema = parse_json(
      R"({"type": "object", "required": ["x"], "properties": {"x": {"type": "integer", "minimum": 1}}})");
  const SchemaAnswer answer{*schema};
  for (const char* right :
       {R"({"x": 1})", "```json\n{\"x\": 1}\n```", "Here:\n```\n{\"x\": 2}\n```\nDone.",
        R"(The answer is {"x": 3} I think.)", "```json\n{\"x\": 1}",
        R"(First {"x": 0}, better {"x": 5}.)", R"({"x": 1, "note": "a } in text"})"})
    EXPECT_EQ(score(answer, right), 1) << right;
  for (const char* wrong :
       {"", "none", R"({"x": 0})", R"({"x": "1"})", R"([1])", R"({"y": 1})", "{x: 1}"})
    EXPECT_EQ(score(answer, wrong), 0) << wrong;
  EXPECT_THAT(graded(answer, R"({"x": 0})")->explanation, HasSubstr("$[x]"));
}

TEST(SchemaAnswer, StandsHostileAnswers) {
  const SchemaAnswer answer{*parse_json(R"({"type": "string", "pattern": "^(a|b)*c$"})")};
  EXPECT_EQ(score(answer, "\"" + std::string(900'000, 'a') + "\""), 0);
  EXPECT_EQ(score(answer, std::string(500'000, '[')), 0);
  EXPECT_EQ(score(answer, std::string(500'000, '{') + std::string(500'000, '}')), 0);
  EXPECT_EQ(score(answer, "\"abc\""), 1);
}

TEST(SchemaAnswer, IsNotKeptBusyByPatternsThatBacktrack) {
  const SchemaAnswer text{*parse_json(R"({"type": "string", "pattern": "^(a+)+$"})")};
  EXPECT_EQ(score(text, "\"" + std::string(100'000, 'a') + "!\""), 0);
  EXPECT_EQ(score(text, "\"" + std::string(100'000, 'a') + "\""), 1);
  EXPECT_THAT(graded(text, "\"b\"")->explanation, HasSubstr("does not match the pattern ^(a+)+$"));
  const SchemaAnswer keys{*parse_json(
      R"({"patternProperties": {"^(a+)+$": {"type": "integer"}}, "additionalProperties": false})")};
  EXPECT_EQ(score(keys, "{\"" + std::string(100'000, 'a') + "!\": 1}"), 0);
  EXPECT_EQ(score(keys, "{\"" + std::string(100'000, 'a') + "\": 1}"), 1);
}

TEST(SchemaAnswer, HoldsPropertiesAgainstThePatternsOfTheirNames) {
  const SchemaAnswer answer{*parse_json(
      R"({"properties": {"n_1": {"minimum": 5}, "pattern": {"pattern": "^p"}},
          "patternProperties": {"^n_": {"type": "integer"}, "_1$": {"maximum": 9}},
          "additionalProperties": {"const": {"pattern": "x"}}})")};
  for (const char* right :
       {R"({"n_1": 7})", R"({"n_2": 70, "pattern": "p"})", R"({"other": {"pattern": "x"}})", "{}"})
    EXPECT_EQ(score(answer, right), 1) << right;
  for (const char* wrong : {R"({"n_1": 4})", R"({"n_1": 10})", R"({"n_1": 7.5})", R"({"n_2": "x"})",
                            R"({"pattern": "q"})", R"({"other": 1})"})
    EXPECT_EQ(score(answer, wrong), 0) << wrong;
}

TEST(AnswerGrader, KeepsEnoughToGradeAgain) {
  const auto grade = graded(ExactAnswer{{"Paris"}, false}, "\"London\"");
  EXPECT_EQ(grade->grader, "answer");
  EXPECT_EQ(grade->evidence["kind"], "exact");
  EXPECT_EQ(grade->evidence["answer"], "\"London\"");
  EXPECT_EQ(grade->evidence["read"], "London");
  EXPECT_EQ(grade->evidence["accepted"][0], "Paris");
}

TEST(AnswerGrader, RefusesWhatItCannotGrade) {
  EXPECT_FALSE(graded(ChoiceAnswer{{"a", "b"}, 0}, "A"));
  Task task;
  task.content = WorkspaceTask{};
  EXPECT_FALSE(AnswerGrader().grade(task, Trace{}, nullptr, {}));
}

}  // namespace
}  // namespace trialwright
