#include "inference/cpu/attention.h"

#include <gtest/gtest.h>

#include <algorithm>
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

constexpr Shape kShapes[] = {{3, 1, 16},   {9, 3, 64}, {14, 2, 64},
                             {12, 2, 128}, {2, 2, 80}, {4, 1, 256}};

/// A sequence's pages with one layer, filled with random keys and values.
struct Cache {
  Shape shape;
  int positions;
  std::vector<float> keys;
  std::vector<float> values;
  KvLayer layer;
  std::vector<std::vector<std::uint16_t>> pages;

  Cache(const Cpu& cpu, Shape shape_wanted, int positions_wanted)
      : shape(shape_wanted), positions(positions_wanted) {
    const int row = shape.kv_heads * shape.head_dim;
    keys = random_numbers(static_cast<std::size_t>(positions * row), 31);
    values = random_numbers(static_cast<std::size_t>(positions * row), 32);
    layer.kv_heads = shape.kv_heads;
    layer.head_dim = shape.head_dim;
    // The layer is not the first of its page.
    layer.keys = 48;
    layer.values = layer.keys + layer.halves() / 2;
    // What a page held before must not matter, infinite or not.
    pages.resize(static_cast<std::size_t>((positions + kPageTokens - 1) / kPageTokens),
                 std::vector<std::uint16_t>(48 + layer.halves(), f32_to_f16(1e6F)));
    for (int position = 0; position < positions; ++position) {
      store(cpu, position, keys.data() + position * row, values.data() + position * row);
    }
  }

  void store(const Cpu& cpu, int position, const float* key_row, const float* value_row) {
    store_kv(cpu, layer, pages[static_cast<std::size_t>(position / kPageTokens)].data(),
             position % kPageTokens, key_row, value_row);
  }

  [[nodiscard]] std::vector<const std::uint16_t*> addresses() const {
    std::vector<const std::uint16_t*> all;
    for (const auto& page : pages) {
      all.push_back(page.data());
    }
    return all;
  }

  [[nodiscard]] double half(const std::vector<float>& from, int position, int head, int d) const {
    const int at = (position * shape.kv_heads + head) * shape.head_dim + d;
    return f16_to_f32(f32_to_f16(from[static_cast<std::size_t>(at)]));
  }
};

/// What a row sees, and how its scores are bent.
struct View {
  int window = 0;
  float softcap = 0;
};

constexpr View kViews[] = {
    {}, {.window = 1}, {.window = 17}, {.window = 64}, {.window = 70, .softcap = 2}};

std::vector<float> attend(Cpu& cpu, const Cache& cache, const std::vector<float>& queries,
                          int first, int rows, View view = {}) {
  const int row = cache.shape.heads * cache.shape.head_dim;
  AttentionQueries q;
  q.queries = queries.data() + first * row;
  q.stride = row;
  q.rows = rows;
  q.heads = cache.shape.heads;
  q.first_position = first;
  q.scale = 1.0F / std::sqrt(static_cast<float>(cache.shape.head_dim));
  q.window = view.window;
  q.softcap = view.softcap;
  const auto pages = cache.addresses();
  q.pages = pages;
  std::vector<float> out(static_cast<std::size_t>(rows * row));
  q.out = out.data();
  q.out_stride = row;
  attention(cpu, cache.layer, std::span(&q, 1));
  return out;
}

std::vector<float> queries_for(const Cache& cache) {
  return random_numbers(
      static_cast<std::size_t>(cache.positions * cache.shape.heads * cache.shape.head_dim), 33);
}

/// One head's output at one position, straight from the definition.
std::vector<double> plain(const Cache& cache, const std::vector<float>& queries, int position,
                          int head, View view) {
  const Shape& shape = cache.shape;
  const int kv_head = head / (shape.heads / shape.kv_heads);
  const auto at = static_cast<std::size_t>((position * shape.heads + head) * shape.head_dim);
  const int first = view.window == 0 ? 0 : std::max(0, position + 1 - view.window);
  std::vector<double> sums(static_cast<std::size_t>(shape.head_dim));
  double total = 0;
  for (int key = first; key <= position; ++key) {
    double score = 0;
    for (int d = 0; d < shape.head_dim; ++d) {
      score += queries[at + static_cast<std::size_t>(d)] * cache.half(cache.keys, key, kv_head, d);
    }
    score /= std::sqrt(shape.head_dim);
    if (view.softcap != 0) {
      score = view.softcap * std::tanh(score / view.softcap);
    }
    total += std::exp(score);
    for (int d = 0; d < shape.head_dim; ++d) {
      sums[static_cast<std::size_t>(d)] +=
          std::exp(score) * cache.half(cache.values, key, kv_head, d);
    }
  }
  for (double& sum : sums) {
    sum /= total;
  }
  return sums;
}

