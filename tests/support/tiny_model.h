#pragma once

#include <cstdint>
#include <string>

#include "inference/gguf/tensor_type.h"
#include "tests/support/gguf_writer.h"

namespace trialwright {

/// A model with random weights that computes in microseconds.
struct TinyModel {
  std::string architecture = "llama";  ///< Or "qwen2", "qwen3", "gemma3".
  TensorType type = TensorType::F32;   ///< Of the matrices.
  bool tied = true;                    ///< The head is the embedding.
  int layers = 2;
  int embedding = 256;
  int heads = 4;
  int kv_heads = 2;
  int head_dim = 0;  ///< Named in the metadata; 0 leaves embedding / heads.
  int window = 12;   ///< Of every other layer, the first among them, of a gemma3.
  int feed_forward = 512;
  int vocabulary = 300;
  int context = 512;
  std::uint64_t seed = 1;
};

/// The model's file without a tokenizer; more keys can be added.
GgufWriter tiny_model_writer(const TinyModel& model);
/// The file's bytes.
std::string tiny_model_bytes(const TinyModel& model);

}  // namespace trialwright
