#include "tests/inference/token/golden_texts.h"

#include <filesystem>

#include "base/files.h"
#include "base/json.h"
#include "base/text.h"

namespace trialwright {

namespace {

std::string from_hex(const std::string& hex) {
  std::string bytes;
  for (std::size_t i = 0; i + 1 < hex.size(); i += 2) {
    bytes += static_cast<char>(std::stoi(hex.substr(i, 2), nullptr, 16));
  }
  return bytes;
}

}  // namespace

std::vector<std::string> golden_vocabularies() {
  return {"smollm2-135m", "qwen2.5-coder-0.5b", "gemma3-270m", "gpt-2",    "llama-bpe",
          "qwen2",        "deepseek-coder",     "starcoder",   "llama-spm"};
}

std::optional<Tokenizer> golden_tokenizer(const std::string& name) {
  const std::filesystem::path shared =
      std::filesystem::path(TRIALWRIGHT_SHARED_DATA_FOLDER) / "tokenizers";
  auto file = GgufFile::open(shared / ("ggml-vocab-" + name + ".gguf"));
  if (!file) file = GgufFile::open(user_cache_folder() / "models" / (name + ".gguf"));
  if (!file) return std::nullopt;
  auto tokenizer = Tokenizer::load(*file);
  CHECK(tokenizer, "the files with golden ids hold vocabularies that we read");
  return *std::move(tokenizer);
}

std::string golden_file(const std::string& name) {
  auto text =
      read_file(std::filesystem::path(TRIALWRIGHT_GOLDEN_FOLDER) / "inference/token" / name);
  CHECK(text, "golden files are part of the source");
  return *std::move(text);
}

std::vector<std::string> golden_texts() {
  std::vector<std::string> texts;
  const std::string lines = golden_file("texts.jsonl");
  for (const std::string_view line : split(lines, '\n')) {
    if (line.empty()) continue;
    const auto json = parse_json(line);
    CHECK(json, "every line of texts.jsonl is JSON");
    texts.push_back(json->is_string() ? json->get<std::string>()
                                      : from_hex((*json)["hex"].get<std::string>()));
  }
  return texts;
}

std::string joined_ids(const std::vector<TokenId>& ids) {
  std::string text;
  for (const TokenId id : ids) {
    if (!text.empty()) text += ' ';
    text += std::to_string(id);
  }
  return text;
}

}  // namespace trialwright