TEST(Attention, AgreesWithDoublePrecision) {
  for (const Shape shape : kShapes) {
    Cpu cpu(1);
    const Cache cache(cpu, shape, 150);
    const auto queries = queries_for(cache);
    for (const View view : kViews) {
      const auto got = attend(cpu, cache, queries, 0, cache.positions, view);
      for (const int position : {0, 1, 63, 64, 65, 149}) {
        for (int head = 0; head < shape.heads; ++head) {
          const auto expected = plain(cache, queries, position, head, view);
          const auto at =
              static_cast<std::size_t>((position * shape.heads + head) * shape.head_dim);
          for (std::size_t d = 0; d < expected.size(); ++d) {
            ASSERT_NEAR(got[at + d], expected[d], 1e-5) << "window " << view.window;
          }
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
    for (const View view : kViews) {
      const auto expected = attend(reference, cache, queries, 0, cache.positions, view);
      for (const Isa isa : available_isas()) {
        for (const int threads : {1, 2, 3}) {
          Cpu cpu(threads, isa);
          EXPECT_EQ(attend(cpu, cache, queries, 0, cache.positions, view), expected)
              << isa_name(isa) << " window " << view.window;
        }
      }
    }
  }
}

TEST(Attention, GivesAPositionTheSameBitsHoweverThePromptIsCut) {
  for (const Shape shape : kShapes) {
    Cpu cpu(2);
    const Cache cache(cpu, shape, 200);
    const auto queries = queries_for(cache);
    const int row = shape.heads * shape.head_dim;
    for (const View view : kViews) {
      const auto all = attend(cpu, cache, queries, 0, cache.positions, view);
      for (const int rows : {1, 2, 5, 13, 64}) {
        for (const int first : {0, 1, 63, 64, 100, 200 - rows}) {
          const auto got = attend(cpu, cache, queries, first, rows, view);
          ASSERT_EQ(std::memcmp(got.data(), all.data() + first * row, got.size() * 4), 0)
              << rows << " from " << first << " window " << view.window;
        }
      }
    }
  }
}

TEST(Attention, GivesASequenceTheSameBitsBesideOthers) {
  const Shape shape{9, 3, 64};
  Cpu cpu(2);
  const Cache one(cpu, shape, 130);
  const Cache other(cpu, shape, 70);
  const auto queries = queries_for(one);
  const int row = shape.heads * shape.head_dim;
  std::vector<float> out(static_cast<std::size_t>(130 * row));
  const auto asked = [&](int first, int rows, std::span<const std::uint16_t* const> pages,
                         float* to) {
    return AttentionQueries{.queries = queries.data() + first * row,
                            .stride = row,
                            .rows = rows,
                            .heads = shape.heads,
                            .first_position = first,
                            .scale = 1.0F / 8,
                            .pages = pages,
                            .out = to,
                            .out_stride = row};
  };
  const auto pages = one.addresses();
  const auto other_pages = other.addresses();
  const std::vector<AttentionQueries> together = {
      asked(129, 1, pages, out.data()),
      asked(10, 60, other_pages, out.data() + row),
      asked(5, 3, pages, out.data() + 61 * row),
  };

  attention(cpu, one.layer, together);

  const auto same = [&](const Cache& cache, int first, int rows, int at) {
    const auto alone = attend(cpu, cache, queries, first, rows);
    return std::memcmp(alone.data(), out.data() + at * row, alone.size() * 4) == 0;
  };
  EXPECT_TRUE(same(one, 129, 1, 0));
  EXPECT_TRUE(same(other, 10, 60, 1));
  EXPECT_TRUE(same(one, 5, 3, 61));
}

TEST(Attention, DoesNotSeeLaterPositions) {
  Cpu cpu(1);
  Cache cache(cpu, {9, 3, 64}, 100);
  const auto queries = queries_for(cache);
  const auto before = attend(cpu, cache, queries, 0, 50);
  const auto other = random_numbers(3 * 64, 77);
  for (int position = 50; position < 100; ++position) {
    cache.store(cpu, position, other.data(), other.data());
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
    cache.store(cpu, 70, huge.data(), huge.data());
    const auto together = attend(cpu, cache, queries, 0, 100);
    EXPECT_EQ(std::memcmp(together.data(), before.data(), before.size() * 4), 0) << isa_name(isa);
  }
}

TEST(Attention, AWindowHidesWhatLiesBeforeItWhateverThatIs) {
  // Huge numbers are infinite in half precision; what they weigh nothing in must not see them.
  for (const float what : {77.0F, 1e6F}) {
    for (const Isa isa : available_isas()) {
      Cpu cpu(1, isa);
      Cache cache(cpu, {9, 3, 64}, 150);
      const auto queries = queries_for(cache);
      const View view{.window = 40};
      const int row = 9 * 64;
      const auto before = attend(cpu, cache, queries, 0, 150, view);
      const std::vector<float> other(3 * 64, what);
      for (int position = 0; position < 60; ++position) {
        cache.store(cpu, position, other.data(), other.data());
      }
      const auto after = attend(cpu, cache, queries, 0, 150, view);
      // The first position whose window begins at 60.
      const int clear = 60 + 40 - 1;
      EXPECT_EQ(std::memcmp(after.data() + clear * row, before.data() + clear * row,
                            static_cast<std::size_t>((150 - clear) * row) * 4),
                0)
          << isa_name(isa);
      EXPECT_NE(std::memcmp(after.data() + (clear - 1) * row, before.data() + (clear - 1) * row,
                            static_cast<std::size_t>(row) * 4),
                0);
    }
  }
}

}  // namespace
}  // namespace trialwright
