#include "inference/llm/model_config.h"

#include <algorithm>
#include <cmath>
#include <iterator>

#include "inference/cpu/attention.h"

namespace trialwright {
namespace {

/// What the metadata does not say of an architecture. One that differs from these in nothing else
/// is one more line of the table.
struct Architecture {
  const char* name;
  RopeLayout rope_layout = RopeLayout::Halves;
  bool attention_bias = false;
  bool head_norms = false;
  bool post_norms = false;
  Activation activation = Activation::Silu;
  bool scales_embedding = false;  ///< By the square root of its size.
  /// Where the metadata names a window: of so many layers the last sees everything, the others only
  /// the window. 0: the architecture has no windows.
  int window_pattern = 0;
  /// Number of layers of the one size whose attention scale follows from embedding / heads instead
  /// of the size of a head; 0: there is none.
  int layers_scaled_by_embedding = 0;
};

// Sources: src/models/{llama,qwen2,qwen3,gemma3}.cpp of llama.cpp. Llama's converter permutes the
// rows of q and k so that adjacent numbers are turned together; Gemma's adds the 1 that the model
// adds to the weights of its norms.
constexpr Architecture kArchitectures[] = {
    {.name = "llama", .rope_layout = RopeLayout::Adjacent},
    {.name = "qwen2", .attention_bias = true},
    {.name = "qwen3", .head_norms = true},
    {.name = "gemma3",
     .head_norms = true,
     .post_norms = true,
     .activation = Activation::GeluTanh,
     .scales_embedding = true,
     .window_pattern = 6,
     .layers_scaled_by_embedding = 62},
};

/// "llama, qwen2 and so on", for messages.
std::string known_architectures() {
  std::string names;
  for (const Architecture& known : kArchitectures) {
    names += names.empty() ? "" : &known == std::end(kArchitectures) - 1 ? " and " : ", ";
    names += known.name;
  }
  return names;
}

constexpr std::int64_t kSizeMax = 1 << 20;

/// Reads a file's keys and keeps the first error, so that the fields below read as a list.
class ConfigReader {
 public:
  ConfigReader(const GgufFile& file, std::string prefix)
      : file_(file), prefix_(std::move(prefix)) {}

  int size(const std::string& key) { return bounded(key, file_.integer(prefix_ + key)); }
  int size_or(const std::string& key, int otherwise) {
    return file_.has(prefix_ + key) ? size(key) : otherwise;
  }
  float number(const std::string& key) {
    auto value = file_.number(prefix_ + key);
    if (!value) {
      keep(value.error());
      return 1;
    }
    if (!(*value > 0 && *value < 1e30)) {
      keep(wrong(key, "must be a positive number"));
    }
    return static_cast<float>(*value);
  }
  float number_or(const std::string& key, float otherwise) {
    return file_.has(prefix_ + key) ? number(key) : otherwise;
  }
  // 0 where the key is absent or says 0, which turns an option off.
  int size_or_off(const std::string& key) {
    const auto value = file_.integer(prefix_ + key);
    return !file_.has(prefix_ + key) || (value && *value == 0) ? 0 : size(key);
  }
  float number_or_off(const std::string& key) {
    const auto value = file_.number(prefix_ + key);
    return !file_.has(prefix_ + key) || (value && *value == 0) ? 0 : number(key);
  }
  void keep(Error error) {
    if (!error_) {
      error_ = std::move(error);
    }
  }
  [[nodiscard]] Error wrong(const std::string& key, const std::string& what) const {
    return invalid(file_.name() + ": metadata key \"" + prefix_ + key + "\" " + what);
  }
  [[nodiscard]] const std::optional<Error>& error() const { return error_; }

 private:
  int bounded(const std::string& key, const Result<std::int64_t>& value) {
    if (!value) {
      keep(value.error());
      return 1;
    }
    if (*value < 1 || *value > kSizeMax) {
      keep(wrong(
          key, "is " + std::to_string(*value) + ", not between 1 and " + std::to_string(kSizeMax)));
      return 1;
    }
    return static_cast<int>(*value);
  }

