#include "inference/safetensors/folder_config.h"

#include <algorithm>
#include <cmath>
#include <iterator>
#include <numbers>
#include <string>

#include "inference/gguf/gguf_file.h"
#include "inference/safetensors/json_fields.h"

namespace trialwright {

namespace {

constexpr std::int64_t kSizeMax = 1 << 20;
constexpr std::int64_t kVocabularyMax = 1 << 21;
/// Of Gemma 3, every sixth layer attends to everything unless config.json says otherwise.
constexpr std::int64_t kSlidingPattern = 6;
constexpr double kSlidingRopeBase = 10000;
constexpr std::int64_t kLayersScaledByEmbedding = 62;

// Sources: configuration_*.py of Transformers; the classes of llama.cpp's converter.
constexpr FolderArchitecture kArchitectures[] = {
    {.class_name = "LlamaForCausalLM", .name = "llama", .permutes_rows = true},
    {.class_name = "MistralForCausalLM", .name = "llama", .permutes_rows = true},
    {.class_name = "Qwen2ForCausalLM", .name = "qwen2"},
    {.class_name = "Qwen3ForCausalLM", .name = "qwen3", .normalises_heads = true},
    {.class_name = "Gemma3ForCausalLM",
     .name = "gemma3",
     .shifts_norms = true,
     .normalises_heads = true,
     .has_four_norms = true,
     .tied_unless_said = true},
};

/// Reads config.json field by field into the metadata.
class ConfigFolder {
 public:
  ConfigFolder(std::string_view json, GgufMetadata& metadata)
      : fields_(json), metadata_(metadata) {}

  Result<FolderConfig> read() {
    find_architecture();
    if (fields_.error()) return *fields_.error();
    refuse_options();
    read_sizes();
    if (is_gemma()) {
      read_gemma_options();
    } else {
      refuse_windows();
    }
    read_rope();
    if (fields_.error()) return *fields_.error();
    return std::move(config_);
  }

 private:
  [[nodiscard]] bool is_gemma() const { return config_.architecture.name == "gemma3"; }

  void integer(const std::string& key, std::int64_t value) {
    metadata_.integer(std::string(config_.architecture.name) + "." + key, value);
  }
  void number(const std::string& key, double value) {
    metadata_.number(std::string(config_.architecture.name) + "." + key, static_cast<float>(value));
  }

  std::int64_t bounded(const std::string& key, std::int64_t value, std::int64_t max = kSizeMax) {
    if (!fields_.error() && (value < 1 || value > max)) {
      fields_.refuse(key,
                     "is " + std::to_string(value) + ", not between 1 and " + std::to_string(max));
    }
    return fields_.error() ? 1 : value;
  }
  std::int64_t size(const std::string& key) { return bounded(key, fields_.integer(key)); }
  std::int64_t size_or(const std::string& key, std::int64_t otherwise) {
    return bounded(key, fields_.integer_or(key, otherwise));
  }
  double positive(JsonFields& fields, const std::string& key, double value) {
    if (!fields.error() && !(value > 0 && value < 1e30)) {
      fields.refuse(key, "must be a positive number");
    }
    fields_.keep_of(fields);
    return fields_.error() ? 1 : value;
  }

  void find_architecture() {
    const auto names = fields_.texts("architectures");
    if (fields_.error()) return;
    if (names.size() != 1) {
      fields_.refuse("architectures", "must name one class");
      return;
    }
    const auto* found = std::find_if(
        std::begin(kArchitectures), std::end(kArchitectures),
        [&](const FolderArchitecture& known) { return known.class_name == names.front(); });
    if (found != std::end(kArchitectures)) {
      config_.architecture = *found;
      metadata_.text("general.architecture", found->name);
      return;
    }
    std::string known;
    for (const FolderArchitecture& each : kArchitectures) {
      known += (known.empty() ? "" : ", ") + std::string(each.class_name);
    }
    fields_.refuse("architectures",
                   "names \"" + shown_text(names.front()) + "\"; supported are " + known);
  }

