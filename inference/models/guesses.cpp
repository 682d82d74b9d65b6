#include "inference/models/guesses.h"

#include <utility>

#include "inference/safetensors/model_folder.h"
#include "inference/spec/draft_model.h"
#include "inference/spec/prompt_lookup.h"
#include "inference/spec/suffix_drafter.h"

namespace trialwright {

Guesses::Guesses(DraftDepth& depth, std::unique_ptr<Engine> small)
    : depth_(depth), small_(std::move(small)) {}

std::unique_ptr<Drafter> Guesses::drafter_for(std::string_view draft_key,
                                              std::size_t prompt_tokens) {
  std::vector<DraftSource> sources;
  if (!draft_key.empty()) {
    sources.push_back(
        {std::make_unique<SuffixDrafter>(answers_.of(draft_key), prompt_tokens), earlier_answers_});
  }
  sources.push_back({std::make_unique<PromptLookup>(), request_itself_});
  if (small_) {
    sources.push_back({std::make_unique<DraftModel>(*small_), small_model_, true});
  }
  return std::make_unique<BestOfDrafters>(std::move(sources), depth_, clock_);
}

void Guesses::learn(std::string_view draft_key, std::span<const std::int32_t> prompt,
                    std::span<const GeneratedToken> answer, const SpeculationStats& stats) {
  if (!draft_key.empty()) {
    std::vector<std::int32_t> ids;
    for (const GeneratedToken& token : answer) {
      ids.push_back(token.chosen.id);
    }
    answers_.of(draft_key)->add(prompt, ids);
  }
  const std::scoped_lock lock(mutex_);
  total_ += stats;
}

void Guesses::expect(std::string_view draft_key,
                     std::span<const std::vector<std::int32_t>> answers) {
  std::vector<std::vector<std::int32_t>> stored;
  for (const auto& answer : answers) {
    stored.push_back(stored_answer({}, answer));
  }
  answers_.of(draft_key)->add_all(stored);
}

SpeculationStats Guesses::total() const {
  const std::scoped_lock lock(mutex_);
  return total_;
}

Result<std::unique_ptr<Engine>> load_draft_engine(const std::filesystem::path& path,
                                                  const EngineOptions& options,
                                                  const Tokenizer& tokenizer) {
  if (path.empty()) {
    return std::unique_ptr<Engine>();
  }
  constexpr std::string_view kStep = "loading the draft model";
  auto file = open_model_files(path);
  if (!file) {
    return file.error().during(kStep);
  }
  auto small_tokenizer = Tokenizer::load(*file);
  if (!small_tokenizer) {
    return small_tokenizer.error().during(kStep);
  }
  if (auto same = check_same_vocabulary(tokenizer, *small_tokenizer); !same) {
    return same.error().during(path.string());
  }
  EngineOptions small = options;
  small.context_tokens_max = 0;
  // The large model's conversations need the memory more.
  small.cache_bytes_max = options.cache_bytes_max / 4;
  auto engine = Engine::load(std::move(*file), small);
  if (!engine) {
    return engine.error().during(kStep);
  }
  return std::make_unique<Engine>(std::move(*engine));
}

}  // namespace trialwright
