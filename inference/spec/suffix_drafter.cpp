#include "inference/spec/suffix_drafter.h"

#include <algorithm>
#include <utility>

#include "base/check.h"

namespace trialwright {

SuffixDrafter::SuffixDrafter(std::shared_ptr<const AnswerStore> store, std::size_t prompt_tokens)
    : store_(std::move(store)), prompt_tokens_(prompt_tokens) {
  CHECK(store_ != nullptr, "without a store there is nothing to look anything up in");
}

void SuffixDrafter::begin_answer_if_due() {
  if (!begun_ && followed_ == prompt_tokens_) {
    begun_ = true;
    tail_.push_back(kAnswerBegin);
  }
}

/// Brings `tail_` up to the context's end, and says by how many tokens it grew. At first only the
/// context's end is looked at, later only what is new.
int SuffixDrafter::follow(std::span<const std::int32_t> context) {
  CHECK(context.size() >= followed_, "a context only grows");
  constexpr std::size_t kTail = kMatchedTokensMax;
  followed_ = std::max(followed_, context.size() - std::min(context.size(), kTail));
  tail_.erase(tail_.begin(),
              tail_.end() - static_cast<std::ptrdiff_t>(std::min(tail_.size(), kTail)));
  const std::size_t before = tail_.size();
  for (; followed_ < context.size(); ++followed_) {
    begin_answer_if_due();
    tail_.push_back(context[followed_]);
  }
  begin_answer_if_due();
  return static_cast<int>(tail_.size() - before);
}

void SuffixDrafter::draft(std::span<const std::int32_t> context, int tokens_max, Draft& draft) {
  const int grown = follow(context);
  const auto latest = store_->index();
  match_max_ =
      latest == index_ ? std::min(match_max_ + grown, kMatchedTokensMax) : kMatchedTokensMax;
  index_ = latest;
  const SuffixIndex::Node match = index_->longest_match(tail_, match_max_);
  match_max_ = match.depth;
  best_.ids.clear();
  best_.confidence.clear();
  best_expected_ = 0;
  if (match.depth > 0) {
    explore(match, 1, 0, tokens_max);
  }
  draft = best_;
}

/// Looks at the paths that go on from `node`, which is reached with probability `survival` by a
/// path of `expected` accepted tokens.
void SuffixDrafter::explore(const SuffixIndex::Node& node, double survival, double expected,
                            int tokens_max) {
  if (expected > best_expected_) {
    best_ = path_;
    best_expected_ = expected;
  }
  const int left = std::min(tokens_max - static_cast<int>(path_.ids.size()),
                            SuffixIndex::kOrderedTokens - node.depth);
  if (left <= 0 || expected + survival * left <= best_expected_) {
    return;
  }
  const double total = static_cast<double>(node.count()) + 1.0 / node.depth;
  const auto count_min =
      std::max<std::size_t>(1, static_cast<std::size_t>(total * kSurvivalMin / survival));
  const std::size_t begin = children_.size();
  index_->frequent_children(node, count_min, children_);
  std::stable_sort(children_.begin() + static_cast<std::ptrdiff_t>(begin), children_.end(),
                   [](const auto& a, const auto& b) { return a.node.count() > b.node.count(); });
  const std::size_t end = children_.size();
  for (std::size_t i = begin; i < end; ++i) {
    const SuffixIndex::Child child = children_[i];
    const double confidence = static_cast<double>(child.node.count()) / total;
    if (child.id == kAnswerBegin || survival * confidence < kSurvivalMin) {
      continue;
    }
    path_.ids.push_back(child.id);
    path_.confidence.push_back(confidence);
    explore(child.node, survival * confidence, expected + survival * confidence, tokens_max);
    path_.ids.pop_back();
    path_.confidence.pop_back();
  }
  children_.resize(begin);
}

}  // namespace trialwright
