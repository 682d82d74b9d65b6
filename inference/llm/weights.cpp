#include "inference/llm/weights.h"

#include <optional>
#include <set>
#include <string>
#include <utility>

#include "inference/cpu/quant.h"

namespace trialwright {
namespace {

/// Finds tensors, checks their shapes and repacks them. After the first error it does nothing more,
/// so that the list of weights reads as a list.
class WeightLoader {
 public:
  WeightLoader(ThreadPool& pool, Arena& arena, const GgufFile& file)
      : pool_(pool), arena_(arena), file_(file) {}

  PackedMatrix matrix(const std::string& name, std::int64_t rows, std::int64_t cols) {
    const GgufTensor* tensor = find(name, {cols, rows});
    if (tensor == nullptr) {
      return {};
    }
    auto packed = PackedMatrix::pack(pool_, arena_, tensor->type, rows, cols, tensor->data);
    if (!packed) {
      error_ = packed.error().during(file_.name() + ": tensor \"" + name + "\"");
      return {};
    }
    return *packed;
  }

  std::vector<float> vector(const std::string& name, std::int64_t size) {
    const GgufTensor* tensor = find(name, {size});
    if (tensor == nullptr) {
      return {};
    }
    std::vector<float> values(static_cast<std::size_t>(size));
    dequantize_row(tensor->type, tensor->data, values);
    return values;
  }

  /// Null, with an error kept, if the tensor is missing or does not fit.
  const GgufTensor* find(const std::string& name, const std::vector<std::int64_t>& shape) {
    if (error_) {
      return nullptr;
    }
    asked_for_.insert(name);
    const GgufTensor* tensor = file_.tensor(name);
    if (tensor == nullptr) {
      error_ = invalid(file_.name() + ": tensor \"" + name + "\" is missing");
    } else if (!tensor_type_traits(tensor->type)) {
      error_ = invalid(file_.name() + ": tensor \"" + name + "\" has " +
                       tensor_type_name(tensor->type) + ", which is not supported");
    } else if (tensor->shape != shape) {
      error_ =
          invalid(file_.name() + ": tensor \"" + name + "\" has shape " +
                  shape_text(tensor->shape) + ", but the metadata asks for " + shape_text(shape));
    } else {
      return tensor;
    }
    return nullptr;
  }

  /// Keeps an error for a tensor that nobody asked for: a bias or a norm of a kind that we do not
  /// compute would be missing from every number, and nothing else would tell.
  void refuse_others() {
    for (const GgufTensor& tensor : file_.tensors()) {
      // Old converters stored the angles of the rotary embedding, which are computed.
      const bool is_computed = tensor.name.find("attn_rot_embd") != std::string::npos;
      if (!error_ && !is_computed && !asked_for_.contains(tensor.name)) {
        error_ = invalid(file_.name() + ": tensor \"" + shown_text(tensor.name) +
                         "\" is not one that this architecture is computed with here");
      }
    }
  }

  [[nodiscard]] const std::optional<Error>& error() const { return error_; }

 private:
  static std::string shape_text(const std::vector<std::int64_t>& shape) {
    std::string text;
    for (const std::int64_t size : shape) {
      text += (text.empty() ? "" : " x ") + std::to_string(size);
    }
    return text;
  }

  ThreadPool& pool_;
  Arena& arena_;
  const GgufFile& file_;
  std::set<std::string> asked_for_;
  std::optional<Error> error_;
};

LayerWeights load_layer(WeightLoader& loader, const ModelConfig& config, int index) {
  const std::string at = "blk." + std::to_string(index) + ".";
  const int embedding = config.embedding;
  LayerWeights layer;
  layer.attention_norm = loader.vector(at + "attn_norm.weight", embedding);
  layer.query = loader.matrix(at + "attn_q.weight", config.query_size(), embedding);
  layer.key = loader.matrix(at + "attn_k.weight", config.kv_size(), embedding);
  layer.value = loader.matrix(at + "attn_v.weight", config.kv_size(), embedding);
  if (config.attention_bias) {
    layer.query_bias = loader.vector(at + "attn_q.bias", config.query_size());
    layer.key_bias = loader.vector(at + "attn_k.bias", config.kv_size());
    layer.value_bias = loader.vector(at + "attn_v.bias", config.kv_size());
  }
  if (config.head_norms) {
    layer.query_norm = loader.vector(at + "attn_q_norm.weight", config.head_dim);
    layer.key_norm = loader.vector(at + "attn_k_norm.weight", config.head_dim);
  }
  layer.attention_output = loader.matrix(at + "attn_output.weight", embedding, config.query_size());
  layer.feed_forward_norm = loader.vector(at + "ffn_norm.weight", embedding);
  layer.gate = loader.matrix(at + "ffn_gate.weight", config.feed_forward, embedding);
  layer.up = loader.matrix(at + "ffn_up.weight", config.feed_forward, embedding);
  layer.down = loader.matrix(at + "ffn_down.weight", embedding, config.feed_forward);
  if (config.post_norms) {
    layer.attention_post_norm = loader.vector(at + "post_attention_norm.weight", embedding);
    layer.feed_forward_post_norm = loader.vector(at + "post_ffw_norm.weight", embedding);
  }
  return layer;
}

}  // namespace

Result<Weights> Weights::load(ThreadPool& pool, GgufFile file, const ModelConfig& config) {
  Weights weights(std::move(file));
  const GgufFile& source = weights.file_;
  WeightLoader loader(pool, weights.arena_, source);
  const GgufTensor* embedding = source.tensor("token_embd.weight");
  // The size of the vocabulary follows from the embedding; all else is checked against it.
  const std::int64_t vocabulary =
      embedding != nullptr && embedding->shape.size() == 2 ? embedding->shape[1] : 1;
  weights.embedding_ = loader.find("token_embd.weight", {config.embedding, vocabulary});
  for (int i = 0; i < config.layers && !loader.error(); ++i) {
    weights.layers_.push_back(load_layer(loader, config, i));
  }
  weights.output_norm_ = loader.vector("output_norm.weight", config.embedding);
  if (source.tensor("rope_freqs.weight") != nullptr) {
    weights.rope_factors_ = loader.vector("rope_freqs.weight", config.rope_dimensions / 2);
  }
  const bool tied = source.tensor("output.weight") == nullptr;
  weights.head_ =
      loader.matrix(tied ? "token_embd.weight" : "output.weight", vocabulary, config.embedding);
  loader.refuse_others();
  if (loader.error()) {
    return *loader.error();
  }
  weights.embedding_row_bytes_ =
      weights.embedding_->data.size() / static_cast<std::size_t>(vocabulary);
  return weights;
}

void Weights::embed(std::int32_t id, std::span<float> out) const {
  dequantize_row(embedding_->type,
                 embedding_->data.subspan(static_cast<std::size_t>(id) * embedding_row_bytes_,
                                          embedding_row_bytes_),
                 out);
}

}  // namespace trialwright
