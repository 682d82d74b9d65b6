#include "inference/safetensors/tokenizer_json.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "base/files.h"
#include "base/json.h"
#include "base/text.h"
#include "inference/gguf/gguf_file.h"
#include "inference/safetensors/merge_scores.h"
#include "inference/token/tokenizer.h"
#include "tests/inference/token/golden_texts.h"
#include "tests/support/model_folder_writer.h"

namespace trialwright {
namespace {

using ::testing::HasSubstr;

Result<Tokenizer> load(std::string_view json, std::int64_t vocabulary) {
  GgufMetadata metadata;
  auto read = read_tokenizer_json(json, vocabulary, metadata);
  if (!read) return read.error();
  auto file = GgufFile::assemble("folder", metadata, {});
  if (!file) return file.error();
  return Tokenizer::load(*file);
}

/// A byte-level vocabulary of eight tokens and one added one.
Json small_json() {
  return *parse_json(R"({
    "added_tokens": [{"id": 8, "content": "<end>", "special": true, "lstrip": false}],
    "normalizer": {"type": "NFC"},
    "pre_tokenizer": {"type": "ByteLevel", "add_prefix_space": false, "use_regex": true},
    "model": {"type": "BPE", "unk_token": null, "byte_fallback": false,
      "vocab": {"a": 0, "b": 1, "Ġ": 2, "ab": 3, "Ġa": 4, "aa": 5, "1": 6, "Ċ": 7},
      "merges": ["a b", "Ġ a", "a a"]}})");
}

/// A SentencePiece vocabulary of characters, bytes and merges, in small.
Json small_sentence_piece() {
  return *parse_json(R"({
    "added_tokens": [{"id": 0, "content": "<unk>", "special": true}],
    "normalizer": {"type": "Sequence", "normalizers": [
      {"type": "Prepend", "prepend": "▁"},
      {"type": "Replace", "pattern": {"String": " "}, "content": "▁"}]},
    "pre_tokenizer": null,
    "model": {"type": "BPE", "unk_token": "<unk>", "byte_fallback": true,
      "vocab": {"<unk>": 0, "<0x0A>": 1, "▁": 2, "a": 3, "b": 4, "▁a": 5, "ab": 6, "▁ab": 7},
      "merges": [["▁", "a"], ["a", "b"], ["▁", "ab"], ["▁a", "b"]]}})");
}

std::string error_of(const Json& json, std::int64_t vocabulary = 10) {
  const auto tokenizer = load(to_text(json), vocabulary);
  return tokenizer ? "no error" : tokenizer.error().message;
}

TEST(TokenizerJson, IsReadInBothSpellingsOfMerges) {
  Json json = small_json();
  const auto text = load(to_text(json), 10);
  ASSERT_TRUE(text) << text.error().message;
  json["model"]["merges"] = *parse_json(R"([["a", "b"], ["Ġ", "a"], ["a", "a"]])");
  const auto pairs = load(to_text(json), 10);
  ASSERT_TRUE(pairs) << pairs.error().message;
  for (const auto* tokenizer : {&*text, &*pairs}) {
    EXPECT_EQ(tokenizer->encode("ab aa<end>\n", true), (std::vector<TokenId>{3, 4, 0, 8, 7}));
    EXPECT_EQ(tokenizer->size(), 10);
    EXPECT_TRUE(tokenizer->is_control(8));
    EXPECT_EQ(tokenizer->bytes(9), "");
  }
}

TEST(TokenizerJson, GivesAddedTokensTheirKinds) {
  Json json = small_json();
  json["added_tokens"].push_back({{"id", 9}, {"content", "<tool>"}, {"special", false}});
  json["added_tokens"].push_back({{"id", 10}, {"content", "<|looks|>"}, {"special", false}});
  json["added_tokens"].push_back({{"id", 11}, {"content", "<beyond>"}, {"special", true}});
  const auto tokenizer = load(to_text(json), 11);
  ASSERT_TRUE(tokenizer) << tokenizer.error().message;
  EXPECT_FALSE(tokenizer->is_control(9));
  EXPECT_EQ(tokenizer->encode("<tool>", false), std::vector<TokenId>{9});
  EXPECT_TRUE(tokenizer->is_control(10));
  EXPECT_EQ(tokenizer->size(), 11);
}

TEST(TokenizerJson, ReadsSentencePiece) {
  const auto tokenizer = load(to_text(small_sentence_piece()), 8);
  ASSERT_TRUE(tokenizer) << tokenizer.error().message;
  EXPECT_EQ(tokenizer->encode("ab b\n", false), (std::vector<TokenId>{7, 2, 4, 1}));
  Json json = small_sentence_piece();
  json["normalizer"]["normalizers"].erase(0);
  const auto bare = load(to_text(json), 8);
  ASSERT_TRUE(bare) << bare.error().message;
  EXPECT_EQ(bare->encode("ab", false), std::vector<TokenId>{6});
}

