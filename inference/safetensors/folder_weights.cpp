#include "inference/safetensors/folder_weights.h"

#include <algorithm>
#include <cstring>

#include "inference/cpu/quant.h"

namespace trialwright {

namespace {

struct TensorName {
  std::string_view transformers;
  std::string_view gguf;
};

constexpr std::string_view kLayer = "model.layers.";
constexpr std::string_view kEmbedding = "model.embed_tokens.weight";
constexpr std::string_view kHead = "lm_head.weight";

// Of a layer, "model.layers.N." and "blk.N." left out (gguf-py's tensor_mapping.py).
constexpr TensorName kLayerNames[] = {
    {"input_layernorm.weight", "attn_norm.weight"},
    {"self_attn.q_proj.weight", "attn_q.weight"},
    {"self_attn.q_proj.bias", "attn_q.bias"},
    {"self_attn.k_proj.weight", "attn_k.weight"},
    {"self_attn.k_proj.bias", "attn_k.bias"},
    {"self_attn.v_proj.weight", "attn_v.weight"},
    {"self_attn.v_proj.bias", "attn_v.bias"},
    {"self_attn.q_norm.weight", "attn_q_norm.weight"},
    {"self_attn.k_norm.weight", "attn_k_norm.weight"},
    {"self_attn.o_proj.weight", "attn_output.weight"},
    {"mlp.gate_proj.weight", "ffn_gate.weight"},
    {"mlp.up_proj.weight", "ffn_up.weight"},
    {"mlp.down_proj.weight", "ffn_down.weight"},
};
// What the names of norms stand for depends on how many a layer has.
constexpr TensorName kTwoNorms[] = {{"post_attention_layernorm.weight", "ffn_norm.weight"}};
constexpr TensorName kFourNorms[] = {
    {"post_attention_layernorm.weight", "post_attention_norm.weight"},
    {"pre_feedforward_layernorm.weight", "ffn_norm.weight"},
    {"post_feedforward_layernorm.weight", "post_ffw_norm.weight"},
};

std::optional<std::string_view> find_name(std::span<const TensorName> names,
                                          std::string_view name) {
  for (const TensorName& each : names) {
    if (each.transformers == name) return each.gguf;
  }
  return std::nullopt;
}

std::string tensor_text(std::string_view name) { return "tensor \"" + shown_text(name) + "\""; }

/// Row `row` of a head of `rows` rows in Transformers' order, by its place in GGUF's.
std::size_t unpermuted_row(std::size_t row, std::size_t rows) {
  return row % 2 * (rows / 2) + row / 2;
}

class FolderTensors {
 public:
  FolderTensors(const FolderConfig& config, ModelTensors& tensors)
      : config_(config), tensors_(tensors) {}

  Result<void> add(const SafetensorsTensor& tensor) {
    const bool is_computed = tensor.name.ends_with("rotary_emb.inv_freq");
    if (is_computed || (config_.tied && tensor.name == kHead)) return {};
    has_head_ = has_head_ || tensor.name == kHead;
    GgufTensor added;
    added.name = gguf_tensor_name(config_.architecture, tensor.name).value_or(tensor.name);
    added.type = tensor.type;
    added.shape.assign(tensor.shape.rbegin(), tensor.shape.rend());
    if (added.shape.empty()) added.shape.push_back(1);
    added.data = tensor.data;
    if (tensor.name == kEmbedding && added.shape.back() != config_.vocabulary) {
      return invalid(tensor_text(tensor.name) + " has " + std::to_string(added.shape.back()) +
                     " rows, but \"vocab_size\" in config.json is " +
                     std::to_string(config_.vocabulary));
    }
    if (auto changed = change(tensor.name, added); !changed) return changed;
    tensors_.tensors.push_back(std::move(added));
    return {};
  }

  Result<void> finish() {
    if (!config_.tied && !has_head_) {
      return invalid(tensor_text(kHead) +
                     " is missing, and \"tie_word_embeddings\" in config.json is not true");
    }
    if (config_.rope_factors.empty()) return {};
    GgufTensor factors;
    factors.name = "rope_freqs.weight";
    factors.shape = {static_cast<std::int64_t>(config_.rope_factors.size())};
    factors.data = keep(std::as_bytes(std::span(config_.rope_factors)));
    tensors_.tensors.push_back(std::move(factors));
    return {};
  }

