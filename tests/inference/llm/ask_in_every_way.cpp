#include "tests/inference/llm/ask_in_every_way.h"

#include <gtest/gtest.h>

#include <algorithm>
#include <atomic>
#include <bit>
#include <latch>
#include <numeric>
#include <thread>

#include "base/files.h"
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

/// Knows what will be generated, and says so or, at some places, something else.
class Guesser final : public Drafter {
 public:
  Guesser(std::size_t prompt, std::span<const std::int32_t> expected, double right)
      : prompt_(prompt), expected_(expected), right_(right) {}

  void draft(std::span<const std::int32_t> context, int tokens_max, Draft& draft) override {
    draft.ids.clear();
    for (std::size_t at = context.size() - prompt_;
         at < expected_.size() && std::ssize(draft.ids) < tokens_max; ++at) {
      const bool right = uniform_at(13, prompt_, at) < right_;
      draft.ids.push_back(right ? expected_[at] : expected_[at] ^ 1);
    }
    draft.confidence.assign(draft.ids.size(), 0.9);
  }

 private:
  std::size_t prompt_;
  std::span<const std::int32_t> expected_;
  double right_;
};

/// Lets some tokens come, others at each place, and at every fifth place a single one.
class SomeTokens final : public TokenConstraint {
 public:
  explicit SomeTokens(int vocabulary)
      : vocabulary_(static_cast<std::uint64_t>(vocabulary)),
        words_((static_cast<std::size_t>(vocabulary) + 63) / 64) {
    choose();
  }

  std::span<const std::uint64_t> allowed() override { return words_; }
  int allowed_count() override { return count_; }
  std::span<const std::int32_t> forced() override {
    return std::span(&first_, count_ == 1 ? std::size_t{1} : std::size_t{0});
  }
  void accept(std::int32_t) override {
    ++place_;
    choose();
  }
  [[nodiscard]] bool ended() const override { return false; }

 private:
  void choose() {
    std::fill(words_.begin(), words_.end(), std::uint64_t{0});
    RandomStream random(place_, 17);
    const int draws = place_ % 5 == 4 ? 1 : 24;
    for (int i = 0; i < draws; ++i) {
      const std::uint64_t id = random.below(vocabulary_);
      words_[id / 64] |= std::uint64_t{1} << (id % 64);
      first_ = static_cast<std::int32_t>(id);
    }
    count_ = 0;
    for (const std::uint64_t word : words_) {
      count_ += std::popcount(word);
    }
  }

  std::uint64_t vocabulary_;
  std::vector<std::uint64_t> words_;
  std::uint64_t place_ = 0;
  std::int32_t first_ = 0;
  int count_ = 0;
};

Answer generate(Engine& engine, const GenerateRequest& request) {
  const auto generation = engine.generate(request, {});
  if (!generation) {
    return failed(generation.error());
  }
  Answer answer{.cached_tokens = generation->cached_tokens,
                .guesses_taken = static_cast<int>(generation->speculation.tokens_saved())};
  for (const GeneratedToken& token : generation->tokens) {
    answer.ids.push_back(token.chosen.id);
    add_token(answer, token.chosen);
    for (const TokenLogprob& alternative : token.alternatives) {
      add_token(answer, alternative);
    }
  }
  return answer;
}

Answer generate_with_help(Engine& engine, GenerateRequest request, bool constrained,
                          const Help& help) {
  std::optional<SomeTokens> some;
  if (constrained) {
    request.constraint = &some.emplace(engine.vocabulary());
    request.audit = help.audit;
  }
  std::optional<Guesser> guesser;
  if (help.right) {
    request.drafter = &guesser.emplace(request.ids.size(), help.expected, *help.right);
  }
  return generate(engine, request);
}