TEST(TokenizerJson, ReadsMetaspace) {
  Json json = small_sentence_piece();
  json["normalizer"] = nullptr;
  json["pre_tokenizer"] = {
      {"type", "Metaspace"}, {"replacement", "▁"}, {"prepend_scheme", "first"}, {"split", false}};
  const auto tokenizer = load(to_text(json), 8);
  ASSERT_TRUE(tokenizer) << tokenizer.error().message;
  EXPECT_EQ(tokenizer->encode("b a", false), (std::vector<TokenId>{2, 4, 5}));
  json["pre_tokenizer"]["split"] = true;
  EXPECT_THAT(error_of(json),
              HasSubstr("field \"pre_tokenizer\" has a step that is not supported"));
}

TEST(TokenizerJson, RefusesByNameWhatItDoesNotHave) {
  const auto with = [](const char* pointer, const Json& value) {
    Json json = small_json();
    json[Json::json_pointer(pointer)] = value;
    return error_of(json);
  };
  EXPECT_EQ(with("/model/type", "Unigram"),
            "field \"model.type\" is \"Unigram\"; only BPE is supported");
  EXPECT_THAT(with("/model/dropout", 0.1), HasSubstr("\"model.dropout\" is set"));
  EXPECT_THAT(with("/model/end_of_word_suffix", "</w>"), HasSubstr("end_of_word_suffix"));
  EXPECT_THAT(with("/model/ignore_merges", true), HasSubstr("with \"ignore_merges\""));
  EXPECT_THAT(with("/normalizer", {{"type", "Lowercase"}}),
              HasSubstr("field \"normalizer\" has a step that is not supported: "
                        "{\"type\":\"Lowercase\"}"));
  EXPECT_THAT(with("/pre_tokenizer", {{"type", "ByteLevel"}, {"add_prefix_space", true}}),
              HasSubstr("is not one that is supported (gpt-2, smollm, qwen2, llama-bpe"));
  EXPECT_THAT(with("/pre_tokenizer", {{"type", "Whitespace"}}), HasSubstr("\"normalizer\""));
  EXPECT_THAT(with("/pre_tokenizer/use_regex", false), HasSubstr("is not one that is supported"));
  EXPECT_THAT(with("/added_tokens/0/rstrip", true),
              HasSubstr("has token \"<end>\" with lstrip, rstrip or single_word"));
  EXPECT_THAT(with("/pre_tokenizer", std::string(70000, 'x')), HasSubstr("70002 bytes"));
  Json json = small_sentence_piece();
  json["model"]["byte_fallback"] = false;
  EXPECT_THAT(error_of(json), HasSubstr("\"model.byte_fallback\" is not set"));
}

TEST(TokenizerJson, NamesTheFieldThatIsWrong) {
  const auto with = [](const char* pointer, const Json& value) {
    Json json = small_json();
    json[Json::json_pointer(pointer)] = value;
    return error_of(json);
  };
  EXPECT_THAT(
      with("/model/vocab/a", 100),
      HasSubstr("field \"model.vocab\" gives token \"a\" the id 100, but the model has 10"));
  EXPECT_THAT(with("/model/vocab/a", -1), HasSubstr("the id -1"));
  EXPECT_THAT(with("/model/vocab/a", 1), HasSubstr("a second time"));
  EXPECT_THAT(with("/model/vocab/a", "x"), HasSubstr("field \"model.vocab\": a whole number was"));
  EXPECT_THAT(with("/added_tokens/0/id", 0), HasSubstr("field \"added_tokens\" gives token"));
  EXPECT_THAT(with("/added_tokens/0/id", -1), HasSubstr("the id -1"));
  EXPECT_THAT(with("/model/merges/0", "ab"), HasSubstr("field \"model.merges\": a merge of two"));
  EXPECT_THAT(with("/model/merges/0", "a b c"), HasSubstr("a merge of two"));
  for (const char* merge : {"", " ", "a ", " b"}) {
    EXPECT_THAT(with("/model/merges/0", merge), HasSubstr("a merge of two"));
  }
  EXPECT_THAT(with("/model/merges/0", {"", ""}), HasSubstr("a merge of two"));
  EXPECT_THAT(with("/model/merges/0", {"a"}), HasSubstr("a merge of two"));
  EXPECT_THAT(with("/model/merges", nullptr), HasSubstr("field \"model.merges\" is missing"));
  EXPECT_THAT(with("/model", nullptr), HasSubstr("field \"model.type\""));
}

