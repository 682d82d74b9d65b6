#include "inference/models/chat_completions.h"

#include "base/random.h"

namespace trialwright {

namespace {

Json message_to_wire(const Message& message) {
  Json json = message_to_json(message);
  if (!json.contains("tool_calls")) return json;
  for (Json& call : json["tool_calls"]) {
    Json& arguments = call["function"]["arguments"];
    arguments = to_text(arguments);
  }
  return json;
}

/// Servers take seeds of different widths; 31 bits fit all of them.
std::uint32_t wire_seed(std::uint64_t seed, std::uint64_t stream) {
  const auto words =
      philox({static_cast<std::uint32_t>(stream), static_cast<std::uint32_t>(stream >> 32U), 0, 0},
             {static_cast<std::uint32_t>(seed), static_cast<std::uint32_t>(seed >> 32U)});
  return words[0] >> 1U;
}

void add_sampling(const CompletionRequest& request, Json& json) {
  const Sampling& sampling = request.sampling;
  json["temperature"] = sampling.temperature;
  json["seed"] = wire_seed(sampling.seed, request.stream);
  if (sampling.top_p != 1) json["top_p"] = sampling.top_p;
  if (sampling.top_k != 0) json["top_k"] = sampling.top_k;
  if (sampling.min_p != 0) json["min_p"] = sampling.min_p;
  if (sampling.repetition_penalty != 1) json["repetition_penalty"] = sampling.repetition_penalty;
}

/// A schema has its place in the API; regex and grammar are what other servers added to it.
void add_format(const OutputFormat& format, Json& json) {
  switch (format.kind) {
    case OutputFormat::Kind::JsonSchema: {
      auto schema = parse_json(format.source);
      json["response_format"] = {
          {"type", "json_schema"},
          {"json_schema",
           {{"name", "answer"}, {"strict", true}, {"schema", schema ? *schema : Json()}}}};
      return;
    }
    case OutputFormat::Kind::Regex:
      json["regex"] = format.source;
      return;
    case OutputFormat::Kind::Gbnf:
      json["grammar"] = format.source;
      return;
  }
}

/// A field that must be a number of `object`, which may be absent or null: then 0.
Result<int> count_field(const Json& object, const char* key) {
  auto value = int_field_or(object, key, 0);
  if (!value) return value.error();
  if (*value < 0 || *value > 1'000'000'000) {
    return invalid("field \"" + std::string(key) + "\" is out of range");
  }
  return static_cast<int>(*value);
}

Result<Usage> read_usage(const Json& json) {
  Usage usage;
  if (!json.contains("usage") || !json["usage"].is_object()) return usage;
  const Json& fields = json["usage"];
  auto prompt = count_field(fields, "prompt_tokens");
  if (!prompt) return prompt.error().during("usage");
  auto completion = count_field(fields, "completion_tokens");
  if (!completion) return completion.error().during("usage");
  usage.prompt_tokens = *prompt;
  usage.completion_tokens = *completion;
  if (fields.contains("prompt_tokens_details") && fields["prompt_tokens_details"].is_object()) {
    auto cached = count_field(fields["prompt_tokens_details"], "cached_tokens");
    if (!cached) return cached.error().during("usage");
    usage.cached_tokens = *cached;
  }
  return usage;
}

/// One call of a message; what the model got wrong goes to the completion's errors.
Result<void> read_tool_call(const Json& json, std::size_t first_number, Completion& completion) {
  if (!json.is_object() || !json.contains("function") || !json["function"].is_object()) {
    return invalid("field \"tool_calls\" must hold objects with a \"function\"");
  }
  const Json& function = json["function"];
  auto name = string_field(function, "name");
  if (!name) return name.error().during("tool call");
  auto id = string_field_or(json, "id", "");
  if (!id) return id.error().during("tool call");
  if (id->empty()) *id = "call_" + std::to_string(first_number + completion.tool_calls.size());
  Json arguments = Json::object();
  if (function.contains("arguments")) arguments = function["arguments"];
  if (arguments.is_string()) {
    const std::string text = arguments.get<std::string>();
    auto parsed = text.empty() ? Result<Json>(Json::object()) : parse_json(text);
    if (!parsed) {
      completion.tool_call_errors.push_back("the arguments of the call to " + *name + " are " +
                                            parsed.error().message);
      return {};
    }
    arguments = *std::move(parsed);
  }
  if (!arguments.is_object()) {
    completion.tool_call_errors.push_back("the arguments of the call to " + *name +
                                          " must be a JSON object");
    return {};
  }
  completion.tool_calls.push_back({*std::move(id), *std::move(name), std::move(arguments)});
  return {};
}

Result<void> read_message(const Json& message, std::size_t first_number, Completion& completion) {
  auto text = string_field_or(message, "content", "");
  if (!text) return text.error();
  completion.text = *std::move(text);
  // What our own server adds: why a call of the model's could not be read.
  if (message.contains("tool_call_errors") && message["tool_call_errors"].is_array()) {
    for (const Json& error : message["tool_call_errors"]) {
      if (error.is_string()) completion.tool_call_errors.push_back(error.get<std::string>());
    }
  }
  if (!message.contains("tool_calls") || message["tool_calls"].is_null()) return {};
  if (!message["tool_calls"].is_array()) return invalid("field \"tool_calls\" must be an array");
  for (const Json& call : message["tool_calls"]) {
    if (auto read = read_tool_call(call, first_number, completion); !read) return read;
  }
  return {};
}

Result<TokenLogprob> read_logprob(const Json& json) {
  if (!json.is_object()) return invalid("field \"logprobs\" must hold objects");
  auto logprob = number_field_or(json, "logprob", 0);
  if (!logprob) return logprob.error();
  return TokenLogprob{-1, *logprob};
}

Result<void> read_logprobs(const Json& choice, Completion& completion) {
  if (!choice.contains("logprobs") || !choice["logprobs"].is_object()) return {};
  const Json& logprobs = choice["logprobs"];
  if (!logprobs.contains("content") || !logprobs["content"].is_array()) return {};
  for (const Json& item : logprobs["content"]) {
    auto chosen = read_logprob(item);
    if (!chosen) return chosen.error();
    GeneratedToken token{*chosen, {}};
    if (item.contains("top_logprobs") && item["top_logprobs"].is_array()) {
      for (const Json& other : item["top_logprobs"]) {
        auto alternative = read_logprob(other);
        if (!alternative) return alternative.error();
        token.alternatives.push_back(*alternative);
      }
    }
    completion.tokens.push_back(std::move(token));
  }
  return {};
}

}  // namespace

Json chat_request_to_json(const CompletionRequest& request, std::string_view model) {
  Json json = {{"model", model}, {"messages", Json::array()}};
  for (const Message& message : request.messages) {
    json["messages"].push_back(message_to_wire(message));
  }
  for (const ToolDefinition& tool : request.tools) json["tools"].push_back(tool_to_json(tool));
  if (request.must_call_tool) json["tool_choice"] = "required";
  json["max_tokens"] = request.tokens_max;
  add_sampling(request, json);
  if (!request.stop.empty()) json["stop"] = request.stop;
  if (request.alternatives > 0) {
    json["logprobs"] = true;
    json["top_logprobs"] = request.alternatives;
  }
  if (request.format) add_format(*request.format, json);
  return json;
}

Result<Completion> completion_from_json(const Json& json, std::size_t first_call_number) {
  if (!json.is_object()) return invalid("the answer must be an object");
  if (!json.contains("choices") || !json["choices"].is_array() || json["choices"].empty()) {
    return invalid("field \"choices\" must be an array that is not empty");
  }
  const Json& choice = json["choices"][0];
  if (!choice.is_object() || !choice.contains("message") || !choice["message"].is_object()) {
    return invalid("field \"message\" must be an object");
  }
  Completion completion;
  if (auto read = read_message(choice["message"], first_call_number, completion); !read) {
    return read.error();
  }
  if (auto read = read_logprobs(choice, completion); !read) return read.error();
  auto finish = string_field_or(choice, "finish_reason", "stop");
  if (!finish) return finish.error();
  // "tool_calls", "content_filter" and servers' own words all mean that the model has ended.
  completion.finish = *finish == "length" ? FinishReason::Length : FinishReason::Stop;
  auto usage = read_usage(json);
  if (!usage) return usage.error();
  completion.usage = *usage;
  auto served = string_field_or(json, "model", "");
  if (!served) return served.error();
  completion.served_model = *std::move(served);
  return completion;
}

}  // namespace trialwright
