#include "inference/constrain/grammar_constraint.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <thread>

#include "tests/inference/constrain/walk.h"
#include "tests/inference/token/golden_texts.h"

namespace trialwright {
namespace {

using testing::ElementsAre;
using testing::IsEmpty;

std::shared_ptr<const Grammar> schema(std::string_view text) {
  auto json = parse_json(text);
  CHECK(json, "the test's schema is JSON");
  auto grammar = compile_json_schema(*json);
  CHECK(grammar, "the test's schema is supported");
  return *grammar;
}

std::shared_ptr<const Grammar> regex(std::string_view text) {
  auto grammar = compile_regex(text);
  CHECK(grammar, "the test's expression is right");
  return *grammar;
}

std::vector<std::string> texts_of(const TokenTrie& trie, std::span<const TokenId> ids) {
  std::vector<std::string> texts;
  for (const TokenId id : ids) texts.emplace_back(trie.bytes(id));
  return texts;
}

TEST(GrammarConstraint, ForcesTheTokensOfTheTokenizer) {
  const WordVocabulary vocabulary;
  GrammarConstraint match = vocabulary.match(regex("true(null)(name| the)"));
  EXPECT_THAT(texts_of(*vocabulary.trie(), match.forced()), ElementsAre("true", "null"));
  match.accept(vocabulary.id_of("true"));
  EXPECT_THAT(texts_of(*vocabulary.trie(), match.forced()), ElementsAre("null"));
  match.accept(vocabulary.id_of("null"));
  EXPECT_THAT(match.forced(), IsEmpty());
}

TEST(GrammarConstraint, DoesNotForceWhatCouldBeTheStartOfALongerToken) {
  // Both properties begin with "order", and "orderId" is one token.
  const WordVocabulary vocabulary;
  const auto grammar = schema(
      R"({"type":"object","properties":{"orderId":{"type":"string"},"orderName":{"type":"string"}},
          "anyOf":[{"required":["orderId"]},{"required":["orderName"]}]})");
  GrammarConstraint match = vocabulary.match(grammar);
  EXPECT_THAT(texts_of(*vocabulary.trie(), match.forced()), ElementsAre("{\""));
  match.accept(vocabulary.id_of("{\""));
  EXPECT_THAT(match.forced(), IsEmpty());
  EXPECT_TRUE(match.allows(vocabulary.id_of("order")));
  EXPECT_TRUE(match.allows(vocabulary.id_of("orderId")));
}

TEST(GrammarConstraint, ForcesTheWholeOfATextThatNothingLongerBeginsWith) {
  const WordVocabulary vocabulary;
  GrammarConstraint match = vocabulary.match(regex("order(Name|Nick)"));
  // "orderId" is no way to go on here.
  EXPECT_THAT(texts_of(*vocabulary.trie(), match.forced()), ElementsAre("order", "N"));
}

TEST(GrammarConstraint, HoldsBackATokenThatWhatFollowsWouldDrawDifferently) {
  // "ab" is a token, but before "c" the tokenizer takes "a" and "bc".
  const std::vector<TrieToken> tokens = {
      {"a", {}}, {"b", {}}, {"c", {}}, {"ab", {}}, {"bc", {}}, {"<end>", TrieToken::Kind::Special},
      {"x", {}}};
  const EncodeText encode = [](std::string_view text) {
    std::vector<TokenId> ids;
    while (!text.empty()) {
      const bool bc = text.starts_with("bc");
      const bool ab = text.starts_with("ab") && !text.starts_with("abc");
      ids.push_back(bc ? 4 : ab ? 3 : text[0] == 'x' ? 6 : text[0] - 'a');
      text.remove_prefix(bc || ab ? 2 : 1);
    }
    return ids;
  };
  auto grammar = compile_regex("xxab(c|x)");
  ASSERT_TRUE(grammar);
  auto shared = TokenGrammar::create(*grammar, TokenTrie::build(tokens), {5});
  ASSERT_TRUE(shared) << shared.error().message;
  GrammarConstraint match(*shared, encode);
  EXPECT_THAT(match.forced(), ElementsAre(6, 6));
}

TEST(GrammarConstraint, ForcesTheEndOfACompleteText) {
  const WordVocabulary vocabulary;
  GrammarConstraint match = vocabulary.match(regex("a?"));
  EXPECT_THAT(match.forced(), IsEmpty());
  match.accept(vocabulary.id_of("a"));
  EXPECT_THAT(match.forced(), ElementsAre(vocabulary.end()));
  EXPECT_EQ(match.allowed_count(), 1);
  match.accept(vocabulary.end());
  EXPECT_TRUE(match.ended());
}

TEST(GrammarConstraint, LetsTheTurnEndOnlyWhereTheTextMay) {
  const WordVocabulary vocabulary;
  GrammarConstraint match = vocabulary.match(regex("ab?"));
  EXPECT_FALSE(match.allows(vocabulary.end()));
  match.accept(vocabulary.id_of("a"));
  EXPECT_TRUE(match.allows(vocabulary.end()));
  EXPECT_TRUE(match.complete());
}

TEST(GrammarConstraint, KeepsControlTokensOutOfTexts) {
  const WordVocabulary vocabulary;
  GrammarConstraint match = vocabulary.match(regex("(.|\n)*"));
  EXPECT_FALSE(match.allows(vocabulary.id_of("<tool_call>")));
  EXPECT_TRUE(match.allows(vocabulary.id_of("<too")));
}

TEST(GrammarConstraint, TakesTokensThatHoldPartsOfCharacters) {
  const WordVocabulary vocabulary;
  GrammarConstraint match = vocabulary.match(regex("[日é]+"));
  match.accept(vocabulary.id_of("\xE6\x97"));
  EXPECT_EQ(match.allowed_count(), 1);
  EXPECT_TRUE(match.allows(vocabulary.id_of("\xA5")));
  EXPECT_FALSE(match.complete());
}

TEST(GrammarConstraint, GoesOnFromACloneAsFromTheFirst) {
  const WordVocabulary vocabulary;
  GrammarConstraint match = vocabulary.match(schema(R"({"enum":["abc","abd"]})"));
  match.accept(vocabulary.id_of("\""));
  match.accept(vocabulary.id_of("a"));
  const auto clone = match.clone();
  match.accept(vocabulary.id_of("b"));
  EXPECT_TRUE(clone->allows(vocabulary.id_of("b")));
  EXPECT_FALSE(match.allows(vocabulary.id_of("b")));
  clone->accept(vocabulary.id_of("b"));
  clone->accept(vocabulary.id_of("c"));
  match.accept(vocabulary.id_of("d"));
  EXPECT_TRUE(clone->allows(vocabulary.id_of("\"")));
  EXPECT_TRUE(match.allows(vocabulary.id_of("\"")));
}

TEST(GrammarConstraint, SharesAGrammarBetweenThreads) {
  const WordVocabulary vocabulary;
  auto shared = TokenGrammar::create(schema("{}"), vocabulary.trie(), {vocabulary.end()});
  ASSERT_TRUE(shared);
  std::vector<std::string> texts(4);
  {
    std::vector<std::jthread> threads;
    for (std::string& text : texts) {
      threads.emplace_back([&] {
        GrammarConstraint match(*shared, [&](std::string_view t) { return vocabulary.encode(t); });
        RandomStream random(5, 0);
        for (int i = 0; i < 200; ++i) {
          const auto words = match.allowed();
          TokenId id = static_cast<TokenId>(random.below(256));
          while (((words[static_cast<std::size_t>(id) / 64] >> (id % 64)) & 1U) == 0)
            id = (id + 1) % 300;
          if (id == vocabulary.end()) break;
          match.accept(id);
          text += vocabulary.trie()->bytes(id);
        }
      });
    }
  }
  for (const std::string& text : texts) EXPECT_EQ(text, texts[0]);
}

TEST(GrammarConstraint, RefusesVocabulariesThatCannotSpellTheGrammar) {
  const std::vector<TrieToken> tokens = {
      {"a", {}}, {"bc", {}}, {"<end>", TrieToken::Kind::Special}};
  const auto trie = TokenTrie::build(tokens);
  EXPECT_TRUE(TokenGrammar::create(regex("a+"), trie, {2}));
  const auto refused = TokenGrammar::create(regex("abc"), trie, {2});
  ASSERT_FALSE(refused);
  EXPECT_EQ(refused.error().message,
            "the vocabulary has no token for the single byte 98, which the grammar needs");
  EXPECT_FALSE(TokenGrammar::create(regex("a+"), trie, {}));
  EXPECT_FALSE(TokenGrammar::create(regex("a+"), trie, {3}));
}

TEST(ParseStates, TakesAStateOverIntoANewTable) {
  const auto grammar = schema("{}");
  ParseStates first(grammar, {});
  ParseStates::Id id = first.start();
  for (const char c : std::string_view(R"({"a":[[{"b":"x)")) {
    id = first.step(id, static_cast<std::uint8_t>(c));
  }
  ParseStates second(grammar, {});
  ParseStates::Id there = second.import(first, id);
  for (const char c : std::string_view(R"("}]],"c":1})")) {
    there = second.step(there, static_cast<std::uint8_t>(c));
    ASSERT_NE(there, ParseStates::kDead);
  }
  EXPECT_TRUE(second.may_end(there));
}

