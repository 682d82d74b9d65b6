#include "inference/llm/engine.h"

#include <algorithm>
#include <cmath>
#include <utility>

#include "inference/cpu/cpu.h"
#include "inference/kv/cache_file.h"
#include "inference/llm/cores.h"
#include "inference/llm/forward.h"
#include "inference/llm/generate_job.h"
#include "inference/llm/memory.h"
#include "inference/llm/read_job.h"
#include "inference/llm/sampler.h"
#include "inference/llm/scheduler.h"
#include "inference/llm/weights.h"
#include "inference/safetensors/model_folder.h"

namespace trialwright {
namespace {

/// Logits are large, so few rows are asked for at once.
constexpr int kLogitRowsMax = 64;
/// Tokens of the smallest sequence that a loaded model must have room for.
constexpr int kSmallest = 1024;

std::string megabytes(std::uint64_t bytes) { return std::to_string(bytes / 1000000) + " MB"; }

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

KvPageLayout page_layout(const ModelConfig& config) {
  return KvPageLayout::make(config.layers, config.kv_heads, config.head_dim);
}

/// Rows of which a step of the scheduler needs logits at most.
int logit_rows_max(const EngineOptions& options) {
  return std::min(kLogitRowsMax, std::max(1, options.prefill_rows_max));
}

MemoryPlan plan_memory(const GgufFile& file, const ModelConfig& config,
                       const EngineOptions& options) {
  std::uint64_t weights = 0;
  std::uint64_t vocabulary = 0;
  for (const GgufTensor& tensor : file.tensors()) {
    weights += tensor.data.size();
    if (tensor.name == "token_embd.weight" && tensor.shape.size() == 2) {
      vocabulary = static_cast<std::uint64_t>(tensor.shape[1]);
    }
  }
  MemoryPlan plan;
  plan.items = {
      {"weights", weights},
      // Scales grow a little when the weights are repacked, and panels are filled up.
      {"repacking", weights / 8},
      {"activations of " + std::to_string(options.prefill_rows_max) + " tokens",
       Forward::bytes_for(config, options.prefill_rows_max, kSmallest)},
      {"logits of " + std::to_string(logit_rows_max(options)) + " tokens",
       vocabulary * sizeof(float) * static_cast<std::uint64_t>(logit_rows_max(options))},
      {"keys and values of " + std::to_string(kSmallest) + " tokens",
       page_layout(config).bytes() * static_cast<std::uint64_t>(pages_for(kSmallest))},
  };
  plan.available = available_memory_bytes();
  plan.cache_bytes = options.cache_bytes_max;
  if (plan.available && plan.fits()) {
    // The other half is left to whatever else runs here, sandboxes among it.
    plan.cache_bytes =
        std::min<std::uint64_t>(plan.cache_bytes, (*plan.available - plan.needed()) / 2);
  }
  return plan;
}

}  // namespace

Result<Device> parse_device(std::string_view name) {
  if (name == "cpu") {
    return Device::Cpu;
  }
  return invalid("must be cpu, not \"" + std::string(name) + "\"");
}

struct Engine::State {
  State(std::string name_given, const EngineOptions& options, ModelConfig config_given,
        std::uint64_t cache_bytes)
      : name(std::move(name_given)),
        config(std::move(config_given)),
        context_tokens_max(options.context_tokens_max == 0 ? config.context_tokens_max
                                                           : options.context_tokens_max),
        cpu(options.threads == 0 ? usable_cores() : options.threads,
            options.isa.value_or(best_isa())),
        pages(page_layout(config)),
        limits{.rows_max = std::max(1, options.prefill_rows_max),
               .logit_rows_max = logit_rows_max(options),
               .pages_max = static_cast<int>(
                   std::max<std::uint64_t>(1, cache_bytes / pages.layout().bytes()))},
        draft_depth(options.draft_depth) {}

  std::string name;
  ModelConfig config;
  int context_tokens_max;
  Cpu cpu;
  KvPagePool pages;
  SchedulerLimits limits;
  DraftDepth draft_depth;
  std::optional<Weights> weights;
  std::optional<Forward> forward;
  std::optional<Scheduler> scheduler;

