// Times the engine on request, so that another program can interleave it with something else.
//
//   engine_bench MODEL.gguf --threads N [--context N]
//
// Prints one JSON object a line: first {"loaded": seconds}, then one for each line read from
// standard input:
//   prefill N             computes a new prompt of N tokens up to the first logits
//   decode N              generates N tokens after a prompt of 16
//   together CALLERS N    the same of so many callers at once, each with a prompt of its own
//   first_token PREFIX N  the first token after a new prefix and N tokens more ("cold"), and after
//                         the same prefix and N others ("warm")
//   replay TURNS N        a trial of so many turns of N tokens each, recorded before; two fresh
//   engines
//                         compute it again, one that guesses from its own trace ("drafted") and one
//                         without ("plain"); "differing" counts tokens that are not the recorded
//                         ones
// A line that begins with another word is answered by {"unknown": word}.

#include <algorithm>
#include <atomic>
#include <chrono>
#include <cstdio>
#include <cstdlib>
#include <iostream>
#include <latch>
#include <memory>
#include <span>
#include <sstream>
#include <string>
#include <thread>
#include <utility>
#include <vector>

#include "base/random.h"
#include "inference/llm/engine.h"
#include "inference/spec/answer_store.h"
#include "inference/spec/suffix_drafter.h"

namespace {

using trialwright::Engine;
using trialwright::GenerateRequest;
using Clock = std::chrono::steady_clock;

constexpr int kShortPrompt = 16;

double seconds_between(Clock::time_point start, Clock::time_point end) {
  return std::chrono::duration<double>(end - start).count();
}

constexpr int kTrialPrompt = 500;
constexpr int kObservation = 40;

/// A turn of a recorded trial.
struct Turn {
  std::vector<std::int32_t> prompt;
  std::vector<std::int32_t> answer;
};

class Bench {
 public:
  Bench(Engine& engine, std::string path, const trialwright::EngineOptions& options)
      : engine_(engine), path_(std::move(path)), options_(options) {}

  /// Answers one line. False if the engine failed, which has been said.
  bool answer(const std::string& line) {
    std::istringstream words(line);
    std::string verb;
    int first = 0;
    int second = 0;
    words >> verb >> first >> second;
    if (verb == "prefill" && first > 0) return prefill(first);
    if (verb == "decode" && first > 0) return together(1, first);
    if (verb == "together" && first > 0 && second > 0) return together(first, second);
    if (verb == "first_token" && first > 0 && second > 0) return first_token(first, second);
    if (verb == "replay" && first > 0 && second > 0) return replay(first, second);
    std::printf("{\"unknown\": \"%s\"}\n", verb.c_str());
    return true;
  }

 private:
  /// Tokens that no earlier prompt began with, so nothing is taken from the cache.
  std::vector<std::int32_t> new_prompt(int tokens) {
    const int number = prompts_++;
    trialwright::RandomStream random(static_cast<std::uint64_t>(number), 0);
    const auto bound = static_cast<std::uint64_t>(engine_.vocabulary() - 1000);
    std::vector<std::int32_t> ids;
    for (int i = 0; i < tokens; ++i) {
      ids.push_back(static_cast<std::int32_t>(random.below(bound)));
    }
    ids[0] = 1000 + number;
    return ids;
  }

  bool generate(const GenerateRequest& request) {
    const auto generation = engine_.generate(request, {});
    return generation ? true : failed(generation.error());
  }

  bool timed_generate(const GenerateRequest& request, double& seconds) {
    const auto start = Clock::now();
    const bool done = generate(request);
    seconds = seconds_between(start, Clock::now());
    return done;
  }

  bool prefill(int tokens) {
    double seconds = 0;
    const bool done = timed_generate({.ids = new_prompt(tokens), .tokens_max = 1}, seconds);
    std::printf("{\"tokens\": %d, \"seconds\": %.6f}\n", tokens, seconds);
    return done;
  }

  /// Counts the tokens that come after everybody's first, up to everybody's last.
  bool together(int callers, int tokens) {
    std::vector<std::vector<Clock::time_point>> times(static_cast<std::size_t>(callers));
    std::atomic<bool> done = true;
    std::latch all_ready(callers);
    {
      std::vector<std::jthread> threads;
      for (auto& own : times) {
        GenerateRequest request{.ids = new_prompt(kShortPrompt), .tokens_max = tokens + 1};
        request.on_token = [&own](const trialwright::GeneratedToken&) {
          own.push_back(Clock::now());
          return true;
        };
        threads.emplace_back([this, request, &all_ready, &done] {
          all_ready.arrive_and_wait();
          if (!generate(request)) done = false;
        });
      }
    }
    if (!done) return false;
    Clock::time_point start;
    Clock::time_point end;
    for (const auto& own : times) {
      start = std::max(start, own.front());
      end = std::max(end, own.back());
    }
    std::ptrdiff_t counted = 0;
    for (const auto& own : times) {
      counted += std::count_if(own.begin(), own.end(), [&](auto time) { return time > start; });
    }
    std::printf("{\"tokens\": %td, \"seconds\": %.6f}\n", counted, seconds_between(start, end));
    return true;
  }

