#include "inference/llm/speed_test.h"

#include <algorithm>
#include <cmath>
#include <map>
#include <thread>

#include "base/check.h"
#include "base/random.h"

namespace trialwright {
namespace {

/// Tokens that no prompt of another test or number begins with, so nothing is taken from the cache.
/// Ids of control tokens may be among them: they take as long as any.
std::vector<std::int32_t> new_prompt(const SpeedTest& test, int vocabulary, std::uint64_t number) {
  const int tokens = std::max(test.prompt_tokens, 1);
  const auto stream =
      static_cast<std::uint64_t>(tokens) << 32U | static_cast<std::uint64_t>(test.parallel);
  RandomStream random(number, stream);
  std::vector<std::int32_t> ids;
  for (int i = 0; i < tokens; ++i) {
    ids.push_back(static_cast<std::int32_t>(random.below(static_cast<std::uint64_t>(vocabulary))));
  }
  return ids;
}

/// One conversation of a test.
Result<void> converse(Engine& engine, const SpeedTest& test, std::uint64_t number,
                      const std::stop_token& stop) {
  GenerateRequest request;
  // The first token's pass belongs to a generation; a prompt's last one gives its token for free.
  request.ids = new_prompt(test, engine.vocabulary(), number);
  request.tokens_max = std::max(test.generated_tokens, 1);
  auto generation = engine.generate(request, stop);
  if (!generation) return generation.error();
  CHECK(static_cast<int>(generation->tokens.size()) == request.tokens_max || stop.stop_requested(),
        "the engine knows no other end than the number of tokens");
  return {};
}

/// All conversations of a test at once.
Result<void> converse_in_parallel(Engine& engine, const SpeedTest& test, std::uint64_t number,
                                  const std::stop_token& stop) {
  if (test.parallel == 1) return converse(engine, test, number, stop);
  std::vector<Result<void>> results(static_cast<std::size_t>(test.parallel));
  {
    std::vector<std::jthread> threads;
    for (std::size_t i = 0; i < results.size(); ++i) {
      threads.emplace_back([&, i] { results[i] = converse(engine, test, number + i, stop); });
    }
  }
  for (const Result<void>& result : results) {
    if (!result) return result.error();
  }
  return {};
}

double mean_of(const std::vector<double>& numbers) {
  double sum = 0;
  for (const double number : numbers) sum += number;
  return numbers.empty() ? 0 : sum / static_cast<double>(numbers.size());
}

double deviation_of(const std::vector<double>& numbers) {
  if (numbers.size() < 2) return 0;
  const double mean = mean_of(numbers);
  double squares = 0;
  for (const double number : numbers) squares += (number - mean) * (number - mean);
  return std::sqrt(squares / static_cast<double>(numbers.size() - 1));
}

}  // namespace

std::string SpeedTest::name() const {
  return (prompt_tokens > 0 ? "pp" + std::to_string(prompt_tokens)
                            : "tg" + std::to_string(generated_tokens)) +
         (parallel > 1 ? "@" + std::to_string(parallel) : "");
}

ModelWork work_of(const GgufFile& file) {
  ModelWork work;
  std::map<TensorType, std::uint64_t> parameters_of_type;
  const bool own_head = file.tensor("output.weight") != nullptr;
  for (const GgufTensor& tensor : file.tensors()) {
    std::uint64_t parameters = 1;
    for (const std::int64_t size : tensor.shape) parameters *= static_cast<std::uint64_t>(size);
    work.bytes += tensor.data.size();
    work.parameters += parameters;
    parameters_of_type[tensor.type] += parameters;
    const bool embedding = tensor.name == "token_embd.weight";
    if (tensor.shape.size() < 2 || (embedding && own_head)) continue;
    work.bytes_per_step += tensor.data.size();
    const bool head = embedding || tensor.name == "output.weight";
    (head ? work.operations_of_logits : work.operations_per_token) += 2 * parameters;
  }
  const auto commonest =
      std::max_element(parameters_of_type.begin(), parameters_of_type.end(),
                       [](const auto& a, const auto& b) { return a.second < b.second; });
  auto architecture = file.text("general.architecture");
  work.type = architecture ? shown_text(*architecture) : "unknown";
  if (commonest != parameters_of_type.end()) {
    work.type += " " + tensor_type_name(commonest->first);
  }
  return work;
}

Result<std::vector<std::chrono::nanoseconds>> run_speed_test(Engine& engine, const SpeedTest& test,
                                                             int repetitions, const Clock& clock,
                                                             std::stop_token stop) {
  std::vector<std::chrono::nanoseconds> times;
  for (int i = 0; i <= repetitions; ++i) {
    const auto start = clock.now();
    auto done = converse_in_parallel(engine, test, static_cast<std::uint64_t>(i) * 1024 + 1, stop);
    if (!done) return done.error();
    if (stop.stop_requested()) return cancelled("stopped");
    // The first run warms caches up and is not counted.
    if (i > 0) times.push_back(clock.now() - start);
  }
  return times;
}

SpeedSummary summarize(const SpeedTest& test, const std::vector<std::chrono::nanoseconds>& times) {
  SpeedSummary summary;
  std::vector<double> nanoseconds;
  for (const std::chrono::nanoseconds time : times) {
    const double count = std::max(static_cast<double>(time.count()), 1.0);
    nanoseconds.push_back(count);
    summary.tokens_per_second.push_back(test.tokens() * 1e9 / count);
  }
  summary.mean = mean_of(summary.tokens_per_second);
  summary.deviation = deviation_of(summary.tokens_per_second);
  summary.mean_nanoseconds = mean_of(nanoseconds);
  summary.deviation_nanoseconds = deviation_of(nanoseconds);
  return summary;
}

Achieved achieved(const ModelWork& work, const SpeedTest& test, double tokens_per_second) {
  Achieved result;
  const auto below_head = static_cast<double>(work.operations_per_token);
  const auto head = static_cast<double>(work.operations_of_logits);
  if (test.prompt_tokens > 0) {
    result.operations_per_second = tokens_per_second * (below_head + head / test.prompt_tokens);
  } else {
    result.operations_per_second = tokens_per_second * (below_head + head);
    result.read_bytes_per_second =
        tokens_per_second / test.parallel * static_cast<double>(work.bytes_per_step);
  }
  return result;
}

}  // namespace trialwright
