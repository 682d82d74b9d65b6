#include "inference/llm/engine.h"

#include <algorithm>
#include <cmath>
#include <mutex>
#include <utility>

#include "inference/cpu/cpu.h"
#include "inference/llm/cores.h"
#include "inference/llm/forward.h"
#include "inference/llm/kv_cache.h"
#include "inference/llm/memory.h"
#include "inference/llm/sampler.h"
#include "inference/llm/step_batch.h"
#include "inference/llm/weights.h"

namespace trialwright {
namespace {

using Clock = std::chrono::steady_clock;

/// A prompt is read in stretches of at least so many tokens, however many requests share a step.
constexpr int kStretchMin = 32;

std::string megabytes(std::uint64_t bytes) { return std::to_string(bytes / 1000000) + " MB"; }

/// Sequences are given room beyond what a request needs, so that the next turn of a conversation
/// continues in place.
int roomy_capacity(int needed, int context) {
  int capacity = 1024;
  while (capacity < needed) {
    capacity *= 2;
  }
  return std::min(capacity, context);
}

Result<void> check_options(const EngineOptions& options, const ModelConfig& config,
                           const std::string& name) {
  if (options.threads < 0 || options.threads > 1024) {
    return invalid("the number of threads must lie between 1 and 1024");
  }
  if (options.isa && !isa_available(*options.isa)) {
    return invalid("this processor has no " + std::string(isa_name(*options.isa)));
  }
  if (options.context_tokens_max < 0 || options.context_tokens_max > config.context_tokens_max) {
    return invalid("a context of " + std::to_string(options.context_tokens_max) +
                   " tokens was asked for; " + name + " was made for " +
                   std::to_string(config.context_tokens_max));
  }
  return {};
}

/// Looks at the memory before anything is loaded; what the keys and values may take of it.
Result<std::size_t> cache_bytes(const GgufFile& file, const ModelConfig& config,
                                const EngineOptions& options) {
  std::uint64_t weights = 0;
  for (const GgufTensor& tensor : file.tensors()) {
    weights += tensor.data.size();
  }
  // Scales grow a little when the weights are repacked, and the smallest sequence must fit too.
  constexpr int kSmallest = 1024;
  const std::uint64_t needed = weights + weights / 8 + KvSequence::bytes_for(config, kSmallest) +
                               Forward::bytes_for(config, options.prefill_rows_max, kSmallest);
  const auto available = available_memory_bytes();
  if (!available) {
    return options.cache_bytes_max;
  }
  if (needed > *available) {
    return unavailable("loading " + file.name() + " takes about " + megabytes(needed) +
                       " of memory, but only " + megabytes(*available) + " are available");
  }
  // The other half is left to whatever else runs here, sandboxes among it.
  return std::min<std::uint64_t>(options.cache_bytes_max, (*available - needed) / 2);
}

}  // namespace

Result<Device> parse_device(std::string_view name) {
  if (name == "cpu") {
    return Device::Cpu;
  }
  return invalid("must be cpu, not \"" + std::string(name) + "\"");
}

struct Engine::State {
  State(std::string name_given, const EngineOptions& options, ModelConfig config_given, int context,
        std::size_t cache_bytes_max)
      : name(std::move(name_given)),
        config(std::move(config_given)),
        context_tokens_max(context),
        cpu(options.threads == 0 ? usable_cores() : options.threads,
            options.isa.value_or(best_isa())),
        stretch_tokens_max(std::max(1, options.prefill_rows_max)),
        cache(config, cache_bytes_max) {}

  std::string name;
  ModelConfig config;
  int context_tokens_max;
  Cpu cpu;
  int stretch_tokens_max;
  std::mutex cache_mutex;  ///< Of `cache`.
  KvCache cache;
  std::optional<Weights> weights;
  std::optional<Forward> forward;
  std::optional<StepBatch> batch;

