#include "harness/agent/fenced_protocol.h"

#include <algorithm>
#include <optional>

#include "base/text.h"
#include "harness/agent/tools.h"

namespace trialwright {

namespace {

constexpr std::string_view kFence = "```";

struct FencedBlock {
  std::string_view before;
  std::string_view word;  ///< The first word after the fence.
  std::string_view rest;  ///< What follows it on that line.
  std::string_view body;
};

/// The first block whose fence starts a line.
std::optional<FencedBlock> first_block(std::string_view reply) {
  std::size_t at = reply.find(kFence);
  while (at != std::string_view::npos && at > 0 && reply[at - 1] != '\n') {
    at = reply.find(kFence, at + kFence.size());
  }
  if (at == std::string_view::npos) return std::nullopt;
  FencedBlock block;
  block.before = reply.substr(0, at);
  std::string_view inside = reply.substr(at + kFence.size());
  const std::size_t line_end = inside.find('\n');
  std::string_view header = trimmed(inside.substr(0, line_end));
  inside = line_end == std::string_view::npos ? std::string_view() : inside.substr(line_end + 1);
  const std::size_t space = header.find(' ');
  block.word = header.substr(0, space);
  block.rest = space == std::string_view::npos ? std::string_view() : trimmed(header.substr(space));
  // The closing fence starts a line of its own; without one the block ends with the reply.
  std::size_t end = inside.substr(0, kFence.size()) == kFence ? 0 : inside.find("\n```");
  if (end != std::string_view::npos && end > 0) ++end;
  block.body = inside.substr(0, end);
  return block;
}

std::string tool_of(std::string_view word) {
  const std::string lower = to_lower(word);
  if (lower.empty() || lower == "sh" || lower == "shell" || lower == "console" || lower == "zsh") {
    return "bash";
  }
  return lower;
}

/// Small models write a tool's name as if it were a command: its line is then the header. Not grep,
/// which is a command.
FencedBlock without_shell(const FencedBlock& block) {
  const std::size_t line_end = std::min(block.body.find('\n'), block.body.size());
  const std::string_view line = trimmed(block.body.substr(0, line_end));
  const std::size_t space = std::min(line.find(' '), line.size());
  const std::string_view word = line.substr(0, space);
  if (word != "submit" && word != "read_file" && word != "write_file" && word != "edit_file") {
    return block;
  }
  FencedBlock tool{block.before, word, trimmed(line.substr(space)), block.body.substr(line_end)};
  if (!tool.body.empty()) tool.body.remove_prefix(1);
  return tool;
}

/// `OLD ======= NEW`, each without the marker lines. Models that know edits as merge conflicts put
/// `<<<<<<<` before and `>>>>>>>` after; where both lines are there, they are passed over.
bool split_edit(std::string_view body, std::string& old_text, std::string& new_text) {
  constexpr std::string_view kMarker = "\n=======\n";
  const std::size_t last = body.substr(0, body.find_last_not_of('\n') + 1).rfind('\n') + 1;
  if (body.substr(0, 7) == "<<<<<<<" && last > 0 && body.substr(last, 7) == ">>>>>>>") {
    const std::size_t first_end = body.find('\n') + 1;
    body = body.substr(first_end, last - first_end);
  }
  const std::size_t at = body.find(kMarker);
  if (at == std::string_view::npos) return false;
  old_text = std::string(body.substr(0, at));
  new_text = std::string(body.substr(at + kMarker.size()));
  while (!new_text.empty() && new_text.back() == '\n') new_text.pop_back();
  return true;
}

}  // namespace

std::string fenced_instructions(const std::vector<ToolDefinition>& tools,
                                std::string_view examples) {
  std::string text =
      "\n\nA tool call is a fenced block. You then see what it brought. One block a reply:\n";
  for (const ToolDefinition& tool : tools) {
    text += "\n";
    if (tool.name == "bash") {
      text += "```bash\nCOMMAND\n```\n";
    } else if (tool.name == "write_file") {
      text += "```write_file PATH\nTEXT OF THE FILE\n```\n";
    } else if (tool.name == "edit_file") {
      text += "```edit_file PATH\nOLD TEXT\n=======\nNEW TEXT\n```\n";
    } else if (tool.name == "grep") {
      text += "```grep PATH\nPATTERN\n```\n";
    } else if (tool.name == "read_file") {
      text += "```read_file PATH\n```\n";
    } else {
      text += "```" + tool.name + "\n```\n";
    }
    text += tool.description + "\n";
  }
  if (!examples.empty()) text += "\n" + std::string(examples);
  return text;
}

std::string fenced_stop_text() { return "\n```\n"; }

ParsedToolCalls parse_fenced_call(std::string_view reply) {
  ParsedToolCalls parsed;
  auto block = first_block(reply);
  if (!block) {
    parsed.text = std::string(reply);
    return parsed;
  }
  if (tool_of(block->word) == "bash") block = without_shell(*block);
  parsed.text = std::string(block->before);
  ToolCall call;
  call.id = "call_0";
  call.name = tool_of(block->word);
  std::string body(block->body);
  if (call.name == "bash" && trimmed(body).empty()) {
    parsed.errors.emplace_back(
        "the block holds no command; one that runs a command starts with the line ```bash, one "
        "that ends the task is ```submit");
    return parsed;
  }
  if (call.name == "bash") {
    call.arguments = {{"command", body}};
  } else if (call.name == "write_file") {
    call.arguments = {{"path", std::string(block->rest)}, {"content", body}};
  } else if (call.name == "read_file") {
    const std::string_view path = block->rest.empty() ? trimmed(block->body) : block->rest;
    call.arguments = {{"path", std::string(path)}};
  } else if (call.name == "grep") {
    call.arguments = {{"pattern", std::string(trimmed(body))}, {"path", std::string(block->rest)}};
  } else if (call.name == "submit") {
    call.arguments = {{"answer", std::string(trimmed(body))}};
  } else if (call.name == "edit_file") {
    std::string old_text;
    std::string new_text;
    if (!split_edit(body, old_text, new_text)) {
      parsed.errors.emplace_back(
          "nothing was changed: edit_file needs the old text, a line =======, and the new text; to "
          "give the whole file anew, use write_file");
      return parsed;
    }
    call.arguments = {
        {"path", std::string(block->rest)}, {"old_text", old_text}, {"new_text", new_text}};
  } else {
    call.arguments = Json::object();
  }
  parsed.calls.push_back(std::move(call));
  return parsed;
}

}  // namespace trialwright