/// Whole texts, token by token as the real tokenizers draw them, and forced tokens among them.
class RealVocabulary : public testing::TestWithParam<std::string> {};

TEST_P(RealVocabulary, TakesTheTokensOfTextsAndForcesOnlyThem) {
  const auto tokenizer = golden_tokenizer(GetParam());
  if (!tokenizer) GTEST_SKIP() << "the vocabulary " << GetParam() << " is not on this machine";
  const auto trie = TokenTrie::build(*tokenizer);
  std::vector<TokenId> ends;
  for (TokenId id = 0; id < tokenizer->size(); ++id) {
    if (tokenizer->ends_turn(id)) ends.push_back(id);
  }
  const auto grammar = schema(
      R"({"type":"object","properties":{
          "orderId":{"type":"integer"},"orderName":{"type":"string"},
          "kind":{"enum":["large","larger","small one"]},
          "name_of_the_person":{"type":"array","items":{"type":"string","maxLength":40}}},
          "required":["kind","name_of_the_person"]})");
  auto shared = TokenGrammar::create(grammar, trie, ends);
  ASSERT_TRUE(shared) << shared.error().message;
  const EncodeText encode = text_encoder(*tokenizer);
  int forced = 0;
  for (
      const std::string text :
      {R"({"orderId": 123456, "kind": "larger", "name_of_the_person": ["Ann", "Öl \"日本\" 🙂", ""]})",
       R"({"orderName":"a\nb","kind":"small one","name_of_the_person":[]})",
       R"({"kind": "large", "name_of_the_person": ["                   x"]})"}) {
    GrammarConstraint match(*shared, encode);
    const std::vector<TokenId> ids = encode(text);
    ASSERT_EQ(tokenizer->decode(ids), text);
    for (std::size_t i = 0; i < ids.size(); ++i) {
      const auto wanted = match.forced();
      forced += static_cast<int>(wanted.size());
      for (std::size_t k = 0; k < wanted.size(); ++k) {
        ASSERT_LT(i + k, ids.size());
        ASSERT_EQ(wanted[k], ids[i + k])
            << "forced \"" << tokenizer->bytes(wanted[k]) << "\" after "
            << tokenizer->decode(std::span(ids).first(i + k));
      }
      const auto place = static_cast<std::size_t>(ids[i]);
      ASSERT_TRUE((match.allowed()[place / 64] >> (place % 64)) & 1U)
          << tokenizer->decode(std::span(ids).first(i + 1));
      match.accept(ids[i]);
    }
    EXPECT_TRUE(match.complete());
  }
  EXPECT_GT(forced, 10);
}

INSTANTIATE_TEST_SUITE_P(Golden, RealVocabulary, testing::ValuesIn(golden_vocabularies()),
                         [](const auto& vocabulary) {
                           std::string name = vocabulary.param;
                           std::ranges::replace(name, '-', '_');
                           std::ranges::replace(name, '.', '_');
                           return name;
                         });

}  // namespace
}  // namespace trialwright
