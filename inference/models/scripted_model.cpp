#include "inference/models/scripted_model.h"

#include <algorithm>
#include <map>

#include "base/digest.h"
#include "base/files.h"
#include "base/text.h"

namespace trialwright {

namespace {

/// Log-probabilities of the continuation that a script prefers and of the others.
constexpr double kPreferred = -0.1;
constexpr double kOther = -10;

struct Line {
  std::string when;
  Completion completion;
  std::string error;
};

/// Lines of one `when`, in order.
struct Episode {
  std::string when;
  std::vector<Line> lines;
};

Result<std::vector<ToolCall>> read_tool_calls(const Json& json) {
  std::vector<ToolCall> calls;
  if (!json.contains("tool_calls")) return calls;
  if (!json["tool_calls"].is_array()) return invalid("field \"tool_calls\" must be an array");
  for (const Json& item : json["tool_calls"]) {
    auto name = string_field(item, "name");
    if (!name) return name.error().during("tool call");
    auto id = string_field_or(item, "id", "call_" + std::to_string(calls.size()));
    if (!id) return id.error().during("tool call");
    Json arguments = Json::object();
    if (item.contains("arguments")) arguments = item["arguments"];
    if (!arguments.is_object()) return invalid("field \"arguments\" must be an object");
    calls.push_back({*id, *name, std::move(arguments)});
  }
  return calls;
}

Result<void> read_tokens(const Json& json, Completion& completion) {
  if (!json.contains("tokens")) return {};
  const Json& tokens = json["tokens"];
  if (!tokens.is_array()) return invalid("field \"tokens\" must be an array");
  for (const Json& token : tokens) {
    if (!token.is_number_integer()) return invalid("field \"tokens\" must hold whole numbers");
    completion.tokens.push_back({{token.get<std::int32_t>(), 0}, {}});
  }
  completion.usage.completion_tokens = static_cast<int>(completion.tokens.size());
  return {};
}

Result<Line> read_line(std::string_view text) {
  auto json = parse_json(text);
  if (!json) return json.error();
  if (!json->is_object()) return invalid("must be an object");
  static const std::vector<std::string> known = {"text",   "tool_calls", "when",
                                                 "finish", "tokens",     "error"};
  for (const auto& [key, value] : json->items()) {
    if (std::find(known.begin(), known.end(), key) == known.end()) {
      return invalid("field \"" + key + "\" is not known");
    }
  }
  Line line;
  for (const auto& [key, target] :
       {std::pair{"text", &line.completion.text}, std::pair{"when", &line.when},
        std::pair{"error", &line.error}}) {
    auto value = string_field_or(*json, key, "");
    if (!value) return value.error();
    *target = *std::move(value);
  }
  auto finish = string_field_or(*json, "finish", "stop");
  if (!finish) return finish.error();
  if (*finish != "stop" && *finish != "length") {
    return invalid("field \"finish\" must be \"stop\" or \"length\"");
  }
  line.completion.finish = *finish == "length" ? FinishReason::Length : FinishReason::Stop;
  auto calls = read_tool_calls(*json);
  if (!calls) return calls.error();
  line.completion.tool_calls = *std::move(calls);
  if (auto read = read_tokens(*json, line.completion); !read) return read.error();
  return line;
}

bool fits(const Episode& episode, const std::vector<Message>& messages) {
  return std::any_of(messages.begin(), messages.end(), [&](const Message& message) {
    return message.role == Role::User && message.content.find(episode.when) != std::string::npos;
  });
}

Result<Completion> reply_from(const std::vector<Episode>& episodes,
                              const std::vector<Message>& messages) {
  const Episode* chosen = nullptr;
  for (const Episode& episode : episodes) {
    if (episode.when.empty()) {
      if (chosen == nullptr) chosen = &episode;
    } else if (fits(episode, messages)) {
      chosen = &episode;
      break;
    }
  }
  if (chosen == nullptr) return unavailable("no line of the script fits the conversation");
  const auto replies = std::count_if(messages.begin(), messages.end(), [](const Message& message) {
    return message.role == Role::Assistant;
  });
  const Line& line = chosen->lines[static_cast<std::size_t>(replies) % chosen->lines.size()];
  if (!line.error.empty()) return unavailable(line.error);
  Completion completion = line.completion;
  // Ids must differ within a conversation.
  for (ToolCall& call : completion.tool_calls) {
    if (call.id.starts_with("call_")) call.id += "_" + std::to_string(replies);
  }
  return completion;
}

}  // namespace

ScriptedModel::ScriptedModel(Reply reply, std::string name) : reply_(std::move(reply)) {
  identity_.digest = Hasher().field("scripted").field(name).finish().hex();
  identity_.name = std::move(name);
  identity_.provider = "scripted";
  identity_.description = "replies written beforehand";
  identity_.native_tools = true;
}

ScriptedModel::ScriptedModel(std::vector<Completion> replies, std::string name)
    : ScriptedModel(
          [replies = std::move(replies),
           next = std::size_t{0}](const CompletionRequest&) mutable -> Result<Completion> {
            if (next == replies.size()) return unavailable("the script has no more replies");
            return replies[next++];
          },
          std::move(name)) {}

Result<std::unique_ptr<ScriptedModel>> ScriptedModel::load(const std::filesystem::path& path) {
  auto text = read_file(path);
  if (!text) return text.error();
  return parse(*text, path.string());
}

Result<std::unique_ptr<ScriptedModel>> ScriptedModel::parse(std::string_view text,
                                                            const std::string& name) {
  std::vector<Episode> episodes;
  std::map<std::string, std::size_t> place_of;
  bool has_tool_calls = false;
  int number = 0;
  for (const std::string_view each : split(text, '\n')) {
    ++number;
    if (trimmed(each).empty()) continue;
    auto line = read_line(each);
    if (!line) return line.error().during(name + ", line " + std::to_string(number));
    has_tool_calls = has_tool_calls || !line->completion.tool_calls.empty();
    const auto [place, is_new] = place_of.try_emplace(line->when, episodes.size());
    if (is_new) episodes.push_back({line->when, {}});
    episodes[place->second].lines.push_back(*std::move(line));
  }
  if (episodes.empty()) return invalid(name + ": the script has no lines");
  auto model = std::make_unique<ScriptedModel>(
      [episodes = std::move(episodes)](const CompletionRequest& request) {
        return reply_from(episodes, request.messages);
      },
      "scripted:" + name);
  model->identity_.digest = sha256(text).hex();
  model->identity_.native_tools = has_tool_calls;
  model->remember(0);
  return model;
}

Result<Completion> ScriptedModel::complete(const CompletionRequest& request, std::stop_token stop) {
  Completion ended;
  ended.served_model = identity_.name;
  if (stop.stop_requested()) {
    ended.finish = FinishReason::Cancelled;
    return ended;
  }
  if (request.deadline && std::chrono::steady_clock::now() >= *request.deadline) {
    ended.finish = FinishReason::Deadline;
    return ended;
  }
  const std::scoped_lock lock(mutex_);
  if (asked_.size() < remembered_max_) asked_.push_back(request.messages);
  auto completion = reply_(request);
  if (!completion) return completion;
  completion->served_model = identity_.name;
  if (request.on_text && !completion->text.empty()) request.on_text(completion->text);
  return completion;
}

Result<std::vector<ContinuationScore>> ScriptedModel::score(const ScoreRequest& request,
                                                            std::stop_token stop) {
  CompletionRequest question;
  question.messages = request.messages;
  if (question.messages.empty()) question.messages = {{Role::User, request.text, {}, ""}};
  auto reply = complete(question, std::move(stop));
  if (!reply) return reply.error();
  if (reply->finish == FinishReason::Cancelled) return cancelled("scoring was stopped");
  std::vector<ContinuationScore> scores;
  for (const std::string& continuation : request.continuations) {
    const bool preferred = trimmed(continuation) == trimmed(reply->text);
    scores.push_back({preferred ? kPreferred : kOther, 1});
  }
  return scores;
}

std::vector<std::vector<Message>> ScriptedModel::asked() const {
  const std::scoped_lock lock(mutex_);
  return asked_;
}

}  // namespace trialwright
