#pragma once

#include <cstdint>
#include <functional>
#include <optional>
#include <span>
#include <string>
#include <vector>

#include "inference/llm/engine.h"

namespace trialwright {

// One set of questions, asked of engines that compute the answers in different ways.

/// What an engine said, as words to be compared: ids, and log-probabilities by their bits.
struct Answer {
  std::vector<std::uint64_t> words{};
  std::vector<std::int32_t> ids{};  ///< What was generated.
  int cached_tokens = 0;
  int guesses_taken = 0;
};

/// What changes how fast an answer comes, or what is counted on the way, and never the answer.
struct Help {
  std::span<const std::int32_t> expected{};  ///< What will be generated.
  std::optional<double> right{};             ///< Guess `expected`, so often rightly; no guesses.
  bool audit = false;                        ///< Count what a constraint changed.
};

using Question = std::function<Answer(Engine&, const Help&)>;

struct PromptLength {
  int shared = 0;  ///< Tokens that all prompts begin with.
  int own = 1;     ///< Tokens that no other prompt has there.
};

/// What is asked of a model.
struct Questions {
  std::vector<GenerateRequest> requests;  ///< Asked by the first of `all`, in this order.
  std::vector<Question> all{};
};

/// Generations with three alternatives at each place, greedy and sampled by turns, every third one
/// where only some tokens may come; scores of continuations; log-probabilities and logits of texts.
///
/// lengths          of the prompts that are continued.
/// logit_positions  more than 7.
Questions make_questions(std::span<const PromptLength> lengths, int logit_positions,
                         int vocabulary);

/// What an engine has in its cache when it is asked.
enum class CacheState {
  Used,          ///< What the questions before have left.
  Warm,          ///< All questions were asked before.
  PartlyShared,  ///< Half of each prompt was read before, with another end.
  Restored,      ///< All questions were asked of another engine, whose cache was saved to a file.
};

/// Keeps nothing: each question makes the engine drop what the one before has left.
constexpr std::size_t kNoCache = 1;
constexpr std::size_t kAmpleCache = EngineOptions{}.cache_bytes_max;

/// One way to compute the answers.
struct Way {
  EngineOptions options{};
  int callers = 1;  ///< Ask at the same time.
  CacheState cache = CacheState::Used;
  std::uint64_t order = 0;        ///< In which the questions come; 0 is as written.
  std::optional<double> right{};  ///< As in Help.
  bool audit = false;             ///< As in Help.

  [[nodiscard]] std::string text() const;
};

using LoadEngine = std::function<Result<Engine>(const EngineOptions&)>;

/// Asks in the plainest way, one thread and one question at a time with nothing kept, then in each
/// of the others, and expects the same bits. Prints how many were compared and how many differ.
void compare_ways(const std::string& name, const LoadEngine& load, const Questions& questions,
                  Isa plainest_isa, std::span<const Way> ways);

}  // namespace trialwright