  const GgufFile& file_;
  std::string prefix_;
  std::optional<Error> error_;
};

void read_rope(const GgufFile& file, ConfigReader& reader, ModelConfig& config) {
  config.rope_dimensions = reader.size_or("rope.dimension_count", config.head_dim);
  config.rope.base = reader.number_or("rope.freq_base", 10000.0F);
  if (config.rope_dimensions % 2 != 0 || config.rope_dimensions > config.head_dim) {
    reader.keep(reader.wrong("rope.dimension_count", "does not fit the size of a head"));
  }
  const std::string key = config.architecture + ".rope.scaling.type";
  // As llama.cpp has it: linear unless something else is named, and an old name of the factor.
  auto scaling = file.has(key) ? file.text(key) : Result<std::string>("linear");
  const float factor =
      reader.number_or("rope.scaling.factor", reader.number_or("rope.scale_linear", 1.0F));
  if (!scaling) {
    reader.keep(scaling.error());
  } else if (*scaling == "linear") {
    config.rope.scale = 1.0F / factor;
  } else if (*scaling == "yarn") {
    config.rope = yarn_scaling(
        config.rope_dimensions, config.rope.base, factor,
        reader.size_or("rope.scaling.original_context_length", config.context_tokens_max));
  } else if (*scaling != "none") {
    reader.keep(reader.wrong(
        "rope.scaling.type",
        "is \"" + shown_text(*scaling) + "\"; only none, linear and yarn are supported"));
  }
  config.rope.magnitude *= reader.number_or("rope.scaling.attn_factor", 1.0F);
  // Layers with a window never see far, so what stretches the others does not apply to them.
  config.window_rope = {.base = reader.number_or("rope.freq_base_swa", 10000.0F)};
}

void read_windows(ConfigReader& reader, const Architecture& architecture, ModelConfig& config) {
  const int window =
      architecture.window_pattern == 0 ? 0 : reader.size_or_off("attention.sliding_window");
  const int pattern =
      window == 0 ? 1
                  : reader.size_or("attention.sliding_window_pattern", architecture.window_pattern);
  for (int i = 0; i < config.layers; ++i) {
    config.windows.push_back(i % pattern == pattern - 1 ? 0 : window);
  }
}

/// Llama.cpp knows the size that is scaled otherwise by its number of layers, too: the metadata has
/// no key for it.
float attention_scale(const Architecture& architecture, const ModelConfig& config) {
  const bool by_embedding = config.layers == architecture.layers_scaled_by_embedding;
  const int size = by_embedding ? config.embedding / config.heads : config.head_dim;
  return 1.0F / std::sqrt(static_cast<float>(size));
}

}  // namespace

Result<ModelConfig> read_model_config(const GgufFile& file) {
  auto name = file.text("general.architecture");
  if (!name) {
    return name.error();
  }
  const auto* architecture =
      std::find_if(std::begin(kArchitectures), std::end(kArchitectures),
                   [&](const Architecture& known) { return known.name == *name; });
  if (architecture == std::end(kArchitectures)) {
    return invalid(file.name() + ": the architecture \"" + shown_text(*name) +
                   "\" is not supported; " + known_architectures() + " are");
  }
  ConfigReader reader(file, *name + ".");
  ModelConfig config;
  config.architecture = *name;
  config.rope_layout = architecture->rope_layout;
  config.attention_bias = architecture->attention_bias;
  config.head_norms = architecture->head_norms;
  config.post_norms = architecture->post_norms;
  config.activation = architecture->activation;
  config.layers = reader.size("block_count");
  config.embedding = reader.size("embedding_length");
  config.feed_forward = reader.size("feed_forward_length");
  config.context_tokens_max = reader.size("context_length");
  config.heads = reader.size("attention.head_count");
  config.kv_heads = reader.size_or("attention.head_count_kv", config.heads);
  config.norm_epsilon = reader.number("attention.layer_norm_rms_epsilon");
  config.head_dim =
      reader.size_or("attention.key_length", std::max(1, config.embedding / config.heads));
  if (architecture->scales_embedding) {
    config.embedding_scale = std::sqrt(static_cast<float>(config.embedding));
  }
  config.attention_scale = attention_scale(*architecture, config);
  config.attention_softcap = reader.number_or_off("attn_logit_softcapping");
  config.logit_softcap = reader.number_or_off("final_logit_softcapping");
  read_rope(file, reader, config);
  read_windows(reader, *architecture, config);
  if (reader.size_or("attention.value_length", config.head_dim) != config.head_dim) {
    reader.keep(reader.wrong("attention.value_length", "must equal attention.key_length"));
  }
  if (config.heads % config.kv_heads != 0) {
    reader.keep(reader.wrong("attention.head_count", "is no multiple of attention.head_count_kv"));
  }
  if (reader.size_or("expert_count", 1) != 1) {
    reader.keep(reader.wrong("expert_count", "is set; mixtures of experts are not supported"));
  }
  if (!attention_supports(config.head_dim)) {
    reader.keep(invalid(file.name() + ": heads of " + std::to_string(config.head_dim) +
                        " numbers are not supported"));
  }
  if (reader.error()) {
    return *reader.error();
  }
  return config;
}

}  // namespace trialwright
