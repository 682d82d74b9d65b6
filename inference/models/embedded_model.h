#pragma once

#include <filesystem>
#include <memory>
#include <string>

#include "base/result.h"
#include "inference/llm/engine.h"
#include "inference/model.h"
#include "inference/token/tokenizer.h"
#include "inference/token_model.h"

namespace trialwright {

struct EmbeddedModelOptions {
  std::string name{};  ///< As the user named it; empty takes the file's name.
  EngineOptions engine{};
  /// Requests that are computed together, at least one; further ones wait. Bounds the memory of
  /// conversations.
  int requests_max = 8;
  /// Guesses tokens ahead and lets the model check them: faster, with the same results.
  bool guess = true;
  /// A small model with the same vocabulary to guess with, beside what costs nothing; empty for
  /// none.
  std::filesystem::path draft_model{};
  /// Keys and values of earlier requests are read from here at the start, if the file is there, and
  /// written back at the end and every five minutes; empty for none.
  std::filesystem::path cache_file{};
  /// Where digests of model files are remembered.
  std::filesystem::path digest_folder{};  ///< Empty takes the user's cache folder.
};

/// A model file, or a folder with a model, run by the engine inside this process.
///
/// Any thread; requests are let in in the order of arrival and computed together. The conversation
/// goes through the model's own chat template: the template's text may hold control tokens, the
/// messages' text may not.
class EmbeddedModel final : public Model, public TokenModel {
 public:
  /// Errors: as Engine::load and Tokenizer::load.
  static Result<std::unique_ptr<EmbeddedModel>> load(const std::filesystem::path& path,
                                                     const EmbeddedModelOptions& options);
  ~EmbeddedModel() override;

  [[nodiscard]] const ModelIdentity& identity() const override;
  Result<Completion> complete(const CompletionRequest& request, std::stop_token stop) override;
  Result<std::vector<ContinuationScore>> score(const ScoreRequest& request,
                                               std::stop_token stop) override;

  /// Continues a text as it stands, without the chat template; control tokens are read from it.
  /// The request's messages and tools are not looked at. Errors: as `complete`.
  Result<Completion> continue_text(std::string_view text, const CompletionRequest& request,
                                   std::stop_token stop);

  void expect_answers(std::string_view draft_key,
                      std::span<const std::vector<std::int32_t>> answers) override;
  TokenModel* tokens() override { return this; }
  [[nodiscard]] EncodedText encode_text(std::string_view text) const override;
  [[nodiscard]] std::string_view token_bytes(std::int32_t id) const override;
  [[nodiscard]] std::int32_t bos_id() const override;
  [[nodiscard]] std::int32_t eos_id() const override;
  [[nodiscard]] bool is_shown(std::int32_t id) const override;
  Result<Completion> continue_ids(std::span<const std::int32_t> prompt,
                                  const CompletionRequest& request, std::stop_token stop) override;
  Result<std::vector<GeneratedToken>> prompt_logprobs(std::span<const std::int32_t> ids,
                                                      int alternatives,
                                                      std::stop_token stop) override;

  [[nodiscard]] const Tokenizer& tokenizer() const;
  [[nodiscard]] std::optional<SpeculationStats> speculation() const override;
  /// The engine itself, for what goes beyond messages and texts.
  [[nodiscard]] Engine& engine();

 private:
  struct State;
  explicit EmbeddedModel(std::unique_ptr<State> state);
  std::unique_ptr<State> state_;
};

}  // namespace trialwright
