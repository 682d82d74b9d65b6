// What a guess costs beside a step of a model, which takes milliseconds: one call of each drafter
// after a step that brought four tokens, in a context of 8,192 tokens.

#include <benchmark/benchmark.h>

#include <memory>

#include "inference/spec/draft_depth.h"
#include "inference/spec/prompt_lookup.h"
#include "inference/spec/suffix_drafter.h"
#include "tests/inference/spec/random_tokens.h"

namespace trialwright {
namespace {

constexpr std::size_t kContext = 8192;
constexpr std::size_t kStep = 4;
constexpr std::uint64_t kAlphabet = 2000;

/// Calls the drafter as a request does, until the context is twice as long; then starts anew.
template <typename Make>
void call(benchmark::State& state, const std::vector<std::int32_t>& text, Make make) {
  std::unique_ptr<Drafter> drafter;
  Draft draft;
  std::size_t size = text.size();
  std::size_t guessed = 0;
  for (auto _ : state) {
    if (size + kStep > text.size()) {
      state.PauseTiming();
      size = kContext;
      drafter = make();
      drafter->draft(std::span(text).first(size), 16, draft);
      state.ResumeTiming();
    }
    size += kStep;
    drafter->draft(std::span(text).first(size), 16, draft);
    guessed += draft.ids.size();
  }
  state.counters["guessed"] =
      benchmark::Counter(static_cast<double>(guessed), benchmark::Counter::kAvgIterations);
}

std::vector<std::int32_t> text_of(std::uint64_t alphabet) {
  RandomStream random(1, alphabet);
  return random_tokens(random, 2 * kContext, alphabet);
}

void prompt_lookup(benchmark::State& state, std::uint64_t alphabet) {
  call(state, text_of(alphabet), [] { return std::make_unique<PromptLookup>(); });
}

/// answers  of 1,000 tokens each: earlier ones to the same task, of which every other token run is
/// the same.
void suffix_drafter(benchmark::State& state, std::uint64_t alphabet, int answers) {
  const auto text = text_of(alphabet);
  const auto store = std::make_shared<AnswerStore>();
  RandomStream random(2, alphabet);
  for (int i = 0; i < answers; ++i) {
    std::vector<std::int32_t> answer;
    while (answer.size() < 1000) {
      const auto from = static_cast<std::ptrdiff_t>(kContext + random.below(kContext - 64));
      answer.insert(answer.end(), text.begin() + from, text.begin() + from + 40);
      answer.push_back(static_cast<std::int32_t>(random.below(alphabet)));
    }
    store->add({}, answer);
  }
  call(state, text, [&] { return std::make_unique<SuffixDrafter>(store, kContext); });
}

/// The first call of a request reads its whole prompt.
void first_prompt_lookup(benchmark::State& state) {
  const auto text = text_of(kAlphabet);
  Draft draft;
  for (auto _ : state) {
    PromptLookup drafter;
    drafter.draft(std::span(text).first(kContext), 16, draft);
  }
}

/// An answer of 500 tokens joins a store that holds 100,000.
void add_answer(benchmark::State& state) {
  RandomStream random(3, 0);
  AnswerStore store(100000);
  for (int i = 0; i < 250; ++i) {
    store.add({}, random_tokens(random, 500, kAlphabet));
  }
  const auto answer = random_tokens(random, 500, kAlphabet);
  for (auto _ : state) {
    store.add({}, answer);
  }
}

void choose_depth(benchmark::State& state) {
  DraftDepth depth;
  for (int rows = 1; rows <= 32; ++rows) {
    depth.step_took(rows, std::chrono::milliseconds(20 + rows));
  }
  const std::vector<double> confidence(16, 0.8);
  for (auto _ : state) {
    benchmark::DoNotOptimize(depth.choose(confidence, 3));
  }
}

BENCHMARK_CAPTURE(prompt_lookup, text, kAlphabet)->Unit(benchmark::kMicrosecond);
BENCHMARK_CAPTURE(prompt_lookup, one_token, 1)->Unit(benchmark::kMicrosecond);
BENCHMARK(first_prompt_lookup)->Unit(benchmark::kMicrosecond);
BENCHMARK_CAPTURE(suffix_drafter, text_4_answers, kAlphabet, 4)->Unit(benchmark::kMicrosecond);
BENCHMARK_CAPTURE(suffix_drafter, text_100_answers, kAlphabet, 100)->Unit(benchmark::kMicrosecond);
BENCHMARK_CAPTURE(suffix_drafter, two_tokens_100_answers, 2, 100)->Unit(benchmark::kMicrosecond);
BENCHMARK_CAPTURE(suffix_drafter, one_token_100_answers, 1, 100)->Unit(benchmark::kMicrosecond);
BENCHMARK(add_answer)->Unit(benchmark::kMicrosecond);
BENCHMARK(choose_depth)->Unit(benchmark::kMicrosecond);

}  // namespace
}  // namespace trialwright

BENCHMARK_MAIN();
