#include "harness/agent/scaffold.h"

#include <algorithm>
#include <sstream>

#include "base/files.h"
#include "base/text.h"
#include "base/toml_table.h"
#include "harness/agent/fenced_protocol.h"
#include "harness/agent/tools.h"

extern "C" const char default_scaffold_begin[];
extern "C" const char default_scaffold_end[];

namespace trialwright {

namespace {

constexpr std::string_view kResultMark = "{{result}}";
constexpr std::int64_t kNumberMax = 1'000'000'000;

// Each leaves `value` as it is if the field is missing or wrong; TomlTable::check tells the latter.

void read(const TomlTable& table, std::string_view key, std::string& value) {
  if (auto text = table.text(key)) value = *std::move(text);
}

void read(const TomlTable& table, std::string_view key, int& value, int lowest) {
  if (const auto number = table.whole(key, lowest, kNumberMax)) value = static_cast<int>(*number);
}

void read(const TomlTable& table, std::string_view key, double& value, double lowest,
          double highest) {
  const auto number = table.number(key);
  if (!number) return;
  if (*number >= lowest && *number <= highest) {
    value = *number;
  } else {
    std::ostringstream range;
    range << "must be a number from " << lowest << " to " << highest;
    table.reject(key, range.str());
  }
}

void read_limits(const TomlTable& table, ScaffoldLimits& limits) {
  int command_timeout_seconds = static_cast<int>(limits.command_timeout.count());
  read(table, "turns_max", limits.turns_max, 1);
  read(table, "tokens_per_turn_max", limits.tokens_per_turn_max, 1);
  read(table, "tokens_max", limits.tokens_max, 1);
  read(table, "repeats_max", limits.repeats_max, 1);
  read(table, "command_timeout_seconds", command_timeout_seconds, 1);
  read(table, "observation_chars_max", limits.observation_chars_max, 64);
  limits.command_timeout = std::chrono::seconds(command_timeout_seconds);
}

void read_sampling(const TomlTable& table, Sampling& sampling) {
  read(table, "temperature", sampling.temperature, 0, 100);
  read(table, "top_k", sampling.top_k, 0);
  read(table, "top_p", sampling.top_p, 0, 1);
  read(table, "min_p", sampling.min_p, 0, 1);
  read(table, "repetition_penalty", sampling.repetition_penalty, 0.01, 100);
  read(table, "repetition_window", sampling.repetition_window, 0);
}

std::vector<ScaffoldTool> read_tools(const TomlTable& table) {
  std::vector<ScaffoldTool> tools;
  for (const std::string& name : table.keys()) {
    if (!is_built_in_tool(name)) {
      table.reject(name, "names no tool; there are " + joined(built_in_tool_names(), ", "));
      continue;
    }
    ScaffoldTool tool{name, ""};
    read(table.table(name), "description", tool.description);
    tools.push_back(std::move(tool));
  }
  // TOML tables have no order; the order that models see is ours and always the same.
  std::sort(tools.begin(), tools.end(), [](const ScaffoldTool& a, const ScaffoldTool& b) {
    return built_in_tool_rank(a.name) < built_in_tool_rank(b.name);
  });
  return tools;
}

ToolProtocol read_protocol(const TomlTable& table) {
  const auto name = table.text("protocol");
  if (!name) return ToolProtocol::Auto;
  if (const auto protocol = protocol_from_name(*name)) return *protocol;
  table.reject("protocol", "must be auto, native or fenced");
  return ToolProtocol::Auto;
}

}  // namespace

std::string_view protocol_name(ToolProtocol protocol) {
  switch (protocol) {
    case ToolProtocol::Auto:
      return "auto";
    case ToolProtocol::Native:
      return "native";
    case ToolProtocol::Fenced:
      return "fenced";
  }
  CHECK(false, "every protocol has a name");
}

std::optional<ToolProtocol> protocol_from_name(std::string_view name) {
  for (const ToolProtocol protocol :
       {ToolProtocol::Auto, ToolProtocol::Native, ToolProtocol::Fenced}) {
    if (protocol_name(protocol) == name) return protocol;
  }
  return std::nullopt;
}

Result<Scaffold> parse_scaffold(std::string_view toml) {
  auto document = TomlTable::parse(toml);
  if (!document) return document.error();
  Scaffold scaffold;
  scaffold.source = std::string(toml);
  read(*document, "name", scaffold.name);
  read(*document, "description", scaffold.description);
  scaffold.protocol = read_protocol(*document);
  read(*document, "system_prompt", scaffold.system_prompt);
  read(*document, "qa_prompt", scaffold.qa_prompt);
  read(*document, "fenced_examples", scaffold.fenced_examples);
  read(*document, "fenced_observation", scaffold.fenced_observation);
  if (!scaffold.fenced_observation.empty() &&
      scaffold.fenced_observation.find(kResultMark) == std::string::npos) {
    document->reject("fenced_observation", "must hold " + std::string(kResultMark));
  }
  read(*document, "nudge", scaffold.nudge);
  read(*document, "nudges_max", scaffold.nudges_max, 0);
  read(*document, "repeat_notice", scaffold.repeat_notice);
  read_limits(document->table("limits"), scaffold.limits);
  read_sampling(document->table("sampling"), scaffold.sampling);
  scaffold.tools = read_tools(document->table("tools"));
  // Every key that nobody asked for is a mistake of the writer.
  if (const auto unknown = document->unread_keys(); !unknown.empty()) {
    document->reject(unknown.front(), "is not a field of a scaffold");
  }
  if (auto checked = document->check(); !checked) return checked.error();
  if (scaffold.tools.empty()) {
    return invalid("table \"tools\" is missing or empty: an agent needs at least one");
  }
  return scaffold;
}

Result<Scaffold> load_scaffold(const std::filesystem::path& path) {
  if (path.empty()) {
    auto scaffold = parse_scaffold({default_scaffold_begin, default_scaffold_end});
    CHECK(static_cast<bool>(scaffold), "the bundled scaffold is read by a test");
    return scaffold;
  }
  auto text = read_file(path, 1U << 20U);
  if (!text) return text.error().during("loading the scaffold");
  auto scaffold = parse_scaffold(*text);
  if (!scaffold) return scaffold.error().during("loading the scaffold " + path.string());
  return scaffold;
}

Digest scaffold_digest(const Scaffold& scaffold) {
  Hasher hasher;
  hasher.field("scaffold 2").field(protocol_name(scaffold.protocol));
  hasher.field(scaffold.system_prompt)
      .field(scaffold.qa_prompt)
      .field(scaffold.nudge)
      .field(scaffold.nudges_max)
      .field(scaffold.repeat_notice);
  const ScaffoldLimits& limits = scaffold.limits;
  hasher.field(limits.turns_max).field(limits.tokens_per_turn_max).field(limits.tokens_max);
  hasher.field(limits.repeats_max);
  hasher.field(limits.command_timeout.count()).field(limits.observation_chars_max);
  // The words that the program itself adds are part of it: another version may choose others.
  std::vector<ToolDefinition> tools;
  for (const ScaffoldTool& tool : scaffold.tools) {
    tools.push_back(tool_definition(tool.name, tool.description));
    hasher.field(tool.name).field(tool.description).field(tools.back().parameters.dump());
  }
  hasher.field(fenced_instructions(tools, scaffold.fenced_examples));
  hasher.field(scaffold.fenced_observation);
  return hasher.finish();
}

std::string fenced_observation(const Scaffold& scaffold, std::string_view result) {
  std::string text = scaffold.fenced_observation;
  if (text.empty()) return std::string(result);
  return text.replace(text.find(kResultMark), kResultMark.size(), result);
}

}  // namespace trialwright