Answer weigh_prompt(Engine& engine, std::span<const std::int32_t> ids) {
  const auto tokens = engine.prompt_logprobs(ids, 2, {});
  if (!tokens) {
    return failed(tokens.error());
  }
  Answer answer;
  for (const GeneratedToken& token : *tokens) {
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

/// Every third generation.
bool is_constrained(std::size_t request) { return request % 3 == 2; }

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
std::vector<Answer> ask(Engine& engine, std::span<const Question> questions,
                        std::span<const Answer> expected, const Way& way) {
  std::vector<Answer> answers(questions.size());
  const auto indices = shuffled(questions.size(), way.order);
  std::atomic<std::size_t> next = 0;
  std::latch all_ready(way.callers);
  {
    std::vector<std::jthread> threads;
    for (int i = 0; i < way.callers; ++i) {
      threads.emplace_back([&] {
        all_ready.arrive_and_wait();
        for (std::size_t at = next++; at < indices.size(); at = next++) {
          const std::size_t index = indices[at];
          const Help help{.expected = expected[index].ids, .right = way.right, .audit = way.audit};
          answers[index] = questions[index](engine, help);
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

int sum_of(std::span<const Answer> answers, int Answer::*count) {
  return std::accumulate(answers.begin(), answers.end(), 0,
                         [&](int sum, const Answer& answer) { return sum + answer.*count; });
}

/// Guesses are checked always, not only where they pay: what pays is measured.
EngineOptions options_of(const Way& way) {
  EngineOptions options = way.options;
  options.draft_depth.fixed = 8;
  return options;
}

/// Takes over what another engine remembers.
void restore_cache(const LoadEngine& load, const Questions& questions,
                   std::span<const Answer> expected, const Way& way, Engine& engine) {
  constexpr const char* kDigest = "the same weights";
  auto folder = TemporaryFolder::make();
  ASSERT_TRUE(folder) << folder.error().message;
  const auto path = folder->path() / "cache";
  auto other = load(options_of(way));
  ASSERT_TRUE(other) << other.error().message;
  ask(*other, questions.all, expected, way);
  const auto saved = other->save_cache(path, kDigest);
  ASSERT_TRUE(saved) << saved.error().message;
  const auto restored = engine.restore_cache(path, kDigest);
  ASSERT_TRUE(restored) << restored.error().message;
}

void compare_way(const LoadEngine& load, const Questions& questions,
                 std::span<const Answer> expected, const Way& way, Tally& tally) {
  auto engine = load(options_of(way));
  ASSERT_TRUE(engine) << engine.error().message;
  if (way.cache == CacheState::PartlyShared) {
    read_half_of_each_prompt(*engine, questions);
  }
  if (way.cache == CacheState::Restored) {
    restore_cache(load, questions, expected, way, *engine);
  }
  if (way.cache == CacheState::Warm) {
    tally.compare(expected, ask(*engine, questions.all, expected, way), way.text());
  }
  const auto answers = ask(*engine, questions.all, expected, way);
  tally.compare(expected, answers, way.text());
  // Otherwise the way would not be what it says.
  if (way.cache != CacheState::Used && way.options.cache_bytes_max == kAmpleCache) {
    EXPECT_GT(sum_of(answers, &Answer::cached_tokens), 0) << way.text();
  }
  if (way.right == 1.0) {
    EXPECT_GT(sum_of(answers, &Answer::guesses_taken), 0) << way.text();
  }
}

/// What was generated token by token, weighed as one text.
void compare_with_whole_texts(Engine& engine, const Questions& questions,
                              std::span<const Answer> expected, Tally& tally) {
  const auto vocabulary = static_cast<std::size_t>(engine.vocabulary());
  for (std::size_t i = 0; i < questions.requests.size(); ++i) {
    if (is_constrained(i)) continue;  // Then probabilities are those among the allowed tokens.
    const GenerateRequest& request = questions.requests[i];
    auto ids = request.ids;
    ids.insert(ids.end(), expected[i].ids.begin(), expected[i].ids.end());
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
  for (std::size_t i = 0; i < questions.requests.size(); ++i) {
    questions.all.push_back([request = questions.requests[i], constrained = is_constrained(i)](
                                Engine& engine, const Help& help) {
      return generate_with_help(engine, request, constrained, help);
    });
  }
  const auto prefix = prompt(17, 4, vocabulary, 100);
  const std::vector<std::vector<std::int32_t>> continuations = {
      {5}, random_ids(18, vocabulary, 101), {5, 6, 7}};
  questions.all.push_back(
      [=](Engine& engine, const Help&) { return score(engine, prefix, continuations); });
  const auto text = prompt(7, logit_positions - 7, vocabulary, 102);
  questions.all.push_back([=](Engine& engine, const Help&) { return weigh(engine, text); });
  questions.all.push_back([=](Engine& engine, const Help&) { return weigh_prompt(engine, text); });
  return questions;
}

std::string Way::text() const {
  constexpr const char* kStates[] = {"used", "warm", "partly shared", "restored"};
  return std::string(isa_name(options.isa.value_or(best_isa()))) + ", " +
         std::to_string(options.threads) + " threads, stretches of " +
         std::to_string(options.prefill_rows_max) + ", " + std::to_string(callers) +
         " callers, cache " + kStates[static_cast<int>(cache)] + " of " +
         std::to_string(options.cache_bytes_max) + " bytes, order " + std::to_string(order) +
         (right ? ", guesses right at " + std::to_string(*right) : "") + (audit ? ", audit" : "");
}

void compare_ways(const std::string& name, const LoadEngine& load, const Questions& questions,
                  Isa plainest_isa, std::span<const Way> ways) {
  Tally tally;
  auto plainest = load({.threads = 1, .isa = plainest_isa, .cache_bytes_max = kNoCache});
  ASSERT_TRUE(plainest) << plainest.error().message;
  std::vector<Answer> expected;
  for (const Question& question : questions.all) {
    expected.push_back(question(*plainest, {}));
    // What was given back last is kept whatever the bound. This takes its place.
    generate(*plainest, {.ids = {1}, .tokens_max = 1});
  }
  EXPECT_EQ(sum_of(expected, &Answer::cached_tokens), 0);
  compare_with_whole_texts(*plainest, questions, expected, tally);
  for (const Way& way : ways) {
    compare_way(load, questions, expected, way, tally);
  }
  tally.print(name);
}

}  // namespace trialwright
