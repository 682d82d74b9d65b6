#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "tests/inference/constrain/walk.h"

namespace trialwright {
namespace {

using testing::HasSubstr;

std::shared_ptr<const Grammar> gbnf(std::string_view text) {
  auto grammar = compile_gbnf(text);
  CHECK(grammar, "the test's grammar is right");
  return *grammar;
}

constexpr std::string_view kArithmetic = R"gbnf(
# Sums of products, as a person writes them.
root ::= expr
expr ::= term (ws ("+" | "-") ws term)*
term ::= factor (ws [*/] ws factor)*
factor ::= number | "(" ws expr ws ")" | "-" factor
number ::= [0-9]+ ("." [0-9]{1,3})?
ws ::= " "?
)gbnf";

/// The second way to read kArithmetic.
class Arithmetic {
 public:
  explicit Arithmetic(std::string_view text) : text_(text) {}
  bool right() { return expr() && at_ == text_.size(); }

 private:
  bool take(char c) {
    if (at_ >= text_.size() || text_[at_] != c) return false;
    ++at_;
    return true;
  }
  bool digits(int max) {
    int count = 0;
    while (count < max && at_ < text_.size() && text_[at_] >= '0' && text_[at_] <= '9') {
      ++at_;
      ++count;
    }
    return count > 0;
  }
  bool operators(std::string_view which) {
    const std::size_t begin = at_;
    take(' ');
    for (const char c : which) {
      if (!take(c)) continue;
      take(' ');
      return true;
    }
    at_ = begin;
    return false;
  }
  bool expr() {
    if (!term()) return false;
    while (operators("+-")) {
      if (!term()) return false;
    }
    return true;
  }
  bool term() {
    if (!factor()) return false;
    while (operators("*/")) {
      if (!factor()) return false;
    }
    return true;
  }
  bool factor() {
    if (take('-')) return factor();
    if (take('(')) {
      take(' ');
      if (!expr()) return false;
      take(' ');
      return take(')');
    }
    return digits(1'000'000) && (!take('.') || digits(3));
  }

