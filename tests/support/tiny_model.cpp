#include "tests/support/tiny_model.h"

#include <cstring>
#include <optional>
#include <vector>

#include "base/random.h"
#include "inference/cpu/quant.h"

namespace trialwright {
namespace {

/// Weights this large keep the numbers between layers near 1.
constexpr float kSpread = 0.12F;

void put_half(std::string& block, std::size_t at, float value) {
  const std::uint16_t half = f32_to_f16(value);
  std::memcpy(block.data() + at, &half, sizeof(half));
}

/// A block of random quants whose scales make its numbers fall within ±kSpread or so.
std::string random_block(TensorType type, RandomStream& random) {
  std::string block(static_cast<std::size_t>(tensor_type_traits(type)->block_bytes), '\0');
  for (char& byte : block) {
    byte = static_cast<char>(random.below(256));
  }
  const auto even = static_cast<float>(random.uniform() * 2 - 1) * kSpread;
  const auto scale = static_cast<float>(0.5 + random.uniform()) * kSpread;
  switch (type) {
    case TensorType::F32:
      std::memcpy(block.data(), &even, sizeof(even));
      break;
    case TensorType::F16:
      put_half(block, 0, even);
      break;
    case TensorType::BF16: {
      const std::uint16_t half = f32_to_bf16(even);
      std::memcpy(block.data(), &half, sizeof(half));
      break;
    }
    case TensorType::Q4_0:
      put_half(block, 0, scale / 8);
      break;
    case TensorType::Q4_1:
      put_half(block, 0, scale / 8);
      put_half(block, 2, -scale);
      break;
    case TensorType::Q5_0:
      put_half(block, 0, scale / 16);
      break;
    case TensorType::Q5_1:
      put_half(block, 0, scale / 16);
      put_half(block, 2, -scale);
      break;
    case TensorType::Q8_0:
      put_half(block, 0, scale / 128);
      break;
    case TensorType::Q4_K:
      put_half(block, 0, scale / (32 * 8));
      put_half(block, 2, scale / 32);
      break;
    case TensorType::Q5_K:
      put_half(block, 0, scale / (32 * 16));
      put_half(block, 2, scale / 32);
      break;
    case TensorType::Q6_K:
      put_half(block, 208, scale / (64 * 32));
      break;
  }
  return block;
}

class TinyWriter {
 public:
  explicit TinyWriter(const TinyModel& model)
      : model_(model),
        head_dim_(model.head_dim != 0 ? model.head_dim : model.embedding / model.heads),
        random_(model.seed, 0) {}

  GgufWriter write() {
    keys();
    matrix("token_embd.weight", model_.embedding, model_.vocabulary);
    for (int i = 0; i < model_.layers; ++i) {
      layer("blk." + std::to_string(i) + ".");
    }
    vector("output_norm.weight", model_.embedding, 1);
    if (!model_.tied) {
      matrix("output.weight", model_.embedding, model_.vocabulary);
    }
    return std::move(writer_);
  }

 private:
  void keys() {
    const std::string prefix = model_.architecture + ".";
    const auto u32 = [&](const std::string& key, int value) {
      writer_.u32(prefix + key, static_cast<std::uint32_t>(value));
    };
    writer_.text("general.architecture", model_.architecture);
    u32("block_count", model_.layers);
    u32("context_length", model_.context);
    u32("embedding_length", model_.embedding);
    u32("feed_forward_length", model_.feed_forward);
    u32("attention.head_count", model_.heads);
    u32("attention.head_count_kv", model_.kv_heads);
    writer_.f32(prefix + "attention.layer_norm_rms_epsilon", 1e-5F);
    writer_.f32(prefix + "rope.freq_base", is("gemma3") ? 1e6F : 10000.0F);
    if (model_.head_dim != 0) {
      u32("attention.key_length", model_.head_dim);
      u32("attention.value_length", model_.head_dim);
    }
    if (is("gemma3")) {
      u32("attention.sliding_window", model_.window);
      u32("attention.sliding_window_pattern", 2);
      writer_.f32(prefix + "rope.scaling.factor", 8);
    }
  }

  [[nodiscard]] bool is(const char* architecture) const {
    return model_.architecture == architecture;
  }

  void layer(const std::string& at) {
    const int query_size = head_dim_ * model_.heads;
    const int kv_size = head_dim_ * model_.kv_heads;
    vector(at + "attn_norm.weight", model_.embedding, 1);
    matrix(at + "attn_q.weight", model_.embedding, query_size);
    matrix(at + "attn_k.weight", model_.embedding, kv_size);
    matrix(at + "attn_v.weight", model_.embedding, kv_size);
    if (is("qwen2")) {
      vector(at + "attn_q.bias", query_size, 0);
      vector(at + "attn_k.bias", kv_size, 0);
      vector(at + "attn_v.bias", kv_size, 0);
    }
    if (is("qwen3") || is("gemma3")) {
      vector(at + "attn_q_norm.weight", head_dim_, 1);
      vector(at + "attn_k_norm.weight", head_dim_, 1);
    }
    matrix(at + "attn_output.weight", query_size, model_.embedding);
    vector(at + "ffn_norm.weight", model_.embedding, 1);
    matrix(at + "ffn_gate.weight", model_.embedding, model_.feed_forward);
    matrix(at + "ffn_up.weight", model_.embedding, model_.feed_forward);
    matrix(at + "ffn_down.weight", model_.feed_forward, model_.embedding);
    if (is("gemma3")) {
      vector(at + "post_attention_norm.weight", model_.embedding, 1);
      vector(at + "post_ffw_norm.weight", model_.embedding, 1);
    }
  }

  void vector(const std::string& name, int size, float middle) {
    std::vector<float> values(static_cast<std::size_t>(size));
    for (float& value : values) {
      value = middle + static_cast<float>(random_.uniform() - 0.5);
    }
    writer_.f32_tensor(name, {size}, values);
  }

  void matrix(const std::string& name, int cols, int rows) {
    const int blocks = cols / tensor_type_traits(model_.type)->block_elements * rows;
    std::string data;
    for (int i = 0; i < blocks; ++i) {
      data += random_block(model_.type, random_);
    }
    writer_.tensor(name, model_.type, {cols, rows}, std::move(data));
  }

  const TinyModel& model_;
  int head_dim_;
  RandomStream random_;
  GgufWriter writer_;
};

}  // namespace

GgufWriter tiny_model_writer(const TinyModel& model) { return TinyWriter(model).write(); }

std::string tiny_model_bytes(const TinyModel& model) { return tiny_model_writer(model).bytes(); }

}  // namespace trialwright
