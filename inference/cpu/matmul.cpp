#include "inference/cpu/matmul.h"

#include <algorithm>

#include "base/check.h"
#include "inference/cpu/matmul_kernels.h"
#include "inference/cpu/quant.h"

namespace trialwright {
namespace {

constexpr int kGroup = Activations::kGroupRows;

/// Weights of one piece of work: big enough to hide the cost of taking it, small enough to share
/// out evenly. With many rows a piece takes long enough if it is small.
constexpr std::size_t kPieceBytes = 48 * 1024;
constexpr std::size_t kPieceBytesOfManyRows = 12 * 1024;
constexpr int kManyRows = 16;

std::size_t size(int a, int b) { return static_cast<std::size_t>(a) * static_cast<std::size_t>(b); }

void interleave_floats(const GroupSource& source, ActivationFormat format, float* out) {
  for (int row = 0; row < source.rows; ++row) {
    const float* x = source.row(row);
    for (int column = 0; column < source.cols; ++column) {
      float value = x[column];
      if (format == ActivationFormat::F16) {
        value = f16_to_f32(f32_to_f16(value));
      } else if (format == ActivationFormat::BF16) {
        value = bf16_to_f32(f32_to_bf16(value));
      }
      out[static_cast<std::ptrdiff_t>(column) * source.rows + row] = value;
    }
  }
}

int filled_up(int rows, int together) {
  return rows <= 2 ? rows : (rows + together - 1) / together * together;
}

/// Null for parts that the format does not have: their vectors are empty.
template <typename T>
T* part_of(std::vector<T>& numbers, std::size_t offset) {
  return numbers.empty() ? nullptr : numbers.data() + offset;
}

struct Piece {
  const MatmulOutput* output = nullptr;
  int first_panel = 0;
  int panels = 0;
};

/// How many panels go together: about so many bytes, but equally many for each thread, so that none
/// waits for the others at the end.
int panels_at_once(const PackedMatrix& weights, int rows, int threads) {
  const std::size_t piece_bytes = rows > kManyRows ? kPieceBytesOfManyRows : kPieceBytes;
  const int wanted = static_cast<int>((weights.bytes() + piece_bytes - 1) / piece_bytes);
  const int pieces = (wanted + threads - 1) / threads * threads;
  return (weights.panels() + pieces - 1) / pieces;
}

}  // namespace

const std::vector<float>& Activations::floats(ActivationFormat format) const {
  return format == ActivationFormat::F32 ? f32_ : format == ActivationFormat::F16 ? f16_ : bf16_;
}

QuantizedGroup Activations::group_of(Quantized& q, int first_row, int scale_columns,
                                     int sum_columns) const {
  QuantizedGroup group;
  group.values = part_of(q.values, size(first_row, cols_));
  group.scales = part_of(q.scales, size(first_row, cols_ / scale_columns));
  group.scaled_sums = part_of(q.scaled_sums, size(first_row, cols_ / 32));
  group.negated_sums = part_of(q.negated_sums, size(first_row, cols_ / sum_columns));
  group.sums32 = part_of(q.sums32, size(first_row, cols_ / 32));
  return group;
}

void Activations::assign(Cpu& cpu, const float* x, std::int64_t stride, int rows, int cols,
                         std::initializer_list<const PackedMatrix*> matrices) {
  CHECK(rows >= 1 && cols >= 1, "there is something to multiply");
  const MatmulKernels& kernels = cpu.matmuls();
  rows_ = rows;
  filled_rows_ = filled_up(rows, kernels.rows_together);
  cols_ = cols;
  formats_ = 0;
  for (const PackedMatrix* matrix : matrices) {
    CHECK(matrix->cols() == cols, "the model's shapes are checked on loading");
    formats_ |= static_cast<unsigned>(matrix->activation_format());
  }
  const auto wants = [this](ActivationFormat format) {
    return (formats_ & static_cast<unsigned>(format)) != 0;
  };
  if (wants(ActivationFormat::Q8)) {
    q8_.values.resize(size(filled_rows_, cols));
    q8_.scales.resize(size(filled_rows_, cols / 32));
    q8_.scaled_sums.resize(size(filled_rows_, cols / 32));
    q8_.negated_sums.resize(size(filled_rows_, cols / 32));
  }
  if (wants(ActivationFormat::Q8K)) {
    q8k_.values.resize(size(filled_rows_, cols));
    q8k_.scales.resize(size(filled_rows_, cols / 256));
    q8k_.negated_sums.resize(size(filled_rows_, cols / 16));
    q8k_.sums32.resize(size(filled_rows_, cols / 32));
  }
  for (auto [format, floats] :
       {std::pair{ActivationFormat::F32, &f32_}, std::pair{ActivationFormat::F16, &f16_},
        std::pair{ActivationFormat::BF16, &bf16_}}) {
    if (wants(format)) {
      floats->resize(size(filled_rows_, cols));
    }
  }
  cpu.pool().parallel_for((rows + kGroup - 1) / kGroup, [&](int index) {
    const int first_row = index * kGroup;
    const GroupSource source{x + first_row * stride, stride,
                             std::min(kGroup, filled_rows_ - first_row), rows - first_row, cols};
    if (wants(ActivationFormat::Q8)) {
      kernels.quantize_q8(source, group_of(q8_, first_row, 32, 32));
    }
    if (wants(ActivationFormat::Q8K)) {
      kernels.quantize_q8k(source, group_of(q8k_, first_row, 256, 16));
    }
    for (auto [format, floats] :
         {std::pair{ActivationFormat::F32, &f32_}, std::pair{ActivationFormat::F16, &f16_},
          std::pair{ActivationFormat::BF16, &bf16_}}) {
      if (wants(format)) {
        interleave_floats(source, format, floats->data() + size(first_row, cols));
      }
    }
  });
}

void matmul(Cpu& cpu, const Activations& x, std::span<const MatmulOutput> outputs) {
  // A thread's scratch memory that keeps its capacity: a token makes a hundred such lists.
  static thread_local std::vector<Piece> pieces;
  pieces.clear();
  for (const MatmulOutput& output : outputs) {
    const PackedMatrix& weights = *output.weights;
    CHECK(weights.cols() == x.cols() && x.holds(weights.activation_format()),
          "the activations were assigned for this matrix");
    const int at_once = panels_at_once(weights, x.rows(), cpu.pool().threads());
    for (int panel = 0; panel < weights.panels() && output.panels.empty(); panel += at_once) {
      pieces.push_back({&output, panel, std::min(at_once, weights.panels() - panel)});
    }
    for (const int panel : output.panels) {
      if (!pieces.empty() && pieces.back().output == &output && pieces.back().panels < at_once &&
          pieces.back().first_panel + pieces.back().panels == panel) {
        ++pieces.back().panels;
      } else {
        pieces.push_back({&output, panel, 1});
      }
    }
  }
  const std::vector<Piece>& work = pieces;  // Workers must not see their own thread's list.
  const MatmulKernels& kernels = cpu.matmuls();
  cpu.pool().parallel_for(static_cast<int>(work.size()), [&](int index) {
    const Piece& piece = work[static_cast<std::size_t>(index)];
    const PackedMatrix& weights = *piece.output->weights;
    PanelTask task = x.task_for(weights.activation_format());
    task.format = weights.format();
    task.panels = reinterpret_cast<const std::uint8_t*>(weights.panel(piece.first_panel));
    task.panel_bytes = weights.bytes() / static_cast<std::size_t>(weights.panels());
    const int first_output = piece.first_panel * kPanelRows;
    task.outputs = std::min(piece.panels * kPanelRows, weights.rows() - first_output);
    task.out = piece.output->out + first_output;
    task.stride = piece.output->stride;
    kernels.multiply(task);
  });
}

PanelTask Activations::task_for(ActivationFormat format) const {
  PanelTask task;
  task.cols = cols_;
  task.rows = filled_rows_;
  task.rows_wanted = rows_;
  const auto view = [&](const Quantized& q) {
    // The kernels only read; the one view serves writing and reading.
    auto& writable = const_cast<Quantized&>(q);
    return QuantizedGroup{writable.values.data(), writable.scales.data(),
                          writable.scaled_sums.data(), writable.negated_sums.data(),
                          writable.sums32.data()};
  };
  if (format == ActivationFormat::Q8) {
    task.activations = view(q8_);
  } else if (format == ActivationFormat::Q8K) {
    task.activations = view(q8k_);
  } else {
    task.floats = floats(format).data();
  }
  return task;
}

const MatmulKernels& matmul_kernels(Isa isa) {
  CHECK(isa_available(isa), "the caller asked this machine what it can do");
#if defined(__x86_64__)
  if (isa == Isa::Avx512Vnni) {
    return matmul_kernels_avx512();
  }
  if (isa == Isa::Avx2) {
    return matmul_kernels_avx2();
  }
#endif
  return matmul_kernels_scalar();
}

}  // namespace trialwright
