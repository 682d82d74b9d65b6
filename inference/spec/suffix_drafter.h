#pragma once

#include <cstddef>
#include <cstdint>
#include <memory>
#include <vector>

#include "inference/spec/answer_store.h"
#include "inference/spec/drafter.h"

namespace trialwright {

/// Guesses that an answer goes on as earlier answers of the same store did.
///
/// Source: SuffixDecoding (Oliaro et al., arXiv 2411.04975): the longest end of the text that the
/// store has seen is looked up, and continuations are weighed by how often they came. Where a node
/// was reached `total` times and a child of it `count` times, after a match of m tokens, the
/// child's confidence is count / (total + 1/m): one witness is believed the more, the more came
/// true already. Of all paths whose confidences multiply to at least kSurvivalMin the one is taken
/// whose expected number of accepted tokens, the sum of these products along the path, is largest;
/// on a tie the child that came more often, then the lower id, comes first.
class SuffixDrafter final : public Drafter {
 public:
  static constexpr double kSurvivalMin = 0.125;

  /// prompt_tokens  where in the context the answer begins.
  SuffixDrafter(std::shared_ptr<const AnswerStore> store, std::size_t prompt_tokens);

  void draft(std::span<const std::int32_t> context, int tokens_max, Draft& draft) override;

 private:
  int follow(std::span<const std::int32_t> context);
  void begin_answer_if_due();
  void explore(const SuffixIndex::Node& node, double survival, double expected, int tokens_max);

  std::shared_ptr<const AnswerStore> store_;
  std::size_t prompt_tokens_;
  std::shared_ptr<const SuffixIndex> index_;
  std::size_t followed_ = 0;        ///< Tokens of the context that were looked at.
  std::vector<std::int32_t> tail_;  ///< The latest of them, kAnswerBegin where the answer begins.
  bool begun_ = false;              ///< kAnswerBegin was put there.
  int match_max_ = 0;               ///< The longest match cannot be longer.
  // The path that is being explored, the best one so far, and its expected accepted tokens.
  Draft path_;
  Draft best_;
  double best_expected_ = 0;
  std::vector<SuffixIndex::Child> children_;  ///< Of all nodes of the path, as a stack.
};

}  // namespace trialwright
