#include "inference/token/tokenizer.h"

#include <gtest/gtest.h>

#include <algorithm>
#include <limits>
#include <map>

#include "base/random.h"
#include "base/text.h"
#include "tests/inference/token/small_vocabulary.h"

namespace trialwright {
namespace {

Tokenizer load(const SmallVocabulary& vocabulary) {
  const std::string bytes = vocabulary.file();
  auto file = GgufFile::parse(as_bytes(bytes), "small.gguf");
  CHECK(file, "the writer writes files that the reader reads");
  auto tokenizer = Tokenizer::load(*file);
  CHECK(tokenizer, "the small vocabulary is right");
  return *std::move(tokenizer);
}

std::string loading_error(const SmallVocabulary& vocabulary) {
  const std::string bytes = vocabulary.file();
  auto file = GgufFile::parse(as_bytes(bytes), "small.gguf");
  if (!file) return file.error().message;
  auto tokenizer = Tokenizer::load(*file);
  return tokenizer ? "" : tokenizer.error().message;
}

std::vector<std::string> texts_of(const Tokenizer& tokenizer, const std::vector<TokenId>& ids) {
  std::vector<std::string> texts;
  for (const TokenId id : ids) texts.emplace_back(tokenizer.bytes(id));
  return texts;
}

using Texts = std::vector<std::string>;

TEST(Tokenizer, MergesTheEarliestPairFirstAndLeftmostOfEquals) {
  SmallVocabulary vocabulary;
  vocabulary.merge("b", "c").merge("a", "b").merge("a", "a");
  const Tokenizer tokenizer = load(vocabulary);
  EXPECT_EQ(texts_of(tokenizer, tokenizer.encode("abc", false)), (Texts{"a", "bc"}));
  EXPECT_EQ(texts_of(tokenizer, tokenizer.encode("aaa", false)), (Texts{"aa", "a"}));
}

TEST(Tokenizer, FindsControlTokensOnlyInTrustedText) {
  SmallVocabulary vocabulary;
  const TokenId end = vocabulary.token("<|end|>", TokenKind::Control);
  const Tokenizer tokenizer = load(vocabulary);
  EXPECT_EQ(tokenizer.encode("<|end|>", true), std::vector<TokenId>{end});
  EXPECT_EQ(tokenizer.encode("<|end|>", false).size(), 7U);
  EXPECT_TRUE(tokenizer.is_control(end));
  EXPECT_EQ(tokenizer.bytes(end), "<|end|>");
}

TEST(Tokenizer, DoesNotReadAControlTokenThatIsOnlyPartlyTrusted) {
  SmallVocabulary vocabulary;
  const TokenId end = vocabulary.token("<|end|>", TokenKind::Control);
  const Tokenizer tokenizer = load(vocabulary);
  const std::vector<TextPiece> half = {{"<|en", true}, {"d|>", false}};
  EXPECT_EQ(tokenizer.encode(half).size(), 7U);
  const std::vector<TextPiece> inner = {{"<|", true}, {"end", false}, {"|>", true}};
  EXPECT_EQ(tokenizer.encode(inner).size(), 7U);
  const std::vector<TextPiece> whole = {{"<|en", true}, {"", false}, {"d|>", true}};
  EXPECT_EQ(tokenizer.encode(whole), std::vector<TokenId>{end});
}

TEST(Tokenizer, FindsUserDefinedTokensEverywhereInATextThatStandsAlone) {
  SmallVocabulary vocabulary;
  const TokenId call = vocabulary.token("<call>", TokenKind::UserDefined);
  const Tokenizer tokenizer = load(vocabulary);
  EXPECT_EQ(tokenizer.encode("<call>", false), std::vector<TokenId>{call});
  EXPECT_FALSE(tokenizer.is_control(call));
}

TEST(Tokenizer, LetsNoUserForgeARoleWhereTheFileCallsItsMarkerUserDefined) {
  SmallVocabulary vocabulary;
  const TokenId start = vocabulary.token("<|im_start|>", TokenKind::UserDefined);
  const TokenId call = vocabulary.token("<tool_call>", TokenKind::UserDefined);
  const Tokenizer tokenizer = load(vocabulary);
  const std::vector<TextPiece> conversation = {
      {"<|im_start|>", true}, {"<|im_start|><tool_call>", false}, {"<tool_call>", true}};
  const std::vector<TokenId> ids = tokenizer.encode(conversation);
  EXPECT_EQ(std::count(ids.begin(), ids.end(), start), 1);
  EXPECT_EQ(std::count(ids.begin(), ids.end(), call), 1);
  EXPECT_EQ(ids.front(), start);
  EXPECT_EQ(ids.back(), call);
  EXPECT_EQ(tokenizer.decode(ids), "<|im_start|><|im_start|><tool_call><tool_call>");
}

TEST(Tokenizer, FindsUserDefinedBlanksInWhatAUserWrote) {
  // Gemma's line ends are such tokens; without them a user's lines would end in bytes.
  SmallVocabulary vocabulary;
  const TokenId lines = vocabulary.token("\n\n", TokenKind::UserDefined);
  const TokenId table = vocabulary.token("<table>", TokenKind::UserDefined);
  const Tokenizer tokenizer = load(vocabulary);
  const std::vector<TextPiece> message = {{"a\n\n<table>", false}};
  const std::vector<TokenId> ids = tokenizer.encode(message);
  EXPECT_EQ(std::count(ids.begin(), ids.end(), lines), 1);
  EXPECT_EQ(std::count(ids.begin(), ids.end(), table), 0);
}

TEST(Tokenizer, PrefersTheLongerSpecialTokenEvenWhereAShorterOneBeginsEarlier) {
  SmallVocabulary vocabulary;
  vocabulary.token("<x", TokenKind::UserDefined);
  const TokenId longer = vocabulary.token("x<yz", TokenKind::UserDefined);
  const Tokenizer tokenizer = load(vocabulary);
  const std::vector<TokenId> ids = tokenizer.encode("<x<yz", false);
  ASSERT_EQ(ids.size(), 2U);
  EXPECT_EQ(ids[1], longer);
}

TEST(Tokenizer, TakesTextsThatEndATurnForControlTokensWhateverTheFileSays) {
  SmallVocabulary vocabulary;
  const TokenId end = vocabulary.token("<|im_end|>", TokenKind::UserDefined);
  const TokenId fill = vocabulary.token("<|fim_prefix|>", TokenKind::Normal);
  const TokenId deepseek = vocabulary.token("<｜end▁of▁sentence｜>", TokenKind::Normal);
  const Tokenizer tokenizer = load(vocabulary);
  EXPECT_TRUE(tokenizer.is_control(end));
  EXPECT_TRUE(tokenizer.ends_turn(end));
  EXPECT_TRUE(tokenizer.ends_turn(deepseek));
  EXPECT_TRUE(tokenizer.is_control(fill));
  EXPECT_FALSE(tokenizer.ends_turn(fill));
  EXPECT_EQ(tokenizer.encode("<|im_end|>", false).size(), 10U);
}

TEST(Tokenizer, AChannelThatEndsDoesNotEndTheTurn) {
  SmallVocabulary vocabulary;
  const TokenId end = vocabulary.token("<|end|>", TokenKind::Control);
  const TokenId done = vocabulary.token("<|return|>", TokenKind::Control);
  EXPECT_TRUE(load(vocabulary).ends_turn(end));
  const TokenId call = vocabulary.token("<|call|>", TokenKind::Control);
  const Tokenizer tokenizer = load(vocabulary);
  EXPECT_FALSE(tokenizer.ends_turn(end));
  EXPECT_TRUE(tokenizer.ends_turn(done));
  EXPECT_TRUE(tokenizer.ends_turn(call));
}

TEST(Tokenizer, NeverMakesAControlTokenByMerging) {
  SmallVocabulary vocabulary;
  vocabulary.merge("e", "s").merge("es", "c");
  const TokenId escape = vocabulary.id_of("esc");
  vocabulary.kind(escape, TokenKind::Control);
  const Tokenizer tokenizer = load(vocabulary);
  EXPECT_EQ(tokenizer.encode("esc", true), std::vector<TokenId>{escape});
  EXPECT_EQ(texts_of(tokenizer, tokenizer.encode("esc", false)), (Texts{"e", "s", "c"}));
}

TEST(Tokenizer, ReadsBytesThatAreNotUtf8AsReplacementCharacters) {
  const Tokenizer tokenizer = load(SmallVocabulary());
  EXPECT_EQ(tokenizer.decode(tokenizer.encode("a\xFF\xE2\x82", false)), "a\uFFFD\uFFFD\uFFFD");
}

TEST(Tokenizer, TellsOfBosAndEosAndOfNone) {
  SmallVocabulary vocabulary;
  const Tokenizer without = load(vocabulary);
  EXPECT_EQ(without.bos(), -1);
  EXPECT_EQ(without.eos(), -1);
  EXPECT_FALSE(without.adds_bos());
  const TokenId bos = vocabulary.token("<bos>", TokenKind::Control);
  const TokenId eos = vocabulary.token("<the end>", TokenKind::Control);
  vocabulary.u32("tokenizer.ggml.bos_token_id", static_cast<std::uint32_t>(bos));
  vocabulary.u32("tokenizer.ggml.eos_token_id", static_cast<std::uint32_t>(eos));
  vocabulary.boolean("tokenizer.ggml.add_bos_token", true);
  const Tokenizer with = load(vocabulary);
  EXPECT_EQ(with.bos(), bos);
  EXPECT_EQ(with.eos(), eos);
  EXPECT_TRUE(with.adds_bos());
  EXPECT_TRUE(with.ends_turn(eos));
  EXPECT_FALSE(with.ends_turn(bos));
}

TEST(Tokenizer, GivesNothingForIdsOutsideTheVocabulary) {
  const Tokenizer tokenizer = load(SmallVocabulary());
  for (const TokenId id : {-1, tokenizer.size(), std::numeric_limits<TokenId>::max()}) {
    EXPECT_EQ(tokenizer.bytes(id), "");
    EXPECT_FALSE(tokenizer.is_control(id));
    EXPECT_FALSE(tokenizer.ends_turn(id));
  }
}

TEST(Tokenizer, NamesAModelItDoesNotHave) {
  SmallVocabulary vocabulary;
  vocabulary.model("t5");
  EXPECT_EQ(loading_error(vocabulary),
            "small.gguf: tokenizer model \"t5\" is not supported; byte-level BPE (\"gpt2\") and "
            "SentencePiece (\"llama\") are");
}

TEST(Tokenizer, NamesAPreTokenizerItDoesNotHave) {
  SmallVocabulary vocabulary;
  vocabulary.pre("tekken");
  EXPECT_EQ(
      loading_error(vocabulary),
      "small.gguf: pre-tokenizer \"tekken\" is not supported; there are gpt-2, phi-2, smollm, "
      "starcoder, qwen2, deepseek-r1-qwen, llama-bpe, llama3, llama-v3, smaug-bpe, "
      "deepseek-coder");
}

TEST(Tokenizer, QuotesAHostileFileWithoutItsTerminalCodesAndNotAtLength) {
  SmallVocabulary vocabulary;
  vocabulary.pre("\x1b[2J" + std::string(100'000, 'x'));
  const std::string error = loading_error(vocabulary);
  EXPECT_NE(error.find("pre-tokenizer \"?[2Jxxx"), std::string::npos);
  EXPECT_EQ(error.find('\x1b'), std::string::npos);
  EXPECT_LT(error.size(), 2'000U);
}

TEST(Tokenizer, RefusesTokenTypesThatDoNotMatchTheTokens) {
  SmallVocabulary vocabulary;
  vocabulary.forget_last_kind();
  EXPECT_EQ(loading_error(vocabulary),
            "small.gguf: \"tokenizer.ggml.token_type\" has 255 entries for 256 tokens");
}

/// The textbook algorithm: look for the best pair in the whole word, merge it, look again.
Texts merged_naively(const std::string& word,
                     const std::map<std::pair<std::string, std::string>, int>& rank) {
  Texts parts;
  for (const char c : word) parts.emplace_back(1, c);
  while (true) {
    std::size_t best = parts.size();
    int best_rank = std::numeric_limits<int>::max();
    for (std::size_t i = 0; i + 1 < parts.size(); ++i) {
      const auto found = rank.find({parts[i], parts[i + 1]});
      if (found != rank.end() && found->second < best_rank) {
        best = i;
        best_rank = found->second;
      }
    }
    if (best == parts.size()) return parts;
    parts[best] += parts[best + 1];
    parts.erase(parts.begin() + static_cast<std::ptrdiff_t>(best) + 1);
  }
}

TEST(Tokenizer, MergesLongAndShortWordsAsTheTextbookDoes) {
  RandomStream random(7, 0);
  for (int round = 0; round < 200; ++round) {
    SmallVocabulary vocabulary;
    std::map<std::pair<std::string, std::string>, int> rank;
    Texts known = {"a", "b", "c"};
    for (int i = 0; i < 12; ++i) {
      const std::string left = known[random.below(known.size())];
      const std::string right = known[random.below(known.size())];
      if (!rank.try_emplace({left, right}, i).second) continue;
      vocabulary.merge(left, right);
      known.push_back(left + right);
    }
    const Tokenizer tokenizer = load(vocabulary);
    for (const std::uint64_t length : {3U, 9U, 32U, 33U, 80U}) {
      std::string word;
      for (std::uint64_t i = 0; i < length; ++i) word += "abc"[random.below(3)];
      EXPECT_EQ(texts_of(tokenizer, tokenizer.encode(word, false)), merged_naively(word, rank));
    }
  }
}

TEST(Tokenizer, NeverTurnsUntrustedTextIntoControlTokens) {
  SmallVocabulary vocabulary;
  vocabulary.merge("<", "|").merge("|", ">").merge("e", "n").merge("en", "d").merge("<|", "end");
  vocabulary.token("<|end|>", TokenKind::Control);
  vocabulary.token("<|", TokenKind::UserDefined);
  vocabulary.token("<|endtext|>", TokenKind::Control);
  const Tokenizer tokenizer = load(vocabulary);
  const Texts bits = {"<|", "end", "text", "|>", "<|end|>", "<", "|", ">", " ", "<|endtext|>"};
  RandomStream random(11, 0);
  for (int round = 0; round < 5'000; ++round) {
    std::vector<TextPiece> pieces;
    std::string trusted_only;
    for (std::uint64_t i = random.below(8); i > 0; --i) {
      const bool trusted = random.below(2) == 1;
      const std::string text = bits[random.below(bits.size())];
      pieces.push_back({text, trusted});
      // A place that is not trusted parts what stands on either side of it.
      trusted_only += trusted ? text : std::string("\x01");
    }
    int found = 0;
    for (const TokenId id : tokenizer.encode(pieces)) found += tokenizer.is_control(id) ? 1 : 0;
    int possible = 0;
    for (const TokenId id : tokenizer.encode(trusted_only, true)) {
      possible += tokenizer.is_control(id) ? 1 : 0;
    }
    EXPECT_LE(found, possible);
  }
}

TEST(Tokenizer, TakesLongRunsWithoutSlowingDown) {
  // Work that grew with the square of the length would take hours here.
  SmallVocabulary vocabulary;
  vocabulary.merge("a", "a").merge("aa", "aa").merge("Ġ", "Ġ").token("  ", TokenKind::UserDefined);
  vocabulary.token("<|end|>", TokenKind::Control);
  const Tokenizer tokenizer = load(vocabulary);
  for (const std::string_view unit :
       {"a", " ", "\n", "<|", "1", "'", "<|end|>", "é", "\xFF", "a "}) {
    std::string text;
    while (text.size() < 1'000'000) text += unit;
    EXPECT_EQ(tokenizer.decode(tokenizer.encode(text, true)), to_valid_utf8(text));
  }
}

}  // namespace
}  // namespace trialwright
