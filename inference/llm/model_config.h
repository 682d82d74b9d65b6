#pragma once

#include <string>
#include <vector>

#include "base/result.h"
#include "inference/cpu/rope_table.h"
#include "inference/gguf/gguf_file.h"

namespace trialwright {

/// Which numbers of a head the rotary embedding turns together.
enum class RopeLayout {
  Adjacent,  ///< (2i, 2i + 1)
  Halves,    ///< (i, i + n / 2), "NEOX"
};

/// What the feed-forward block does to its gate.
enum class Activation {
  Silu,      ///< z / (1 + e^-z)
  GeluTanh,  ///< The tanh approximation of GELU (Hendrycks and Gimpel, 2016).
};

/// The shape of a decoder-only transformer and what tells its architecture from the others.
///
/// A layer is x += post(attention(norm(x))), then x += post(feed_forward(norm(x))); the options
/// below say what is in it beyond that.
struct ModelConfig {
  std::string architecture;  ///< One of the table in model_config.cpp.
  int layers = 0;
  int embedding = 0;     ///< Numbers that stand for a token between layers.
  int heads = 0;         ///< Query heads.
  int kv_heads = 0;      ///< Key and value heads; divides `heads`.
  int head_dim = 0;      ///< Numbers of a head.
  int feed_forward = 0;  ///< Numbers between the gate and down matrices.
  int context_tokens_max = 0;
  float norm_epsilon = 0;
  RopeLayout rope_layout = RopeLayout::Adjacent;
  int rope_dimensions = 0;  ///< Numbers of a head that are turned; the rest stay.
  RopeScaling rope;
  RopeScaling window_rope;      ///< Of the layers that have a window.
  bool attention_bias = false;  ///< Queries, keys and values have a bias.
  bool head_norms = false;      ///< Each head's queries and keys are normalized before rope.
  bool post_norms = false;      ///< What a block adds is normalized first ("post" above).
  Activation activation = Activation::Silu;
  float embedding_scale = 1;    ///< Multiplies the embedding of a token.
  float attention_scale = 1;    ///< Multiplies the products of queries and keys.
  float attention_softcap = 0;  ///< If not 0, scores s become cap × tanh(s / cap).
  float logit_softcap = 0;      ///< The same for logits.
  /// By layer: how many positions a token sees, its own the last of them; 0: all before it.
  std::vector<int> windows;

  [[nodiscard]] int query_size() const { return heads * head_dim; }
  [[nodiscard]] int kv_size() const { return kv_heads * head_dim; }
};

/// Reads the metadata of a model file.
///
/// Errors: Invalid, naming file and key; an architecture or a kind of rope scaling that we do not
/// have is named.
Result<ModelConfig> read_model_config(const GgufFile& file);

}  // namespace trialwright
