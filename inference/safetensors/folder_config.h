#pragma once

#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

#include "base/result.h"
#include "inference/gguf/gguf_metadata.h"

namespace trialwright {

/// What tells the architectures that a folder can name from each other.
struct FolderArchitecture {
  std::string_view class_name;  ///< As config.json has it: "LlamaForCausalLM".
  std::string_view name;        ///< As GGUF has it: "llama".
  /// Rows of the query and key matrices change places: the rotary embedding of this architecture
  /// turns neighbours together in GGUF, and numbers that are half a head apart in Transformers.
  bool permutes_rows = false;
  /// Norms multiply by one more than their weight, which GGUF stores with the one added.
  bool shifts_norms = false;
  bool normalises_heads = false;  ///< Queries and keys have norms of their own.
  bool has_four_norms = false;    ///< A layer has norms behind attention and feed-forward, too.
  bool tied_unless_said = false;  ///< What a config.json without "tie_word_embeddings" means.
};

/// The part of config.json that readers of other files of the folder need.
struct FolderConfig {
  FolderArchitecture architecture;
  std::int64_t layers = 0;
  std::int64_t heads = 0;
  std::int64_t kv_heads = 0;
  std::int64_t vocabulary = 0;
  bool tied = false;  ///< The head is the embedding.
  /// Divisors of the rope angles, half a head of them; empty unless the kind of scaling is llama3.
  std::vector<float> rope_factors;
};

/// Reads config.json and adds what it says to `metadata` under the names of llama.cpp's converter.
///
/// Errors: Invalid, naming the field; an architecture, a kind of rope scaling or an option that we
/// do not compute is named.
Result<FolderConfig> read_folder_config(std::string_view json, GgufMetadata& metadata);

/// The divisors of the rope angles of Llama 3.1 and later: long waves are stretched by `factor`,
/// short ones stay, and those between go over smoothly (`_compute_llama3_parameters` in
/// Transformers; the tensor rope_freqs of llama.cpp's converter).
struct Llama3Scaling {
  double factor = 8;
  double low_freq_factor = 1;
  double high_freq_factor = 4;
  double original_context_tokens = 8192;
};
std::vector<float> llama3_rope_factors(const Llama3Scaling& scaling, double rope_base,
                                       std::int64_t head_dim);

}  // namespace trialwright
