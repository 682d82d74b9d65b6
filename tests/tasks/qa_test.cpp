#include "tasks/qa.h"

#include <gmock/gmock.h>

namespace trialwright {
namespace {

using testing::ElementsAre;
using testing::HasSubstr;

std::string error_of(const std::string& line) {
  const auto tasks = parse_qa(line, "s/", 256);
  EXPECT_FALSE(tasks) << line;
  return tasks ? "" : tasks.error().message;
}

/// A question with this answer.
std::string with_answer(const std::string& answer) {
  return R"({"id": "a", "prompt": "p", "answer": )" + answer + "}";
}

TEST(Questions, AreReadInAllFiveKinds) {
  const auto tasks = parse_qa(
      R"({"id": "a", "prompt": "p", "answer": {"exact": "Paris", "ignore_case": true}, "tags": ["geo", "qa"], "metadata": {"source": "us"}}

{"id": "b", "prompt": "p", "answer": {"numeric": 3.14, "tolerance": 0.01}, "tokens_max": 8}
{"id": "c", "prompt": "p", "answer": {"regex": "^\\d+$"}}
{"id": "d", "prompt": "p", "answer": {"schema": {"type": "object"}}}
{"id": "e", "prompt": "p", "answer": {"choices": ["x", "y"], "correct": 1}}
)",
      "suite/qa/", 100);
  ASSERT_TRUE(tasks) << tasks.error().message;
  ASSERT_EQ(tasks->size(), 5U);
  const auto question = [&](std::size_t i) { return std::get<QaTask>(tasks->at(i).content); };
  EXPECT_EQ(tasks->at(0).id, "suite/qa/a");
  EXPECT_THAT(tasks->at(0).tags, ElementsAre("qa", "geo"));
  EXPECT_EQ(tasks->at(0).metadata["source"], "us");
  EXPECT_THAT(std::get<ExactAnswer>(question(0).answer).accepted, ElementsAre("Paris"));
  EXPECT_TRUE(std::get<ExactAnswer>(question(0).answer).ignore_case);
  EXPECT_EQ(question(0).tokens_max, 100);
  EXPECT_EQ(std::get<NumericAnswer>(question(1).answer).tolerance, 0.01);
  EXPECT_EQ(question(1).tokens_max, 8);
  EXPECT_EQ(std::get<RegexAnswer>(question(2).answer).pattern, "^\\d+$");
  EXPECT_EQ(std::get<SchemaAnswer>(question(3).answer).schema["type"], "object");
  EXPECT_EQ(std::get<ChoiceAnswer>(question(4).answer).correct, 1U);
}

TEST(Questions, MayHaveAReferenceWhereOnlyARuleIsGiven) {
  const auto answer_of = [](const std::string& answer) {
    auto tasks = parse_qa(with_answer(answer), "s/", 256);
    EXPECT_TRUE(tasks) << tasks.error().message;
    return std::get<QaTask>(tasks->at(0).content).answer;
  };
  EXPECT_EQ(std::get<RegexAnswer>(answer_of(R"({"regex": "a+", "reference": "aa"})")).reference,
            "aa");
  EXPECT_EQ(std::get<RegexAnswer>(answer_of(R"({"regex": "a+"})")).reference, std::nullopt);
  EXPECT_EQ(
      std::get<SchemaAnswer>(answer_of(R"({"schema": {}, "reference": {"x": [1]}})")).reference,
      R"({"x":[1]})");
  EXPECT_EQ(std::get<SchemaAnswer>(answer_of(R"({"schema": {}})")).reference, std::nullopt);
  EXPECT_EQ(error_of(with_answer(R"({"regex": "a", "reference": 1})")),
            "line 1: field \"answer.reference\" must be a string");
  EXPECT_THAT(error_of(with_answer(R"({"exact": "a", "reference": "a"})")),
              HasSubstr("\"answer.reference\" is not known"));
}

TEST(Questions, NameTheLineAndTheField) {
  EXPECT_EQ(error_of("\n{\"id\": 7}"), "line 2: field \"id\" must be a string");
  EXPECT_EQ(error_of(R"({"id": "a", "prompt": " ", "answer": {"numeric": 1}})"),
            "line 1: field \"prompt\" is empty");
  EXPECT_EQ(error_of(R"({"id": "a", "prompt": "p"})"), "line 1: field \"answer\" is missing");
  EXPECT_THAT(error_of("{"), HasSubstr("line 1: not valid JSON"));
  EXPECT_EQ(error_of("[]"), "line 1: it must be an object");
  EXPECT_THAT(error_of(R"({"id": "a/b", "prompt": "p", "answer": {"numeric": 1}})"),
              HasSubstr("field \"id\" must be made of"));
  EXPECT_EQ(error_of(R"({"id": "a", "promt": "p"})"),
            "line 1: field \"promt\" is not known; did you mean \"prompt\"?");
  EXPECT_EQ(error_of(R"({"id":"a","prompt":"p","answer":{"numeric":1},"tags":"x"})"),
            "line 1: field \"tags\" must be a list of strings");
}

TEST(Questions, RefuseAnswersThatCannotBeGraded) {
  EXPECT_THAT(error_of(with_answer("{}")), HasSubstr("must have one of"));
  EXPECT_THAT(error_of(with_answer(R"({"exact": []})")), HasSubstr("accepts nothing"));
  EXPECT_THAT(error_of(with_answer(R"({"exact": "a", "numeric": 1})")),
              HasSubstr("\"answer.numeric\" is not known"));
  EXPECT_THAT(error_of(with_answer(R"({"numeric": "1"})")), HasSubstr("must be a number"));
  EXPECT_THAT(error_of(with_answer(R"({"numeric": 1, "tolerance": -1})")),
              HasSubstr("must not be negative"));
  EXPECT_THAT(error_of(with_answer(R"json({"regex": "("})json")), HasSubstr("is no RE2 pattern"));
  EXPECT_THAT(error_of(with_answer(R"json({"regex": "((a{1000}){1000})"})json")),
              HasSubstr("is no RE2 pattern"));
  EXPECT_THAT(error_of(with_answer(R"({"schema": {"type": 7}})")), HasSubstr("is no schema"));
  EXPECT_THAT(error_of(with_answer(R"({"schema": {"$ref": "#"}})")),
              HasSubstr("leads back to itself"));
  EXPECT_THAT(error_of(with_answer(R"({"schema": {"$ref": "http://x/y"}})")),
              HasSubstr("leads out of"));
  EXPECT_THAT(error_of(with_answer(R"json({"schema": {"pattern": "("}})json")),
              HasSubstr("cannot be read"));
  EXPECT_THAT(error_of(with_answer(R"({"choices": ["a"], "correct": 0})")), HasSubstr("2 to 26"));
  EXPECT_THAT(error_of(with_answer(R"({"choices": ["a", "b"], "correct": 2})")),
              HasSubstr("index of a choice"));
}

TEST(Questions, RefuseAnIdThatIsThereTwice) {
  const std::string line = with_answer(R"({"numeric": 1})");
  EXPECT_EQ(error_of(line + "\n" + line), "line 2: the id \"s/a\" is there twice");
}

}  // namespace
}  // namespace trialwright
