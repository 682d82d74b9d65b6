#include "inference/constrain/tool_call_grammar.h"

#include <algorithm>
#include <deque>
#include <optional>
#include <set>

#include "base/check.h"
#include "inference/chat/tool_calls/call_reader.h"
#include "inference/constrain/product.h"
#include "inference/constrain/schema_compiler.h"

namespace trialwright {

namespace {

using Mode = ToolCallChoice::Mode;

/// How a family writes calls, in the words of its chat templates.
struct CallSyntax {
  std::string_view tag = {};        ///< What turns text into calls.
  bool tag_always = true;           ///< Whether a message that begins with a call has the tag too.
  bool tag_each = true;             ///< Whether every call has the tag, or only the first.
  std::string_view text = {};       ///< What the text before a tag must look like.
  std::string_view list_open = {};  ///< Around all calls.
  std::string_view list_close = {};
  std::string_view call_open = {};      ///< Up to the name.
  std::string_view name_close = {};     ///< From the name to the arguments.
  std::string_view arguments_tag = {};  ///< A special token before the arguments, if any.
  std::string_view call_close = {};     ///< Behind the arguments.
  std::string_view close_tag = {};      ///< A special token behind that, if any.
  std::string_view separator = {};      ///< Between two calls.
};

constexpr std::string_view kAnyText = R"([\x00-\x{10FFFF}]*)";
/// A message that begins with a brace is read as a call, so this text begins otherwise.
constexpr std::string_view kTextThatIsNoCall = R"([\t-\r ]*([^\t-\r {][\x00-\x{10FFFF}]*)?)";

std::optional<CallSyntax> syntax_of(ToolCallFormat format) {
  if (format == ToolCallFormat::Hermes) {
    return CallSyntax{.tag = "<tool_call>",
                      .text = kAnyText,
                      .call_open = "\n{\"name\": \"",
                      .name_close = "\", \"arguments\": ",
                      .call_close = "}\n",
                      .close_tag = "</tool_call>",
                      .separator = "\n"};
  }
  if (format == ToolCallFormat::Llama3) {
    return CallSyntax{.tag = kPythonTag,
                      .tag_always = false,
                      .tag_each = false,
                      .text = kTextThatIsNoCall,
                      .call_open = "{\"name\": \"",
                      .name_close = "\", \"parameters\": ",
                      .call_close = "}",
                      .separator = "; "};
  }
  if (format == ToolCallFormat::MistralList) {
    return CallSyntax{.tag = "[TOOL_CALLS]",
                      .tag_each = false,
                      .text = kAnyText,
                      .list_open = "[",
                      .list_close = "]",
                      .call_open = "{\"name\": \"",
                      .name_close = "\", \"arguments\": ",
                      .call_close = "}",
                      .separator = ", "};
  }
  if (format == ToolCallFormat::MistralArgs) {
    return CallSyntax{.tag = "[TOOL_CALLS]", .text = kAnyText, .arguments_tag = "[ARGS]"};
  }
  return std::nullopt;
}

/// The name as it stands between quotes.
std::string quoted_name(const ToolDefinition& tool) {
  const std::string quoted = to_text(Json(tool.name));
  return quoted.substr(1, quoted.size() - 2);
}

/// Appends text that looks as it must and does not hold the tag.
Result<StateId> append_text(AutomatonBuilder& builder, StateId from, const CallSyntax& syntax) {
  auto wanted = compile_regex(syntax.text);
  std::string tag;
  for (const char c : syntax.tag) {
    tag += std::string("\\x{") + "0123456789abcdef"[c / 16] + "0123456789abcdef"[c % 16] + "}";
  }
  auto unwanted = compile_regex(std::string(kAnyText) + tag + std::string(kAnyText));
  CHECK(wanted && unwanted, "the expressions are ours");
  return append_product(builder, from, {&*wanted, 1}, {&*unwanted, 1});
}

class ToolCallCompiler {
 public:
  ToolCallCompiler(CallSyntax syntax, std::span<const ToolDefinition> tools, bool several)
      : syntax_(syntax), tools_(tools), several_(several), text_(builder_) {}

