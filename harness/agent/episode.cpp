#include "harness/agent/episode.h"

#include <algorithm>

#include "harness/agent/fenced_protocol.h"
#include "harness/agent/tools.h"

namespace trialwright {

namespace {

std::string with_working_folder(std::string prompt, const std::string& folder) {
  constexpr std::string_view kMark = "{{working_folder}}";
  for (std::size_t at = prompt.find(kMark); at != std::string::npos; at = prompt.find(kMark)) {
    prompt.replace(at, kMark.size(), folder);
  }
  return prompt;
}

/// Lines that start with a fence.
int count_fences(std::string_view text) {
  int count = 0;
  for (const std::string_view line : split(text, '\n')) count += line.substr(0, 3) == "```" ? 1 : 0;
  return count;
}

/// The same calls or the same mistakes in them, and what they brought was the same.
bool repeats(const Turn& turn, const Turn& before) {
  const auto same_call = [](const ToolCall& a, const ToolCall& b) {
    return a.name == b.name && a.arguments == b.arguments;
  };
  const auto& calls = turn.completion.tool_calls;
  const auto& errors = turn.completion.tool_call_errors;
  if (calls.empty() && errors.empty()) return false;
  if (!std::ranges::equal(calls, before.completion.tool_calls, same_call) ||
      errors != before.completion.tool_call_errors) {
    return false;
  }
  // A notice may follow the results.
  const auto results = static_cast<std::ptrdiff_t>(calls.size() + errors.size());
  const auto same_text = [](const Observation& a, const Observation& b) {
    return a.text == b.text;
  };
  return std::ssize(turn.observations) >= results && std::ssize(before.observations) >= results &&
         std::equal(turn.observations.begin(), turn.observations.begin() + results,
                    before.observations.begin(), same_text);
}

}  // namespace

Episode::Episode(const EpisodeSettings& settings, Model& model, const Clock& clock,
                 EpisodeObserver& observer)
    : settings_(settings), model_(model), clock_(clock), observer_(observer) {
  CHECK(settings.scaffold.protocol != ToolProtocol::Auto, "the protocol is settled when planning");
  for (const ScaffoldTool& tool : settings.scaffold.tools) tool_names_.push_back(tool.name);
}

Result<void> Episode::open(const std::string& instruction, const Workspace& workspace) {
  const Scaffold& scaffold = settings_.scaffold;
  for (const ScaffoldTool& tool : scaffold.tools) {
    trace_.tools.push_back(tool_definition(tool.name, tool.description));
  }
  std::string system = with_working_folder(scaffold.system_prompt, workspace.working_folder());
  if (scaffold.protocol == ToolProtocol::Fenced) {
    system += fenced_instructions(trace_.tools, scaffold.fenced_examples);
  }
  trace_.opening.push_back({Role::System, std::move(system), {}, {}});
  trace_.opening.push_back({Role::User, instruction, {}, {}});
  messages_ = trace_.opening;
  return observer_.opened(trace_.opening, trace_.tools);
}

Result<void> Episode::observe(Observation observation) {
  return observe(observation, observation.text);
}

Result<void> Episode::observe(Observation observation, std::string told_as) {
  Message message{Role::User, std::move(told_as), {}, {}};
  if (!observation.tool_call_id.empty()) {
    message.role = Role::Tool;
    message.tool_call_id = observation.tool_call_id;
  }
  messages_.push_back(std::move(message));
  auto told = observer_.observed(observation);
  trace_.turns.back().observations.push_back(std::move(observation));
  return told;
}

std::chrono::milliseconds Episode::time_left() const {
  return std::chrono::duration_cast<std::chrono::milliseconds>(settings_.deadline - clock_.now());
}

bool Episode::limit_reached(std::stop_token stop) {
  const ScaffoldLimits& limits = settings_.scaffold.limits;
  if (stop.stop_requested()) {
    trace_.end = EpisodeEnd::Cancelled;
  } else if (time_left().count() <= 0) {
    trace_.end = EpisodeEnd::TimeLimit;
  } else if (static_cast<int>(trace_.turns.size()) >= limits.turns_max) {
    trace_.end = EpisodeEnd::TurnLimit;
  } else if (tokens_generated_ >= limits.tokens_max) {
    trace_.end = EpisodeEnd::TokenLimit;
  } else if (repeats_ > 1 && repeats_ >= limits.repeats_max) {
    trace_.end = EpisodeEnd::RepeatLimit;
  } else {
    return false;
  }
  return true;
}

Result<Completion> Episode::next_completion(std::stop_token stop) {
  const ScaffoldLimits& limits = settings_.scaffold.limits;
  CompletionRequest request;
  request.messages = messages_;
  request.sampling = settings_.scaffold.sampling;
  request.sampling.seed = settings_.seed;
  request.stream = trace_.turns.size();
  request.tokens_max = std::min(limits.tokens_per_turn_max, limits.tokens_max - tokens_generated_);
  request.deadline = settings_.deadline;
  request.draft_key = settings_.draft_key;
  const bool fenced = settings_.scaffold.protocol == ToolProtocol::Fenced;
  if (fenced) {
    request.stop = {fenced_stop_text()};
  } else {
    request.tools = trace_.tools;
  }
  auto completion = model_.complete(request, stop);
  if (!completion || !fenced) return completion;
  // The stop text closed the block; the model should see its own reply whole.
  if (count_fences(completion->text) % 2 == 1) completion->text += "\n```";
  ParsedToolCalls parsed = parse_fenced_call(completion->text);
  completion->tool_calls = std::move(parsed.calls);
  for (ToolCall& call : completion->tool_calls) {
    call.id = "call_" + std::to_string(trace_.turns.size());  // A reply has one call at most.
  }
  completion->tool_call_errors = std::move(parsed.errors);
  return completion;
}

Result<void> Episode::act(const Completion& completion, Workspace& workspace, std::stop_token stop,
                          bool& submitted) {
  const bool fenced = settings_.scaffold.protocol == ToolProtocol::Fenced;
  unanswered_calls_.clear();
  for (const ToolCall& call : completion.tool_calls) {
    if (submitted) {
      unanswered_calls_.push_back(call.id);
      continue;
    }
    const ToolLimits limits{
        std::min<std::chrono::milliseconds>(settings_.scaffold.limits.command_timeout,
                                            std::max(time_left(), std::chrono::milliseconds(1))),
        settings_.scaffold.limits.observation_chars_max};
    auto result = call_tool(call, tool_names_, workspace, limits, stop);
    if (!result) return result.error().during("tool " + call.name);
    if (result->submitted) {
      trace_.answer = result->answer;
      submitted = true;
      unanswered_calls_.push_back(call.id);
      continue;
    }
    auto told = fenced ? observe({"", result->text, result->is_error},
                                 fenced_observation(settings_.scaffold, result->text))
                       : observe({call.id, result->text, result->is_error});
    if (!told) return told;
  }
  if (submitted) return {};
  for (const std::string& error : completion.tool_call_errors) {
    auto told = fenced ? observe({"", error, true}, fenced_observation(settings_.scaffold, error))
                       : observe({"", error, true});
    if (!told) return told;
  }
  return {};
}

Result<void> Episode::go_on(const std::string& instruction) {
  if (settings_.scaffold.protocol == ToolProtocol::Native) {
    // Endpoints refuse a conversation with a call that nothing answers.
    for (const std::string& call_id : unanswered_calls_) {
      if (auto told = observe({call_id, "The step is over.", false}); !told) return told;
    }
  }
  unanswered_calls_.clear();
  return observe({"", instruction, false});
}

Result<void> Episode::watch_repeats() {
  const std::size_t turns = trace_.turns.size();
  if (turns < 2 || !repeats(trace_.turns[turns - 1], trace_.turns[turns - 2])) {
    repeats_ = 1;
    return {};
  }
  ++repeats_;
  const Scaffold& scaffold = settings_.scaffold;
  if (scaffold.repeat_notice.empty() || repeats_ >= scaffold.limits.repeats_max) return {};
  return observe({"", scaffold.repeat_notice, false});
}

Result<void> Episode::attempt(const std::string& instruction, Workspace& workspace,
                              std::stop_token stop) {
  auto begun = messages_.empty() ? open(instruction, workspace) : go_on(instruction);
  auto done = begun ? take_turns(workspace, stop) : begun;
  if (!done) {
    trace_.end = EpisodeEnd::Error;
    trace_.error = done.error().message;
  }
  return done;
}

Result<void> Episode::take_turns(Workspace& workspace, std::stop_token stop) {
  const bool fenced = settings_.scaffold.protocol == ToolProtocol::Fenced;
  int nudges = 0;
  while (!limit_reached(stop)) {
    auto completion = next_completion(stop);
    if (!completion) {
      // The same kind of request was served before, so what has grown too long is the conversation.
      const bool grown = completion.error().kind == ErrorKind::Invalid && !trace_.turns.empty();
      if (!grown) return completion.error();
      trace_.end = EpisodeEnd::ContextFull;
      return {};
    }
    tokens_generated_ += completion->usage.completion_tokens;
    if (auto told = observer_.completed(messages_, *completion); !told) return told;
    Message message{Role::Assistant, completion->text, {}, {}};
    if (!fenced) message.tool_calls = completion->tool_calls;
    const bool cut_off = completion->finish == FinishReason::Cancelled ||
                         completion->finish == FinishReason::Deadline;
    const bool says_nothing = message.content.empty() && message.tool_calls.empty();
    if (!(cut_off && says_nothing)) messages_.push_back(std::move(message));
    trace_.turns.push_back({*std::move(completion), {}});
    const Completion& latest = trace_.turns.back().completion;
    if (cut_off) {
      for (const ToolCall& call : latest.tool_calls) unanswered_calls_.push_back(call.id);
      // The deadline is known by another clock than ours, so ours may not have reached it: to ask
      // again would then go round and round.
      if (!limit_reached(stop)) trace_.end = EpisodeEnd::TimeLimit;
      return {};
    }
    if (latest.tool_calls.empty() && latest.tool_call_errors.empty()) {
      trace_.end = EpisodeEnd::NoToolCall;
      trace_.answer = latest.text;
      if (nudges++ >= settings_.scaffold.nudges_max) return {};
      if (auto told = observe({"", settings_.scaffold.nudge, false}); !told) return told;
      continue;
    }
    bool submitted = false;
    if (auto acted = act(latest, workspace, stop, submitted); !acted) return acted;
    if (submitted) {
      trace_.end = EpisodeEnd::Submitted;
      return {};
    }
    if (auto watched = watch_repeats(); !watched) return watched;
  }
  return {};
}

}  // namespace trialwright
