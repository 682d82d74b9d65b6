#include "inference/token/vocabulary.h"

#include <algorithm>
#include <array>
#include <charconv>
#include <cmath>
#include <limits>
#include <optional>

#include "base/text.h"
#include "inference/token/byte_alphabet.h"

namespace trialwright {

namespace {

using std::string_view_literals::operator""sv;

/// A list of ids that end a turn, where a model names more than GGUF has keys for.
constexpr std::string_view kTurnEndIds = "trialwright.turn_end_token_ids";

/// Texts that llama.cpp takes for the end of a turn in any vocabulary (`special_eog_ids`).
constexpr std::array kTurnEnds = {
    "<|eot_id|>"sv,
    "<|im_end|>"sv,
    "<|end|>"sv,
    "<|return|>"sv,
    "<|call|>"sv,
    "<|flush|>"sv,
    "<|calls|>"sv,
    "<end_of_turn>"sv,
    "<|endoftext|>"sv,
    "</s>"sv,
    "<|eom_id|>"sv,
    "<EOT>"sv,
    "_<EOT>"sv,
    "[EOT]"sv,
    "[EOS]"sv,
    "<|end_of_text|>"sv,
    "<eos>"sv,
    "<end_of_utterance>"sv,
    "<turn|>"sv,
    "<|tool_response>"sv,
    "<|fim_pad|>"sv,
    "<fim-pad>"sv,
    "<fim_pad>"sv,
    "<PAD>"sv,
    "[PAD]"sv,
    "<|fim_repo|>"sv,
    "<|repo_name|>"sv,
    "<fim-repo>"sv,
    "<REPO>"sv,
    "<reponame>"sv,
    "<|file_sep|>"sv,
    "[e~["sv,
    "<｜end▁of▁sentence｜>"sv,
};

/// Texts that are control tokens in any vocabulary, besides those that end a turn.
constexpr std::array kFillIns = {
    "<|fim_prefix|>"sv,  "<fim-prefix>"sv,   "<fim_prefix>"sv,    "<PRE>"sv,
    "<|code_prefix|>"sv, "<|prefix|>"sv,     "<｜fim▁begin｜>"sv, "<|fim_suffix|>"sv,
    "<fim-suffix>"sv,    "<fim_suffix>"sv,   "<SUF>"sv,           "<|code_suffix|>"sv,
    "<|suffix|>"sv,      "<｜fim▁hole｜>"sv, "<|fim_middle|>"sv,  "<fim-middle>"sv,
    "<fim_middle>"sv,    "<MID>"sv,          "<|code_middle|>"sv, "<|middle|>"sv,
    "<｜fim▁end｜>"sv,   "▁<PRE>"sv,         "▁<SUF>"sv,          "▁<MID>"sv,
};

template <std::size_t N>
bool contains(const std::array<std::string_view, N>& texts, std::string_view text) {
  return std::find(texts.begin(), texts.end(), text) != texts.end();
}

Result<std::vector<TokenKind>> read_kinds(const GgufFile& file, std::size_t count) {
  const char* const key = "tokenizer.ggml.token_type";
  std::vector<TokenKind> kinds(count, TokenKind::Normal);
  if (!file.has(key)) return kinds;
  auto types = file.integers(key);
  if (!types) return types.error();
  if (types->size() != count) {
    return invalid(file.name() + ": \"" + key + "\" has " + std::to_string(types->size()) +
                   " entries for " + std::to_string(count) + " tokens");
  }
  for (std::size_t i = 0; i < count; ++i) {
    const std::int64_t type = (*types)[i];
    // Anything else is a token like any other, as in llama.cpp.
    if (type >= 1 && type <= 6) kinds[i] = static_cast<TokenKind>(type);
  }
  return kinds;
}

/// The token id under `key`, or -1 if the key is absent.
Result<TokenId> read_id(const GgufFile& file, const std::string& key, int count) {
  if (!file.has(key)) return TokenId{-1};
  auto id = file.integer(key);
  if (!id) return id.error();
  // Some converters write an id beyond the end for "none"; llama.cpp passes over it too.
  return *id >= 0 && *id < count ? static_cast<TokenId>(*id) : TokenId{-1};
}

Result<TokenizerModel> read_model(const GgufFile& file) {
  auto model = file.text("tokenizer.ggml.model");
  if (!model) return model.error();
  if (*model == "gpt2") return TokenizerModel::ByteLevelBpe;
  if (*model != "llama") {
    return invalid(
        file.name() + ": tokenizer model \"" + shown_text(*model) +
        "\" is not supported; byte-level BPE (\"gpt2\") and SentencePiece (\"llama\") are");
  }
  const auto name = file.text("general.name");
  const std::string lower = name ? to_lower(*name) : "";
  if (lower.find("phi-3") != std::string::npos || lower.find("phi3") != std::string::npos) {
    return invalid(file.name() + ": the tokenizer of \"" + shown_text(*name) +
                   "\" is not supported: it drops white space after control tokens");
  }
  return TokenizerModel::SentencePiece;
}

Result<PreTokenizerName> read_pre_tokenizer(const GgufFile& file) {
  if (!file.has("tokenizer.ggml.pre")) {
    return invalid(file.name() + ": key \"tokenizer.ggml.pre\" is missing, so the words that " +
                   "merging may not cross are not known");
  }
  auto name = file.text("tokenizer.ggml.pre");
  if (!name) return name.error();
  const auto pre = find_pre_tokenizer(*name);
  if (pre) return *pre;
  std::string known;
  for (const std::string_view each : pre_tokenizer_names()) {
    known += (known.empty() ? "" : ", ") + std::string(each);
  }
  return invalid(file.name() + ": pre-tokenizer \"" + shown_text(*name) +
                 "\" is not supported; there are " + known);
}

Result<void> read_turn_ends(const GgufFile& file, Vocabulary& vocabulary) {
  auto bos = read_id(file, "tokenizer.ggml.bos_token_id", vocabulary.size());
  if (!bos) return bos.error();
  vocabulary.bos = *bos;
  auto eos = read_id(file, "tokenizer.ggml.eos_token_id", vocabulary.size());
  if (!eos) return eos.error();
  vocabulary.eos = *eos;
  for (const char* key : {"tokenizer.ggml.eot_token_id", "tokenizer.ggml.eom_token_id"}) {
    auto id = read_id(file, key, vocabulary.size());
    if (!id) return id.error();
    if (*id >= 0) vocabulary.ends_turn[static_cast<std::size_t>(*id)] = true;
  }
  if (file.has(kTurnEndIds)) {
    auto ids = file.integers(kTurnEndIds);
    if (!ids) return ids.error();
    for (const std::int64_t id : *ids) {
      if (id >= 0 && id < vocabulary.size())
        vocabulary.ends_turn[static_cast<std::size_t>(id)] = true;
    }
  }
  if (vocabulary.eos >= 0) vocabulary.ends_turn[static_cast<std::size_t>(vocabulary.eos)] = true;
  return {};
}

/// The byte of a SentencePiece token such as <0x0A>, or nothing.
std::optional<char> byte_of(std::string_view text) {
  if (text.size() != 6 || !text.starts_with("<0x") || text[5] != '>') return std::nullopt;
  unsigned value = 0;
  const auto [end, error] = std::from_chars(text.data() + 3, text.data() + 5, value, 16);
  if (error != std::errc() || end != text.data() + 5) return std::nullopt;
  return static_cast<char>(value);
}

/// Appends the bytes of a token that is an ordinary text; false if merging cannot give it.
bool add_text(std::string_view text, TokenKind kind, Vocabulary& vocabulary) {
  if (vocabulary.model == TokenizerModel::ByteLevelBpe) {
    if (append_alphabet_bytes(text, vocabulary.bytes)) return !text.empty();
    vocabulary.bytes += text;
    return false;
  }
  if (const auto byte = byte_of(text); byte && kind == TokenKind::Byte) {
    vocabulary.bytes += *byte;
    return false;
  }
  vocabulary.bytes += with_plain_spaces(text);
  return !text.empty();
}

/// Appends one token's bytes and marks what its text tells.
void add_token(std::string_view text, std::size_t id, Vocabulary& vocabulary) {
  TokenKind& kind = vocabulary.kind[id];
  vocabulary.ends_turn[id] = contains(kTurnEnds, text);
  if (vocabulary.ends_turn[id] || contains(kFillIns, text)) kind = TokenKind::Control;
  const bool is_special =
      kind == TokenKind::Control || kind == TokenKind::Unknown || kind == TokenKind::UserDefined;
  if (is_special) {
    vocabulary.bytes += text;
  } else {
    vocabulary.mergeable[id] = add_text(text, kind, vocabulary);
  }
  vocabulary.offset.push_back(vocabulary.bytes.size());
}

/// gpt-oss ends each channel with <|end|> and goes on to the next; only <|return|> and <|call|> end
/// its turn. llama.cpp makes the same exception.
template <typename Texts>
void let_channels_go_on(const Texts& texts, Vocabulary& vocabulary) {
  const auto id_of = [&](std::string_view text) {
    return static_cast<std::size_t>(std::find(texts.begin(), texts.end(), text) - texts.begin());
  };
  const std::size_t end = id_of("<|end|>");
  const bool has_channels = id_of("<|return|>") < texts.size() && id_of("<|call|>") < texts.size();
  if (has_channels && end < texts.size()) vocabulary.ends_turn[end] = false;
}

/// What the two models have each for themselves. Called when the tokens are there.
Result<void> read_model_fields(const GgufFile& file, Vocabulary& vocabulary) {
  if (vocabulary.model == TokenizerModel::ByteLevelBpe) {
    auto pre = read_pre_tokenizer(file);
    if (!pre) return pre.error();
    vocabulary.pre = *pre;
    vocabulary.adds_bos = pre->adds_bos;
    return {};
  }
  const char* const key = "tokenizer.ggml.scores";
  auto scores = file.numbers(key);
  if (!scores) return scores.error();
  if (scores->size() != vocabulary.kind.size()) {
    return invalid(file.name() + ": \"" + key + "\" has " + std::to_string(scores->size()) +
                   " entries for " + std::to_string(vocabulary.size()) + " tokens");
  }
  for (float& score : *scores) {
    // Not a number has no place in an order.
    if (std::isnan(score)) score = -std::numeric_limits<float>::infinity();
  }
  vocabulary.scores = *std::move(scores);
  vocabulary.adds_bos = true;
  vocabulary.adds_space_prefix = true;
  if (!file.has("tokenizer.ggml.add_space_prefix")) return {};
  auto adds = file.boolean("tokenizer.ggml.add_space_prefix");
  if (!adds) return adds.error();
  vocabulary.adds_space_prefix = *adds;
  return {};
}

}  // namespace

std::string with_plain_spaces(std::string_view text) {
  std::string plain;
  plain.reserve(text.size());
  for (std::size_t at = 0; at < text.size();) {
    if (text.substr(at).starts_with(kWrittenSpace)) {
      plain += ' ';
      at += kWrittenSpace.size();
    } else {
      plain += text[at++];
    }
  }
  return plain;
}

Result<Vocabulary> read_vocabulary(const GgufFile& file) {
  auto model = read_model(file);
  if (!model) return model.error();
  auto tokens = file.texts("tokenizer.ggml.tokens");
  if (!tokens) return tokens.error();
  if (tokens->empty() || tokens->size() >= std::size_t{1} << 30U) {
    return invalid(file.name() + ": \"tokenizer.ggml.tokens\" has " +
                   std::to_string(tokens->size()) + " entries");
  }
  auto kinds = read_kinds(file, tokens->size());
  if (!kinds) return kinds.error();

  Vocabulary vocabulary;
  vocabulary.model = *model;
  vocabulary.kind = *std::move(kinds);
  vocabulary.mergeable.resize(tokens->size());
  vocabulary.ends_turn.resize(tokens->size());
  vocabulary.offset.reserve(tokens->size() + 1);
  vocabulary.offset.push_back(0);
  for (std::size_t id = 0; id < tokens->size(); ++id) add_token((*tokens)[id], id, vocabulary);

  let_channels_go_on(*tokens, vocabulary);
  if (auto read = read_turn_ends(file, vocabulary); !read) return read.error();
  if (auto read = read_model_fields(file, vocabulary); !read) return read.error();
  if (file.has("tokenizer.ggml.add_bos_token")) {
    auto adds = file.boolean("tokenizer.ggml.add_bos_token");
    if (!adds) return adds.error();
    vocabulary.adds_bos = *adds;
  }
  // A file that asks for a BOS without naming one cannot have it.
  vocabulary.adds_bos = vocabulary.adds_bos && vocabulary.bos >= 0;
  return vocabulary;
}

}  // namespace trialwright