  Result<void> check_ids(std::span<const std::int32_t> ids, std::size_t room) const;
  void run(Job& job) {
    Job* const jobs[] = {&job};
    scheduler->run(jobs);
  }
  Result<void> read(ReadJob& job);
  /// Forward::run, and learns how long it took.
  void compute(std::span<ForwardSegment> segments);
  /// The log-probability of an id. Errors: Integrity if the logits are no numbers.
  static double logprob(std::span<const float> logits, std::int32_t id) {
    return static_cast<double>(logits[static_cast<std::size_t>(id)]) - log_sum_exp(logits);
  }
  [[nodiscard]] Error not_a_number() const {
    return integrity("the output of " + name + " is not a number: its weights are damaged");
  }
};

Engine::Engine(std::unique_ptr<State> state) : state_(std::move(state)) {}
Engine::~Engine() = default;
Engine::Engine(Engine&&) noexcept = default;
Engine& Engine::operator=(Engine&&) noexcept = default;

Result<Engine> Engine::load(const std::filesystem::path& path, const EngineOptions& options) {
  auto file = open_model_files(path);
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
  const MemoryPlan memory = plan_memory(file, *config, options);
  if (!memory.fits()) {
    return unavailable("loading " + file.name() + " takes about " + megabytes(memory.needed()) +
                       " of memory, but only " + megabytes(*memory.available) + " are available");
  }
  auto state = std::make_unique<State>(file.name(), options, *config, memory.cache_bytes);
  auto weights = Weights::load(state->cpu.pool(), std::move(file), state->config);
  if (!weights) {
    return weights.error();
  }
  state->weights = std::move(*weights);
  state->forward.emplace(state->cpu, state->config, *state->weights, state->pages.layout());
  state->scheduler.emplace(
      state->limits, state->pages, state->cpu.pool(),
      [owner = state.get()](std::span<ForwardSegment> segments) { owner->compute(segments); });
  return Engine(std::move(state));
}

Result<MemoryPlan> Engine::plan(const GgufFile& file, const EngineOptions& options) {
  auto config = read_model_config(file);
  if (!config) {
    return config.error();
  }
  if (auto checked = check_options(options, *config, file.name()); !checked) {
    return checked.error();
  }
  return plan_memory(file, *config, options);
}

const ModelConfig& Engine::config() const { return state_->config; }
int Engine::context_tokens_max() const { return state_->context_tokens_max; }
int Engine::vocabulary() const { return state_->weights->vocabulary(); }
int Engine::threads() const { return state_->cpu.pool().threads(); }
DraftDepth& Engine::draft_depth() { return state_->draft_depth; }
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

void Engine::State::compute(std::span<ForwardSegment> segments) {
  const auto start = std::chrono::steady_clock::now();
  forward->run(segments);
  std::size_t rows = 0;
  for (const ForwardSegment& segment : segments) {
    rows += segment.ids.size();
  }
  draft_depth.step_took(static_cast<int>(rows), std::chrono::steady_clock::now() - start);
}

Result<void> Engine::State::read(ReadJob& job) {
  run(job);
  if (job.error) {
    return *job.error;
  }
  if (!job.done()) {
    return cancelled("reading was stopped");
  }
  return {};
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
  GenerateJob job(request, tokens_max, state_->name, vocabulary(), state_->draft_depth,
                  std::move(stop));
  state_->run(job);
  if (job.error) {
    return *job.error;
  }
  return job.result();
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
  const int last = static_cast<int>(prefix.size()) - 1;
  std::vector<double> scores(continuations.size());
  // The first token of each is judged by the logits that they all start from.
  ReadJob common(prefix, {.first_logits = last, .reusable = last, .stop = stop},
                 [&](int, std::span<const float> logits) {
                   const double normalizer = log_sum_exp(logits);
                   for (std::size_t i = 0; i < scores.size(); ++i) {
                     const auto id = static_cast<std::size_t>(continuations[i].front());
                     scores[i] = static_cast<double>(logits[id]) - normalizer;
                   }
                 });
  common.keeps_sequence = true;
  if (auto read = state_->read(common); !read) {
    return read.error();
  }
  std::vector<std::vector<std::int32_t>> texts(continuations.size());
  std::vector<std::unique_ptr<ReadJob>> jobs;
  std::vector<Job*> together;
  for (std::size_t i = 0; i < continuations.size(); ++i) {
    if (continuations[i].size() == 1) {
      continue;
    }
    // The last token is judged, not read.
    texts[i].assign(prefix.begin(), prefix.end());
    texts[i].insert(texts[i].end(), continuations[i].begin(), continuations[i].end() - 1);
    jobs.push_back(std::make_unique<ReadJob>(
        texts[i], ReadJob::Options{.first_logits = last + 1, .stop = stop},
        [&, i](int position, std::span<const float> logits) {
          const auto next = static_cast<std::size_t>(position - last);
          scores[i] += State::logprob(logits, continuations[i][next]);
        },
        common.sequence->fork()));
    together.push_back(jobs.back().get());
  }
  state_->scheduler->run(together);
  for (const auto& job : jobs) {
    if (job->error) {
      return *job->error;
    }
    if (!job->done()) {
      return cancelled("scoring was stopped");
    }
  }
  if (!std::all_of(scores.begin(), scores.end(), [](double sum) { return std::isfinite(sum); })) {
    return state_->not_a_number();
  }
  return scores;
}

Result<std::vector<GeneratedToken>> Engine::prompt_logprobs(std::span<const std::int32_t> ids,
                                                            int alternatives,
                                                            std::stop_token stop) {
  if (auto checked = state_->check_ids(ids, 0); !checked) {
    return checked.error();
  }
  std::vector<GeneratedToken> tokens(ids.size());
  for (std::size_t i = 0; i < ids.size(); ++i) {
    tokens[i].chosen.id = ids[i];
  }
  bool finite = true;
  ReadJob job(ids, {.stop = std::move(stop)}, [&](int position, std::span<const float> logits) {
    const auto next = static_cast<std::size_t>(position) + 1;
    if (next == tokens.size()) {
      return;
    }
    const double normalizer = log_sum_exp(logits);
    finite = finite && std::isfinite(normalizer);
    tokens[next].chosen.logprob =
        static_cast<double>(logits[static_cast<std::size_t>(ids[next])]) - normalizer;
    tokens[next].alternatives = most_probable(logits, normalizer, alternatives);
  });
  if (auto read = state_->read(job); !read) {
    return read.error();
  }
  if (!finite) {
    return state_->not_a_number();
  }
  return tokens;
}

Result<std::vector<float>> Engine::all_logits(std::span<const std::int32_t> ids) {
  if (auto checked = state_->check_ids(ids, 0); !checked) {
    return checked.error();
  }
  std::vector<float> all;
  ReadJob job(ids, {}, [&](int, std::span<const float> logits) {
    all.insert(all.end(), logits.begin(), logits.end());
  });
  if (auto read = state_->read(job); !read) {
    return read.error();
  }
  return all;
}

Result<HeldPrefix> Engine::hold(std::span<const std::int32_t> ids, std::stop_token stop) {
  if (auto checked = state_->check_ids(ids, 0); !checked) {
    return checked.error();
  }
  const int size = static_cast<int>(ids.size());
  std::optional<KvSequence> known;
  state_->scheduler->with_cache([&](PrefixCache& cache) {
    if (cache.known(ids) == size) {
      known = cache.take(ids);
    }
  });
  if (known) {
    return HeldPrefix(std::make_shared<const KvSequence>(std::move(*known)));
  }
  ReadJob job(ids, {.first_logits = size, .reusable = size - 1, .stop = std::move(stop)}, {});
  job.keeps_sequence = true;
  if (auto read = state_->read(job); !read) {
    return read.error();
  }
  return HeldPrefix(std::make_shared<const KvSequence>(std::move(*job.sequence)));
}

Result<void> Engine::save_cache(const std::filesystem::path& path,
                                const std::string& model_digest) {
  Result<void> saved;
  state_->scheduler->with_cache([&](PrefixCache& cache) {
    saved = write_cache_file(path, model_digest, state_->pages.layout(), cache.sequences());
  });
  return saved;
}

Result<void> Engine::restore_cache(const std::filesystem::path& path,
                                   const std::string& model_digest) {
  auto sequences = read_cache_file(path, model_digest, state_->pages, state_->limits.pages_max);
  if (!sequences) {
    return sequences.error();
  }
  state_->scheduler->with_cache([&](PrefixCache& cache) {
    for (const KvSequence& sequence : *sequences) {
      cache.keep(sequence);
    }
  });
  return {};
}

}  // namespace trialwright
