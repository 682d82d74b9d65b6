#include "inference/safetensors/tokenizer_json.h"

#include <algorithm>
#include <array>
#include <vector>

#include "base/json_cursor.h"
#include "base/text.h"
#include "inference/gguf/gguf_file.h"
#include "inference/safetensors/json_fields.h"
#include "inference/safetensors/merge_scores.h"
#include "inference/safetensors/text_rules.h"
#include "inference/token/vocabulary.h"

namespace trialwright {

namespace {

/// One entry of the field "added_tokens".
struct AddedToken {
  std::int64_t id = -1;
  std::string content;
  bool special = false;
  bool strips = false;  ///< Takes white space beside it along, or stands between words only.
};

/// Texts that llama.cpp's converter takes for control tokens though the file does not say so
/// (`does_token_look_special`).
bool looks_special(std::string_view text) {
  return text == "<pad>" || text == "<mask>" || text == "<2mass>" || text == "[@BOS@]" ||
         (text.starts_with("<|") && text.ends_with("|>")) ||
         (text.starts_with("<｜") && text.ends_with("｜>")) ||
         (text.starts_with("<unused") && text.ends_with('>'));
}

bool is_byte_text(std::string_view text) {
  const auto is_digit = [](char c) { return (c >= '0' && c <= '9') || (c >= 'A' && c <= 'F'); };
  return text.size() == 6 && text.starts_with("<0x") && is_digit(text[3]) && is_digit(text[4]) &&
         text[5] == '>';
}

AddedToken read_added_token(JsonCursor& cursor) {
  AddedToken token;
  cursor.enter_object();
  while (!cursor.failed()) {
    const auto key = cursor.next_key();
    if (!key) break;
    if (*key == "id") {
      token.id = cursor.integer().value_or(-1);
    } else if (*key == "content") {
      token.content = cursor.text().value_or("");
    } else if (*key == "special") {
      token.special = cursor.boolean().value_or(false);
    } else if (*key == "lstrip" || *key == "rstrip" || *key == "single_word") {
      token.strips = cursor.boolean().value_or(false) || token.strips;
    } else {
      cursor.skip();  // "normalized" changes where it is found only if normalizing changes it.
    }
  }
  return token;
}

/// One merge, as "left right" or ["left", "right"].
MergePair read_merge(JsonCursor& cursor) {
  if (cursor.at_array()) {
    std::vector<std::string> parts;
    cursor.enter_array();
    while (cursor.next_element()) parts.push_back(cursor.text().value_or(""));
    if (parts.size() == 2 && !parts[0].empty() && !parts[1].empty()) {
      return {std::move(parts[0]), std::move(parts[1])};
    }
    cursor.fail("a merge of two texts was expected");
    return {};
  }
  const std::string text = cursor.text().value_or("");
  const std::size_t space = text.find(' ');
  if (space == 0 || space >= text.size() - 1 || text.find(' ', space + 1) != std::string::npos) {
    cursor.fail("a merge of two texts with a space between was expected");
    return {};
  }
  return {text.substr(0, space), text.substr(space + 1)};
}

class TokenizerFolder {
 public:
  TokenizerFolder(std::string_view json, std::int64_t vocabulary, GgufMetadata& metadata)
      : fields_(json),
        model_(fields_.object("model")),
        metadata_(metadata),
        tokens_(static_cast<std::size_t>(vocabulary)),
        kinds_(tokens_.size(), TokenKind::Unused) {}

  Result<FolderVocabulary> read() {
    check_model();
    read_rules();
    read_vocabulary();
    read_added_tokens();
    read_merges();
    fields_.keep_of(model_);
    if (fields_.error()) return *fields_.error();
    mark_kinds();
    if (auto written = write(); !written) return written.error();
    return std::move(vocabulary_);
  }

 private:
  [[nodiscard]] bool failed() const { return fields_.error() || model_.error(); }

  void check_model() {
    // Files of the first versions do not name the type of a model with merges.
    const std::string type = model_.text_or("type", model_.has("merges") ? "BPE" : "");
    if (type != "BPE") {
      model_.refuse("type", "is \"" + shown_text(type) + "\"; only BPE is supported");
    }
    if (model_.number_or("dropout", 0) != 0) {
      model_.refuse("dropout", "is set, which is not supported");
    }
    for (const char* key : {"continuing_subword_prefix", "end_of_word_suffix"}) {
      if (!model_.text_or(key, "").empty()) model_.refuse(key, "is set, which is not supported");
    }
  }

  void read_rules() {
    if (failed()) return;
    auto rules = recognise_text_rules(fields_.raw("normalizer"), fields_.raw("pre_tokenizer"),
                                      model_.flag_or("ignore_merges", false));
    auto leading = leading_token(fields_.raw("post_processor"));
    if (!rules) {
      fields_.keep(rules.error());
    } else if (!leading) {
      fields_.keep(leading.error());
    } else {
      rules_ = *rules;
      vocabulary_.leading_token = *leading;
      if (!rules_.is_byte_level() && !model_.flag_or("byte_fallback", false)) {
        model_.refuse("byte_fallback", "is not set, so there are no tokens for unknown characters");
      }
    }
  }

  /// Gives a token its place. False, with an error kept, if the place or the text is taken.
  bool place(JsonFields& fields, const char* field, const std::string& text, std::int64_t id) {
    const bool fits = id >= 0 && static_cast<std::uint64_t>(id) < tokens_.size();
    if (!fits) {
      fields.refuse(field, "gives token \"" + shown_text(text) + "\" the id " + std::to_string(id) +
                               ", but the model has " + std::to_string(tokens_.size()) + " tokens");
      return false;
    }
    const auto at = static_cast<std::size_t>(id);
    const auto [known, is_new] = vocabulary_.ids.emplace(text, static_cast<TokenId>(id));
    if (known->second != id || (kinds_[at] != TokenKind::Unused && tokens_[at] != text)) {
      fields.refuse(field, "gives token \"" + shown_text(text) + "\" or its id " +
                               std::to_string(id) + " a second time");
      return false;
    }
    if (is_new) tokens_[at] = text;
    return true;
  }

