#include "inference/safetensors/text_rules.h"

#include <algorithm>
#include <vector>

#include "base/json.h"
#include "base/text.h"
#include "inference/gguf/gguf_file.h"

namespace trialwright {

namespace {

using std::string_view_literals::operator""sv;

/// Real files have a few hundred bytes here.
constexpr std::size_t kFieldBytesMax = 1 << 16;

// Patterns as the files have them; pre_tokenizer.h says what each means.
constexpr std::string_view kQwen2 =
    R"((?i:'s|'t|'re|'ve|'m|'ll|'d)|[^\r\n\p{L}\p{N}]?\p{L}+|\p{N}| ?[^\s\p{L}\p{N}]+[\r\n]*|\s*[\r\n]+|\s+(?!\S)|\s+)";
constexpr std::string_view kLlama3 =
    R"((?i:'s|'t|'re|'ve|'m|'ll|'d)|[^\r\n\p{L}\p{N}]?\p{L}+|\p{N}{1,3}| ?[^\s\p{L}\p{N}]+[\r\n]*|\s*[\r\n]+|\s+(?!\S)|\s+)";

/// A pre-tokenizer as a list of steps, each a line of text (see `step_text`), and its name.
struct KnownRule {
  std::vector<std::string> steps;
  bool ignores_merges;
  std::string_view name;
};

std::vector<KnownRule> known_rules() {
  const auto split = [](std::string_view pattern) { return "Split " + std::string(pattern); };
  const std::string digits = "Digits one by one";
  const std::string words = "ByteLevel with its own words";
  const std::string bytes = "ByteLevel";
  return {
      {{words}, false, "gpt-2"},
      {{digits, words}, false, "smollm"},
      {{split(kQwen2), bytes}, false, "qwen2"},
      {{split(kLlama3), bytes}, true, "llama-bpe"},
      {{split(kLlama3), bytes}, false, "smaug-bpe"},
      {{split("[\r\n]"), split("\\s?\\p{L}+"), split("\\s?\\p{P}+"),
        split("[一-龥ࠀ-一가-퟿]+"), digits, bytes},
       false,
       "deepseek-coder"},
  };
}

bool flag(const Json& step, const char* key, bool otherwise) {
  const auto value = bool_field_or(step, key, otherwise);
  return value ? *value : otherwise;
}

std::string text(const Json& step, const char* key) {
  const auto value = string_field_or(step, key, "");
  return value ? *value : "";
}

/// The text of a pattern of kind "Regex" or "String"; empty for another one.
std::string pattern_of(const Json& step, const char* kind) {
  const auto pattern = step.find("pattern");
  return pattern != step.end() && pattern->is_object() ? text(*pattern, kind) : "";
}

/// A step of a pre-tokenizer as a line that the table above can hold; for what is not in it, its
/// JSON.
std::string step_text(const Json& step) {
  const std::string type = text(step, "type");
  if (type == "Split" && text(step, "behavior") == "Isolated" && !flag(step, "invert", false)) {
    const std::string pattern = pattern_of(step, "Regex");
    if (!pattern.empty()) return "Split " + pattern;
  }
  if (type == "Digits" && flag(step, "individual_digits", false)) return "Digits one by one";
  if (type == "ByteLevel" && !flag(step, "add_prefix_space", true)) {
    return flag(step, "use_regex", true) ? "ByteLevel with its own words" : "ByteLevel";
  }
  return to_text(step);
}

/// The steps of a field: none, one, or the members of a sequence.
Result<std::vector<Json>> steps_of(std::string_view json, const char* field, const char* members) {
  if (json.empty()) return std::vector<Json>{};
  if (json.size() > kFieldBytesMax) {
    return invalid(std::string("field \"") + field + "\" has " + std::to_string(json.size()) +
                   " bytes, more than any that is supported");
  }
  auto value = parse_json(json);
  if (!value) return value.error().during(std::string("field \"") + field + "\"");
  std::vector<Json> steps;
  if (text(*value, "type") != "Sequence") {
    steps.push_back(*std::move(value));
  } else if (const auto found = value->find(members); found != value->end() && found->is_array()) {
    steps.assign(found->begin(), found->end());
  }
  for (const Json& step : steps) {
    if (!step.is_object()) {
      return invalid(std::string("field \"") + field +
                     "\" must be an object or a sequence of them");
    }
  }
  return steps;
}

Error unknown_step(const char* field, const Json& step) {
  return invalid(std::string("field \"") + field +
                 "\" has a step that is not supported: " + shown_text(to_text(step)));
}

/// Says which steps there are and what could be.
Error unknown_rule(const std::vector<std::string>& steps, bool ignores_merges) {
  std::string names;
  for (const KnownRule& rule : known_rules()) {
    names += (names.empty() ? "" : ", ") + std::string(rule.name);
  }
  return invalid("field \"pre_tokenizer\" is not one that is supported (" + names +
                 "): " + shown_text(joined(steps, "; ")) +
                 (ignores_merges ? ", with \"ignore_merges\"" : ""));
}

Result<TextRules> byte_level_rules(const std::vector<Json>& normalizers,
                                   const std::vector<Json>& pre_tokenizers, bool ignores_merges) {
  for (const Json& step : normalizers) {
    if (text(step, "type") != "NFC") return unknown_step("normalizer", step);
  }
  std::vector<std::string> steps;
  for (const Json& step : pre_tokenizers) steps.push_back(step_text(step));
  for (const KnownRule& rule : known_rules()) {
    if (rule.steps == steps && rule.ignores_merges == ignores_merges) return TextRules{rule.name};
  }
  return unknown_rule(steps, ignores_merges);
}

/// The two forms of SentencePiece's preparation: a normalizer that writes spaces as U+2581, or the
/// pre-tokenizer Metaspace that does so.
Result<TextRules> sentence_piece_rules(const std::vector<Json>& normalizers,
                                       const std::vector<Json>& pre_tokenizers,
                                       bool ignores_merges) {
  constexpr std::string_view kWritten = "\xE2\x96\x81"sv;
  TextRules rules;
  bool writes_spaces = false;
  for (const Json& step : normalizers) {
    const std::string type = text(step, "type");
    if (type == "Prepend" && text(step, "prepend") == kWritten) {
      rules.adds_space_prefix = true;
    } else if (type == "Replace" && pattern_of(step, "String") == " " &&
               text(step, "content") == kWritten) {
      writes_spaces = true;
    } else {
      return unknown_step("normalizer", step);
    }
  }
  for (const Json& step : pre_tokenizers) {
    const std::string type = text(step, "type");
    if (type == "Metaspace" && text(step, "replacement") == kWritten &&
        !flag(step, "split", true)) {
      writes_spaces = true;
      const std::string scheme = text(step, "prepend_scheme");
      rules.adds_space_prefix = rules.adds_space_prefix || scheme == "always" || scheme == "first";
    } else if (type != "Split" || pattern_of(step, "String") != " " || !writes_spaces) {
      // Splitting at spaces does nothing where none are left; Gemma's files have it.
      return unknown_step("pre_tokenizer", step);
    }
  }
  if (!writes_spaces) {
    return invalid(
        "field \"normalizer\" must write spaces as U+2581, or \"pre_tokenizer\" cut "
        "text into bytes");
  }
  if (ignores_merges) return invalid("field \"ignore_merges\" is not supported with byte fallback");
  return rules;
}

}  // namespace

Result<TextRules> recognise_text_rules(std::string_view normalizer, std::string_view pre_tokenizer,
                                       bool ignores_merges) {
  auto normalizers = steps_of(normalizer, "normalizer", "normalizers");
  if (!normalizers) return normalizers.error();
  auto pre_tokenizers = steps_of(pre_tokenizer, "pre_tokenizer", "pretokenizers");
  if (!pre_tokenizers) return pre_tokenizers.error();
  const bool byte_level =
      std::any_of(pre_tokenizers->begin(), pre_tokenizers->end(),
                  [](const Json& step) { return text(step, "type") == "ByteLevel"; });
  return byte_level ? byte_level_rules(*normalizers, *pre_tokenizers, ignores_merges)
                    : sentence_piece_rules(*normalizers, *pre_tokenizers, ignores_merges);
}

Result<std::optional<std::string>> leading_token(std::string_view post_processor) {
  auto steps = steps_of(post_processor, "post_processor", "processors");
  if (!steps) return steps.error();
  for (const Json& step : *steps) {
    const auto single = step.find("single");
    if (text(step, "type") != "TemplateProcessing" || single == step.end() || !single->is_array() ||
        single->empty() || !single->front().is_object()) {
      continue;
    }
    const auto token = single->front().find("SpecialToken");
    if (token == single->front().end() || !token->is_object()) continue;
    return std::optional(text(*token, "id"));
  }
  return std::optional<std::string>();
}

}  // namespace trialwright
