#include "inference/spec/draft_model.h"

#include <cmath>
#include <string>

namespace trialwright {

Result<void> check_same_vocabulary(const Tokenizer& target, const Tokenizer& small) {
  if (target.size() != small.size()) {
    return invalid("the draft model has " + std::to_string(small.size()) +
                   " tokens, the model it is to guess for " + std::to_string(target.size()));
  }
  for (TokenId id = 0; id < target.size(); ++id) {
    if (target.bytes(id) != small.bytes(id) || target.is_control(id) != small.is_control(id)) {
      return invalid("token " + std::to_string(id) +
                     " is not the same for the draft model as for the model it is to guess for");
    }
  }
  return {};
}

void DraftModel::draft(std::span<const std::int32_t> context, int tokens_max, Draft& draft) {
  draft.ids.clear();
  draft.confidence.clear();
  if (tokens_max <= 0) {
    return;
  }
  double survival = 1;
  const auto take = [&](const GeneratedToken& token) {
    const double confidence = std::exp(token.chosen.logprob);
    survival *= confidence;
    if (survival < kSurvivalMin) {
      return false;
    }
    draft.ids.push_back(token.chosen.id);
    draft.confidence.push_back(confidence);
    return true;
  };
  const auto generated = small_.generate(
      {.ids = {context.begin(), context.end()}, .tokens_max = tokens_max, .on_token = take}, {});
  // A guess is worth no error: without one the model goes on by itself.
  if (!generated) {
    draft.ids.clear();
    draft.confidence.clear();
  }
}

}  // namespace trialwright
