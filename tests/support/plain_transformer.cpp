#include "tests/support/plain_transformer.h"

#include <algorithm>
#include <cmath>
#include <string>

#include "inference/cpu/quant.h"

namespace trialwright {
namespace {

using Vector = std::vector<double>;

class Plain {
 public:
  explicit Plain(const GgufFile& file)
      : file_(file),
        architecture_(*file.text("general.architecture")),
        heads_(size("attention.head_count")),
        kv_heads_(size("attention.head_count_kv")),
        head_dim_(size_or("attention.key_length", size("embedding_length") / heads_)),
        epsilon_(*file.number(architecture_ + ".attention.layer_norm_rms_epsilon")),
        gemma_(architecture_ == "gemma3") {}

  std::vector<double> logits(std::span<const std::int32_t> ids) {
    std::vector<Vector> states;
    for (const std::int32_t id : ids) {
      states.push_back(row("token_embd.weight", static_cast<std::size_t>(id)));
      if (gemma_) {
        for (double& number : states.back()) {
          number *= std::sqrt(static_cast<double>(states.back().size()));
        }
      }
    }
    for (std::size_t i = 0; i < size("block_count"); ++i) {
      layer(i, states);
    }
    std::vector<double> all;
    const bool tied = file_.tensor("output.weight") == nullptr;
    for (const Vector& state : states) {
      Vector row_logits =
          times(tied ? "token_embd.weight" : "output.weight", normal("output_norm.weight", state));
      cap(row_logits, "final_logit_softcapping");
      all.insert(all.end(), row_logits.begin(), row_logits.end());
    }
    return all;
  }

 private:
  /// What a layer does with positions.
  struct Places {
    double base = 10000;
    double scale = 1;
    std::size_t seen = 1U << 30U;  ///< Positions that a token sees, its own among them.
  };

  Places places(std::size_t layer) const {
    // Without a key, every sixth layer of a gemma3 sees everything.
    const std::size_t pattern = size_or("attention.sliding_window_pattern", 6);
    if (gemma_ && (layer + 1) % pattern != 0) {
      return {.seen = size("attention.sliding_window")};
    }
    return {.base = number_or("rope.freq_base", 10000),
            .scale = 1 / number_or("rope.scaling.factor", 1)};
  }

  std::size_t size_or(const std::string& key, std::size_t otherwise) const {
    return file_.has(architecture_ + "." + key) ? size(key) : otherwise;
  }

  double number_or(const std::string& key, double otherwise) const {
    const std::string name = architecture_ + "." + key;
    return file_.has(name) ? *file_.number(name) : otherwise;
  }

  void cap(Vector& numbers, const std::string& key) const {
    const double most = number_or(key, 0);
    for (double& number : numbers) {
      number = most == 0 ? number : most * std::tanh(number / most);
    }
  }

  std::size_t size(const std::string& key) const {
    return static_cast<std::size_t>(*file_.integer(architecture_ + "." + key));
  }

  Vector row(const std::string& name, std::size_t index) const {
    const GgufTensor& tensor = *file_.tensor(name);
    std::vector<float> out(static_cast<std::size_t>(tensor.shape[0]));
    const std::size_t bytes = *tensor_row_bytes(tensor.type, tensor.shape[0]);
    dequantize_row(tensor.type, tensor.data.subspan(index * bytes, bytes), out);
    return {out.begin(), out.end()};
  }

  Vector times(const std::string& name, const Vector& x) const {
    Vector out;
    const auto rows = static_cast<std::size_t>(file_.tensor(name)->shape[1]);
    for (std::size_t i = 0; i < rows; ++i) {
      const Vector weights = row(name, i);
      double sum = 0;
      for (std::size_t j = 0; j < x.size(); ++j) {
        sum += weights[j] * x[j];
      }
      out.push_back(sum);
    }
    return out;
  }

  Vector projected(const std::string& at, const Vector& x) const {
    Vector out = times(at + ".weight", x);
    if (file_.tensor(at + ".bias") != nullptr) {
      const Vector bias = row(at + ".bias", 0);
      std::transform(out.begin(), out.end(), bias.begin(), out.begin(), std::plus<>());
    }
    return out;
  }

  Vector normal(const std::string& name, const Vector& x) const {
    double squares = 0;
    for (const double number : x) {
      squares += number * number;
    }
    const double scale = 1 / std::sqrt(squares / static_cast<double>(x.size()) + epsilon_);
    Vector out = row(name, 0);
    for (std::size_t i = 0; i < x.size(); ++i) {
      out[i] *= x[i] * scale;
    }
    return out;
  }

