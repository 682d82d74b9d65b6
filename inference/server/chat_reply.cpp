#include "inference/server/chat_reply.h"

#include "base/text.h"

namespace trialwright {

namespace {

Json token_to_json(const TokenLogprob& token, const TokenModel& tokens) {
  const std::string_view bytes = tokens.token_bytes(token.id);
  Json numbers = Json::array();
  for (const char byte : bytes) numbers.push_back(static_cast<unsigned char>(byte));
  return {{"token", to_valid_utf8(bytes)},
          {"logprob", shown_logprob(token.logprob)},
          {"bytes", std::move(numbers)}};
}

Json logprobs_to_json(const ChatRequest& request, const Completion& completion,
                      const TokenModel* tokens) {
  if (!request.has_logprobs || tokens == nullptr) return nullptr;
  Json content = Json::array();
  for (const GeneratedToken& token : completion.tokens) {
    Json entry = token_to_json(token.chosen, *tokens);
    entry["top_logprobs"] = Json::array();
    for (const TokenLogprob& other : token.alternatives) {
      entry["top_logprobs"].push_back(token_to_json(other, *tokens));
    }
    content.push_back(std::move(entry));
  }
  return {{"content", std::move(content)}, {"refusal", nullptr}};
}

std::string_view finish_of(const Completion& completion) {
  if (completion.finish == FinishReason::Length) return "length";
  return completion.tool_calls.empty() ? "stop" : "tool_calls";
}

Json call_to_json(const ToolCall& call) {
  return {{"id", call.id},
          {"type", "function"},
          {"function", {{"name", call.name}, {"arguments", to_text(call.arguments)}}}};
}

Json message_to_json(const Completion& completion) {
  Json message = {{"role", "assistant"}, {"content", completion.text}, {"refusal", nullptr}};
  if (!completion.tool_calls.empty()) {
    if (completion.text.empty()) message["content"] = nullptr;
    for (const ToolCall& call : completion.tool_calls) {
      message["tool_calls"].push_back(call_to_json(call));
    }
  }
  // Not of the API: what the model is to learn from.
  if (!completion.tool_call_errors.empty()) {
    message["tool_call_errors"] = completion.tool_call_errors;
  }
  return message;
}

Json stamped(const ReplyStamp& stamp, std::string_view object) {
  return {{"id", stamp.id},
          {"object", object},
          {"created", stamp.created},
          {"model", stamp.model},
          {"system_fingerprint", stamp.fingerprint}};
}

Json chunk(const ReplyStamp& stamp, const ChatRequest& request, Json choice) {
  Json json = stamped(stamp, "chat.completion.chunk");
  json["choices"] = Json::array({std::move(choice)});
  if (request.options.streams_usage) json["usage"] = nullptr;
  return json;
}

}  // namespace

Usage chat_usage(std::span<const Answer> answers) {
  Usage usage;
  for (const Answer& answer : answers) {
    usage.completion_tokens += answer.completion.usage.completion_tokens;
  }
  if (!answers.empty()) {
    usage.prompt_tokens = answers.front().completion.usage.prompt_tokens;
    usage.cached_tokens = answers.front().completion.usage.cached_tokens;
  }
  return usage;
}

Json chat_reply(const ReplyStamp& stamp, const ChatRequest& request,
                std::span<const Answer> answers, const TokenModel* tokens) {
  Json json = stamped(stamp, "chat.completion");
  json["choices"] = Json::array();
  for (const Answer& answer : answers) {
    json["choices"].push_back({{"index", json["choices"].size()},
                               {"message", message_to_json(answer.completion)},
                               {"logprobs", logprobs_to_json(request, answer.completion, tokens)},
                               {"finish_reason", finish_of(answer.completion)}});
  }
  json["usage"] = usage_to_json(chat_usage(answers));
  return json;
}

Json chat_chunk(const ReplyStamp& stamp, const ChatRequest& request, std::size_t choice,
                Json delta) {
  return chunk(stamp, request,
               {{"index", choice},
                {"delta", std::move(delta)},
                {"logprobs", nullptr},
                {"finish_reason", nullptr}});
}

Json chat_end_chunk(const ReplyStamp& stamp, const ChatRequest& request, std::size_t choice,
                    const Completion& completion, const TokenModel* tokens) {
  Json delta = Json::object();
  if (!completion.tool_call_errors.empty()) delta["tool_call_errors"] = completion.tool_call_errors;
  return chunk(stamp, request,
               {{"index", choice},
                {"delta", std::move(delta)},
                {"logprobs", logprobs_to_json(request, completion, tokens)},
                {"finish_reason", finish_of(completion)}});
}

Json chat_usage_chunk(const ReplyStamp& stamp, const Usage& usage) {
  Json json = stamped(stamp, "chat.completion.chunk");
  json["choices"] = Json::array();
  json["usage"] = usage_to_json(usage);
  return json;
}

Json role_delta() { return {{"role", "assistant"}, {"content", ""}}; }

Json text_delta(std::string_view text) { return {{"content", text}}; }

Json call_delta(const ToolCall& call, std::size_t number) {
  Json json = {{"index", number}};
  json.update(call_to_json(call));
  return {{"tool_calls", Json::array({std::move(json)})}};
}

}  // namespace trialwright