  std::string_view text_;
  std::size_t at_ = 0;
};

TEST(Gbnf, WalksOfArithmeticAreReadByAnotherReader) {
  const auto grammar = gbnf(kArithmetic);
  const WordVocabulary vocabulary({"((", "1+", " + ", "))", ") * ("});
  RandomStream random(3, 0);
  int ended = 0;
  for (int i = 0; i < 100; ++i) {
    const Walked walked = random_walk(vocabulary, grammar, random);
    ASSERT_EQ(walked.wrong, "");
    ended += walked.ended ? 1 : 0;
    if (walked.ended) {
      EXPECT_TRUE(Arithmetic(walked.text).right()) << walked.text;
    }
  }
  EXPECT_GT(ended, 90);
}

TEST(Gbnf, AgreesWithAnotherReaderOnRandomTexts) {
  const auto grammar = gbnf(kArithmetic);
  RandomStream random(4, 0);
  const std::string letters = "12+-*/(). ";
  int right = 0;
  for (int i = 0; i < 5000; ++i) {
    std::string text;
    for (std::uint64_t n = random.below(8); n > 0; --n)
      text += letters[random.below(letters.size())];
    const bool wanted = Arithmetic(text).right();
    right += wanted ? 1 : 0;
    EXPECT_EQ(matches(grammar, text), wanted) << text;
  }
  EXPECT_GT(right, 100);
}

TEST(Gbnf, ReadsAllOfLlamaCppsNotation) {
  const auto grammar = gbnf(
      "root ::= first-part # a comment\n"
      "  | \"a\\n\\\"\\\\\\x41\\u00e9\\U0001F600\" [^a-c\\]\\\\\\n-] .\n"
      "first-part ::= ( \"x\"\n | [yz-] )+ \"end\"{2} \"o\"{1,} \"p\"{0,2}\n");
  EXPECT_TRUE(matches(grammar, "x-yendendoopp"));
  EXPECT_FALSE(matches(grammar, "x-yendendopppp"));
  EXPECT_FALSE(matches(grammar, "xendo"));
  EXPECT_TRUE(matches(grammar,
                      "a\n\"\\A\xC3\xA9\xF0\x9F\x98\x80"
                      "d\xE6\x97\xA5"));
  EXPECT_FALSE(matches(grammar,
                       "a\n\"\\A\xC3\xA9\xF0\x9F\x98\x80"
                       "]x"));
  EXPECT_FALSE(matches(grammar,
                       "a\n\"\\A\xC3\xA9\xF0\x9F\x98\x80"
                       "-x"));
}

TEST(Gbnf, TakesAmbiguousAndNullableRules) {
  // "aaa" can be read in many ways, and the number of ways grows with the text.
  const auto grammar = gbnf("root ::= \"a\" root root | empty\nempty ::= \"\" | \"b\"?\n");
  EXPECT_TRUE(matches(grammar, ""));
  EXPECT_TRUE(matches(grammar, std::string(90, 'a')));
  EXPECT_TRUE(matches(grammar, "aabab"));
  EXPECT_FALSE(matches(grammar, "aac"));
  const auto two = gbnf("root ::= \"a\" root \"x\" | \"a\" root \"y\" | \"\"\n");
  EXPECT_TRUE(matches(two, "aaaaaaaaaaaaxyxyxyxyxyxy"));
  EXPECT_FALSE(matches(two, "aaaaaaaaaaaaxyxyxyxyxyx"));
}

TEST(Gbnf, GoesAsFarAsItLikesWhereACallIsLast) {
  const auto grammar = gbnf("root ::= item | item \",\" root\nitem ::= [0-9]+\n");
  std::string text = "1";
  for (int i = 0; i < 5000; ++i) text += ",23";
  EXPECT_TRUE(matches(grammar, text));
}

TEST(Gbnf, StopsOpeningAtTheGreatestDepthAndCanStillClose) {
  const auto grammar = gbnf("root ::= \"(\" root \")\" | \"x\"\n");
  const auto nested = [](std::size_t depth) {
    return std::string(depth, '(') + "x" + std::string(depth, ')');
  };
  EXPECT_TRUE(matches(grammar, nested(kRuleDepthMax)));
  EXPECT_FALSE(matches(grammar, nested(kRuleDepthMax + 1)));
  const WordVocabulary vocabulary({"((((", "))))"});
  GrammarConstraint match = vocabulary.match(grammar);
  const TokenId open = vocabulary.id_of("(");
  int opened = 0;
  while (match.allows(open)) {
    match.accept(open);
    ++opened;
  }
  EXPECT_EQ(opened, kRuleDepthMax);
  EXPECT_TRUE(match.allows(vocabulary.id_of("x")));
  EXPECT_FALSE(match.forced().empty());
}

TEST(Gbnf, RefusesLeftRecursionAndNamesTheRules) {
  EXPECT_EQ(error_of(compile_gbnf("root ::= list\nlist ::= list \",\" \"a\" | \"a\"\n")),
            "the grammar: \"list\" calls \"list\" before anything is read; left recursion is not "
            "supported, write the repetition with * or with the call at the end");
  EXPECT_THAT(error_of(compile_gbnf("root ::= a\na ::= [x]? b \"y\" | \"z\"\nb ::= a \"w\"\n")),
              HasSubstr("\"a\" calls \"b\" calls \"a\""));
}

TEST(Gbnf, NamesTheLineOfWhatItCannotRead) {
  EXPECT_EQ(error_of(compile_gbnf("root ::= \"a\"\nb = \"c\"\n")),
            "the grammar: line 2: \"::=\" is expected");
  EXPECT_EQ(error_of(compile_gbnf("root ::= \"a\n")),
            "the grammar: line 1: the text in quotes does not end");
  EXPECT_EQ(error_of(compile_gbnf("root ::= a\n")),
            "the grammar: line 1: the rule \"a\" is not defined");
  EXPECT_EQ(error_of(compile_gbnf("a ::= \"x\"\n")),
            "the grammar: the grammar has no rule \"root\"");
  EXPECT_EQ(error_of(compile_gbnf("root ::= \"x\"\nroot ::= \"y\"\n")),
            "the grammar: line 2: the rule \"root\" is defined twice");
  EXPECT_EQ(error_of(compile_gbnf("root ::= [a\n")), "the grammar: line 1: the class does not end");
  EXPECT_EQ(error_of(compile_gbnf("root ::= (\"a\"\n")),
            "the grammar: line 1: the group does not end");
  EXPECT_EQ(error_of(compile_gbnf("root ::= \"\\q\"\n")),
            "the grammar: line 1: the escape is not known");
  EXPECT_EQ(error_of(compile_gbnf("root ::= <think>\n")),
            "the grammar: line 1: tokens in grammars are not supported");
}

TEST(Gbnf, RefusesRulesThatNeverEnd) {
  EXPECT_EQ(error_of(compile_gbnf("root ::= \"a\" root\n")), "the grammar: no text can match");
}

TEST(Gbnf, RefusesGrammarsThatAreTooLarge) {
  EXPECT_THAT(error_of(compile_gbnf("root ::= (([a-z]{999}){999}){999}\n")), HasSubstr("states"));
  EXPECT_THAT(error_of(compile_gbnf("root ::= " + std::string(1000, '(') + "\n")),
              HasSubstr("nested too deep"));
  EXPECT_THAT(error_of(compile_gbnf("root ::= \"a\"" + std::string(1000, '*') + "\n")),
              HasSubstr("again and again"));
}

}  // namespace
}  // namespace trialwright
