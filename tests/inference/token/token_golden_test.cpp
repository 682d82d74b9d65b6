#include <gtest/gtest.h>

#include <filesystem>

#include "base/digest.h"
#include "base/files.h"
#include "base/json.h"
#include "base/text.h"
#include "inference/token/vocabulary.h"
#include "tests/inference/token/golden_texts.h"

namespace trialwright {
namespace {

class GoldenTokens : public testing::TestWithParam<std::string> {
 protected:
  void SetUp() override {
    tokenizer_ = golden_tokenizer(GetParam());
    if (!tokenizer_) GTEST_SKIP() << "the vocabulary " << GetParam() << " is not on this machine";
  }

  std::optional<Tokenizer> tokenizer_;
};

TEST_P(GoldenTokens, AreTheIdsOfLlamaCpp) {
  const std::vector<std::string> texts = golden_texts();
  const std::string golden = golden_file(GetParam() + ".ids");
  const std::vector<std::string_view> lines = split(golden, '\n');
  ASSERT_EQ(lines.size(), texts.size() + 1);
  ASSERT_GE(texts.size(), 3000U);
  int different = 0;
  for (std::size_t i = 0; i < texts.size(); ++i) {
    const std::vector<std::string_view> readings = split(lines[i], '|');
    const std::string plain = joined_ids(tokenizer_->encode(texts[i], false));
    const std::string trusted = joined_ids(tokenizer_->encode(texts[i], true));
    if (plain == readings.front() && trusted == readings.back()) continue;
    if (++different > 10) continue;
    EXPECT_EQ(plain, readings.front()) << "untrusted, text " << i << ": " << Json(texts[i]);
    EXPECT_EQ(trusted, readings.back()) << "trusted, text " << i << ": " << Json(texts[i]);
  }
  EXPECT_EQ(different, 0) << "of " << texts.size() << " texts";
}

TEST_P(GoldenTokens, GiveTheTextBack) {
  // Some vocabularies have no token for bytes that begin code points nobody uses; SmolLM2's has
  // none for F1, so planes 4 to 7 cannot come back.
  std::string spoken;
  for (TokenId id = 0; id < tokenizer_->size(); ++id) {
    if (tokenizer_->bytes(id).size() == 1) spoken += tokenizer_->bytes(id);
  }
  for (const std::string& text : golden_texts()) {
    std::string expected;
    for (const char byte : to_valid_utf8(text)) {
      if (spoken.find(byte) != std::string::npos) expected += byte;
    }
    if (GetParam() == "gemma3-270m") {
      // The written space is a space.
      if (!is_utf8(text)) continue;
      for (const bool trusted : {false, true}) {
        EXPECT_EQ(tokenizer_->decode(tokenizer_->encode(text, trusted)), with_plain_spaces(text));
      }
      continue;
    }
    if (GetParam() == "llama-spm") {
      // Spaces that were put in front stay, and text with control tokens has several.
      if (text.empty() || !is_utf8(text)) continue;
      EXPECT_EQ(tokenizer_->decode(tokenizer_->encode(text, false)), " " + with_plain_spaces(text));
      continue;
    }
    for (const bool trusted : {false, true}) {
      EXPECT_EQ(tokenizer_->decode(tokenizer_->encode(text, trusted)), expected);
    }
  }
}

TEST_P(GoldenTokens, HaveTheRolesThatLlamaCppGivesThem) {
  auto described = parse_json(golden_file("vocabularies.json"));
  ASSERT_TRUE(described);
  const Json& golden = (*described)[GetParam()];
  ASSERT_EQ(tokenizer_->size(), golden["size"].get<int>());
  std::vector<TokenId> control;
  std::vector<TokenId> ends;
  Hasher pieces;
  for (TokenId id = 0; id < tokenizer_->size(); ++id) {
    if (tokenizer_->is_control(id)) control.push_back(id);
    if (tokenizer_->ends_turn(id)) ends.push_back(id);
    const std::string_view bytes = tokenizer_->bytes(id);
    pieces.raw(bytes);
    std::string length;
    for (unsigned shift = 0; shift < 32; shift += 8) {
      length += static_cast<char>(bytes.size() >> shift & 255U);
    }
    pieces.raw(length);
  }
  EXPECT_EQ(control, golden["control"].get<std::vector<TokenId>>());
  EXPECT_EQ(ends, golden["ends_turn"].get<std::vector<TokenId>>());
  EXPECT_EQ(tokenizer_->bos(), golden["bos"].get<TokenId>());
  EXPECT_EQ(tokenizer_->eos(), golden["eos"].get<TokenId>());
  EXPECT_EQ(tokenizer_->adds_bos(), golden["adds_bos"].get<bool>());
  EXPECT_EQ(pieces.finish().hex(), golden["pieces"].get<std::string>());
}

TEST_P(GoldenTokens, NeverComeOutOfUntrustedTextAsControlTokens) {
  for (const std::string& text : golden_texts()) {
    for (const TokenId id : tokenizer_->encode(text, false)) {
      ASSERT_FALSE(tokenizer_->is_control(id)) << Json(to_valid_utf8(text));
    }
  }
}

TEST_P(GoldenTokens, DoNotDependOnHowTextWasCut) {
  for (const std::string& text : golden_texts()) {
    std::vector<TextPiece> pieces;
    for (std::size_t at = 0; at < text.size(); at += 3)
      pieces.push_back({text.substr(at, 3), false});
    std::vector<TextPiece> whole = {{text, false}};
    EXPECT_EQ(tokenizer_->encode(pieces), tokenizer_->encode(whole));
    for (TextPiece& piece : pieces) piece.trusted = true;
    EXPECT_EQ(tokenizer_->encode(pieces), tokenizer_->encode(text, true));
  }
}

class SharedVectors : public GoldenTokens {};

/// The 46 texts that llama.cpp's own tests use, with ids of Hugging Face's tokenizers.
TEST_P(SharedVectors, HaveTheIdsOfTheirTokenizers) {
  const std::filesystem::path base = std::filesystem::path(TRIALWRIGHT_SHARED_DATA_FOLDER) /
                                     "tokenizers" / ("ggml-vocab-" + GetParam() + ".gguf");
  auto inputs = read_file(base.string() + ".inp");
  auto outputs = read_file(base.string() + ".out");
  if (!inputs || !outputs) GTEST_SKIP() << "no vectors for " << GetParam();
  const std::string separator = "\n__ggml_vocab_test__\n";
  const std::vector<std::string_view> lines = split(*outputs, '\n');
  std::size_t count = 0;
  for (std::size_t begin = 0; begin < inputs->size(); ++count) {
    const std::size_t end = inputs->find(separator, begin);
    ASSERT_NE(end, std::string::npos);
    const std::string text = inputs->substr(begin, end - begin);
    ASSERT_LT(count, lines.size());
    EXPECT_EQ(joined_ids(tokenizer_->encode(text, false)), trimmed(lines[count])) << Json(text);
    begin = end + separator.size();
  }
  EXPECT_EQ(count, 46U);
}

std::string test_name(const testing::TestParamInfo<std::string>& each) {
  std::string name = each.param;
  for (char& c : name) {
    if (c == '-' || c == '.') c = '_';
  }
  return name;
}

INSTANTIATE_TEST_SUITE_P(All, GoldenTokens, testing::ValuesIn(golden_vocabularies()), test_name);
INSTANTIATE_TEST_SUITE_P(All, SharedVectors,
                         testing::Values("gpt-2", "llama-bpe", "qwen2", "deepseek-coder",
                                         "starcoder", "llama-spm"),
                         test_name);

}  // namespace
}  // namespace trialwright
