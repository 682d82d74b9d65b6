#include "inference/cpu/attention.h"

#include <algorithm>
#include <vector>

#include "base/check.h"

namespace trialwright {
namespace {

/// Some queries of one key and value head. A query is a head of a row; those of a row are
/// neighbours.
struct Piece {
  const AttentionQueries* asked = nullptr;
  int kv_head = 0;
  int first = 0;
  int count = 0;
};

AttentionBlock block_of(const KvLayer& layer, const Piece& piece) {
  const AttentionQueries& asked = *piece.asked;
  const int group = asked.heads / layer.kv_heads;
  const std::size_t offset = static_cast<std::size_t>(piece.kv_head) * layer.head_halves();
  AttentionBlock block;
  block.pages = asked.pages.data();
  block.keys = layer.keys + offset;
  block.values = layer.values + offset;
  block.head_dim = layer.head_dim;
  block.scale = asked.scale;
  block.softcap = asked.softcap;
  block.rows = piece.count;
  for (int i = 0; i < piece.count; ++i) {
    const int row = (piece.first + i) / group;
    const int head = piece.kv_head * group + (piece.first + i) % group;
    block.queries[i] = asked.queries + row * asked.stride + head * layer.head_dim;
    block.out[i] = asked.out + row * asked.out_stride + head * layer.head_dim;
    block.last_key[i] = asked.first_position + row;
    block.first_key[i] = asked.window == 0 ? 0 : std::max(0, block.last_key[i] + 1 - asked.window);
  }
  return block;
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

void store_kv(const Cpu& cpu, const KvLayer& layer, std::uint16_t* page, int slot,
              const float* keys, const float* values) {
  CHECK(slot >= 0 && slot < kPageTokens, "a position lies in its page");
  const auto head_dim = static_cast<std::size_t>(layer.head_dim);
  const auto at = static_cast<std::size_t>(slot);
  std::uint16_t halves[kHeadDimMax];
  for (int head = 0; head < layer.kv_heads; ++head) {
    const std::size_t row = static_cast<std::size_t>(head) * head_dim;
    const std::size_t offset = static_cast<std::size_t>(head) * layer.head_halves();
    cpu.vectors().to_f16(values + row, head_dim, page + layer.values + offset + at * head_dim);
    cpu.vectors().to_f16(keys + row, head_dim, halves);
    std::uint16_t* out = page + layer.keys + offset + at;
    for (std::size_t d = 0; d < head_dim; ++d) {
      out[d * kPageTokens] = halves[d];
    }
  }
}

void attention(Cpu& cpu, const KvLayer& layer, std::span<const AttentionQueries> queries) {
  CHECK(attention_supports(layer.head_dim) && layer.kv_heads > 0,
        "the model's shape is checked on loading");
  int rows_per_head = 0;
  for (const AttentionQueries& asked : queries) {
    CHECK(asked.rows >= 1 && asked.heads % layer.kv_heads == 0 && asked.window >= 0,
          "somebody asks with whole groups");
    CHECK(static_cast<std::size_t>(asked.first_position + asked.rows) <=
              asked.pages.size() * kPageTokens,
          "the caller has stored what is seen");
    rows_per_head += asked.rows * (asked.heads / layer.kv_heads);
  }
  const int together = rows_together(rows_per_head, layer.kv_heads, cpu.pool().threads());
  // A thread's scratch memory that keeps its capacity: a token makes a list a layer.
  static thread_local std::vector<Piece> pieces;
  pieces.clear();
  for (const AttentionQueries& asked : queries) {
    const int rows = asked.rows * (asked.heads / layer.kv_heads);
    // Late queries see most keys and take longest, so they go first.
    for (int first = (rows - 1) / together * together; first >= 0; first -= together) {
      for (int kv_head = 0; kv_head < layer.kv_heads; ++kv_head) {
        pieces.push_back({&asked, kv_head, first, std::min(together, rows - first)});
      }
    }
  }
  const std::vector<Piece>& work = pieces;  // Workers must not see their own thread's list.
  cpu.pool().parallel_for(static_cast<int>(work.size()), [&](int index) {
    cpu.vectors().attend(block_of(layer, work[static_cast<std::size_t>(index)]));
  });
}

}  // namespace trialwright
