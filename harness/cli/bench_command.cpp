#include "harness/cli/bench_command.h"

#include <algorithm>
#include <filesystem>

#include "base/text.h"
#include "harness/cli/bench_rows.h"
#include "harness/cli/commands.h"
#include "harness/cli/open_model.h"
#include "harness/cli/signals.h"
#include "inference/llm/cores.h"
#include "inference/safetensors/model_folder.h"

namespace trialwright {

namespace {

/// What to measure. Every combination is a row.
struct BenchPlan {
  std::vector<int> prompt_tokens;
  std::vector<int> generated_tokens;
  std::vector<int> threads;
  std::vector<int> parallel;
  int repetitions = 5;
  BenchFormat format = BenchFormat::Markdown;

  /// Prompts first, as llama-bench does.
  [[nodiscard]] std::vector<SpeedTest> tests() const {
    std::vector<SpeedTest> tests;
    for (const int at_once : parallel) {
      for (const int tokens : prompt_tokens) {
        if (tokens > 0) tests.push_back({tokens, 0, at_once});
      }
      for (const int tokens : generated_tokens) {
        if (tokens > 0) tests.push_back({0, tokens, at_once});
      }
    }
    return tests;
  }
};

/// "1,2,8": whole numbers, each once. Errors: Invalid, naming the flag.
Result<std::vector<int>> read_list(const Arguments& arguments, const std::string& name,
                                   const std::string& otherwise, int lowest, int highest) {
  std::vector<int> numbers;
  const std::string text = arguments.text(name, otherwise);
  for (const std::string_view word : split(text, ',')) {
    // A list of one is read as any number is, with the same words for what is wrong.
    Arguments one;
    one.add(name, std::string(word));
    auto number = one.integer(name, 0, lowest, highest);
    if (!number) return number.error();
    if (std::ranges::find(numbers, static_cast<int>(*number)) != numbers.end()) {
      return invalid("--" + name + " names " + std::string(word) + " more than once");
    }
    numbers.push_back(static_cast<int>(*number));
  }
  return numbers;
}

Result<BenchPlan> read_plan(const Arguments& arguments) {
  auto prompts = read_list(arguments, "n-prompt", "512", 0, 1 << 20);
  if (!prompts) return prompts.error();
  auto generations = read_list(arguments, "n-gen", "128", 0, 1 << 20);
  if (!generations) return generations.error();
  auto threads = read_list(arguments, "threads", std::to_string(usable_cores()), 1, 1024);
  if (!threads) return threads.error();
  auto parallel = read_list(arguments, "batch", "1", 1, 256);
  if (!parallel) return parallel.error();
  auto repetitions = arguments.integer("repetitions", 5, 1, 1000);
  if (!repetitions) return repetitions.error();
  auto format = parse_bench_format(arguments.text("output", "md"));
  if (!format) return format.error().during("--output");
  BenchPlan plan{*std::move(prompts),  *std::move(generations),        *std::move(threads),
                 *std::move(parallel), static_cast<int>(*repetitions), *format};
  if (plan.tests().empty()) return invalid("--n-prompt and --n-gen leave nothing to measure");
  return plan;
}

/// The longest conversation of a plan; the cache is given room for no more.
int context_for(const std::vector<SpeedTest>& tests) {
  int most = 0;
  for (const SpeedTest& test : tests) {
    most = std::max(most, std::max(test.prompt_tokens, 1) + std::max(test.generated_tokens, 1));
  }
  return std::max(most, 16);
}

Result<void> measure(const std::string& name, const BenchPlan& plan, const Console& out,
                     std::stop_token stop) {
  auto path = model_file(name);
  if (!path) return path.error();
  const SystemClock clock;
  bool first = true;
  for (const int threads : plan.threads) {
    auto file = open_model_files(*path);
    if (!file) return file.error();
    BenchRow row;
    row.model = last_part(*path).string();
    row.work = work_of(*file);
    row.threads = threads;
    // The roof first: afterwards the model's weights would be in the way.
    Cpu cpu(threads);
    auto roof = measure_roof(cpu, clock);
    if (!roof) return roof.error();
    row.roof = *roof;
    EngineOptions options;
    options.threads = threads;
    options.context_tokens_max = context_for(plan.tests());
    row.rows_together = options.prefill_rows_max;
    auto engine = Engine::load(*std::move(file), options);
    if (!engine) return engine.error();
    row.device = engine->device_text();
    for (const SpeedTest& test : plan.tests()) {
      row.test = test;
      row.wall_us = clock.wall_us();
      auto times = run_speed_test(*engine, test, plan.repetitions, clock, stop);
      if (!times) return times.error();
      row.times = *std::move(times);
      if (first) out.write(bench_heading(plan.format));
      out.write(bench_line(plan.format, row, first));
      first = false;
    }
  }
  out.write(bench_ending(plan.format));
  return {};
}

int run_bench(const Arguments& arguments) {
  auto plan = read_plan(arguments);
  if (!plan) return report_error(plan.error());
  const Console out = output_console(arguments);
  const SignalStop signals;
  auto done = measure(arguments.positionals().front(), *plan, out, signals.token());
  if (signals.signal() != 0) return 128 + signals.signal();
  return done ? kExitDone : report_error(done.error());
}

}  // namespace

Command bench_command() {
  return {
      "bench",
      "MODEL",
      "Measure a model's speed beside the machine's.",
      "Rows are as llama-bench prints them: ppN computes a prompt of N tokens, tgN generates N\n"
      "tokens from an empty context, and @B after either is B conversations at once. Beside the\n"
      "tokens a second stand the bytes of weights read and the operations made in a second, and\n"
      "what share that is of the machine's roof, which is measured before: reading memory on\n"
      "huge pages, and multiplying bytes in registers.\n\n"
      "examples:\n"
      "  trialwright bench smollm2-135m -t 1,2\n"
      "  trialwright bench model.gguf -p 0 -n 64 --batch 1,8 -o json",
      with_common(
          {{"n-prompt", "LIST", "Tokens of prompts; 512 if left out, 0 for none.", 'p', false},
           {"n-gen", "LIST", "Tokens to generate; 128 if left out, 0 for none.", 'n', false},
           {"threads", "LIST", "Threads of the engine; all cores if left out.", 't', false},
           {"batch", "LIST", "Conversations at once; 1 if left out.", '\0', false},
           {"repetitions", "N", "How often each test is run; 5 if left out.", 'r', false},
           {"output", "FORMAT", "md, csv, json or jsonl; md if left out.", 'o', false}}),
      1,
      1,
      run_bench};
}

}  // namespace trialwright
