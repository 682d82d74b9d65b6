#pragma once

#include <chrono>
#include <cstdint>
#include <stop_token>
#include <string>
#include <vector>

#include "base/clock.h"
#include "base/result.h"
#include "inference/gguf/gguf_file.h"
#include "inference/llm/engine.h"

namespace trialwright {

/// What is timed: prompts of `prompt_tokens`, or the generation of `generated_tokens` from an empty
/// context; one of the two is 0. So many conversations at once as `parallel` says.
struct SpeedTest {
  int prompt_tokens = 0;
  int generated_tokens = 0;
  int parallel = 1;

  [[nodiscard]] int tokens() const { return (prompt_tokens + generated_tokens) * parallel; }
  /// "pp512", "tg128": the names of llama-bench; with "@8" for eight at once.
  [[nodiscard]] std::string name() const;
};

/// How a model's weights are used, read off its file. Matrices only: nothing else counts beside
/// them.
struct ModelWork {
  std::string type;         ///< "llama Q4_1": the architecture and the commonest type of tensor.
  std::uint64_t bytes = 0;  ///< Of all tensors.
  std::uint64_t parameters = 0;            ///< Of all tensors.
  std::uint64_t bytes_per_step = 0;        ///< That one generated token must read.
  std::uint64_t operations_per_token = 0;  ///< Of a prompt: two for each weight below the head.
  std::uint64_t operations_of_logits = 0;  ///< Of the head, once for each wanted token.
};

ModelWork work_of(const GgufFile& file);

/// Runs a test `repetitions` times after one that warms up; gives what each took.
/// Errors: as Engine::generate; Cancelled if `stop` is asked for.
Result<std::vector<std::chrono::nanoseconds>> run_speed_test(Engine& engine, const SpeedTest& test,
                                                             int repetitions, const Clock& clock,
                                                             std::stop_token stop);

/// Tokens a second of each time, their mean and their sample deviation (0 for a single one).
struct SpeedSummary {
  std::vector<double> tokens_per_second;
  double mean = 0;
  double deviation = 0;
  double mean_nanoseconds = 0;
  double deviation_nanoseconds = 0;
};

SpeedSummary summarize(const SpeedTest& test, const std::vector<std::chrono::nanoseconds>& times);

/// What of the roof a test reached on average.
struct Achieved {
  double read_bytes_per_second = 0;
  double operations_per_second = 0;
};

/// Weights are read once for all conversations of a step; prompts read them too seldom to say, so
/// their reading is 0.
Achieved achieved(const ModelWork& work, const SpeedTest& test, double tokens_per_second);

}  // namespace trialwright
