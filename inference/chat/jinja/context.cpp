#include "inference/chat/jinja/context.h"

namespace trialwright::jinja {

Error Context::error(const std::string& message) const {
  const std::string place = "line " + std::to_string(line) + ": ";
  if (exhausted_) return invalid(place + "the template does more work than a rendering may");
  return invalid(place + message);
}

bool Context::spend_steps(std::size_t steps) {
  const auto left = static_cast<std::size_t>(limits_.steps - steps_);
  if (steps > left) {
    exhausted_ = true;
    return false;
  }
  steps_ += static_cast<std::int64_t>(steps);
  return true;
}

bool Context::spend_bytes(std::size_t bytes) {
  if (bytes > limits_.bytes_made - bytes_) {
    exhausted_ = true;
    return false;
  }
  bytes_ += bytes;
  return true;
}

Result<Text> Context::finish(TextBuilder& builder) {
  if (builder.full()) return error("a text grows beyond the limit of a rendering");
  // What a text costs beside its bytes.
  constexpr std::size_t kOverhead = 96;
  if (!spend_bytes(builder.bytes_held() + kOverhead)) return error("");
  return builder.take();
}

Result<Value> Context::finish_value(TextBuilder& builder) {
  auto text = finish(builder);
  if (!text) return text.error();
  return Value(*std::move(text));
}

Scope* Context::make_scope(Scope* parent) {
  spend_bytes(sizeof(Scope) + sizeof(Value));
  scopes_.push_back({parent, {}});
  return &scopes_.back();
}

Namespace* Context::make_namespace() {
  spend_bytes(sizeof(Namespace) + sizeof(Value));
  return &namespaces_.emplace_back();
}

Macro* Context::make_macro() {
  spend_bytes(sizeof(Macro));
  return &macros_.emplace_back();
}

}  // namespace trialwright::jinja
