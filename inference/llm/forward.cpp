#include "inference/llm/forward.h"

#include <algorithm>
#include <array>
#include <functional>
#include <initializer_list>

#include "base/check.h"

namespace trialwright {

namespace {

bool has_windows(const ModelConfig& config) {
  return std::any_of(config.windows.begin(), config.windows.end(),
                     [](int window) { return window != 0; });
}

/// The scaling with its angles divided by the factors that come with the weights, if there are any.
RopeScaling divided(RopeScaling scaling, const std::vector<float>& factors) {
  if (scaling.divisors.empty()) {
    scaling.divisors = factors;
  } else if (!factors.empty()) {
    std::transform(factors.begin(), factors.end(), scaling.divisors.begin(),
                   scaling.divisors.begin(), std::multiplies<>());
  }
  return scaling;
}

/// Normalizes heads that lie side by side, each for itself.
void normalize_heads(const VectorKernels& kernels, const ModelConfig& config,
                     const std::vector<float>& weight, float* heads, int count) {
  for (int head = 0; head < count; ++head) {
    float* numbers = heads + head * config.head_dim;
    kernels.rms_norm(numbers, weight.data(), config.norm_epsilon, weight.size(), numbers);
  }
}

/// Whether one of `count` bits from `first` on is set; bits beyond the last word are not. count
/// divides 64, and first is a multiple of it.
bool any_bit(std::span<const std::uint64_t> bits, int first, int count) {
  const auto word = static_cast<std::size_t>(first / 64);
  const std::uint64_t mask = (std::uint64_t{1} << static_cast<unsigned>(count)) - 1;
  return word < bits.size() && (bits[word] >> static_cast<unsigned>(first % 64) & mask) != 0;
}

}  // namespace

void Forward::Rows::shape(int rows, std::int64_t width_now) {
  width = width_now;
  const auto needed = static_cast<std::size_t>(rows * width);
  if (numbers.size() < needed) {
    numbers.resize(needed);
  }
}

Forward::Forward(Cpu& cpu, const ModelConfig& config, const Weights& weights,
                 const KvPageLayout& kv_layout)
    : cpu_(cpu),
      config_(config),
      weights_(weights),
      kv_layout_(kv_layout),
      rope_(config.rope_dimensions, divided(config.rope, weights.rope_factors())),
      window_rope_(config.rope_dimensions, config.window_rope) {}

std::uint64_t Forward::bytes_for(const ModelConfig& config, int rows, int positions) {
  const auto sum = [](std::initializer_list<int> sizes) {
    std::uint64_t total = 0;
    for (const int size : sizes) {
      total += static_cast<std::uint64_t>(size);
    }
    return total;
  };
  // States, normalized states, queries, keys and values, what attention gives, gate and up; and the
  // widest of them once more, as activations.
  const std::uint64_t numbers =
      sum({config.embedding, config.embedding, config.query_size(), config.kv_size(),
           config.kv_size(), config.query_size(), config.feed_forward, config.feed_forward}) +
      sum({std::max({config.embedding, config.query_size(), config.feed_forward})});
  // Cosines and sines of half the numbers that are turned, once or twice.
  const std::uint64_t angles = sum({config.rope_dimensions}) * (has_windows(config) ? 2 : 1);
  return sizeof(float) * (static_cast<std::uint64_t>(rows) * numbers +
                          static_cast<std::uint64_t>(positions) * angles);
}

void Forward::run(std::span<ForwardSegment> segments) {
  const int wanted = place(segments);
  embed();
  for (int i = 0; i < config_.layers; ++i) {
    const LayerWeights& layer = weights_.layers()[static_cast<std::size_t>(i)];
    project(layer, i);
    // Above the last layer's keys and values, only rows whose logits are wanted matter.
    const bool last = i + 1 == config_.layers;
    if (last && wanted == 0) {
      return;
    }
    if (last) {
      keep_wanted(segments);
    }
    const int rows = attend(segments, i, last);
    add_attention(layer, rows);
    feed_forward(layer, rows);
  }
  normalize(weights_.output_norm(), wanted);
  logits_.shape(wanted, weights_.vocabulary());
  weigh_tokens(segments);
  if (config_.logit_softcap > 0) {
    cpu_.pool().parallel_for(wanted, [&](int row) {
      cpu_.vectors().softcap(logits_.row(row), config_.logit_softcap,
                             static_cast<std::size_t>(logits_.width));
    });
  }
  int row = 0;
  for (ForwardSegment& segment : segments) {
    segment.logits = {logits_.row(row),
                      static_cast<std::size_t>(segment.logit_rows * logits_.width)};
    row += segment.logit_rows;
  }
}

void Forward::weigh_tokens(std::span<const ForwardSegment> segments) {
  int begin = 0;  // Of rows that are to be multiplied together.
  int end = 0;
  for (const ForwardSegment& segment : segments) {
    if (segment.narrow.empty()) {
      end += segment.logit_rows;
      continue;
    }
    multiply_head(begin, end, {});
    panels_.clear();
    for (int panel = 0; panel < weights_.head().panels(); ++panel) {
      if (any_bit(segment.narrow, panel * kPanelRows, kPanelRows)) {
        panels_.push_back(panel);
      }
    }
    multiply_head(end, end + segment.logit_rows, panels_);
    begin = end = end + segment.logit_rows;
  }
  multiply_head(begin, end, {});
}

void Forward::multiply_head(int begin, int end, std::span<const int> panels) {
  if (begin == end) {
    return;
  }
  activations_.assign(cpu_, normal_.row(begin), normal_.width, end - begin, config_.embedding,
                      {&weights_.head()});
  matmul(cpu_, activations_,
         std::array{MatmulOutput{&weights_.head(), logits_.row(begin), logits_.width, panels}});
}

int Forward::place(std::span<const ForwardSegment> segments) {
  places_.clear();
  int wanted = 0;
  for (const ForwardSegment& segment : segments) {
    CHECK(!segment.ids.empty() && segment.logit_rows >= 0 &&
              static_cast<std::size_t>(segment.logit_rows) <= segment.ids.size(),
          "the engine cuts prompts into batches");
    const int reached = segment.sequence->size() + static_cast<int>(segment.ids.size());
    rope_.reach(reached);
    if (has_windows(config_)) {
      window_rope_.reach(reached);
    }
    for (const std::int32_t id : segment.ids) {
      places_.push_back({id, segment.sequence, segment.sequence->size()});
      segment.sequence->append(std::span(&id, 1));
    }
    wanted += segment.logit_rows;
  }
  return wanted;
}

void Forward::embed() {
  const int rows = static_cast<int>(places_.size());
  states_.shape(rows, config_.embedding);
  cpu_.pool().parallel_for(rows, [&](int row) {
    weights_.embed(places_[static_cast<std::size_t>(row)].id,
                   {states_.row(row), static_cast<std::size_t>(states_.width)});
    if (config_.embedding_scale != 1) {
      cpu_.vectors().scale(states_.row(row), config_.embedding_scale,
                           static_cast<std::size_t>(states_.width));
    }
  });
}

void Forward::normalize(const std::vector<float>& weight, int rows) {
  normal_.shape(rows, config_.embedding);
  cpu_.pool().parallel_for(rows, [&](int row) {
    cpu_.vectors().rms_norm(states_.row(row), weight.data(), config_.norm_epsilon, weight.size(),
                            normal_.row(row));
  });
}

void Forward::project(const LayerWeights& layer, int index) {
  const int rows = static_cast<int>(places_.size());
  normalize(layer.attention_norm, rows);
  qkv_.shape(rows, config_.query_size() + 2 * config_.kv_size());
  activations_.assign(cpu_, normal_.row(0), normal_.width, rows, config_.embedding,
                      {&layer.query, &layer.key, &layer.value});
  float* keys = qkv_.row(0) + config_.query_size();
  matmul(cpu_, activations_,
         std::array{MatmulOutput{&layer.query, qkv_.row(0), qkv_.width},
                    MatmulOutput{&layer.key, keys, qkv_.width},
                    MatmulOutput{&layer.value, keys + config_.kv_size(), qkv_.width}});
  cpu_.pool().parallel_for(rows, [&](int row) { finish_row(layer, index, row); });
}

void Forward::finish_row(const LayerWeights& layer, int index, int row) {
  const RowPlace& place = places_[static_cast<std::size_t>(row)];
  const VectorKernels& kernels = cpu_.vectors();
  float* queries = qkv_.row(row);
  float* keys = queries + config_.query_size();
  float* values = keys + config_.kv_size();
  if (config_.attention_bias) {
    kernels.add(queries, layer.query_bias.data(), layer.query_bias.size());
    kernels.add(keys, layer.key_bias.data(), layer.key_bias.size());
    kernels.add(values, layer.value_bias.data(), layer.value_bias.size());
  }
  if (config_.head_norms) {
    normalize_heads(kernels, config_, layer.query_norm, queries, config_.heads);
    normalize_heads(kernels, config_, layer.key_norm, keys, config_.kv_heads);
  }
  const RopeTable& table =
      config_.windows[static_cast<std::size_t>(index)] == 0 ? rope_ : window_rope_;
  const auto rope =
      config_.rope_layout == RopeLayout::Adjacent ? kernels.rope_adjacent : kernels.rope_halves;
  // Queries and keys lie side by side, so their heads are turned in one go.
  for (int head = 0; head < config_.heads + config_.kv_heads; ++head) {
    rope(queries + head * config_.head_dim, table.cosines(place.position),
         table.sines(place.position), static_cast<std::size_t>(config_.rope_dimensions));
  }
  store_kv(cpu_, kv_layout_.layers[static_cast<std::size_t>(index)],
           place.sequence->page_at(place.position), place.position % kPageTokens, keys, values);
}

void Forward::keep_wanted(std::span<const ForwardSegment> segments) {
  int end = 0;
  int kept = 0;
  for (const ForwardSegment& segment : segments) {
    end += static_cast<int>(segment.ids.size());
    for (int row = end - segment.logit_rows; row < end; ++row, ++kept) {
      if (row != kept) {
        std::copy_n(states_.row(row), states_.width, states_.row(kept));
      }
    }
  }
}

int Forward::attend(std::span<const ForwardSegment> segments, int index, bool only_wanted) {
  attended_.shape(static_cast<int>(places_.size()), config_.query_size());
  queries_.clear();
  int end = 0;
  int done = 0;
  for (const ForwardSegment& segment : segments) {
    const int all = static_cast<int>(segment.ids.size());
    const int rows = only_wanted ? segment.logit_rows : all;
    end += all;
    if (rows == 0) {
      continue;
    }
    queries_.push_back({.queries = qkv_.row(end - rows),
                        .stride = qkv_.width,
                        .rows = rows,
                        .heads = config_.heads,
                        .first_position = places_[static_cast<std::size_t>(end - rows)].position,
                        .window = config_.windows[static_cast<std::size_t>(index)],
                        .scale = config_.attention_scale,
                        .softcap = config_.attention_softcap,
                        .pages = segment.sequence->addresses(),
                        .out = attended_.row(done),
                        .out_stride = attended_.width});
    done += rows;
  }
  attention(cpu_, kv_layout_.layers[static_cast<std::size_t>(index)], queries_);
  return done;
}

void Forward::add_attention(const LayerWeights& layer, int rows) {
  activations_.assign(cpu_, attended_.row(0), attended_.width, rows, config_.query_size(),
                      {&layer.attention_output});
  normal_.shape(rows, config_.embedding);
  matmul(cpu_, activations_,
         std::array{MatmulOutput{&layer.attention_output, normal_.row(0), normal_.width}});
  cpu_.pool().parallel_for(rows, [&](int row) {
    add_block(layer.attention_post_norm, row);
    cpu_.vectors().rms_norm(states_.row(row), layer.feed_forward_norm.data(), config_.norm_epsilon,
                            layer.feed_forward_norm.size(), normal_.row(row));
  });
}

void Forward::add_block(const std::vector<float>& post_norm, int row) {
  const auto size = static_cast<std::size_t>(config_.embedding);
  if (!post_norm.empty()) {
    cpu_.vectors().rms_norm(normal_.row(row), post_norm.data(), config_.norm_epsilon, size,
                            normal_.row(row));
  }
  cpu_.vectors().add(states_.row(row), normal_.row(row), size);
}

/// SwiGLU or GeGLU: down(activation(gate(x)) × up(x)) (Shazeer, 2020).
void Forward::feed_forward(const LayerWeights& layer, int rows) {
  gate_.shape(rows, config_.feed_forward);
  up_.shape(rows, config_.feed_forward);
  activations_.assign(cpu_, normal_.row(0), normal_.width, rows, config_.embedding,
                      {&layer.gate, &layer.up});
  matmul(cpu_, activations_,
         std::array{MatmulOutput{&layer.gate, gate_.row(0), gate_.width},
                    MatmulOutput{&layer.up, up_.row(0), up_.width}});
  const auto multiply = config_.activation == Activation::Silu ? cpu_.vectors().silu_mul
                                                               : cpu_.vectors().gelu_tanh_mul;
  cpu_.pool().parallel_for(rows, [&](int row) {
    multiply(gate_.row(row), up_.row(row), static_cast<std::size_t>(config_.feed_forward),
             gate_.row(row));
  });
  activations_.assign(cpu_, gate_.row(0), gate_.width, rows, config_.feed_forward, {&layer.down});
  matmul(cpu_, activations_, std::array{MatmulOutput{&layer.down, normal_.row(0), normal_.width}});
  cpu_.pool().parallel_for(rows, [&](int row) { add_block(layer.feed_forward_post_norm, row); });
}

}  // namespace trialwright
