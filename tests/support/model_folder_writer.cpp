#include "tests/support/model_folder_writer.h"

#include <algorithm>
#include <cstring>
#include <unordered_map>

#include "base/text.h"
#include "tests/support/gguf_writer.h"
#include "tests/support/safetensors_writer.h"

namespace trialwright {
namespace {

/// Replaces the first `what`, if there is one.
bool replace(std::string& text, std::string_view what, std::string_view with) {
  const std::size_t at = text.find(what);
  if (at == std::string::npos) return false;
  text.replace(at, what.size(), with);
  return true;
}

class FolderOfGguf {
 public:
  explicit FolderOfGguf(const GgufFile& file)
      : file_(file), architecture_(*file.text("general.architecture")) {}

  FolderFiles write() {
    for (const GgufTensor& tensor : file_.tensors()) add(tensor);
    return {{"config.json", to_text(config())}, {"model.safetensors", writer_.bytes()}};
  }

 private:
  [[nodiscard]] std::int64_t integer(const std::string& key) const {
    return *file_.integer(architecture_ + "." + key);
  }
  [[nodiscard]] double number(const std::string& key) const {
    return *file_.number(architecture_ + "." + key);
  }

  [[nodiscard]] Json config() const {
    const std::map<std::string, std::string> classes = {{"llama", "LlamaForCausalLM"},
                                                        {"qwen2", "Qwen2ForCausalLM"},
                                                        {"qwen3", "Qwen3ForCausalLM"},
                                                        {"gemma3", "Gemma3ForCausalLM"}};
    Json config = {
        {"architectures", {classes.at(architecture_)}},
        {"num_hidden_layers", integer("block_count")},
        {"max_position_embeddings", integer("context_length")},
        {"hidden_size", integer("embedding_length")},
        {"intermediate_size", integer("feed_forward_length")},
        {"num_attention_heads", integer("attention.head_count")},
        {"num_key_value_heads", integer("attention.head_count_kv")},
        {"rms_norm_eps", number("attention.layer_norm_rms_epsilon")},
        {"rope_theta", number("rope.freq_base")},
        {"vocab_size", file_.tensor("token_embd.weight")->shape[1]},
        {"tie_word_embeddings", file_.tensor("output.weight") == nullptr},
    };
    if (file_.has(architecture_ + ".attention.key_length")) {
      config["head_dim"] = integer("attention.key_length");
    }
    if (file_.has(architecture_ + ".attention.sliding_window")) {
      config["sliding_window"] = integer("attention.sliding_window");
      config["sliding_window_pattern"] = integer("attention.sliding_window_pattern");
    }
    if (file_.has(architecture_ + ".rope.scaling.factor")) {
      config["rope_scaling"] = {{"rope_type", "linear"}, {"factor", number("rope.scaling.factor")}};
    }
    return config;
  }

  [[nodiscard]] std::string name_of(std::string name) const {
    if (name == "token_embd.weight") return "model.embed_tokens.weight";
    if (name == "output_norm.weight") return "model.norm.weight";
    if (name == "output.weight") return "lm_head.weight";
    replace(name, "blk.", "model.layers.");
    const bool four_norms = architecture_ == "gemma3";
    for (const auto& [gguf, transformers] :
         std::initializer_list<std::pair<const char*, const char*>>{
             {"attn_norm", "input_layernorm"},
             {"attn_q_norm", "self_attn.q_norm"},
             {"attn_k_norm", "self_attn.k_norm"},
             {"attn_q.", "self_attn.q_proj."},
             {"attn_k.", "self_attn.k_proj."},
             {"attn_v.", "self_attn.v_proj."},
             {"attn_output", "self_attn.o_proj"},
             {"post_attention_norm", "post_attention_layernorm"},
             {"ffn_norm", four_norms ? "pre_feedforward_layernorm" : "post_attention_layernorm"},
             {"post_ffw_norm", "post_feedforward_layernorm"},
             {"ffn_gate", "mlp.gate_proj"},
             {"ffn_up", "mlp.up_proj"},
             {"ffn_down", "mlp.down_proj"}}) {
      if (replace(name, gguf, transformers)) return name;
    }
    CHECK(false, "the writer knows every tensor of the models that it is given");
    return name;
  }

  void add(const GgufTensor& tensor) {
    const std::string name = name_of(tensor.name);
    std::string data(reinterpret_cast<const char*>(tensor.data.data()), tensor.data.size());
    if (architecture_ == "llama" && tensor.name.ends_with("attn_q.weight")) {
      data = with_halves(data, integer("attention.head_count"), tensor.shape[1]);
    } else if (architecture_ == "llama" && tensor.name.ends_with("attn_k.weight")) {
      data = with_halves(data, integer("attention.head_count_kv"), tensor.shape[1]);
    } else if (architecture_ == "gemma3" && tensor.name.ends_with("norm.weight")) {
      data = less_one(data);
    }
    writer_.tensor(name, tensor_type_name(tensor.type),
                   {tensor.shape.rbegin(), tensor.shape.rend()}, data);
  }

