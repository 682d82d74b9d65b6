#include "harness/run/spec.h"

namespace trialwright {

namespace {

Result<Sampling> sampling_from_json(const Json& json) {
  Sampling sampling;
  const auto number = [&](const char* key, double otherwise) {
    return number_field_or(json, key, otherwise);
  };
  auto temperature = number("temperature", sampling.temperature);
  auto top_p = number("top_p", sampling.top_p);
  auto min_p = number("min_p", sampling.min_p);
  auto penalty = number("repetition_penalty", sampling.repetition_penalty);
  auto top_k = int_field_or(json, "top_k", sampling.top_k);
  auto window = int_field_or(json, "repetition_window", sampling.repetition_window);
  for (const auto* field : {&temperature, &top_p, &min_p, &penalty}) {
    if (!*field) return field->error();
  }
  if (!top_k) return top_k.error();
  if (!window) return window.error();
  sampling.temperature = *temperature;
  sampling.top_p = *top_p;
  sampling.min_p = *min_p;
  sampling.repetition_penalty = *penalty;
  sampling.top_k = static_cast<int>(*top_k);
  sampling.repetition_window = static_cast<int>(*window);
  return sampling;
}

}  // namespace

std::string_view agent_name(AgentKind agent) {
  switch (agent) {
    case AgentKind::Model:
      return "model";
    case AgentKind::Nothing:
      return "nothing";
    case AgentKind::Reference:
      return "reference";
  }
  CHECK(false, "every kind of agent has a name");
}

Result<AgentKind> agent_from_name(std::string_view name) {
  for (const AgentKind agent : {AgentKind::Model, AgentKind::Nothing, AgentKind::Reference}) {
    if (agent_name(agent) == name) return agent;
  }
  return invalid("an agent is model, nothing or reference, not \"" + std::string(name) + "\"");
}

Json sampling_to_json(const Sampling& sampling) {
  return {{"temperature", sampling.temperature},
          {"top_k", sampling.top_k},
          {"top_p", sampling.top_p},
          {"min_p", sampling.min_p},
          {"repetition_penalty", sampling.repetition_penalty},
          {"repetition_window", sampling.repetition_window}};
}

Json spec_to_json(const RunSpec& spec) {
  Json json = {{"suite", spec.suite},
               {"agent", agent_name(spec.agent)},
               {"model", spec.model},
               {"protocol", protocol_name(spec.scaffold.protocol)},
               {"sampling", sampling_to_json(spec.scaffold.sampling)},
               {"epochs", spec.epochs},
               {"seed", spec.seed},
               {"turns_max", spec.scaffold.limits.turns_max},
               {"scaffold_name", spec.scaffold.name},
               {"scaffold_digest", scaffold_digest(spec.scaffold).hex()},
               {"scaffold", spec.scaffold.source}};
  if (spec.trial_timeout) json["trial_timeout_seconds"] = spec.trial_timeout->count();
  if (spec.context_tokens_max) json["context_tokens_max"] = *spec.context_tokens_max;
  return json;
}

Result<RunSpec> spec_from_json(const Json& json) {
  RunSpec spec;
  auto suite = string_field(json, "suite");
  auto agent = string_field(json, "agent");
  auto model = string_field(json, "model");
  auto protocol = string_field(json, "protocol");
  auto source = string_field(json, "scaffold");
  for (const auto* field : {&suite, &agent, &model, &protocol, &source}) {
    if (!*field) return field->error();
  }
  auto kind = agent_from_name(*agent);
  if (!kind) return kind.error();
  auto scaffold = parse_scaffold(*source);
  if (!scaffold) return scaffold.error().during("field \"scaffold\"");
  const auto settled = protocol_from_name(*protocol);
  if (!settled || *settled == ToolProtocol::Auto) {
    return invalid("field \"protocol\" must be native or fenced");
  }
  auto sampling = sampling_from_json(json.value("sampling", Json::object()));
  if (!sampling) return sampling.error().during("field \"sampling\"");
  auto epochs = int_field_or(json, "epochs", 1);
  if (!epochs) return epochs.error();
  auto turns = int_field_or(json, "turns_max", scaffold->limits.turns_max);
  if (!turns) return turns.error();
  auto timeout = int_field_or(json, "trial_timeout_seconds", 0);
  if (!timeout) return timeout.error();
  auto context = int_field_or(json, "context_tokens_max", 0);
  if (!context) return context.error();
  const auto seed = json.find("seed");
  if (seed == json.end() || !seed->is_number_integer()) {
    return invalid("field \"seed\" must be a whole number");
  }
  spec.suite = *suite;
  spec.agent = *kind;
  spec.model = *model;
  spec.scaffold = *std::move(scaffold);
  spec.scaffold.protocol = *settled;
  spec.scaffold.sampling = *sampling;
  spec.scaffold.limits.turns_max = static_cast<int>(*turns);
  spec.epochs = static_cast<int>(*epochs);
  spec.seed = seed->get<std::uint64_t>();
  if (*timeout > 0) spec.trial_timeout = std::chrono::seconds(*timeout);
  if (*context > 0) spec.context_tokens_max = static_cast<int>(*context);
  return spec;
}

Result<RunSpec> recorded_spec(const RunRecord& run) {
  auto spec = spec_from_json(run.spec);
  if (!spec) return integrity("the run's configuration: " + spec.error().message);
  return spec;
}

std::chrono::seconds agent_timeout(const RunSpec& spec, const Task& task) {
  return spec.trial_timeout.value_or(task.limits.agent_timeout);
}

std::chrono::seconds agent_time_max(const RunSpec& spec, const Task& task) {
  const auto* machine = std::get_if<WorkspaceTask>(&task.content);
  if (spec.trial_timeout || machine == nullptr) return agent_timeout(spec, task);
  std::chrono::seconds total{0};
  for (const TaskStep& step : machine->steps) {
    total += step.agent_timeout.value_or(task.limits.agent_timeout);
  }
  return total;
}

}  // namespace trialwright
