// Speed of the kernels on the shapes of real models, with random weights.
//
// "decode" multiplies one vector with every matrix of a model, as one token does, and reports bytes
// of weights a second; "prefill" does the same with 512 rows and reports 8-bit operations a second.
// The arguments are threads. Attention and the rest of a token are not in these two.

#include <benchmark/benchmark.h>

#include <cmath>
#include <cstring>
#include <memory>
#include <string>
#include <vector>

#include "inference/cpu/attention.h"
#include "inference/cpu/matmul.h"
#include "inference/cpu/quant.h"
#include "inference/kv/kv_sequence.h"
#include "tests/inference/cpu/random_weights.h"

namespace trialwright {
namespace {

struct MatrixShape {
  TensorType type;
  int rows;
  int cols;
};

/// A model as far as products go. Matrices of one group share their input.
struct ModelShape {
  const char* name;
  int layers;
  std::vector<std::vector<MatrixShape>> layer_groups;
  MatrixShape head;
};

ModelShape smollm2_135m() {
  constexpr TensorType kType = TensorType::Q4_1;
  return {"smollm2-135m",
          30,
          {{{kType, 576, 576}, {kType, 192, 576}, {kType, 192, 576}},
           {{kType, 576, 576}},
           {{kType, 1536, 576}, {kType, 1536, 576}},
           {{kType, 576, 1536}}},
          {TensorType::Q8_0, 49152, 576}};
}

ModelShape qwen_0_5b() {
  constexpr TensorType kType = TensorType::Q5_0;
  return {"qwen2.5-0.5b",
          24,
          {{{kType, 896, 896}, {kType, 128, 896}, {TensorType::Q8_0, 128, 896}},
           {{kType, 896, 896}},
           {{kType, 4864, 896}, {kType, 4864, 896}},
           {{TensorType::Q4_K, 896, 4864}}},
          {TensorType::Q8_0, 151936, 896}};
}

ModelShape qwen_1_5b() {
  constexpr TensorType kType = TensorType::Q4_K;
  return {"qwen2.5-1.5b",
          28,
          {{{kType, 1536, 1536}, {kType, 256, 1536}, {TensorType::Q6_K, 256, 1536}},
           {{kType, 1536, 1536}},
           {{kType, 8960, 1536}, {kType, 8960, 1536}},
           {{TensorType::Q6_K, 1536, 8960}}},
          {TensorType::Q6_K, 151936, 1536}};
}

/// The weights of a shape, packed.
class ModelWeights {
 public:
  explicit ModelWeights(const ModelShape& shape) {
    ThreadPool pool(2);
    for (int layer = 0; layer < shape.layers; ++layer) {
      for (const auto& group : shape.layer_groups) {
        add_group(pool, group);
      }
    }
    add_group(pool, {shape.head});
  }

  /// One input after the other through all groups. Returns the number of multiplied weights.
  double run(Cpu& cpu, int rows, bool with_head) {
    double weights = 0;
    const std::size_t groups = groups_.size() - (with_head ? 0 : 1);
    for (std::size_t i = 0; i < groups; ++i) {
      const std::vector<PackedMatrix>& group = groups_[i];
      const int cols = group[0].cols();
      inputs_.resize(static_cast<std::size_t>(rows * cols), 0.5F);
      activations_.assign(cpu, inputs_.data(), cols, rows, cols,
                          {&group.front(), &group[group.size() / 2], &group.back()});
      std::size_t size = 0;
      for (const PackedMatrix& matrix : group) {
        size += static_cast<std::size_t>(rows) * static_cast<std::size_t>(matrix.rows());
      }
      if (out_.size() < size) {
        out_.resize(size);
      }
      std::vector<MatmulOutput> outputs;
      float* out = out_.data();
      for (const PackedMatrix& matrix : group) {
        outputs.push_back({&matrix, out, matrix.rows()});
        out += static_cast<std::ptrdiff_t>(rows) * matrix.rows();
        weights += static_cast<double>(matrix.rows()) * matrix.cols();
      }
      matmul(cpu, activations_, outputs);
    }
    return weights;
  }