  /// Rows 0, 2, 4, … of each head, then rows 1, 3, 5, ….
  static std::string with_halves(const std::string& data, std::int64_t heads, std::int64_t rows) {
    const std::size_t row_bytes = data.size() / static_cast<std::size_t>(rows);
    const std::int64_t head_rows = rows / heads;
    std::string out;
    for (std::int64_t head = 0; head < heads; ++head) {
      for (const std::int64_t odd : {0, 1}) {
        for (std::int64_t row = odd; row < head_rows; row += 2) {
          const auto from = static_cast<std::size_t>(head * head_rows + row);
          out += data.substr(from * row_bytes, row_bytes);
        }
      }
    }
    return out;
  }

  /// Of numbers between a half and two, to which one can be added again without a rounding.
  static std::string less_one(std::string data) {
    for (std::size_t at = 0; at < data.size(); at += sizeof(float)) {
      float value = 0;
      std::memcpy(&value, data.data() + at, sizeof(value));
      value -= 1;
      std::memcpy(data.data() + at, &value, sizeof(value));
    }
    return data;
  }

  const GgufFile& file_;
  std::string architecture_;
  SafetensorsWriter writer_;
};

Json pre_tokenizer_named(const std::string& name) {
  const auto split = [](const char* pattern) {
    return Json{{"type", "Split"},
                {"pattern", {{"Regex", pattern}}},
                {"behavior", "Isolated"},
                {"invert", false}};
  };
  const auto byte_level = [](bool use_regex) {
    return Json{{"type", "ByteLevel"},
                {"add_prefix_space", false},
                {"trim_offsets", true},
                {"use_regex", use_regex}};
  };
  const Json digits = {{"type", "Digits"}, {"individual_digits", true}};
  const auto sequence = [](Json steps) {
    return Json{{"type", "Sequence"}, {"pretokenizers", std::move(steps)}};
  };
  if (name == "gpt-2") return byte_level(true);
  if (name == "smollm" || name == "starcoder") return sequence({digits, byte_level(true)});
  if (name == "qwen2") {
    return sequence({split("(?i:'s|'t|'re|'ve|'m|'ll|'d)|[^\\r\\n\\p{L}\\p{N}]?\\p{L}+|\\p{N}| "
                           "?[^\\s\\p{L}\\p{N}]+[\\r\\n]*|\\s*[\\r\\n]+|\\s+(?!\\S)|\\s+"),
                     byte_level(false)});
  }
  if (name == "llama-bpe" || name == "smaug-bpe") {
    return sequence({split("(?i:'s|'t|'re|'ve|'m|'ll|'d)|[^\\r\\n\\p{L}\\p{N}]?\\p{L}+|\\p{N}{1,3}"
                           "| ?[^\\s\\p{L}\\p{N}]+[\\r\\n]*|\\s*[\\r\\n]+|\\s+(?!\\S)|\\s+"),
                     byte_level(false)});
  }
  CHECK(name == "deepseek-coder", "the writer knows the pre-tokenizers of the vocabularies");
  return sequence({split("[\r\n]"), split("\\s?\\p{L}+"), split("\\s?\\p{P}+"),
                   split("[\xE4\xB8\x80-\xE9\xBE\xA5\xE0\xA0\x80-\xE4\xB8\x80\xEA\xB0\x80-"
                         "\xED\x9F\xBF]+"),
                   digits, byte_level(false)});
}

class TokenizerOfGguf {
 public:
  TokenizerOfGguf(const GgufFile& file, MergeSpelling spelling)
      : file_(file), spelling_(spelling), tokens_(*file.texts("tokenizer.ggml.tokens")) {
    kinds_ = file.has("tokenizer.ggml.token_type") ? *file.integers("tokenizer.ggml.token_type")
                                                   : std::vector<std::int64_t>(tokens_.size(), 1);
  }

  std::string write() {
    is_byte_level_ = *file_.text("tokenizer.ggml.model") == "gpt2";
    Json top = {{"version", "1.0"}};
    if (is_byte_level_) {
      top["normalizer"] = nullptr;
      top["pre_tokenizer"] = pre_tokenizer_named(*file_.text("tokenizer.ggml.pre"));
    } else {
      top["normalizer"] = {{"type", "Sequence"}, {"normalizers", Json::array()}};
      Json& steps = top["normalizer"]["normalizers"];
      const bool prefixed = !file_.has("tokenizer.ggml.add_space_prefix") ||
                            *file_.boolean("tokenizer.ggml.add_space_prefix");
      if (prefixed) steps.push_back({{"type", "Prepend"}, {"prepend", "\xE2\x96\x81"}});
      steps.push_back(
          {{"type", "Replace"}, {"pattern", {{"String", " "}}}, {"content", "\xE2\x96\x81"}});
    }
    // Put together as text: the objects are too large for a type that searches its keys one by one.
    std::string text = to_text(top);
    text.pop_back();
    return text + ",\"added_tokens\":" + added_tokens() + ",\"model\":" + model() + "}";
  }

