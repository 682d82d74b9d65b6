#include "inference/llm/model_config.h"

#include <algorithm>
#include <iterator>

#include "inference/cpu/attention.h"

namespace trialwright {
namespace {

/// What the metadata does not say of an architecture.
struct Architecture {
  const char* name;
  RopeLayout rope_layout;
  bool attention_bias;
};

// Sources: src/models/llama.cpp and qwen2.cpp of llama.cpp. Llama's converter permutes the rows of
// q and k so that adjacent numbers are turned together.
constexpr Architecture kArchitectures[] = {
    {"llama", RopeLayout::Adjacent, false},
    {"qwen2", RopeLayout::Halves, true},
};

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
  config.rope_base = reader.number_or("rope.freq_base", 10000.0F);
  if (config.rope_dimensions % 2 != 0 || config.rope_dimensions > config.head_dim) {
    reader.keep(reader.wrong("rope.dimension_count", "does not fit the size of a head"));
  }
  const std::string key = config.architecture + ".rope.scaling.type";
  // As llama.cpp has it: linear unless something else is named, and an old name of the factor.
  auto scaling = file.has(key) ? file.text(key) : Result<std::string>("linear");
  if (!scaling) {
    reader.keep(scaling.error());
  } else if (*scaling == "linear") {
    config.rope_scale =
        1.0F / reader.number_or("rope.scaling.factor", reader.number_or("rope.scale_linear", 1.0F));
  } else if (*scaling != "none") {
    reader.keep(reader.wrong("rope.scaling.type",
                             "is \"" + *scaling + "\"; only none and linear are supported"));
  }
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
                   "\" is not supported; llama and qwen2 are");
  }
  ConfigReader reader(file, *name + ".");
  ModelConfig config;
  config.architecture = *name;
  config.rope_layout = architecture->rope_layout;
  config.attention_bias = architecture->attention_bias;
  config.layers = reader.size("block_count");
  config.embedding = reader.size("embedding_length");
  config.feed_forward = reader.size("feed_forward_length");
  config.context_tokens_max = reader.size("context_length");
  config.heads = reader.size("attention.head_count");
  config.kv_heads = reader.size_or("attention.head_count_kv", config.heads);
  config.norm_epsilon = reader.number("attention.layer_norm_rms_epsilon");
  config.head_dim =
      reader.size_or("attention.key_length", std::max(1, config.embedding / config.heads));
  read_rope(file, reader, config);
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