  [[nodiscard]] std::size_t bytes() const { return arena_.bytes(); }

 private:
  void add_group(ThreadPool& pool, const std::vector<MatrixShape>& shapes) {
    std::vector<PackedMatrix> group;
    for (const MatrixShape& shape : shapes) {
      // The same 64 random rows again and again: speed does not depend on the values.
      const std::vector<std::byte> rows = random_weights(shape.type, 64, shape.cols, 1);
      std::vector<std::byte> data;
      while (data.size() <
             *tensor_row_bytes(shape.type, shape.cols) * static_cast<std::size_t>(shape.rows)) {
        data.insert(data.end(), rows.begin(), rows.end());
      }
      auto matrix = PackedMatrix::pack(pool, arena_, shape.type, shape.rows, shape.cols, data);
      group.push_back(*matrix);
    }
    groups_.push_back(std::move(group));
  }

  Arena arena_;
  std::vector<std::vector<PackedMatrix>> groups_;
  std::vector<float> inputs_;
  std::vector<float> out_;
  Activations activations_;
};

/// Kept between the benchmarks of one model; only one model at a time is in memory.
ModelWeights& weights_of(const ModelShape& shape) {
  static std::string name;
  static std::unique_ptr<ModelWeights> weights;
  if (name != shape.name) {
    weights.reset();
    weights = std::make_unique<ModelWeights>(shape);
    name = shape.name;
  }
  return *weights;
}

void decode(benchmark::State& state, const ModelShape& shape, Isa isa) {
  ModelWeights& weights = weights_of(shape);
  Cpu cpu(static_cast<int>(state.range(0)), isa);
  for ([[maybe_unused]] auto step : state) {
    weights.run(cpu, 1, true);
  }
  state.SetBytesProcessed(state.iterations() * static_cast<std::int64_t>(weights.bytes()));
  state.SetItemsProcessed(state.iterations());
}

void prefill(benchmark::State& state, const ModelShape& shape, Isa isa) {
  constexpr int kRows = 512;
  ModelWeights& weights = weights_of(shape);
  Cpu cpu(static_cast<int>(state.range(0)), isa);
  double operations = 0;
  for ([[maybe_unused]] auto step : state) {
    operations += weights.run(cpu, kRows, false) * 2 * kRows;
  }
  state.counters["ops"] = benchmark::Counter(operations, benchmark::Counter::kIsRate);
  state.SetItemsProcessed(state.iterations() * kRows);
}

/// One layer's attention of `rows` positions at the end of `context`.
void attend(benchmark::State& state, int heads, int kv_heads, int head_dim, int rows, int context) {
  Cpu cpu(static_cast<int>(state.range(0)));
  const KvPageLayout layout = KvPageLayout::make(1, kv_heads, head_dim);
  KvPagePool pool(layout);
  KvSequence sequence(pool);
  if (!sequence.make_room(context)) {
    state.SkipWithError("no memory");
    return;
  }
  const KvLayer& layer = layout.layers.front();
  const auto kv = random_numbers(static_cast<std::size_t>(kv_heads * head_dim), 1);
  for (int position = 0; position < context; ++position) {
    store_kv(cpu, layer, sequence.page_at(position), position % kPageTokens, kv.data(), kv.data());
  }
  const int width = heads * head_dim;
  const auto q = random_numbers(static_cast<std::size_t>(rows * width), 2);
  std::vector<float> out(q.size());
  const AttentionQueries queries{.queries = q.data(),
                                 .stride = width,
                                 .rows = rows,
                                 .heads = heads,
                                 .first_position = context - rows,
                                 .scale = 1.0F / std::sqrt(static_cast<float>(head_dim)),
                                 .pages = sequence.addresses(),
                                 .out = out.data(),
                                 .out_stride = width};
  for ([[maybe_unused]] auto step : state) {
    attention(cpu, layer, std::span(&queries, 1));
  }
  // Two products of head_dim multiplications and additions for each head, query and visible key.
  const double pairs = static_cast<double>(rows) * (context - (rows - 1) / 2.0) * heads;
  state.counters["flops"] = benchmark::Counter(
      pairs * 4 * head_dim * static_cast<double>(state.iterations()), benchmark::Counter::kIsRate);
}

void quantize(benchmark::State& state, TensorType type, int rows, int cols) {
  Cpu cpu(static_cast<int>(state.range(0)));
  Arena arena;
  const auto data = random_weights(type, 16, cols, 1);
  const PackedMatrix matrix = *PackedMatrix::pack(cpu.pool(), arena, type, 16, cols, data);
  const auto x = random_numbers(static_cast<std::size_t>(rows * cols), 1);
  Activations activations;
  for ([[maybe_unused]] auto step : state) {
    activations.assign(cpu, x.data(), cols, rows, cols, {&matrix});
  }
  state.SetItemsProcessed(state.iterations() * rows * cols);
}

void pack(benchmark::State& state, TensorType type) {
  ThreadPool pool(static_cast<int>(state.range(0)));
  const auto data = random_weights(type, 8192, 1536, 1);
  for ([[maybe_unused]] auto step : state) {
    Arena arena;
    benchmark::DoNotOptimize(PackedMatrix::pack(pool, arena, type, 8192, 1536, data));
  }
  state.SetBytesProcessed(state.iterations() * static_cast<std::int64_t>(data.size()));
}

}  // namespace
}  // namespace trialwright