  /// Everything that would change the numbers and that is not computed here.
  void refuse_options() {
    if (fields_.has("quantization_config")) {
      fields_.refuse("quantization_config", "is set; quantized weights are read from GGUF only");
    }
    for (const char* key : {"attention_bias", "mlp_bias", "use_bidirectional_attention"}) {
      if (fields_.flag_or(key, false)) fields_.refuse(key, "is set, which is not supported");
    }
    for (const char* key : {"attn_logit_softcapping", "final_logit_softcapping"}) {
      if (fields_.has(key)) fields_.refuse(key, "is set, which is not supported");
    }
    if (fields_.number_or("partial_rotary_factor", 1) != 1) {
      fields_.refuse("partial_rotary_factor", "is not 1, which is not supported");
    }
    const char* const wanted = is_gemma() ? "gelu_pytorch_tanh" : "silu";
    for (const char* key : {"hidden_act", "hidden_activation"}) {
      const std::string act = fields_.text_or(key, wanted);
      if (act != wanted) {
        fields_.refuse(key, "is \"" + shown_text(act) + "\"; only " + wanted +
                                " is supported with this architecture");
      }
    }
  }

  void read_sizes() {
    config_.layers = size("num_hidden_layers");
    config_.heads = is_gemma() ? size_or("num_attention_heads", 8) : size("num_attention_heads");
    config_.kv_heads = size_or("num_key_value_heads", is_gemma() ? 4 : config_.heads);
    config_.vocabulary = bounded("vocab_size", fields_.integer("vocab_size"), kVocabularyMax);
    config_.tied = fields_.flag_or("tie_word_embeddings", config_.architecture.tied_unless_said);
    embedding_ = size("hidden_size");
    head_dim_ = size_or("head_dim", default_head_dim());
    context_ = bounded("max_position_embeddings",
                       is_gemma() ? fields_.integer_or("max_position_embeddings", 131072)
                                  : fields_.integer("max_position_embeddings"));
    const double epsilon =
        is_gemma() ? fields_.number_or("rms_norm_eps", 1e-6) : fields_.number("rms_norm_eps");
    integer("block_count", config_.layers);
    integer("context_length", context_);
    integer("embedding_length", embedding_);
    integer("feed_forward_length", size("intermediate_size"));
    integer("attention.head_count", config_.heads);
    integer("attention.head_count_kv", config_.kv_heads);
    integer("attention.key_length", head_dim_);
    integer("attention.value_length", head_dim_);
    integer("vocab_size", config_.vocabulary);
    number("attention.layer_norm_rms_epsilon", positive(fields_, "rms_norm_eps", epsilon));
  }

  [[nodiscard]] std::int64_t default_head_dim() const {
    if (is_gemma()) return 256;
    if (config_.architecture.name == "qwen3") return 128;
    return std::max<std::int64_t>(1, embedding_ / config_.heads);
  }

  void read_gemma_options() {
    integer("attention.sliding_window", size("sliding_window"));
    const std::int64_t pattern =
        bounded("sliding_window_pattern",
                fields_.integer_or("sliding_window_pattern",
                                   fields_.integer_or("_sliding_window_pattern", kSlidingPattern)));
    integer("attention.sliding_window_pattern", pattern);
    const auto types = fields_.texts("layer_types");
    if (!types.empty() && types.size() != static_cast<std::size_t>(config_.layers)) {
      fields_.refuse("layer_types", "must name every layer");
    }
    for (std::size_t i = 0; i < types.size(); ++i) {
      const bool full = (static_cast<std::int64_t>(i) + 1) % pattern == 0;
      if (types[i] != (full ? "full_attention" : "sliding_attention")) {
        fields_.refuse("layer_types", "must have full attention in one of every " +
                                          std::to_string(pattern) + " layers, the last of them");
        return;
      }
    }
    // The size that GGUF has no key for is told by its number of layers, as in llama.cpp.
    const auto scale = static_cast<double>(
        config_.layers == kLayersScaledByEmbedding ? embedding_ / config_.heads : head_dim_);
    if (fields_.number_or("query_pre_attn_scalar", scale) != scale) {
      fields_.refuse("query_pre_attn_scalar", "is not the size of a head, which is not supported");
    }
  }

  /// A window that hides nothing within the context changes nothing.
  void refuse_windows() {
    const auto types = fields_.texts("layer_types");
    const bool slides = std::any_of(types.begin(), types.end(), [](const std::string& type) {
      return type != "full_attention";
    });
    if (slides) fields_.refuse("layer_types", "has layers of another kind than full_attention");
    // Qwen names a window and says beside it whether it is used; Mistral only names it.
    const bool used = fields_.flag_or("use_sliding_window",
                                      config_.architecture.class_name == "MistralForCausalLM");
    if (used && fields_.integer_or("sliding_window", context_) < context_) {
      fields_.refuse("sliding_window", "is smaller than the context, which is not supported");
    }
  }