  Result<std::shared_ptr<const Grammar>> compile(bool may_be_text) {
    const RuleId call = builder_.declare("tool call");
    const StateId call_start = builder_.state();
    auto call_end = append_call(call_start);
    if (!call_end) return call_end.error();
    builder_.define(call, call_start, *call_end);

    const RuleId message = builder_.declare("message");
    const StateId start = builder_.state();
    const StateId end = builder_.state();
    const StateId calls = builder_.state();
    if (may_be_text) {
      auto text = append_text(builder_, start, syntax_);
      if (!text) return text.error();
      builder_.epsilon(*text, end);
      builder_.epsilon(builder_.special(*text, syntax_.tag), calls);
    }
    builder_.epsilon(syntax_.tag_always ? builder_.special(start, syntax_.tag) : start, calls);
    const StateId first = builder_.state();
    builder_.epsilon(builder_.literal(calls, syntax_.list_open), first);
    const StateId written = builder_.call(first, call);
    builder_.epsilon(builder_.literal(written, syntax_.list_close), end);
    if (several_) {
      const StateId next = builder_.literal(written, syntax_.separator);
      builder_.epsilon(syntax_.tag_each ? builder_.special(next, syntax_.tag) : next, first);
    }
    builder_.define(message, start, end);
    return builder_.build(message);
  }

 private:
  /// From behind the opening tag to behind the closing one.
  Result<StateId> append_call(StateId from) {
    const StateId open = builder_.literal(from, syntax_.call_open);
    const StateId close = builder_.state();
    for (const ToolDefinition& tool : tools_) {
      // Arguments are an object, whether the schema says so or not.
      Json& schema = schemas_.emplace_back(tool.parameters);
      if (schema.is_object() && !schema.contains("type") && !schema.contains("$ref")) {
        schema["type"] = "object";
      }
      if (schema.contains("type") && schema["type"] != "object") {
        return invalid("the tool \"" + tool.name + "\": its arguments must be an object");
      }
      auto arguments = SchemaCompiler(text_, schema, "the tool \"" + tool.name + "\": #").compile();
      if (!arguments) return arguments.error();
      const std::string name = quoted_name(tool) + std::string(syntax_.name_close);
      StateId at = builder_.literal(open, name);
      if (!syntax_.arguments_tag.empty()) at = builder_.special(at, syntax_.arguments_tag);
      builder_.epsilon(builder_.call(at, *arguments), close);
    }
    const StateId after = builder_.literal(close, syntax_.call_close);
    return syntax_.close_tag.empty() ? after : builder_.special(after, syntax_.close_tag);
  }

  CallSyntax syntax_;
  std::span<const ToolDefinition> tools_;
  bool several_;
  AutomatonBuilder builder_;
  JsonText text_;
  std::deque<Json> schemas_;
};

}  // namespace

Result<std::shared_ptr<const Grammar>> compile_tool_calls(ToolCallFormat format,
                                                          std::span<const ToolDefinition> tools,
                                                          const ToolCallChoice& choice) {
  if (format == ToolCallFormat::None) return invalid("the model's chat template knows no tools");
  const auto syntax = syntax_of(format);
  if (!syntax) return invalid("tool calls in the model's format cannot be constrained");
  if (tools.empty()) return invalid("there are no tools to call");
  std::set<std::string_view> names;
  for (const ToolDefinition& tool : tools) {
    if (!names.insert(tool.name).second) {
      return invalid("two tools have the name \"" + tool.name + "\"");
    }
  }
  const bool named = choice.mode == Mode::Named;
  if (named) {
    const auto chosen = std::ranges::find(tools, choice.name, &ToolDefinition::name);
    if (chosen == tools.end()) return invalid("there is no tool \"" + choice.name + "\"");
    tools = tools.subspan(static_cast<std::size_t>(chosen - tools.begin()), 1);
  }
  ToolCallCompiler compiler(*syntax, tools, choice.several && !named);
  return compiler.compile(choice.mode == Mode::Auto);
}

}  // namespace trialwright
