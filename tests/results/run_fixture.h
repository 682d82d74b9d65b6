#pragma once

#include <filesystem>
#include <string>
#include <utility>
#include <vector>

#include "base/clock.h"
#include "base/files.h"
#include "results/run_reader.h"
#include "results/store.h"
#include "tests/support/fake_clock.h"

namespace trialwright {

/// A plan of `trials` trials over half as many tasks.
inline std::vector<PlannedTrial> sample_plan(int trials) {
  std::vector<PlannedTrial> plan;
  for (int i = 0; i < trials; ++i) {
    PlannedTrial trial;
    trial.task = "starter/files/task-" + std::to_string(i / 2);
    trial.epoch = i % 2 + 1;
    trial.id = sha256(trial.task + "@" + std::to_string(trial.epoch)).hex();
    trial.task_digest = sha256(trial.task);
    trial.seed = 0xFFFFFFFFFFFFFFF0U + static_cast<std::uint64_t>(i % 8);
    trial.tags = {"files", "tag \"" + std::to_string(i) + "\""};
    plan.push_back(std::move(trial));
  }
  return plan;
}

inline RunRecord sample_run() {
  RunRecord run;
  run.id = "01JDSAMPLERUN0000000000000";
  run.created_us = 1'763'800'000'000'000;
  run.spec = {{"suite", "starter"}, {"seed", 7}, {"temperature", 0.1}};
  run.environment = {{"cpu", "AVX-512"}, {"model", {{"name", "scripted"}, {"digest", "00"}}}};
  return run;
}

/// A zero, a terminal's escape and a byte that is no UTF-8, as agents' commands print them.
inline const std::string kOddBytes("\0\x1b[31mred\xff", 10);

/// What an agent did in a trial: two turns with tool calls, then an answer. `salt` varies it.
inline Trace sample_trace(const std::string& salt) {
  Trace trace;
  trace.opening = {{Role::System, "You solve tasks.\n" + std::string(600, 's'), {}, {}},
                   {Role::User, "Count the lines of " + salt, {}, {}}};
  ToolDefinition bash{"bash", "Runs a command.", {{"type", "object"}}};
  bash.parameters["properties"]["command"]["type"] = "string";
  trace.tools = {bash};

  Turn first;
  first.completion.text = "I will look.";
  first.completion.tool_calls = {
      {"call-1", "bash", {{"command", "wc -l " + salt}, {"timeout", 1.5}}}};
  first.completion.tool_call_errors = {"a call without a name"};
  first.completion.usage = {120, 0, 9};
  first.completion.timings = {std::chrono::microseconds(5), std::chrono::microseconds(7000),
                              std::chrono::microseconds(90000)};
  first.completion.served_model = "scripted";
  for (int i = 0; i < 9; ++i) {
    GeneratedToken token{{1000 + i, -0.125 * i}, {{1000 + i, -0.125 * i}, {7, -9.5}}};
    first.completion.tokens.push_back(token);
  }
  first.observations = {{"call-1", salt + "\n" + std::string(3000, 'x') + kOddBytes, false},
                        {"call-2", "no such tool", true}};
  Turn second;
  second.completion.text = "The answer is 42. \xE2\x9C\x93";
  second.completion.finish = FinishReason::Length;
  second.completion.usage = {900, 120, 6};
  // No float32 has this value, so the exact form is needed.
  second.completion.tokens = {{{5, -0.1}, {}}};
  trace.turns = {first, second};
  trace.end = EpisodeEnd::NoToolCall;
  trace.answer = "42";
  return trace;
}

inline std::vector<Grade> sample_grades(double score) {
  Grade tests{"tests", "1", score, "2 of 2 tests passed", {{"stdout", std::string(700, 'o')}},
              "d1"};
  Grade exact{"exact", "2", 1.0, "", Json::object(), ""};
  return {tests, exact};
}

inline TrialOutcome sample_outcome(double reward) {
  TrialOutcome outcome;
  outcome.verdict = reward > 0.5 ? Verdict::Passed : Verdict::Failed;
  outcome.reward = reward;
  outcome.reason = reward > 0.5 ? "" : "the file is missing";
  outcome.signature = reward > 0.5 ? "" : "missing-file";
  outcome.turns = 2;
  outcome.prompt_tokens = 1020;
  outcome.cached_tokens = 120;
  outcome.completion_tokens = 15;
  outcome.total_time = std::chrono::microseconds(123456);
  return outcome;
}

/// The messages that each completion of a trace was asked for with.
inline std::vector<std::vector<Message>> sent_messages(const Trace& trace) {
  std::vector<std::vector<Message>> sent;
  std::vector<Message> conversation = trace.opening;
  for (const Turn& turn : trace.turns) {
    sent.push_back(conversation);
    conversation.push_back({Role::Assistant, turn.completion.text, turn.completion.tool_calls, {}});
    for (const Observation& observation : turn.observations) {
      conversation.push_back({Role::Tool, observation.text, {}, observation.tool_call_id});
    }
  }
  return sent;
}

/// Records a trace up to, but without, its end.
inline Result<void> record_turns(TrialRecorder& recorder, const Trace& trace) {
  if (auto done = recorder.opening(trace.opening, trace.tools); !done) return done;
  const auto sent = sent_messages(trace);
  for (std::size_t i = 0; i < trace.turns.size(); ++i) {
    const Turn& turn = trace.turns[i];
    if (auto done = recorder.completion(sent[i], turn.completion); !done) return done;
    for (const Observation& observation : turn.observations) {
      if (auto done = recorder.observation(observation); !done) return done;
    }
  }
  return recorder.agent_end(trace.end, trace.error, trace.answer);
}

/// Makes one whole trial.
inline Result<void> record_trial(RunStore& store, const std::string& trial_id, double reward = 1) {
  auto recorder = store.begin_trial(trial_id);
  if (!recorder) return recorder.error();
  if (auto done = record_turns(*recorder, sample_trace(trial_id)); !done) return done;
  return recorder->finish(sample_outcome(reward), sample_grades(reward));
}

/// A finished run of `trials` trials at `path`.
inline Result<Digest> write_sample_run(const std::filesystem::path& path, int trials) {
  FakeClock clock;
  const auto plan = sample_plan(trials);
  auto store = RunStore::create(path, sample_run(), plan, clock);
  if (!store) return store.error();
  for (const PlannedTrial& trial : plan) {
    clock.advance(std::chrono::milliseconds(3));
    if (auto done = record_trial(*store, trial.id, trial.epoch == 1 ? 1.0 : 0.25); !done) {
      return done.error();
    }
  }
  return store->finish(RunStatus::Finished);
}

}  // namespace trialwright