  /// Older files have rope_theta and rope_scaling, newer ones rope_parameters with both in it, and
  /// of Gemma 3 one such object for each kind of layer.
  void read_rope() {
    const bool is_new = fields_.has("rope_parameters");
    JsonFields scaling = fields_.object(is_new ? "rope_parameters" : "rope_scaling");
    double sliding_base = fields_.number_or("rope_local_base_freq", kSlidingRopeBase);
    if (is_new && scaling.has("full_attention")) {
      JsonFields sliding = scaling.object("sliding_attention");
      sliding_base = sliding.number_or("rope_theta", kSlidingRopeBase);
      fields_.keep_of(sliding);
      scaling = scaling.object("full_attention");
    }
    if (is_gemma()) {
      number("rope.freq_base_swa", positive(fields_, "rope_local_base_freq", sliding_base));
    }
    const double otherwise = is_gemma() ? 1e6 : 10000;
    const double base =
        scaling.has("rope_theta")
            ? positive(scaling, "rope_theta", scaling.number("rope_theta"))
            : positive(fields_, "rope_theta", fields_.number_or("rope_theta", otherwise));
    number("rope.freq_base", base);
    integer("rope.dimension_count", head_dim_);
    const std::string kind = scaling.text_or("rope_type", scaling.text_or("type", "default"));
    if (kind == "linear") {
      metadata_.text(std::string(config_.architecture.name) + ".rope.scaling.type", "linear");
      number("rope.scaling.factor", positive(scaling, "factor", scaling.number("factor")));
    } else if (kind == "llama3" && config_.architecture.name == "llama") {
      read_llama3(scaling, base);
    } else if (kind != "default") {
      scaling.refuse("rope_type", "is \"" + shown_text(kind) + "\", which is not supported with " +
                                      std::string(config_.architecture.class_name));
    }
    fields_.keep_of(scaling);
  }

  void read_llama3(JsonFields& scaling, double base) {
    Llama3Scaling llama3;
    const auto read = [&](const char* key) { return positive(scaling, key, scaling.number(key)); };
    llama3.factor = read("factor");
    llama3.low_freq_factor = read("low_freq_factor");
    llama3.high_freq_factor = read("high_freq_factor");
    llama3.original_context_tokens = read("original_max_position_embeddings");
    if (fields_.error()) return;
    if (!(llama3.low_freq_factor < llama3.high_freq_factor)) {
      scaling.refuse("high_freq_factor", "must be larger than low_freq_factor");
      return;
    }
    config_.rope_factors = llama3_rope_factors(llama3, base, head_dim_);
  }

  JsonFields fields_;
  GgufMetadata& metadata_;
  FolderConfig config_;
  std::int64_t embedding_ = 1;
  std::int64_t head_dim_ = 1;
  std::int64_t context_ = 1;
};

}  // namespace

std::vector<float> llama3_rope_factors(const Llama3Scaling& scaling, double rope_base,
                                       std::int64_t head_dim) {
  const double longest = scaling.original_context_tokens / scaling.low_freq_factor;
  const double shortest = scaling.original_context_tokens / scaling.high_freq_factor;
  std::vector<float> factors;
  for (std::int64_t i = 0; i + 1 < head_dim; i += 2) {
    const double exponent = static_cast<double>(i) / static_cast<double>(head_dim);
    const double wave = 2 * std::numbers::pi * std::pow(rope_base, exponent);
    double factor = 1;
    if (wave > longest) {
      factor = scaling.factor;
    } else if (wave >= shortest) {
      const double smooth = (scaling.original_context_tokens / wave - scaling.low_freq_factor) /
                            (scaling.high_freq_factor - scaling.low_freq_factor);
      factor = 1 / ((1 - smooth) / scaling.factor + smooth);
    }
    factors.push_back(static_cast<float>(factor));
  }
  return factors;
}

Result<FolderConfig> read_folder_config(std::string_view json, GgufMetadata& metadata) {
  return ConfigFolder(json, metadata).read();
}

}  // namespace trialwright