 private:
  static std::string quoted(std::string_view text) { return to_text(Json(std::string(text))); }
  /// Whether the token stands in the list of added tokens: it is a control or a user-defined one.
  [[nodiscard]] bool is_added(std::size_t i) const { return kinds_[i] == 3 || kinds_[i] == 4; }

  [[nodiscard]] std::string added_tokens() const {
    Json all = Json::array();
    for (std::size_t i = 0; i < tokens_.size(); ++i) {
      if (!is_added(i)) continue;
      all.push_back({{"id", i},
                     {"content", std::string(tokens_[i])},
                     {"single_word", false},
                     {"lstrip", false},
                     {"rstrip", false},
                     {"normalized", false},
                     {"special", kinds_[i] == 3}});
    }
    return to_text(all);
  }

  [[nodiscard]] std::string model() const {
    std::string vocabulary;
    for (std::size_t i = 0; i < tokens_.size(); ++i) {
      // Byte-level files keep added tokens beside the vocabulary, SentencePiece's have them in
      // both.
      if (kinds_[i] == 5 || (is_byte_level_ && is_added(i))) continue;
      vocabulary += (vocabulary.empty() ? "" : ",") + quoted(tokens_[i]) + ":" + std::to_string(i);
    }
    const bool ignores = is_byte_level_ && *file_.text("tokenizer.ggml.pre") == "llama-bpe";
    const Json model = {{"type", "BPE"},
                        {"dropout", nullptr},
                        {"unk_token", is_byte_level_ ? Json() : Json("<unk>")},
                        {"fuse_unk", !is_byte_level_},
                        {"byte_fallback", !is_byte_level_},
                        {"ignore_merges", ignores}};
    std::string text = to_text(model);
    text.pop_back();
    return text + ",\"vocab\":{" + vocabulary + "},\"merges\":[" + merges() + "]}";
  }

  [[nodiscard]] std::string merge(std::string_view left, std::string_view right) const {
    if (spelling_ == MergeSpelling::Pair) return "[" + quoted(left) + "," + quoted(right) + "]";
    return quoted(std::string(left) + " " + std::string(right));
  }

  [[nodiscard]] std::string merges() const {
    std::string text;
    const auto add = [&](std::string_view left, std::string_view right) {
      text += (text.empty() ? "" : ",") + merge(left, right);
    };
    if (is_byte_level_) {
      const auto given = *file_.texts("tokenizer.ggml.merges");
      for (const std::string_view each : given) {
        const std::size_t space = each.find(' ', 1);
        add(each.substr(0, space), each.substr(space + 1));
      }
      return text;
    }
    for (const Pair& pair : pairs_of_scores()) add(pair.left, pair.right);
    return text;
  }

  struct Pair {
    std::string_view left;
    std::string_view right;
    float score;
  };

  /// `generate_merges` of Transformers.
  [[nodiscard]] std::vector<Pair> pairs_of_scores() const {
    const auto scores = *file_.numbers("tokenizer.ggml.scores");
    std::unordered_map<std::string_view, std::size_t> ids;
    for (std::size_t i = 0; i < tokens_.size(); ++i) ids[tokens_[i]] = i;
    std::vector<Pair> pairs;
    for (std::size_t i = 0; i < tokens_.size(); ++i) {
      const std::string_view token = tokens_[i];
      for (std::size_t at = 1; at < token.size(); ++at) {
        if (!ids.contains(token.substr(0, at)) || !ids.contains(token.substr(at))) continue;
        pairs.push_back({token.substr(0, at), token.substr(at), scores[i]});
      }
    }
    std::stable_sort(pairs.begin(), pairs.end(),
                     [](const Pair& a, const Pair& b) { return a.score > b.score; });
    return pairs;
  }

  const GgufFile& file_;
  MergeSpelling spelling_;
  std::vector<std::string_view> tokens_;
  std::vector<std::int64_t> kinds_;
  bool is_byte_level_ = true;
};

}  // namespace

FolderFiles folder_of_gguf(const GgufFile& file) { return FolderOfGguf(file).write(); }

std::string tokenizer_json_of_gguf(const GgufFile& file, MergeSpelling spelling) {
  return TokenizerOfGguf(file, spelling).write();
}

}  // namespace trialwright
