#pragma once

#include <chrono>
#include <cstdint>
#include <filesystem>
#include <functional>
#include <memory>
#include <optional>
#include <span>
#include <stop_token>
#include <string>
#include <string_view>
#include <vector>

#include "base/result.h"
#include "inference/cpu/isa.h"
#include "inference/gguf/gguf_file.h"
#include "inference/kv/kv_sequence.h"
#include "inference/llm/memory_plan.h"
#include "inference/llm/model_config.h"
#include "inference/llm/token_constraint.h"
#include "inference/model.h"
#include "inference/spec/drafter.h"

namespace trialwright {

/// Where the engine computes. There is one place: another one needs its own Forward and KvPagePool,
/// which Engine makes without a seam between. It is an enum so that names are read in one place.
enum class Device { Cpu };

/// Errors: Invalid, naming those that there are.
Result<Device> parse_device(std::string_view name);

struct EngineOptions {
  Device device = Device::Cpu;
  int threads = 0;           ///< 0 takes one for each core that this process may use.
  std::optional<Isa> isa{};  ///< The fastest, unless a test asks for another.
  /// Bound on prompt and completion together; 0 takes the model's own. More than that is an error.
  int context_tokens_max = 0;
  /// Bound on keys and values, those kept for reuse too; half of the memory that is left beside the
  /// weights if that is less. A request is granted its own in any case.
  std::size_t cache_bytes_max = std::size_t{2} << 30U;
  int prefill_rows_max = 256;  ///< Tokens of a prompt that are computed together.
};

struct GenerateRequest {
  std::vector<std::int32_t> ids{};  ///< The prompt; not empty.
  Sampling sampling{};
  std::uint64_t stream = 0;
  int tokens_max = 512;
  int alternatives = 0;
  std::optional<std::chrono::steady_clock::time_point> deadline{};
  /// Called with each token as it is chosen; false ends the generation with FinishReason::Stop. On
  /// the engine's thread, so it must be quick and must not call the engine.
  std::function<bool(const GeneratedToken&)> on_token{};
  /// What may come next; none where anything may. Used on the engine's threads until `generate`
  /// returns.
  TokenConstraint* constraint = nullptr;
  /// With a constraint: counts what it changed, for which the whole distribution is computed.
  bool audit = false;
  /// Guesses tokens ahead, as `constraint`. Changes how fast the answer comes, never which.
  Drafter* drafter = nullptr;
};

struct Generation {
  std::vector<GeneratedToken> tokens;
  FinishReason finish = FinishReason::Length;
  int cached_tokens = 0;                    ///< Of the prompt.
  int guessed = 0;                          ///< Tokens that the drafter guessed,
  int guesses_taken = 0;                    ///< and how many of them were the tokens that came.
  std::optional<FormatAudit> format_audit;  ///< With a constraint.
  std::chrono::microseconds queued{0};
  std::chrono::microseconds prefill{0};
  std::chrono::microseconds decode{0};
};

/// Keys and values that are not forgotten while this lives. Copies hold them too.
class HeldPrefix {
 public:
  explicit HeldPrefix(std::shared_ptr<const KvSequence> sequence)
      : sequence_(std::move(sequence)) {}
  [[nodiscard]] int tokens() const { return sequence_->size(); }

 private:
  std::shared_ptr<const KvSequence> sequence_;
};

/// A model ready to compute: token ids in, token ids and log-probabilities out.
///
/// With the same weights, ids, sampling and instruction set the results are equal bit for bit,
/// whatever the number of threads, the cutting of prompts into batches, what is in the cache and
/// what is computed beside them. Any thread: requests that come at once go through the model
/// together. A prompt goes on from the longest prefix that any earlier request had, so a fork of a
/// conversation costs nothing.
class Engine {
 public:
  /// Errors: NotFound; Invalid for a file that is no model we can run (a vocabulary-only file
  /// among them) or a context longer than the model's; Unavailable if there is
  /// not enough memory, which is looked at before loading.
  static Result<Engine> load(const std::filesystem::path& path, const EngineOptions& options);
  /// The same with a file that is open already.
  static Result<Engine> load(GgufFile file, const EngineOptions& options);

  ~Engine();
  Engine(Engine&&) noexcept;
  Engine& operator=(Engine&&) noexcept;

  /// What loading would take. Errors: as `load`, but for memory.
  static Result<MemoryPlan> plan(const GgufFile& file, const EngineOptions& options);

  [[nodiscard]] const ModelConfig& config() const;
  [[nodiscard]] int context_tokens_max() const;
  [[nodiscard]] int vocabulary() const;
  [[nodiscard]] int threads() const;
  /// "cpu avx512-vnni".
  [[nodiscard]] std::string device_text() const;

  /// Errors: Invalid if the prompt is empty, does not fit the context with one more token, or holds
  /// ids outside the vocabulary, or if the sampling makes no sense; Integrity if the model's output
  /// is not a number; Unavailable if memory runs out.
  Result<Generation> generate(const GenerateRequest& request, std::stop_token stop);

  /// The sum of log-probabilities of each continuation after the prefix, which is computed once;
  /// the continuations go through the model together. Errors: as `generate`; Invalid if a
  /// continuation is empty; Cancelled.
  Result<std::vector<double>> score(std::span<const std::int32_t> prefix,
                                    std::span<const std::vector<std::int32_t>> continuations,
                                    std::stop_token stop);

  /// For each id its log-probability after those before it, with the likeliest alternatives; the
  /// first one, which nothing goes before, has 0 and none. Errors: as `generate`; Cancelled.
  Result<std::vector<GeneratedToken>> prompt_logprobs(std::span<const std::int32_t> ids,
                                                      int alternatives, std::stop_token stop);

  /// The logits at every position of `ids`, [ids.size()][vocabulary]; nothing is taken from the
  /// cache. For measurements and tests. Errors: as `generate`.
  Result<std::vector<float>> all_logits(std::span<const std::int32_t> ids);

  /// Holds the keys and values of `ids`, computing what is missing, until the handle is gone: what
  /// many requests will begin with, or a point that an episode will come back to.
  /// Errors: as `generate`; Cancelled.
  Result<HeldPrefix> hold(std::span<const std::int32_t> ids, std::stop_token stop);

  /// Writes all that is remembered of earlier requests to a file, and reads it back into an engine
  /// of the same model: conversations go on after a crash without being read again.
  /// model_digest: of the weights; a file of other weights is refused.
  /// Errors: Unavailable; on reading NotFound, Invalid for another model, Integrity for a damaged
  /// file. See docs/kv-snapshot.md.
  Result<void> save_cache(const std::filesystem::path& path, const std::string& model_digest);
  Result<void> restore_cache(const std::filesystem::path& path, const std::string& model_digest);

 private:
  struct State;
  explicit Engine(std::unique_ptr<State> state);
  std::unique_ptr<State> state_;
};

}  // namespace trialwright
