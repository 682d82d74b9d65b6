#include "inference/chat/chat_template.h"

#include <array>

#include "inference/chat/jinja/evaluator.h"
#include "inference/chat/jinja/parser.h"

namespace trialwright {

namespace {

using jinja::Context;
using jinja::Scope;
using jinja::Value;

/// Sets what every template is given. Errors: values that nest too deeply, or a further variable
/// with the name of one that is always there.
Result<void> set_variables(Context& context, const ChatTemplateInput& input, Scope& scope) {
  auto messages = value_from_json(context, input.messages);
  if (!messages) return messages.error().during("messages");
  auto tools = value_from_json(context, input.tools);
  if (!tools) return tools.error().during("tools");
  scope.variables = {{"messages", *std::move(messages)},
                     {"tools", *std::move(tools)},
                     {"add_generation_prompt", Value(input.add_generation_prompt)},
                     {"bos_token", jinja::text_value(input.bos_token)},
                     {"eos_token", jinja::text_value(input.eos_token)}};
  const std::size_t fixed = scope.variables.size();
  // As in transformers, `documents` is none rather than undefined.
  if (!input.variables.contains("documents")) {
    scope.variables.emplace_back("documents", jinja::none_value());
  }
  for (const auto& [name, json] : input.variables.items()) {
    for (std::size_t i = 0; i < fixed; ++i) {
      if (scope.variables[i].first == name) {
        return invalid("variable \"" + name + "\" is always given, so it cannot be set");
      }
    }
    auto value = value_from_json(context, json);
    if (!value) return value.error().during("variable \"" + name + "\"");
    scope.variables.emplace_back(name, *std::move(value));
  }
  return {};
}

std::vector<RenderedPiece> pieces_of(const jinja::Text& text) {
  std::vector<RenderedPiece> pieces;
  std::size_t begin = 0;
  for (const jinja::Run& run : text.runs()) {
    pieces.push_back({std::string(text.bytes().substr(begin, run.end - begin)), run.from_input});
    begin = run.end;
  }
  return pieces;
}

}  // namespace

struct ChatTemplate::Program {
  jinja::Block block;
};

ChatTemplate::ChatTemplate(std::unique_ptr<Program> program) : program_(std::move(program)) {}
ChatTemplate::~ChatTemplate() = default;
ChatTemplate::ChatTemplate(ChatTemplate&&) noexcept = default;
ChatTemplate& ChatTemplate::operator=(ChatTemplate&&) noexcept = default;

Result<ChatTemplate> ChatTemplate::parse(std::string_view source) {
  auto block = jinja::parse_template(source);
  if (!block) return block.error();
  return ChatTemplate(std::make_unique<Program>(Program{*std::move(block)}));
}

Result<std::vector<RenderedPiece>> ChatTemplate::render(const ChatTemplateInput& input) const {
  Context context(jinja::Limits{}, input.now);
  Scope& scope = *context.make_scope(nullptr);
  auto set = set_variables(context, input, scope);
  if (!set) return set.error();
  jinja::TextBuilder out = context.text_builder();
  auto done = jinja::Evaluator(context).execute(program_->block, scope, out);
  if (!done) return done.error();
  auto text = context.finish(out);
  if (!text) return text.error();
  return pieces_of(*text);
}

std::string rendered_text(const std::vector<RenderedPiece>& pieces) {
  std::string text;
  for (const RenderedPiece& piece : pieces) text += piece.text;
  return text;
}

}  // namespace trialwright