 private:
  /// Computes the numbers that GGUF stores where they are others.
  Result<void> change(std::string_view name, GgufTensor& tensor) {
    const bool is_query = name.ends_with("self_attn.q_proj.weight");
    const bool is_key = name.ends_with("self_attn.k_proj.weight");
    if (config_.architecture.permutes_rows && (is_query || is_key)) {
      return permute(name, is_query ? config_.heads : config_.kv_heads, tensor);
    }
    if (config_.architecture.shifts_norms && name.ends_with("norm.weight")) add_one(tensor);
    return {};
  }

  Result<void> permute(std::string_view name, std::int64_t heads, GgufTensor& tensor) {
    const std::int64_t rows = tensor.shape.back();
    // Without columns there may be more rows than anybody can count.
    if (rows < 1 || tensor.data.empty() || rows % (heads * 2) != 0) {
      return invalid(tensor_text(name) + " has " + std::to_string(rows) +
                     " rows, which are no whole heads: config.json has " + std::to_string(heads));
    }
    const auto head_rows = static_cast<std::size_t>(rows / heads);
    const std::size_t row_bytes = tensor.data.size() / static_cast<std::size_t>(rows);
    std::vector<std::byte> changed(tensor.data.size());
    for (std::size_t row = 0; row < static_cast<std::size_t>(rows); ++row) {
      const std::size_t in_head = row % head_rows;
      const std::size_t from = row - in_head + unpermuted_row(in_head, head_rows);
      std::copy_n(tensor.data.begin() + static_cast<std::ptrdiff_t>(from * row_bytes), row_bytes,
                  changed.begin() + static_cast<std::ptrdiff_t>(row * row_bytes));
    }
    tensor.data = tensors_.buffers.emplace_back(std::move(changed));
    return {};
  }

  void add_one(GgufTensor& tensor) {
    const auto element_bytes =
        static_cast<std::size_t>(tensor_type_traits(tensor.type)->block_bytes);
    std::vector<float> values(tensor.data.size() / element_bytes);
    dequantize_row(tensor.type, tensor.data, values);
    for (float& value : values) value += 1.0F;
    tensor.type = TensorType::F32;
    tensor.data = keep(std::as_bytes(std::span(values)));
  }

  std::span<const std::byte> keep(std::span<const std::byte> bytes) {
    return tensors_.buffers.emplace_back(bytes.begin(), bytes.end());
  }

  const FolderConfig& config_;
  ModelTensors& tensors_;
  bool has_head_ = false;
};

}  // namespace

std::optional<std::string> gguf_tensor_name(const FolderArchitecture& architecture,
                                            std::string_view name) {
  if (name == kEmbedding) return "token_embd.weight";
  if (name == "model.norm.weight") return "output_norm.weight";
  if (name == kHead) return "output.weight";
  if (!name.starts_with(kLayer)) return std::nullopt;
  name.remove_prefix(kLayer.size());
  const std::size_t digits = std::min(name.find_first_not_of("0123456789"), name.size());
  const std::string_view layer = name.substr(0, digits);
  name.remove_prefix(digits);
  // "01" would become another name for layer 1.
  if (layer.empty() || (layer.size() > 1 && layer[0] == '0') || !name.starts_with('.')) {
    return std::nullopt;
  }
  name.remove_prefix(1);
  auto found = find_name(kLayerNames, name);
  if (!found && architecture.has_four_norms) found = find_name(kFourNorms, name);
  if (!found && !architecture.has_four_norms) found = find_name(kTwoNorms, name);
  if (!found) return std::nullopt;
  return "blk." + std::string(layer) + "." + std::string(*found);
}

Result<void> add_folder_tensors(const FolderConfig& config,
                                const std::vector<SafetensorsTensor>& found,
                                ModelTensors& tensors) {
  FolderTensors folder(config, tensors);
  for (const SafetensorsTensor& tensor : found) {
    if (auto added = folder.add(tensor); !added) return added;
  }
  return folder.finish();
}

}  // namespace trialwright