TEST(MergeScores, RefusesATokenThatWouldTakeTooLongToCut) {
  const std::vector<std::string> tokens = {"a", std::string(4097, 'a')};
  const auto scores = scores_of_merges(tokens, {true, true}, {});
  ASSERT_FALSE(scores);
  EXPECT_THAT(scores.error().message, HasSubstr("has more than 4096 bytes"));
}

TEST(MergeScores, RefusesMergesThatSentencePieceWouldNotHaveMade) {
  Json json = small_sentence_piece();
  json["model"]["merges"] = *parse_json(R"([["▁", "a"], ["a", "b"], ["▁", "ab"]])");
  EXPECT_EQ(error_of(json),
            "field \"merges\" does not come from a SentencePiece model: token \"???ab\" has 1 "
            "merges, but there are 2 ways to cut it into two tokens");
  json["model"]["merges"] = *parse_json(R"([["▁", "ab"], ["▁", "a"], ["▁a", "b"], ["a", "b"]])");
  EXPECT_THAT(error_of(json), HasSubstr("has merges in several places"));
}

TEST(MergeScores, BuildsTheLongestRunsFromTheLeftWhereTheirMergesStandMixed) {
  // Runs have equal scores, and Transformers then puts pairs with the longer left part first.
  Json json = small_sentence_piece();
  json["model"]["vocab"] = *parse_json(
      R"({"<unk>": 0, "<0x0A>": 1, "▁": 2, "a": 3, "aa": 4, "aaa": 5, "aaaa": 6, "▁a": 7})");
  json["model"]["merges"] =
      *parse_json(R"(["aaa a", "aa aa", "aa a", "a aaa", "a aa", "a a", "▁ a"])");
  json["normalizer"]["normalizers"].erase(0);
  const auto tokenizer = load(to_text(json), 8);
  ASSERT_TRUE(tokenizer) << tokenizer.error().message;
  EXPECT_EQ(tokenizer->encode("aaaaaa a", false), (std::vector<TokenId>{6, 4, 7}));
}

class GoldenVocabulary : public testing::TestWithParam<std::string> {};

/// Every vocabulary with golden ids, written as a tokenizer.json and read back.
TEST_P(GoldenVocabulary, GivesTheIdsOfItsGguf) {
  const auto path = std::filesystem::path(TRIALWRIGHT_SHARED_DATA_FOLDER) / "tokenizers" /
                    ("ggml-vocab-" + GetParam() + ".gguf");
  const auto file = GgufFile::open(path);
  if (!file) GTEST_SKIP() << "the vocabulary " << GetParam() << " is not on this machine";
  const auto spelling = GetParam() == "qwen2" ? MergeSpelling::Pair : MergeSpelling::Text;
  const std::string json = tokenizer_json_of_gguf(*file, spelling);

  const auto tokenizer =
      load(json, static_cast<std::int64_t>(file->texts("tokenizer.ggml.tokens")->size()));

  ASSERT_TRUE(tokenizer) << tokenizer.error().message;
  const std::vector<std::string> texts = golden_texts();
  const std::string golden = golden_file(GetParam() + ".ids");
  const std::vector<std::string_view> lines = split(golden, '\n');
  ASSERT_EQ(lines.size(), texts.size() + 1);
  int different = 0;
  for (std::size_t i = 0; i < texts.size(); ++i) {
    const std::vector<std::string_view> readings = split(lines[i], '|');
    const std::string plain = joined_ids(tokenizer->encode(texts[i], false));
    const std::string trusted = joined_ids(tokenizer->encode(texts[i], true));
    // This file has it as a user-defined token. Converters of today, and we, see by its form that
    // it is a control token, so that it is read from trusted text only.
    const bool is_withheld = texts[i].find("<|EOT|>") != std::string::npos;
    const bool plain_agrees = plain == readings.front() || is_withheld;
    if (plain_agrees && trusted == readings.back()) continue;
    if (++different > 10) continue;
    EXPECT_EQ(plain, readings.front()) << "untrusted, text " << i << ": " << Json(texts[i]);
    EXPECT_EQ(trusted, readings.back()) << "trusted, text " << i << ": " << Json(texts[i]);
  }
  EXPECT_EQ(different, 0) << "of " << texts.size() << " texts";
}

std::string test_name(const testing::TestParamInfo<std::string>& each) {
  std::string name = each.param;
  std::replace(name.begin(), name.end(), '-', '_');
  return name;
}

INSTANTIATE_TEST_SUITE_P(All, GoldenVocabulary,
                         testing::Values("gpt-2", "llama-bpe", "qwen2", "deepseek-coder",
                                         "starcoder", "llama-spm"),
                         test_name);

}  // namespace
}  // namespace trialwright
