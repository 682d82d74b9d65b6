#include "harness/run/replay.h"

#include <algorithm>

#include "harness/agent/fenced_protocol.h"
#include "harness/run/question_trial.h"
#include "harness/run/spec.h"
#include "harness/run/stored_answers.h"

namespace trialwright {

namespace {

std::int32_t token_at(const std::vector<GeneratedToken>& tokens, std::size_t position) {
  return position < tokens.size() ? tokens[position].chosen.id : -1;
}

/// True if all tokens agree; else the report says where they do not.
bool compare(const std::vector<GeneratedToken>& recorded,
             const std::vector<GeneratedToken>& replayed, ReplayReport& report) {
  const std::size_t length = std::max(recorded.size(), replayed.size());
  for (std::size_t i = 0; i < length; ++i) {
    if (token_at(recorded, i) == token_at(replayed, i)) {
      ++report.tokens;
      continue;
    }
    report.same = false;
    report.turn = report.turns;
    report.position = static_cast<int>(i);
    report.recorded_token = token_at(recorded, i);
    report.replayed_token = token_at(replayed, i);
    return false;
  }
  return true;
}

/// The request that a completion answered, but for its length: a recorded turn that was cut by a
/// limit is cut at the same token, any other gets room to go on where it should not.
CompletionRequest request_of(const RunSpec& spec, const PlannedTrial& trial,
                             std::vector<Message> messages,
                             const std::vector<ToolDefinition>& tools, const Completion& recorded,
                             std::size_t turn) {
  CompletionRequest request;
  request.messages = std::move(messages);
  request.sampling = spec.scaffold.sampling;
  request.sampling.seed = trial.seed;
  request.stream = turn;
  const bool cut = recorded.finish != FinishReason::Stop;
  request.tokens_max = std::max(1, recorded.usage.completion_tokens + (cut ? 0 : 1));
  if (tools.empty()) return request;
  if (spec.scaffold.protocol == ToolProtocol::Fenced) {
    request.stop = {fenced_stop_text()};
  } else {
    request.tools = tools;
  }
  return request;
}

}  // namespace

Result<ReplayReport> replay_trial(RunReader& reader, const std::string& trial_id, Model& model,
                                  const ReplayOptions& options, std::stop_token stop) {
  auto run = reader.run();
  if (!run) return run.error();
  auto spec = recorded_spec(*run);
  if (!spec) return spec.error();
  auto summary = reader.trial(trial_id);
  if (!summary) return summary.error();
  auto trace = reader.trace(trial_id);
  if (!trace) return trace.error();
  auto events = reader.events(trial_id);
  if (!events) return events.error();

  // Of this trial alone, so that nothing but its own record is guessed from.
  const std::string key = options.guess_from_trace ? "replay " + trial_id : "";
  if (options.guess_from_trace) {
    auto answers = stored_answers(reader, trial_id);
    if (!answers) return answers.error();
    model.expect_answers(key, *answers);
  }
  ReplayReport report;
  for (const StoredEvent& event : *events) {
    if (event.kind != "completion") continue;
    const auto turn = static_cast<std::size_t>(report.turns);
    CHECK(turn < trace->turns.size(), "a trace is rebuilt from the same events");
    const Completion& recorded = trace->turns[turn].completion;
    if (recorded.tokens.empty() && recorded.usage.completion_tokens > 0) {
      return invalid("the trial's model gave no token ids, so there is nothing to compare");
    }
    auto messages = reader.messages(event.context);
    if (!messages) return messages.error();
    CompletionRequest request =
        request_of(*spec, summary->trial, *std::move(messages), trace->tools, recorded, turn);
    if (!model.identity().can_chat) make_plain(request);
    request.draft_key = key;
    auto again = model.complete(request, stop);
    if (!again) return again.error().during("turn " + std::to_string(turn));
    if (stop.stop_requested()) return cancelled("the replay was stopped");
    if (!compare(recorded.tokens, again->tokens, report)) return report;
    ++report.turns;
  }
  if (report.turns == 0) return invalid("the trial has no turn of a model to replay");
  return report;
}

}  // namespace trialwright
