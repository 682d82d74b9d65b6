#include "harness/agent/scaffold.h"

#include <toml++/toml.h>

#include <algorithm>
#include <array>
#include <initializer_list>
#include <sstream>

#include "base/files.h"
#include "harness/agent/fenced_protocol.h"
#include "harness/agent/tools.h"

extern "C" const char default_scaffold_begin[];
extern "C" const char default_scaffold_end[];

namespace trialwright {

namespace {

constexpr std::string_view kResultMark = "{{result}}";

/// Reads the fields of one TOML table and remembers the first thing that is wrong.
class TableReader {
 public:
  TableReader(const toml::table& table, std::string path) : table_(table), path_(std::move(path)) {}

  void read(std::string_view key, std::string& value) {
    if (const toml::node* node = take(key)) {
      if (auto text = node->value_exact<std::string>())
        value = *text;
      else
        fail(key, "must be a string");
    }
  }

  void read(std::string_view key, int& value, int lowest) {
    if (const toml::node* node = take(key)) {
      const auto number = node->value_exact<std::int64_t>();
      if (number && *number >= lowest && *number <= 1'000'000'000)
        value = static_cast<int>(*number);
      else
        fail(key, "must be a whole number from " + std::to_string(lowest));
    }
  }

  void read(std::string_view key, double& value, double lowest, double highest) {
    if (const toml::node* node = take(key)) {
      const auto number = node->value<double>();
      if (number && *number >= lowest && *number <= highest) {
        value = *number;
      } else {
        std::ostringstream range;
        range << "must be a number from " << lowest << " to " << highest;
        fail(key, range.str());
      }
    }
  }

  const toml::table* table(std::string_view key) {
    const toml::node* node = take(key);
    if (node == nullptr) return nullptr;
    if (!node->is_table()) fail(key, "must be a table");
    return node->as_table();
  }

  /// Every key that nobody asked for is a mistake of the writer.
  Result<void> finish() {
    for (const auto& [key, node] : table_) {
      if (std::find(known_.begin(), known_.end(), key.str()) == known_.end()) {
        fail(key.str(), "is not a field of a scaffold");
      }
    }
    if (!error_.empty()) return invalid(error_);
    return {};
  }

  void fail(std::string_view key, const std::string& what) {
    if (error_.empty()) error_ = "field \"" + path_ + std::string(key) + "\" " + what;
  }

 private:
  const toml::node* take(std::string_view key) {
    known_.emplace_back(key);
    return table_.get(key);
  }

  const toml::table& table_;
  std::string path_;
  std::vector<std::string> known_;
  std::string error_;
};

Result<void> read_limits(const toml::table& table, ScaffoldLimits& limits) {
  TableReader reader(table, "limits.");
  int command_timeout_seconds = static_cast<int>(limits.command_timeout.count());
  reader.read("turns_max", limits.turns_max, 1);
  reader.read("tokens_per_turn_max", limits.tokens_per_turn_max, 1);
  reader.read("tokens_max", limits.tokens_max, 1);
  reader.read("repeats_max", limits.repeats_max, 1);
  reader.read("command_timeout_seconds", command_timeout_seconds, 1);
  reader.read("observation_chars_max", limits.observation_chars_max, 64);
  limits.command_timeout = std::chrono::seconds(command_timeout_seconds);
  return reader.finish();
}

Result<void> read_sampling(const toml::table& table, Sampling& sampling) {
  TableReader reader(table, "sampling.");
  reader.read("temperature", sampling.temperature, 0, 100);
  reader.read("top_k", sampling.top_k, 0);
  reader.read("top_p", sampling.top_p, 0, 1);
  reader.read("min_p", sampling.min_p, 0, 1);
  reader.read("repetition_penalty", sampling.repetition_penalty, 0.01, 100);
  reader.read("repetition_window", sampling.repetition_window, 0);
  return reader.finish();
}

Result<std::vector<ScaffoldTool>> read_tools(const toml::table& table) {
  std::vector<ScaffoldTool> tools;
  for (const auto& [key, node] : table) {
    const std::string name(key.str());
    if (!is_built_in_tool(name)) {
      return invalid("field \"tools." + name + "\" names no tool; there are " +
                     joined(built_in_tool_names(), ", "));
    }
    if (!node.is_table()) return invalid("field \"tools." + name + "\" must be a table");
    ScaffoldTool tool{name, ""};
    TableReader reader(*node.as_table(), "tools." + name + ".");
    reader.read("description", tool.description);
    if (auto done = reader.finish(); !done) return done.error();
    tools.push_back(std::move(tool));
  }
  // TOML tables have no order; the order that models see is ours and always the same.
  std::sort(tools.begin(), tools.end(), [](const ScaffoldTool& a, const ScaffoldTool& b) {
    return built_in_tool_rank(a.name) < built_in_tool_rank(b.name);
  });
  return tools;
}

Result<ToolProtocol> protocol_from_name(std::string_view name) {
  for (const ToolProtocol protocol :
       {ToolProtocol::Auto, ToolProtocol::Native, ToolProtocol::Fenced}) {
    if (protocol_name(protocol) == name) return protocol;
  }
  return invalid("field \"protocol\" must be auto, native or fenced");
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

Result<Scaffold> parse_scaffold(std::string_view toml) {
  toml::table table;
  try {
    table = toml::parse(toml);
  } catch (const toml::parse_error& error) {
    return invalid("line " + std::to_string(error.source().begin.line) + ": " +
                   std::string(error.description()));
  }
  Scaffold scaffold;
  scaffold.source = std::string(toml);
  TableReader reader(table, "");
  std::string protocol = "auto";
  reader.read("name", scaffold.name);
  reader.read("description", scaffold.description);
  reader.read("protocol", protocol);
  reader.read("system_prompt", scaffold.system_prompt);
  reader.read("qa_prompt", scaffold.qa_prompt);
  reader.read("fenced_examples", scaffold.fenced_examples);
  reader.read("fenced_observation", scaffold.fenced_observation);
  reader.read("nudge", scaffold.nudge);
  reader.read("nudges_max", scaffold.nudges_max, 0);
  reader.read("repeat_notice", scaffold.repeat_notice);
  const toml::table* limits = reader.table("limits");
  const toml::table* sampling = reader.table("sampling");
  const toml::table* tools = reader.table("tools");
  if (auto done = reader.finish(); !done) return done.error();

  if (!scaffold.fenced_observation.empty() &&
      scaffold.fenced_observation.find(kResultMark) == std::string::npos) {
    return invalid("field \"fenced_observation\" must hold " + std::string(kResultMark));
  }
  auto chosen = protocol_from_name(protocol);
  if (!chosen) return chosen.error();
  scaffold.protocol = *chosen;
  if (limits != nullptr) {
    if (auto done = read_limits(*limits, scaffold.limits); !done) return done.error();
  }
  if (sampling != nullptr) {
    if (auto done = read_sampling(*sampling, scaffold.sampling); !done) return done.error();
  }
  if (tools == nullptr) return invalid("table \"tools\" is missing: an agent needs at least one");
  auto offered = read_tools(*tools);
  if (!offered) return offered.error();
  scaffold.tools = *std::move(offered);
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
