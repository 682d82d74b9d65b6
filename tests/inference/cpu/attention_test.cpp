#include "inference/cpu/attention.h"

#include <gtest/gtest.h>

#include <cmath>
#include <cstring>
#include <vector>

#include "inference/cpu/quant.h"
#include "tests/inference/cpu/random_weights.h"

namespace trialwright {
namespace {

struct Shape {
  int heads;
  int kv_heads;
  int head_dim;
};

constexpr Shape kShapes[] = {{3, 1, 16}, {9, 3, 64}, {14, 2, 64}, {12, 2, 128}, {2, 2, 80}};

/// A layer's cache, filled with random keys and values.
struct Cache {
  Shape shape;
  int positions;
  std::vector<float> keys;
  std::vector<float> values;
  std::vector<std::uint16_t> key_memory;
  std::vector<std::uint16_t> value_memory;
  KvLayer layer;

  Cache(const Cpu& cpu, Shape shape_wanted, int positions_wanted)
      : shape(shape_wanted), positions(positions_wanted) {
    const int row = shape.kv_heads * shape.head_dim;
    keys = random_numbers(static_cast<std::size_t>(positions * row), 31);
    values = random_numbers(static_cast<std::size_t>(positions * row), 32);
    layer.kv_heads = shape.kv_heads;
    layer.head_dim = shape.head_dim;
    layer.capacity = (positions + kAttentionTile - 1) / kAttentionTile * kAttentionTile;
    key_memory.resize(layer.elements());
    value_memory.resize(layer.elements());
    layer.keys = key_memory.data();
    layer.values = value_memory.data();
    for (int position = 0; position < positions; ++position) {
      store_kv(cpu, layer, position, keys.data() + position * row, values.data() + position * row);
    }
  }

  [[nodiscard]] double half(const std::vector<float>& from, int position, int head, int d) const {
    const int at = (position * shape.kv_heads + head) * shape.head_dim + d;
    return f16_to_f32(f32_to_f16(from[static_cast<std::size_t>(at)]));
  }
};

std::vector<float> attend(Cpu& cpu, const Cache& cache, const std::vector<float>& queries,
                          int first, int rows) {
  const int row = cache.shape.heads * cache.shape.head_dim;
  AttentionQueries q;
  q.queries = queries.data() + first * row;
  q.stride = row;
  q.rows = rows;
  q.heads = cache.shape.heads;
  q.first_position = first;
  q.scale = 1.0F / std::sqrt(static_cast<float>(cache.shape.head_dim));
  std::vector<float> out(static_cast<std::size_t>(rows * row));
  attention(cpu, cache.layer, q, out.data(), row);
  return out;
}

std::vector<float> queries_for(const Cache& cache) {
  return random_numbers(
      static_cast<std::size_t>(cache.positions * cache.shape.heads * cache.shape.head_dim), 33);
}

TEST(Attention, AgreesWithDoublePrecision) {
  for (const Shape shape : kShapes) {
    Cpu cpu(1);
    const Cache cache(cpu, shape, 150);
    const auto queries = queries_for(cache);
    const auto got = attend(cpu, cache, queries, 0, cache.positions);
    for (const int position : {0, 1, 63, 64, 65, 149}) {
      for (int head = 0; head < shape.heads; ++head) {
        const int kv_head = head / (shape.heads / shape.kv_heads);
        const std::size_t at =
            static_cast<std::size_t>((position * shape.heads + head) * shape.head_dim);
        std::vector<double> weights;
        double total = 0;
        for (int key = 0; key <= position; ++key) {
          double dot = 0;
          for (int d = 0; d < shape.head_dim; ++d) {
            dot +=
                queries[at + static_cast<std::size_t>(d)] * cache.half(cache.keys, key, kv_head, d);
          }
          weights.push_back(std::exp(dot / std::sqrt(shape.head_dim)));
          total += weights.back();
        }
        for (int d = 0; d < shape.head_dim; ++d) {
          double expected = 0;
          for (int key = 0; key <= position; ++key) {
            expected += weights[static_cast<std::size_t>(key)] / total *
                        cache.half(cache.values, key, kv_head, d);
          }
          ASSERT_NEAR(got[at + static_cast<std::size_t>(d)], expected, 1e-5);
        }
      }
    }
  }
}

TEST(Attention, GivesTheSameBitsOnEveryInstructionSetAndNumberOfThreads) {
  for (const Shape shape : kShapes) {
    Cpu reference(1, Isa::Scalar);
    const Cache cache(reference, shape, 100);
    const auto queries = queries_for(cache);
    const auto expected = attend(reference, cache, queries, 0, cache.positions);
    for (const Isa isa : available_isas()) {
      for (const int threads : {1, 2, 3}) {
        Cpu cpu(threads, isa);
        EXPECT_EQ(attend(cpu, cache, queries, 0, cache.positions), expected) << isa_name(isa);
      }
    }
  }
}

TEST(Attention, GivesAPositionTheSameBitsHoweverThePromptIsCut) {
  for (const Shape shape : kShapes) {
    Cpu cpu(2);
    const Cache cache(cpu, shape, 200);
    const auto queries = queries_for(cache);
    const auto all = attend(cpu, cache, queries, 0, cache.positions);
    const int row = shape.heads * shape.head_dim;
    for (const int rows : {1, 2, 5, 13, 64}) {
      for (const int first : {0, 1, 63, 64, 100, 200 - rows}) {
        const auto got = attend(cpu, cache, queries, first, rows);
        ASSERT_EQ(std::memcmp(got.data(), all.data() + first * row, got.size() * 4), 0)
            << rows << " from " << first;
      }
    }
  }
}

TEST(Attention, DoesNotSeeLaterPositions) {
  Cpu cpu(1);
  Cache cache(cpu, {9, 3, 64}, 100);
  const auto queries = queries_for(cache);
  const auto before = attend(cpu, cache, queries, 0, 50);
  const auto other = random_numbers(3 * 64, 77);
  for (int position = 50; position < 100; ++position) {
    store_kv(cpu, cache.layer, position, other.data(), other.data());
  }

  EXPECT_EQ(attend(cpu, cache, queries, 0, 50), before);
}

TEST(Attention, KeepsAPositionAsItIsWhenALaterOneOverflows) {
  for (const Isa isa : available_isas()) {
    Cpu cpu(1, isa);
    Cache cache(cpu, {9, 3, 64}, 100);
    const auto queries = queries_for(cache);
    const auto before = attend(cpu, cache, queries, 0, 70);
    // Infinite in half precision.
    const std::vector<float> huge(3 * 64, 1e6F);
    store_kv(cpu, cache.layer, 70, huge.data(), huge.data());
    const auto together = attend(cpu, cache, queries, 0, 100);
    EXPECT_EQ(std::memcmp(together.data(), before.data(), before.size() * 4), 0) << isa_name(isa);
  }
}

}  // namespace
}  // namespace trialwright