  Result<void> check_ids(std::span<const std::int32_t> ids, std::size_t room) const;
  Result<std::unique_ptr<KvSequence>> take(std::span<const std::int32_t> ids, int needed);
  void give_back(std::unique_ptr<KvSequence> sequence);
  /// The next tokens of a prompt to compute in one step.
  std::span<const std::int32_t> stretch(std::span<const std::int32_t> left) const;
  Result<bool> prefill(std::span<const std::int32_t> ids, StepBatch::Member& member,
                       KvSequence& sequence, std::span<const float>& logits,
                       const std::function<bool()>& goes_on);
  Result<void> score_one(StepBatch::Member& member, KvSequence& sequence,
                         std::span<const float> first_logits,
                         std::span<const std::int32_t> continuation, double& sum);
};

Engine::Engine(std::unique_ptr<State> state) : state_(std::move(state)) {}
Engine::~Engine() = default;
Engine::Engine(Engine&&) noexcept = default;
Engine& Engine::operator=(Engine&&) noexcept = default;

Result<Engine> Engine::load(const std::filesystem::path& path, const EngineOptions& options) {
  auto file = GgufFile::open(path);
  if (!file) {
    return file.error();
  }
  return load(std::move(*file), options);
}

Result<Engine> Engine::load(GgufFile file, const EngineOptions& options) {
  if (file.tensors().empty()) {
    return invalid(file.name() + " holds a vocabulary only, no weights to compute with");
  }
  auto config = read_model_config(file);
  if (!config) {
    return config.error();
  }
  if (auto checked = check_options(options, *config, file.name()); !checked) {
    return checked.error();
  }
  const auto cache = cache_bytes(file, *config, options);
  if (!cache) {
    return cache.error();
  }
  const int context =
      options.context_tokens_max == 0 ? config->context_tokens_max : options.context_tokens_max;
  auto state = std::make_unique<State>(file.name(), options, *config, context, *cache);
  auto weights = Weights::load(state->cpu.pool(), std::move(file), state->config);
  if (!weights) {
    return weights.error();
  }
  state->weights = std::move(*weights);
  Forward& forward = state->forward.emplace(state->cpu, state->config, *state->weights);
  state->batch.emplace([&forward](std::span<ForwardSegment> segments) { forward.run(segments); });
  return Engine(std::move(state));
}

const ModelConfig& Engine::config() const { return state_->config; }
int Engine::context_tokens_max() const { return state_->context_tokens_max; }
int Engine::vocabulary() const { return state_->weights->vocabulary(); }
int Engine::threads() const { return state_->cpu.pool().threads(); }
std::string Engine::device_text() const {
  return "cpu " + std::string(isa_name(state_->cpu.isa()));
}

Result<void> Engine::State::check_ids(std::span<const std::int32_t> ids, std::size_t room) const {
  if (ids.empty()) {
    return invalid("the prompt has no tokens");
  }
  if (ids.size() + room > static_cast<std::size_t>(context_tokens_max)) {
    return invalid("the prompt has " + std::to_string(ids.size()) + " tokens" +
                   (room > 1 ? " and is to go on for " + std::to_string(room) : "") +
                   ", but the context of " + name + " holds " + std::to_string(context_tokens_max));
  }
  for (const std::int32_t id : ids) {
    if (id < 0 || id >= weights->vocabulary()) {
      return invalid("token id " + std::to_string(id) + " lies outside the vocabulary of " + name);
    }
  }
  return {};
}

Result<std::unique_ptr<KvSequence>> Engine::State::take(std::span<const std::int32_t> ids,
                                                        int needed) {
  const std::scoped_lock lock(cache_mutex);
  return cache.take(ids, roomy_capacity(needed, context_tokens_max));
}

void Engine::State::give_back(std::unique_ptr<KvSequence> sequence) {
  const std::scoped_lock lock(cache_mutex);
  cache.give_back(std::move(sequence));
}

std::span<const std::int32_t> Engine::State::stretch(std::span<const std::int32_t> left) const {
  const int share =
      std::min(stretch_tokens_max, std::max(kStretchMin, stretch_tokens_max / batch->members()));
  return left.first(std::min(left.size(), static_cast<std::size_t>(share)));
}

/// Computes those of `ids` that the sequence does not hold yet. False if `goes_on` said no between
/// two batches; the sequence then holds what was computed.
Result<bool> Engine::State::prefill(std::span<const std::int32_t> ids, StepBatch::Member& member,
                                    KvSequence& sequence, std::span<const float>& logits,
                                    const std::function<bool()>& goes_on) {
  while (static_cast<std::size_t>(sequence.size()) < ids.size()) {
    if (!goes_on()) {
      return false;
    }
    const auto left = ids.subspan(static_cast<std::size_t>(sequence.size()));
    const auto part = stretch(left);
    const auto computed = member.run(part, sequence, part.size() == left.size() ? 1 : 0);
    if (!computed) {
      return computed.error();
    }
    logits = *computed;
  }
  return true;
}

Result<Generation> Engine::generate(const GenerateRequest& request, std::stop_token stop) {
  if (auto checked = check_sampling(request.sampling); !checked) {
    return checked.error();
  }
  if (auto checked = state_->check_ids(request.ids, 1); !checked) {
    return checked.error();
  }
  const int prompt = static_cast<int>(request.ids.size());
  const int tokens_max = std::clamp(request.tokens_max, 0, state_->context_tokens_max - prompt);
  auto sequence = state_->take(request.ids, prompt + tokens_max);
  if (!sequence) {
    return sequence.error();
  }
  Generation generation;
  generation.cached_tokens = (*sequence)->size();
  const auto goes_on = [&] {
    if (stop.stop_requested()) {
      generation.finish = FinishReason::Cancelled;
      return false;
    }
    if (request.deadline && Clock::now() >= *request.deadline) {
      generation.finish = FinishReason::Deadline;
      return false;
    }
    return true;
  };

  StepBatch::Member member(*state_->batch);
  const auto prefill_start = Clock::now();
  std::span<const float> logits;
  const auto running = state_->prefill(request.ids, member, **sequence, logits, goes_on);
  if (!running) {
    return running.error();
  }
  generation.prefill = elapsed(prefill_start);

  const auto decode_start = Clock::now();
  Sampler sampler(request.sampling, request.stream);
  std::vector<std::int32_t> context = request.ids;
  while (*running && static_cast<int>(generation.tokens.size()) < tokens_max) {
    const double normalizer = log_sum_exp(logits);
    if (!std::isfinite(normalizer)) {
      return integrity("the output of " + state_->name +
                       " is not a number: its weights are damaged");
    }
    const std::int32_t id = sampler.choose(logits, context);
    GeneratedToken token;
    token.chosen = {id, static_cast<double>(logits[static_cast<std::size_t>(id)]) - normalizer};
    token.alternatives = most_probable(logits, normalizer, request.alternatives);
    generation.tokens.push_back(token);
    context.push_back(id);
    if (request.on_token && !request.on_token(token)) {
      generation.finish = FinishReason::Stop;
      break;
    }
    if (static_cast<int>(generation.tokens.size()) == tokens_max || !goes_on()) {
      break;
    }
    const auto computed = member.run(std::span(&id, 1), **sequence, 1);
    if (!computed) {
      return computed.error();
    }
    logits = *computed;
  }
  generation.decode = elapsed(decode_start);
  state_->give_back(std::move(*sequence));
  return generation;
}

Result<void> Engine::State::score_one(StepBatch::Member& member, KvSequence& sequence,
                                      std::span<const float> first_logits,
                                      std::span<const std::int32_t> continuation, double& sum) {
  const auto add = [&](std::span<const float> logits, std::int32_t id) {
    sum += static_cast<double>(logits[static_cast<std::size_t>(id)]) - log_sum_exp(logits);
  };
  sum = 0;
  add(first_logits, continuation[0]);
  auto left = continuation.first(continuation.size() - 1);
  auto next = continuation.subspan(1);
  const auto vocabulary = static_cast<std::size_t>(weights->vocabulary());
  // Logits are large, so few rows are asked for at once.
  constexpr std::size_t kRows = 16;
  while (!left.empty()) {
    const std::size_t rows =
        std::min({left.size(), kRows, static_cast<std::size_t>(stretch_tokens_max)});
    const auto logits = member.run(left.first(rows), sequence, static_cast<int>(rows));
    if (!logits) {
      return logits.error();
    }
    for (std::size_t row = 0; row < rows; ++row) {
      add(logits->subspan(row * vocabulary, vocabulary), next[row]);
    }
    left = left.subspan(rows);
    next = next.subspan(rows);
  }
  if (!std::isfinite(sum)) {
    return integrity("the output of " + name + " is not a number: its weights are damaged");
  }
  return {};
}

Result<std::vector<double>> Engine::score(std::span<const std::int32_t> prefix,
                                          std::span<const std::vector<std::int32_t>> continuations,
                                          std::stop_token stop) {
  std::size_t longest = 1;
  for (const auto& continuation : continuations) {
    if (continuation.empty()) {
      return invalid("a continuation to score has no tokens");
    }
    longest = std::max(longest, continuation.size());
    if (auto checked = state_->check_ids(continuation, 0); !checked) {
      return checked.error();
    }
  }
  if (auto checked = state_->check_ids(prefix, longest); !checked) {
    return checked.error();
  }
  auto sequence = state_->take(prefix, static_cast<int>(prefix.size() + longest));
  if (!sequence) {
    return sequence.error();
  }
  const auto goes_on = [&] { return !stop.stop_requested(); };
  std::span<const float> logits;
  StepBatch::Member member(*state_->batch);
  const auto prefilled = state_->prefill(prefix, member, **sequence, logits, goes_on);
  if (!prefilled) {
    return prefilled.error();
  }
  // The next batch overwrites the logits that every continuation starts from.
  const std::vector<float> first_logits(logits.begin(), logits.end());
  std::vector<double> scores;
  for (const auto& continuation : continuations) {
    if (!*prefilled || !goes_on()) {
      return cancelled("scoring was stopped");
    }
    double sum = 0;
    if (auto scored = state_->score_one(member, **sequence, first_logits, continuation, sum);
        !scored) {
      return scored.error();
    }
    scores.push_back(sum);
    (*sequence)->truncate(static_cast<int>(prefix.size()));
  }
  state_->give_back(std::move(*sequence));
  return scores;
}

Result<std::vector<float>> Engine::all_logits(std::span<const std::int32_t> ids) {
  if (auto checked = state_->check_ids(ids, 0); !checked) {
    return checked.error();
  }
  auto sequence = KvSequence::make(state_->config, static_cast<int>(ids.size()));
  if (!sequence) {
    return sequence.error();
  }
  StepBatch::Member member(*state_->batch);
  std::vector<float> all;
  while (!ids.empty()) {
    const auto part = state_->stretch(ids);
    const auto logits = member.run(part, *sequence, static_cast<int>(part.size()));
    if (!logits) {
      return logits.error();
    }
    all.insert(all.end(), logits->begin(), logits->end());
    ids = ids.subspan(part.size());
  }
  return all;
}

}  // namespace trialwright