  /// The same for each head by itself, where the model has such norms.
  Vector heads_normal(const std::string& name, const Vector& x) const {
    if (file_.tensor(name) == nullptr) {
      return x;
    }
    Vector out;
    for (auto head = x.begin(); head != x.end(); head += static_cast<std::ptrdiff_t>(head_dim_)) {
      const Vector part = normal(name, Vector(head, head + static_cast<std::ptrdiff_t>(head_dim_)));
      out.insert(out.end(), part.begin(), part.end());
    }
    return out;
  }

  void turn(Vector& x, std::size_t position, const Places& places) const {
    const std::size_t half = head_dim_ / 2;
    for (std::size_t start = 0; start < x.size(); start += head_dim_) {
      for (std::size_t i = 0; i < half; ++i) {
        const double angle =
            static_cast<double>(position) * places.scale *
            std::pow(places.base, -2.0 * static_cast<double>(i) / static_cast<double>(head_dim_));
        const bool adjacent = architecture_ == "llama";
        double& a = x[start + (adjacent ? 2 * i : i)];
        double& b = x[start + (adjacent ? 2 * i + 1 : i + half)];
        const double turned = a * std::cos(angle) - b * std::sin(angle);
        b = a * std::sin(angle) + b * std::cos(angle);
        a = turned;
      }
    }
  }

  Vector attended(const Vector& query, const std::vector<Vector>& keys,
                  const std::vector<Vector>& values, std::size_t position, std::size_t seen) const {
    const std::size_t first = position + 1 > seen ? position + 1 - seen : 0;
    Vector out(query.size());
    for (std::size_t head = 0; head < heads_; ++head) {
      const std::size_t at = head * head_dim_;
      const std::size_t kv_at = head / (heads_ / kv_heads_) * head_dim_;
      Vector scores;
      for (std::size_t p = first; p <= position; ++p) {
        double dot = 0;
        for (std::size_t i = 0; i < head_dim_; ++i) {
          dot += query[at + i] * keys[p][kv_at + i];
        }
        scores.push_back(dot / std::sqrt(static_cast<double>(head_dim_)));
      }
      cap(scores, "attn_logit_softcapping");
      double sum = 0;
      for (const double score : scores) {
        sum += std::exp(score);
      }
      for (std::size_t p = first; p <= position; ++p) {
        for (std::size_t i = 0; i < head_dim_; ++i) {
          out[at + i] += std::exp(scores[p - first]) / sum * values[p][kv_at + i];
        }
      }
    }
    return out;
  }

  /// Adds what a block gives, normalized where the model has a norm for it.
  void add_block(Vector& state, const std::string& post_norm, const Vector& block) const {
    add(state, file_.tensor(post_norm) == nullptr ? block : normal(post_norm, block));
  }

  double activation(double z) const {
    constexpr double kPi = 3.14159265358979323846;
    return gemma_ ? z / 2 * (1 + std::tanh(std::sqrt(2 / kPi) * (z + 0.044715 * z * z * z)))
                  : z / (1 + std::exp(-z));
  }

  void layer(std::size_t index, std::vector<Vector>& states) const {
    const std::string at = "blk." + std::to_string(index) + ".";
    const Places where = places(index);
    std::vector<Vector> queries;
    std::vector<Vector> keys;
    std::vector<Vector> values;
    for (std::size_t position = 0; position < states.size(); ++position) {
      const Vector x = normal(at + "attn_norm.weight", states[position]);
      queries.push_back(heads_normal(at + "attn_q_norm.weight", projected(at + "attn_q", x)));
      keys.push_back(heads_normal(at + "attn_k_norm.weight", projected(at + "attn_k", x)));
      values.push_back(projected(at + "attn_v", x));
      turn(queries.back(), position, where);
      turn(keys.back(), position, where);
    }
    for (std::size_t position = 0; position < states.size(); ++position) {
      Vector& state = states[position];
      add_block(state, at + "post_attention_norm.weight",
                times(at + "attn_output.weight",
                      attended(queries[position], keys, values, position, where.seen)));
      const Vector x = normal(at + "ffn_norm.weight", state);
      Vector inner = times(at + "ffn_gate.weight", x);
      const Vector up = times(at + "ffn_up.weight", x);
      for (std::size_t i = 0; i < inner.size(); ++i) {
        inner[i] = activation(inner[i]) * up[i];
      }
      add_block(state, at + "post_ffw_norm.weight", times(at + "ffn_down.weight", inner));
    }
  }

  static void add(Vector& to, const Vector& what) {
    std::transform(to.begin(), to.end(), what.begin(), to.begin(), std::plus<>());
  }

  const GgufFile& file_;
  std::string architecture_;
  std::size_t heads_;
  std::size_t kv_heads_;
  std::size_t head_dim_;
  double epsilon_;
  bool gemma_;
};

}  // namespace

std::vector<double> plain_logits(const GgufFile& file, std::span<const std::int32_t> ids) {
  return Plain(file).logits(ids);
}

}  // namespace trialwright
