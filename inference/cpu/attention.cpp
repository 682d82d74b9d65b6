#include "inference/cpu/attention.h"

#include <algorithm>

#include "base/check.h"

namespace trialwright {
namespace {

std::size_t head_offset(const KvLayer& layer, int kv_head) {
  return static_cast<std::size_t>(kv_head) * static_cast<std::size_t>(layer.capacity) *
         static_cast<std::size_t>(layer.head_dim);
}

/// How many queries go together. Many share the conversion of keys and values; when there are few
/// in all, every thread should still get some.
int rows_together(int rows_per_head, int kv_heads, int threads) {
  const int pieces_per_head = (2 * threads + kv_heads - 1) / kv_heads;
  const int even = (rows_per_head + pieces_per_head - 1) / pieces_per_head;
  return std::clamp((even + 3) / 4 * 4, 4, kAttentionRows);
}

}  // namespace

bool attention_supports(int head_dim) {
  return head_dim >= 16 && head_dim <= kHeadDimMax && head_dim % 16 == 0;
}

void store_kv(const Cpu& cpu, const KvLayer& layer, int position, const float* keys,
              const float* values) {
  CHECK(position >= 0 && position < layer.capacity, "the caller keeps within the context");
  const auto head_dim = static_cast<std::size_t>(layer.head_dim);
  std::uint16_t halves[kHeadDimMax];
  for (int head = 0; head < layer.kv_heads; ++head) {
    const std::size_t row = static_cast<std::size_t>(head) * head_dim;
    const std::size_t offset = head_offset(layer, head);
    cpu.vectors().to_f16(values + row, head_dim,
                         layer.values + offset + static_cast<std::size_t>(position) * head_dim);
    cpu.vectors().to_f16(keys + row, head_dim, halves);
    const auto panel = static_cast<std::size_t>(position / kKeyPanel);
    std::uint16_t* out = layer.keys + offset + panel * kKeyPanel * head_dim + position % kKeyPanel;
    for (std::size_t d = 0; d < head_dim; ++d) {
      out[d * kKeyPanel] = halves[d];
    }
  }
}

void attention(Cpu& cpu, const KvLayer& layer, const AttentionQueries& queries, float* out,
               std::int64_t out_stride) {
  CHECK(attention_supports(layer.head_dim) && layer.kv_heads > 0 &&
            queries.heads % layer.kv_heads == 0 && layer.capacity % kAttentionTile == 0,
        "the model's shape is checked on loading");
  CHECK(queries.window >= 0, "the model's shape is checked on loading");
  CHECK(queries.first_position >= 0 && queries.first_position + queries.rows <= layer.capacity,
        "the caller keeps within the context");
  const int group = queries.heads / layer.kv_heads;
  const int rows_per_head = queries.rows * group;
  const int together = rows_together(rows_per_head, layer.kv_heads, cpu.pool().threads());
  const int blocks_per_head = (rows_per_head + together - 1) / together;
  const int blocks = blocks_per_head * layer.kv_heads;
  cpu.pool().parallel_for(blocks, [&](int index) {
    // Late queries see most keys and take longest, so they go first.
    const int block_index = (blocks - 1 - index) / layer.kv_heads;
    const int kv_head = (blocks - 1 - index) % layer.kv_heads;
    const int first = block_index * together;
    AttentionBlock block;
    block.keys = layer.keys + head_offset(layer, kv_head);
    block.values = layer.values + head_offset(layer, kv_head);
    block.head_dim = layer.head_dim;
    block.scale = queries.scale;
    block.softcap = queries.softcap;
    block.rows = std::min(together, rows_per_head - first);
    for (int i = 0; i < block.rows; ++i) {
      const int row = (first + i) / group;
      const int head = kv_head * group + (first + i) % group;
      block.queries[i] = queries.queries + row * queries.stride + head * layer.head_dim;
      block.out[i] = out + row * out_stride + head * layer.head_dim;
      block.last_key[i] = queries.first_position + row;
      block.first_key[i] =
          queries.window == 0 ? 0 : std::max(0, block.last_key[i] + 1 - queries.window);
    }
    cpu.vectors().attend(block);
  });
}

}  // namespace trialwright
