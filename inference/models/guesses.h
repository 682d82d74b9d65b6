#pragma once

#include <filesystem>
#include <memory>
#include <mutex>
#include <span>
#include <string_view>
#include <vector>

#include "base/clock.h"
#include "inference/llm/engine.h"
#include "inference/spec/answer_store.h"
#include "inference/spec/best_of_drafters.h"
#include "inference/spec/speculation_stats.h"
#include "inference/token/tokenizer.h"

namespace trialwright {

/// What a model guesses from: the answers to earlier requests by their draft keys, each request
/// itself, and a small model if there is one. Remembers what the guesses of each kind were worth.
///
/// Any thread.
class Guesses {
 public:
  /// depth  the engine's; outlives this.
  /// small  of the same vocabulary as the engine that is guessed for; may be null.
  Guesses(DraftDepth& depth, std::unique_ptr<Engine> small);

  /// The drafter of one request; this outlives it. A request without a key shares nothing.
  std::unique_ptr<Drafter> drafter_for(std::string_view draft_key, std::size_t prompt_tokens);

  /// A request of this key was answered: what it can teach.
  void learn(std::string_view draft_key, std::span<const std::int32_t> prompt,
             std::span<const GeneratedToken> answer, const SpeculationStats& stats);
  /// Answers to be expected, as Model::expect_answers.
  void expect(std::string_view draft_key, std::span<const std::vector<std::int32_t>> answers);

  /// Of all requests so far.
  [[nodiscard]] SpeculationStats total() const;

 private:
  DraftDepth& depth_;
  std::unique_ptr<Engine> small_;
  SystemClock clock_;
  AnswerLibrary answers_;
  DrafterRecord earlier_answers_;
  DrafterRecord request_itself_;
  DrafterRecord small_model_;
  mutable std::mutex mutex_;  ///< Of `total_`.
  SpeculationStats total_;
};

/// The engine of a small model to guess with; null where `path` is empty.
/// Errors: as Engine::load; Invalid if its vocabulary is not that of `tokenizer`.
Result<std::unique_ptr<Engine>> load_draft_engine(const std::filesystem::path& path,
                                                  const EngineOptions& options,
                                                  const Tokenizer& tokenizer);

}  // namespace trialwright
