#pragma once

#include <cstdint>
#include <span>
#include <vector>

#include "inference/cpu/attention.h"
#include "inference/cpu/cpu.h"
#include "inference/cpu/matmul.h"
#include "inference/cpu/rope_table.h"
#include "inference/kv/kv_sequence.h"
#include "inference/llm/model_config.h"
#include "inference/llm/weights.h"

namespace trialwright {

/// Tokens that go on one sequence.
struct ForwardSegment {
  std::span<const std::int32_t> ids;  ///< Not empty.
  KvSequence* sequence = nullptr;     ///< With room made for them; in no other segment of the call.
  int logit_rows = 0;                 ///< How many of the last tokens' logits are wanted.
  /// If not empty, only the logits of these tokens are computed (bit id % 64 of word id / 64); what
  /// stands at the others is void.
  std::span<const std::uint64_t> narrow{};
  /// What came out: [logit_rows][vocabulary], valid until the next call.
  std::span<const float> logits{};
};

/// Runs token ids through a model, on the CPU.
///
/// Prefill and decode are the same function with many rows or one, of one sequence or several. A
/// row's bits depend on the tokens before it alone: not on how they were cut into batches, what was
/// computed beside them nor the number of threads. Working memory is kept between calls. One thread
/// at a time.
class Forward {
 public:
  /// What is given must outlive this. kv_layout: of the sequences' pages.
  Forward(Cpu& cpu, const ModelConfig& config, const Weights& weights,
          const KvPageLayout& kv_layout);

  /// About how much working memory `rows` tokens and a sequence of `positions` take.
  static std::uint64_t bytes_for(const ModelConfig& config, int rows, int positions);

  /// Appends each segment's ids to its sequence, storing their keys and values, and sets its
  /// logits. The ids lie in the vocabulary. Throws std::bad_alloc if working memory runs out; what
  /// the sequences hold is void then.
  void run(std::span<ForwardSegment> segments);

 private:
  /// Where a row belongs.
  struct RowPlace {
    std::int32_t id = 0;
    KvSequence* sequence = nullptr;
    int position = 0;
  };

  /// Rows of `width` numbers, kept from call to call.
  struct Rows {
    std::vector<float> numbers;
    std::int64_t width = 0;

    void shape(int rows, std::int64_t width_now);
    [[nodiscard]] float* row(int index) { return numbers.data() + index * width; }
  };

  /// Appends the ids to their sequences. Returns how many logits are wanted.
  int place(std::span<const ForwardSegment> segments);
  void embed();
  /// What `normal_` holds is added to the states, normalized first where there is a weight for it.
  void add_block(const std::vector<float>& post_norm, int row);
  void normalize(const std::vector<float>& weight, int rows);
  /// Queries, keys and values of all rows; keys and values go to the cache.
  void project(const LayerWeights& layer, int index);
  void finish_row(const LayerWeights& layer, int index, int row);
  /// Leaves those rows of the states in front whose logits are wanted.
  void keep_wanted(std::span<const ForwardSegment> segments);
  /// Attention of all rows, or of those whose logits are wanted, side by side; returns how many.
  int attend(std::span<const ForwardSegment> segments, int index, bool only_wanted);
  /// The output head's products with the rows whose logits are wanted.
  void weigh_tokens(std::span<const ForwardSegment> segments);
  void multiply_head(int begin, int end, std::span<const int> panels);
  void add_attention(const LayerWeights& layer, int rows);
  void feed_forward(const LayerWeights& layer, int rows);

  Cpu& cpu_;
  const ModelConfig& config_;
  const Weights& weights_;
  const KvPageLayout& kv_layout_;
  RopeTable rope_;
  RopeTable window_rope_;         ///< Of layers that have a window.
  std::vector<RowPlace> places_;  ///< Of the rows of this call.
  Rows states_;                   ///< What layers add to.
  Rows normal_;                   ///< Normalized states; also what a block adds to them.
  Rows qkv_;                      ///< Queries, keys and values of a row side by side.
  Rows attended_;                 ///< Heads' outputs.
  Rows gate_;
  Rows up_;
  Rows logits_;
  std::vector<int> panels_;  ///< Of the head, for a row of which few tokens' logits are wanted.
  Activations activations_;
  std::vector<AttentionQueries> queries_;  ///< Of the segments.
};

}  // namespace trialwright