int main(int argc, char** argv) {
  using namespace trialwright;
  const auto named = [](const std::string& what, const std::string& which, Isa isa = best_isa()) {
    return what + "/" + which + "/" + std::string(isa_name(isa));
  };
  for (const ModelShape& shape : {smollm2_135m(), qwen_0_5b(), qwen_1_5b()}) {
    for (const Isa isa : available_isas()) {
      if (isa == Isa::Scalar) {
        continue;
      }
      benchmark::RegisterBenchmark(named("decode", shape.name, isa).c_str(), decode, shape, isa)
          ->Arg(1)
          ->Arg(2)
          ->UseRealTime();
      benchmark::RegisterBenchmark(named("prefill", shape.name, isa).c_str(), prefill, shape, isa)
          ->Arg(1)
          ->Arg(2)
          ->UseRealTime();
    }
  }
  for (const int rows : {1, 512}) {
    benchmark::RegisterBenchmark(named("attention", "9x3x64 rows " + std::to_string(rows)).c_str(),
                                 attend, 9, 3, 64, rows, 1024)
        ->Arg(1)
        ->Arg(2)
        ->UseRealTime();
    benchmark::RegisterBenchmark(
        named("attention", "12x2x128 rows " + std::to_string(rows)).c_str(), attend, 12, 2, 128,
        rows, 1024)
        ->Arg(1)
        ->Arg(2)
        ->UseRealTime();
    benchmark::RegisterBenchmark(named("quantize", "Q8 rows " + std::to_string(rows)).c_str(),
                                 quantize, TensorType::Q4_1, rows, 1536)
        ->Arg(1)
        ->UseRealTime();
    benchmark::RegisterBenchmark(named("quantize", "Q8K rows " + std::to_string(rows)).c_str(),
                                 quantize, TensorType::Q4_K, rows, 1536)
        ->Arg(1)
        ->UseRealTime();
  }
  for (const TensorType type : kTensorTypes) {
    benchmark::RegisterBenchmark(named("pack", tensor_type_name(type)).c_str(), pack, type)
        ->Arg(2)
        ->UseRealTime();
  }
  benchmark::Initialize(&argc, argv);
  benchmark::RunSpecifiedBenchmarks();
  return 0;
}