  void read_vocabulary() {
    if (failed()) return;
    if (!model_.has("vocab")) return model_.refuse("vocab", "is missing");
    JsonCursor cursor(model_.raw("vocab"));
    vocabulary_.ids.reserve(tokens_.size());
    cursor.enter_object();
    while (!cursor.failed()) {
      const auto text = cursor.next_key();
      if (!text) break;
      const auto id = cursor.integer();
      if (!id) break;
      if (vocabulary_.ids.contains(*text)) cursor.fail("a token that occurs twice ends");
      if (!cursor.failed() && !place(model_, "vocab", *text, *id)) return;
      if (!cursor.failed()) kinds_[static_cast<std::size_t>(*id)] = TokenKind::Normal;
    }
    if (!cursor.finish()) model_.keep(cursor.error().during("field \"model.vocab\""));
  }

  void read_added_tokens() {
    if (failed() || !fields_.has("added_tokens")) return;
    JsonCursor cursor(fields_.raw("added_tokens"));
    cursor.enter_array();
    while (!failed() && cursor.next_element()) {
      const AddedToken token = read_added_token(cursor);
      if (!cursor.failed()) add(token);
    }
    if (!failed() && !cursor.finish()) {
      fields_.keep(cursor.error().during("field \"added_tokens\""));
    }
  }

  void add(const AddedToken& token) {
    if (token.strips) {
      return fields_.refuse("added_tokens", "has token \"" + shown_text(token.content) +
                                                "\" with lstrip, rstrip or single_word, which are "
                                                "not supported");
    }
    // Text models of a family share a tokenizer with larger ones that see pictures.
    if (token.id >= 0 && static_cast<std::uint64_t>(token.id) >= tokens_.size()) return;
    if (!place(fields_, "added_tokens", token.content, token.id)) return;
    const bool control = token.special || looks_special(token.content);
    kinds_[static_cast<std::size_t>(token.id)] =
        control ? TokenKind::Control : TokenKind::UserDefined;
  }

  void read_merges() {
    if (failed()) return;
    if (!model_.has("merges")) return model_.refuse("merges", "is missing");
    JsonCursor cursor(model_.raw("merges"));
    cursor.enter_array();
    while (cursor.next_element()) merges_.push_back(read_merge(cursor));
    if (!cursor.finish()) model_.keep(cursor.error().during("field \"model.merges\""));
  }

  /// What the texts say beside the list of added tokens; of SentencePiece, bytes and the token for
  /// what is unknown.
  void mark_kinds() {
    const std::string unknown = model_.text_or("unk_token", "");
    for (std::size_t i = 0; i < tokens_.size(); ++i) {
      TokenKind& kind = kinds_[i];
      if (kind == TokenKind::Unused) {
        tokens_[i] = "[PAD" + std::to_string(i) + "]";
      } else if (!rules_.is_byte_level() && is_byte_text(tokens_[i])) {
        kind = TokenKind::Byte;
      } else if (!rules_.is_byte_level() && !unknown.empty() && tokens_[i] == unknown) {
        kind = TokenKind::Unknown;
      }
    }
  }

  Result<void> write() {
    metadata_.text("tokenizer.ggml.model", rules_.is_byte_level() ? "gpt2" : "llama");
    if (rules_.is_byte_level()) {
      metadata_.text("tokenizer.ggml.pre", rules_.pre_tokenizer);
      std::vector<std::string> merges;
      merges.reserve(merges_.size());
      for (const auto& [left, right] : merges_) merges.push_back(left + " " + right);
      metadata_.texts("tokenizer.ggml.merges", merges);
    } else {
      std::vector<bool> mergeable(tokens_.size());
      for (std::size_t i = 0; i < tokens_.size(); ++i) {
        mergeable[i] = kinds_[i] == TokenKind::Normal;
      }
      auto scores = scores_of_merges(tokens_, mergeable, merges_);
      if (!scores) return scores.error();
      metadata_.numbers("tokenizer.ggml.scores", *scores);
      metadata_.boolean("tokenizer.ggml.add_space_prefix", rules_.adds_space_prefix);
    }
    std::vector<std::int32_t> kinds;
    kinds.reserve(kinds_.size());
    for (std::size_t i = 0; i < kinds_.size(); ++i) {
      kinds.push_back(static_cast<std::int32_t>(kinds_[i]));
      // Found in text that still has its spaces.
      if (kinds_[i] == TokenKind::UserDefined) tokens_[i] = with_plain_spaces(tokens_[i]);
    }
    metadata_.integers("tokenizer.ggml.token_type", kinds);
    metadata_.texts("tokenizer.ggml.tokens", tokens_);
    return {};
  }

  JsonFields fields_;
  JsonFields model_;
  GgufMetadata& metadata_;
  TextRules rules_;
  std::vector<std::string> tokens_;
  std::vector<TokenKind> kinds_;
  std::vector<MergePair> merges_;
  FolderVocabulary vocabulary_;
};

}  // namespace

Result<FolderVocabulary> read_tokenizer_json(std::string_view json, std::int64_t vocabulary,
                                             GgufMetadata& metadata) {
  return TokenizerFolder(json, vocabulary, metadata).read();
}

}  // namespace trialwright
