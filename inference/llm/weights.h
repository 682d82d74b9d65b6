#pragma once

#include <cstdint>
#include <span>
#include <vector>

#include "base/result.h"
#include "inference/cpu/arena.h"
#include "inference/cpu/packed_matrix.h"
#include "inference/gguf/gguf_file.h"
#include "inference/llm/model_config.h"

namespace trialwright {

/// One layer's weights. A bias or norm is empty where the architecture has none.
struct LayerWeights {
  std::vector<float> attention_norm;
  PackedMatrix query;
  PackedMatrix key;
  PackedMatrix value;
  std::vector<float> query_bias;
  std::vector<float> key_bias;
  std::vector<float> value_bias;
  std::vector<float> query_norm;  ///< Of each head.
  std::vector<float> key_norm;
  PackedMatrix attention_output;
  std::vector<float> attention_post_norm;
  std::vector<float> feed_forward_norm;
  PackedMatrix gate;
  PackedMatrix up;
  PackedMatrix down;
  std::vector<float> feed_forward_post_norm;
};

/// A model's weights, repacked for the kernels. Const after loading; any thread.
class Weights {
 public:
  /// Takes the file over: embeddings are read from it row by row.
  ///
  /// Errors: Invalid, naming file and tensor, if one is missing, has another shape than the
  /// metadata says or is none that we compute with, or if the file holds a vocabulary only;
  /// Unavailable if memory runs out.
  static Result<Weights> load(ThreadPool& pool, GgufFile file, const ModelConfig& config);

  /// Writes the embedding of a token. 0 <= id < vocabulary(), out.size() == config.embedding.
  void embed(std::int32_t id, std::span<float> out) const;

  [[nodiscard]] int vocabulary() const { return head_.rows(); }
  [[nodiscard]] const std::vector<LayerWeights>& layers() const { return layers_; }
  [[nodiscard]] const std::vector<float>& output_norm() const { return output_norm_; }
  /// Maps the last layer's output to logits; the embedding itself where the two are tied.
  [[nodiscard]] const PackedMatrix& head() const { return head_; }
  /// Divisors of the rope angles (Llama 3); empty for other models.
  [[nodiscard]] const std::vector<float>& rope_factors() const { return rope_factors_; }

 private:
  explicit Weights(GgufFile file) : file_(std::move(file)) {}

  GgufFile file_;
  const GgufTensor* embedding_ = nullptr;  ///< Of file_.
  std::size_t embedding_row_bytes_ = 0;
  Arena arena_;
  std::vector<LayerWeights> layers_;
  std::vector<float> output_norm_;
  std::vector<float> rope_factors_;
  PackedMatrix head_;
};

}  // namespace trialwright