  bool first_token(int prefix, int more) {
    auto ids = new_prompt(prefix + more);
    const auto other = new_prompt(more);
    double cold = 0;
    double warm = 0;
    bool done = timed_generate({.ids = ids, .tokens_max = 1}, cold);
    std::copy(other.begin(), other.end(), ids.begin() + prefix);
    done = done && timed_generate({.ids = ids, .tokens_max = 1}, warm);
    std::printf("{\"cold\": %.6f, \"warm\": %.6f}\n", cold, warm);
    return done;
  }

  bool replay(int turns, int tokens) {
    std::vector<Turn> trial;
    auto prompt = new_prompt(kTrialPrompt);
    for (int i = 0; i < turns; ++i) {
      const auto generation = engine_.generate({.ids = prompt, .tokens_max = tokens}, {});
      if (!generation) return failed(generation.error());
      Turn turn{.prompt = prompt, .answer = ids_of(*generation)};
      const auto observation = new_prompt(kObservation);
      prompt.insert(prompt.end(), turn.answer.begin(), turn.answer.end());
      prompt.insert(prompt.end(), observation.begin(), observation.end());
      trial.push_back(std::move(turn));
    }
    double drafted = 0;
    double plain = 0;
    int differing = 0;
    if (!replay_once(trial, false, plain, differing) ||
        !replay_once(trial, true, drafted, differing)) {
      return false;
    }
    std::printf("{\"drafted\": %.6f, \"plain\": %.6f, \"differing\": %d}\n", drafted, plain,
                differing);
    return true;
  }

  bool replay_once(const std::vector<Turn>& trial, bool drafts, double& seconds, int& differing) {
    auto fresh = Engine::load(path_, options_);
    if (!fresh) return failed(fresh.error());
    const auto answers = std::make_shared<trialwright::AnswerStore>();
    for (const Turn& turn : trial) {
      answers->add(turn.prompt, turn.answer);
    }
    const auto start = Clock::now();
    for (const Turn& turn : trial) {
      trialwright::SuffixDrafter drafter(answers, turn.prompt.size());
      GenerateRequest request{.ids = turn.prompt,
                              .tokens_max = static_cast<int>(turn.answer.size())};
      request.drafter = drafts ? &drafter : nullptr;
      const auto generation = fresh->generate(request, {});
      if (!generation) return failed(generation.error());
      const auto ids = ids_of(*generation);
      for (std::size_t i = 0; i < turn.answer.size(); ++i) {
        differing += i < ids.size() && ids[i] == turn.answer[i] ? 0 : 1;
      }
    }
    seconds = seconds_between(start, Clock::now());
    return true;
  }

  static std::vector<std::int32_t> ids_of(const trialwright::Generation& generation) {
    std::vector<std::int32_t> ids;
    for (const auto& token : generation.tokens) {
      ids.push_back(token.chosen.id);
    }
    return ids;
  }

  static bool failed(const trialwright::Error& error) {
    std::fprintf(stderr, "engine_bench: %s\n", error.message.c_str());
    return false;
  }

  Engine& engine_;
  std::string path_;
  trialwright::EngineOptions options_;
  int prompts_ = 0;
};

}  // namespace

int main(int argc, char** argv) {
  if (argc < 2) {
    std::fprintf(stderr, "engine_bench: name a model file\n");
    return 2;
  }
  trialwright::EngineOptions options;
  options.context_tokens_max = 2048;
  for (int i = 2; i + 1 < argc; i += 2) {
    (std::string(argv[i]) == "--threads" ? options.threads : options.context_tokens_max) =
        std::atoi(argv[i + 1]);
  }
  const auto start = Clock::now();
  auto engine = Engine::load(argv[1], options);
  if (!engine) {
    std::fprintf(stderr, "engine_bench: %s\n", engine.error().message.c_str());
    return 2;
  }
  std::printf("{\"loaded\": %.3f}\n", seconds_between(start, Clock::now()));
  std::fflush(stdout);

  Bench bench(*engine, argv[1], options);
  for (std::string line; std::getline(std::cin, line);) {
    if (!bench.answer(line)) {
      return 1;
    }
    std::fflush(stdout);
  }
  return 0;
}
