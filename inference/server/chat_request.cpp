#include "inference/server/chat_request.h"

namespace trialwright {

namespace {

/// A conversation or a list of tools is never longer.
constexpr std::size_t kItemsMax = 10'000;

std::string indexed(const std::string& name, std::size_t index) {
  return name + "[" + std::to_string(index) + "]";
}

/// A string, or the texts of a list of parts.
std::string read_content(FieldReader& fields, const std::string& path, Refusal& refusal) {
  const Json* content = fields.find("content");
  if (content == nullptr) return "";
  if (content->is_string()) return content->get<std::string>();
  if (!content->is_array()) {
    fields.refuse("content", "must be a string or a list of parts", "invalid_type");
    return "";
  }
  std::string text;
  for (std::size_t i = 0; i < content->size(); ++i) {
    FieldReader part((*content)[i], indexed(path + ".content", i), refusal);
    const std::string type = part.needed_text("type");
    if (type != "text" && type != "refusal") {
      part.refuse("type", "must be text: the model reads nothing else", "unsupported_value");
    }
    text += part.text(type == "refusal" ? "refusal" : "text", "");
  }
  return text;
}

/// Arguments come as JSON in a string.
Json read_arguments(FieldReader& function) {
  const std::string text = function.text("arguments", "");
  if (text.empty()) return Json::object();
  auto arguments = parse_json(text, kJsonDepthMax, kStrangersMembersMax);
  if (arguments && arguments->is_object()) return *std::move(arguments);
  function.refuse("arguments", "must be a string that holds a JSON object");
  return Json::object();
}

std::vector<ToolCall> read_calls(FieldReader& fields, const std::string& path, Refusal& refusal) {
  const Json* given = fields.find("tool_calls");
  std::vector<ToolCall> calls;
  if (given == nullptr) return calls;
  if (!given->is_array() || given->size() > kItemsMax) {
    fields.refuse("tool_calls", "must be a list", "invalid_type");
    return calls;
  }
  for (std::size_t i = 0; i < given->size(); ++i) {
    const std::string at = indexed(path + ".tool_calls", i);
    FieldReader call((*given)[i], at, refusal);
    call.only("type", "function");
    const Json* function = call.find("function");
    if (function == nullptr) {
      call.refuse("function", "is missing");
      continue;
    }
    FieldReader inner(*function, at + ".function", refusal);
    std::string name = inner.needed_text("name");
    calls.push_back({call.needed_text("id"), std::move(name), read_arguments(inner)});
  }
  return calls;
}

Role read_role(FieldReader& fields) {
  const std::string name = fields.needed_text("role");
  for (const Role role : {Role::System, Role::User, Role::Assistant, Role::Tool}) {
    if (name == role_name(role)) return role;
  }
  if (name != "developer") {
    fields.refuse("role", "must be system, developer, user, assistant or tool");
  }
  return Role::System;
}

Message read_message(const Json& json, const std::string& path, Refusal& refusal) {
  FieldReader fields(json, path, refusal);
  Message message;
  message.role = read_role(fields);
  message.content = read_content(fields, path, refusal);
  const bool is_assistant = message.role == Role::Assistant;
  if (is_assistant) message.tool_calls = read_calls(fields, path, refusal);
  if (message.role == Role::Tool) message.tool_call_id = fields.needed_text("tool_call_id");
  if (fields.find("content") == nullptr && message.tool_calls.empty()) {
    fields.refuse("content", "is missing", "missing_required_parameter");
  }
  // What clients send back of our own answers, and names that templates have no place for.
  fields.ignore({"name", "refusal", "annotations", "tool_call_errors"});
  fields.refuse_others();
  return message;
}

std::vector<ToolDefinition> read_tools(FieldReader& fields, Refusal& refusal) {
  const Json* given = fields.find("tools");
  std::vector<ToolDefinition> tools;
  if (given == nullptr) return tools;
  if (!given->is_array() || given->size() > kItemsMax) {
    fields.refuse("tools", "must be a list", "invalid_type");
    return tools;
  }
  for (std::size_t i = 0; i < given->size(); ++i) {
    const std::string path = indexed("tools", i);
    FieldReader tool((*given)[i], path, refusal);
    if (tool.needed_text("type") != "function") {
      tool.refuse("type", "must be function", "unsupported_value");
    }
    const Json* function = tool.find("function");
    if (function == nullptr) {
      tool.refuse("function", "is missing", "missing_required_parameter");
      continue;
    }
    FieldReader inner(*function, path + ".function", refusal);
    ToolDefinition definition;
    definition.name = inner.needed_text("name");
    definition.description = inner.text("description", "");
    if (const Json* parameters = inner.find("parameters")) {
      if (!parameters->is_object()) inner.refuse("parameters", "must be an object", "invalid_type");
      definition.parameters = *parameters;
    }
    inner.ignore({"strict"});
    inner.refuse_others();
    tools.push_back(std::move(definition));
  }
  return tools;
}

/// Leaves in the request the tools that the model may call.
void read_tool_choice(FieldReader& fields, Refusal& refusal, CompletionRequest& request) {
  const Json* choice = fields.find("tool_choice");
  if (choice == nullptr || *choice == "auto") return;
  if (*choice == "none") {
    request.tools.clear();
    return;
  }
  if (request.tools.empty()) return fields.refuse("tool_choice", "needs tools");
  request.must_call_tool = true;
  if (*choice == "required") return;
  if (!choice->is_object()) {
    return fields.refuse("tool_choice", "must be none, auto, required or name a function");
  }
  FieldReader outer(*choice, "tool_choice", refusal);
  outer.only("type", "function");
  const Json* function = outer.find("function");
  if (function == nullptr) return outer.refuse("function", "is missing");
  FieldReader inner(*function, "tool_choice.function", refusal);
  const std::string name = inner.needed_text("name");
  std::erase_if(request.tools, [&](const ToolDefinition& tool) { return tool.name != name; });
  if (request.tools.empty()) inner.refuse("name", "is not the name of one of the tools");
}

}  // namespace

std::variant<ChatRequest, ApiError> read_chat_request(const Json& body) {
  Refusal refusal;
  ChatRequest request;
  FieldReader fields(body, "", refusal);
  read_common_fields(fields, request.options, request.completion, refusal);
  CompletionRequest& completion = request.completion;

  const Json* messages = fields.find("messages");
  if (messages == nullptr || !messages->is_array() || messages->empty() ||
      messages->size() > kItemsMax) {
    fields.refuse("messages", "must be a list that is not empty");
  } else {
    for (std::size_t i = 0; i < messages->size(); ++i) {
      completion.messages.push_back(read_message((*messages)[i], indexed("messages", i), refusal));
    }
  }
  completion.tools = read_tools(fields, refusal);
  read_tool_choice(fields, refusal, completion);
  if (completion.must_call_tool && completion.format) {
    fields.refuse("tool_choice", "asks for a call, which cannot have the form of another format");
  }
  fields.only("parallel_tool_calls", true);

  // Both names bound the same; the context bounds what neither does.
  const auto tokens = fields.integer("max_tokens", 1 << 24, 0, 1 << 24);
  completion.tokens_max =
      static_cast<int>(fields.integer("max_completion_tokens", tokens, 0, 1 << 24));
  request.has_logprobs = fields.flag("logprobs", false);
  completion.alternatives =
      static_cast<int>(fields.integer("top_logprobs", 0, 0, kAlternativesMax));
  if (completion.alternatives > 0 && !request.has_logprobs) {
    fields.refuse("top_logprobs", "needs \"logprobs\": true");
  }
  const bool wants_text_only =
      fields.find("modalities") == nullptr || *fields.find("modalities") == Json::array({"text"});
  if (!wants_text_only) fields.refuse("modalities", "must be [\"text\"]", "unsupported_value");
  fields.refuse_others();
  if (refusal.error()) return *refusal.error();
  return request;
}

}  // namespace trialwright
