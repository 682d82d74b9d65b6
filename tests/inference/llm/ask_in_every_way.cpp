#include "tests/inference/llm/ask_in_every_way.h"

#include <gtest/gtest.h>

#include <algorithm>
#include <atomic>
#include <bit>
#include <latch>
#include <numeric>
#include <thread>

#include "base/random.h"
#include "inference/llm/sampler.h"

namespace trialwright {
namespace {

void add_word(Answer& answer, double value) {
  answer.words.push_back(std::bit_cast<std::uint64_t>(value));
}

void add_token(Answer& answer, const TokenLogprob& token) {
  answer.words.push_back(static_cast<std::uint64_t>(token.id));
  add_word(answer, token.logprob);
}

/// An error as an answer that equals no other.
Answer failed(const Error& error) {
  ADD_FAILURE() << error.message;
  return {};
}

Answer generate(Engine& engine, const GenerateRequest& request) {
  const auto generation = engine.generate(request, {});
  if (!generation) {
    return failed(generation.error());
  }
  Answer answer{.cached_tokens = generation->cached_tokens};
  for (const GeneratedToken& token : generation->tokens) {
    add_token(answer, token.chosen);
    for (const TokenLogprob& alternative : token.alternatives) {
      add_token(answer, alternative);
    }
  }
  return answer;
}

Answer score(Engine& engine, std::span<const std::int32_t> prefix,
             std::span<const std::vector<std::int32_t>> continuations) {
  const auto scores = engine.score(prefix, continuations, {});
  if (!scores) {
    return failed(scores.error());
  }
  Answer answer;
  for (const double sum : *scores) {
    add_word(answer, sum);
  }
  return answer;
}

/// Every logit at every position.
Answer weigh(Engine& engine, std::span<const std::int32_t> ids) {
  const auto logits = engine.all_logits(ids);
  if (!logits) {
    return failed(logits.error());
  }
  Answer answer;
  for (const float logit : *logits) {
    answer.words.push_back(std::bit_cast<std::uint32_t>(logit));
  }
  return answer;
}

std::vector<std::int32_t> random_ids(int count, int vocabulary, std::uint64_t stream) {
  RandomStream random(11, stream);
  std::vector<std::int32_t> ids(static_cast<std::size_t>(count));
  for (auto& id : ids) {
    id = static_cast<std::int32_t>(random.below(static_cast<std::uint64_t>(vocabulary)));
  }
  return ids;
}

/// A prompt of `shared` tokens that all prompts begin with, and some of its own.
std::vector<std::int32_t> prompt(int shared, int own, int vocabulary, std::uint64_t stream) {
  auto ids = random_ids(shared, vocabulary, 0);
  const auto rest = random_ids(own, vocabulary, stream);
  ids.insert(ids.end(), rest.begin(), rest.end());
  return ids;
}

/// Greedy and sampled generations by turns.
std::vector<GenerateRequest> requests_of(std::span<const PromptLength> lengths, int vocabulary) {
  std::vector<GenerateRequest> requests;
  for (std::size_t i = 0; i < lengths.size(); ++i) {
    GenerateRequest request{
        .ids = prompt(lengths[i].shared, lengths[i].own, vocabulary, i + 1),
        .stream = i,
        .tokens_max = 3 + static_cast<int>(i % 4) * 3,
        .alternatives = 3,
    };
    if (i % 2 == 1) {
      request.sampling = {.temperature = 0.8, .top_k = 40, .top_p = 0.95, .seed = 5};
    }
    requests.push_back(std::move(request));
  }
  return requests;
}

std::vector<std::size_t> shuffled(std::size_t count, std::uint64_t order) {
  std::vector<std::size_t> indices(count);
  std::iota(indices.begin(), indices.end(), std::size_t{0});
  if (order != 0) {
    RandomStream random(order, 7);
    for (std::size_t i = count; i > 1; --i) {
      std::swap(indices[i - 1], indices[random.below(i)]);
    }
  }
  return indices;
}

/// The answers in the order of the questions.
std::vector<Answer> ask(Engine& engine, std::span<const Question> questions, int callers,
                        std::uint64_t order) {
  std::vector<Answer> answers(questions.size());
  const auto indices = shuffled(questions.size(), order);
  std::atomic<std::size_t> next = 0;
  std::latch all_ready(callers);
  {
    std::vector<std::jthread> threads;
    for (int i = 0; i < callers; ++i) {
      threads.emplace_back([&] {
        all_ready.arrive_and_wait();
        for (std::size_t at = next++; at < indices.size(); at = next++) {
          answers[indices[at]] = questions[indices[at]](engine);
        }
      });
    }
  }
  return answers;
}

/// Counts what differs between two ways.
class Tally {
 public:
  void compare(std::span<const Answer> expected, std::span<const Answer> actual,
               const std::string& way) {
    ASSERT_EQ(actual.size(), expected.size());
    std::uint64_t bits = 0;
    for (std::size_t i = 0; i < expected.size(); ++i) {
      bits += differing(expected[i].words, actual[i].words);
    }
    EXPECT_EQ(bits, 0U) << way;
    bits_ += bits;
  }

  void print(const std::string& model) const {
    std::printf("%s: %llu differing bits in %llu comparisons\n", model.c_str(),
                static_cast<unsigned long long>(bits_),
                static_cast<unsigned long long>(comparisons_));
  }

 private:
  /// A word that one side lacks differs in all of its bits.
  std::uint64_t differing(std::span<const std::uint64_t> expected,
                          std::span<const std::uint64_t> actual) {
    const std::size_t both = std::min(expected.size(), actual.size());
    const std::size_t longest = std::max({expected.size(), actual.size(), std::size_t{1}});
    comparisons_ += longest;
    std::uint64_t bits = 64 * (longest - both);
    for (std::size_t i = 0; i < both; ++i) {
      bits += static_cast<std::uint64_t>(std::popcount(expected[i] ^ actual[i]));
    }
    return bits;
  }

  std::uint64_t bits_ = 0;
  std::uint64_t comparisons_ = 0;
};

void read_half_of_each_prompt(Engine& engine, const Questions& questions) {
  for (GenerateRequest request : questions.requests) {
    request.ids.resize((request.ids.size() + 1) / 2);
    request.ids.push_back(9);
    generate(engine, request);
  }
}

int cached_tokens(std::span<const Answer> answers) {
  return std::accumulate(answers.begin(), answers.end(), 0,
                         [](int sum, const Answer& answer) { return sum + answer.cached_tokens; });
}

void compare_way(const LoadEngine& load, const Questions& questions,
                 std::span<const Answer> expected, const Way& way, Tally& tally) {
  auto engine = load(way.options);
  ASSERT_TRUE(engine) << engine.error().message;
  if (way.cache == CacheState::PartlyShared) {
    read_half_of_each_prompt(*engine, questions);
  }
  if (way.cache == CacheState::Warm) {
    tally.compare(expected, ask(*engine, questions.all, way.callers, way.order), way.text());
  }
  const auto answers = ask(*engine, questions.all, way.callers, way.order);
  tally.compare(expected, answers, way.text());
  if (way.cache != CacheState::Used && way.options.cache_bytes_max == kAmpleCache) {
    EXPECT_GT(cached_tokens(answers), 0) << way.text();
  }
}

/// What was generated token by token, weighed as one text.
void compare_with_whole_texts(Engine& engine, const Questions& questions,
                              std::span<const Answer> expected, Tally& tally) {
  const auto vocabulary = static_cast<std::size_t>(engine.vocabulary());
  for (std::size_t i = 0; i < questions.requests.size(); ++i) {
    const GenerateRequest& request = questions.requests[i];
    const std::size_t words = 2 * (1 + static_cast<std::size_t>(request.alternatives));
    auto ids = request.ids;
    for (std::size_t at = 0; at < expected[i].words.size(); at += words) {
      ids.push_back(static_cast<std::int32_t>(expected[i].words[at]));
    }
    const auto logits = engine.all_logits(ids);
    ASSERT_TRUE(logits) << logits.error().message;
    Answer answer;
    for (std::size_t position = request.ids.size(); position < ids.size(); ++position) {
      const auto row = std::span(*logits).subspan((position - 1) * vocabulary, vocabulary);
      const double normalizer = log_sum_exp(row);
      const auto id = static_cast<std::size_t>(ids[position]);
      add_token(answer, {ids[position], static_cast<double>(row[id]) - normalizer});
      for (const TokenLogprob& token : most_probable(row, normalizer, request.alternatives)) {
        add_token(answer, token);
      }
    }
    tally.compare(expected.subspan(i, 1), std::span(&answer, 1), "read as one text");
  }
}

}  // namespace

Questions make_questions(std::span<const PromptLength> lengths, int logit_positions,
                         int vocabulary) {
  Questions questions{.requests = requests_of(lengths, vocabulary)};
  for (const GenerateRequest& request : questions.requests) {
    questions.all.push_back([request](Engine& engine) { return generate(engine, request); });
  }
  const auto prefix = prompt(17, 4, vocabulary, 100);
  const std::vector<std::vector<std::int32_t>> continuations = {
      {5}, random_ids(18, vocabulary, 101), {5, 6, 7}};
  questions.all.push_back([=](Engine& engine) { return score(engine, prefix, continuations); });
  const auto text = prompt(7, logit_positions - 7, vocabulary, 102);
  questions.all.push_back([=](Engine& engine) { return weigh(engine, text); });
  return questions;
}

std::string Way::text() const {
  constexpr const char* kStates[] = {"used", "warm", "partly shared"};
  return std::string(isa_name(options.isa.value_or(best_isa()))) + ", " +
         std::to_string(options.threads) + " threads, stretches of " +
         std::to_string(options.prefill_rows_max) + ", " + std::to_string(callers) +
         " callers, cache " + kStates[static_cast<int>(cache)] + " of " +
         std::to_string(options.cache_bytes_max) + " bytes, order " + std::to_string(order);
}

void compare_ways(const std::string& name, const LoadEngine& load, const Questions& questions,
                  Isa plainest_isa, std::span<const Way> ways) {
  Tally tally;
  auto plainest = load({.threads = 1, .isa = plainest_isa, .cache_bytes_max = kNoCache});
  ASSERT_TRUE(plainest) << plainest.error().message;
  std::vector<Answer> expected;
  for (const Question& question : questions.all) {
    expected.push_back(question(*plainest));
    // What was given back last is kept whatever the bound. This takes its place.
    generate(*plainest, {.ids = {1}, .tokens_max = 1});
  }
  EXPECT_EQ(cached_tokens(expected), 0);
  compare_with_whole_texts(*plainest, questions, expected, tally);
  for (const Way& way : ways) {
    compare_way(load, questions, expected, way, tally);
  }
  tally.print(name);
}

}  // namespace trialwright
