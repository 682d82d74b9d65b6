#pragma once

#include <memory>
#include <string>
#include <string_view>
#include <vector>

#include "base/json.h"
#include "base/result.h"

namespace trialwright {

/// What a chat template is given, as Hugging Face transformers gives it.
struct ChatTemplateInput {
  Json messages = Json::array();
  Json tools;  ///< null if there are none.
  bool add_generation_prompt = true;
  std::string bos_token;
  std::string eos_token;
  /// The local time that strftime_now sees, fixed so that renderings repeat: seconds since
  /// 1970-01-01, read as UTC.
  std::int64_t now = 0;
  Json variables = Json::object();  ///< Further variables, such as enable_thinking.
};

/// A stretch of rendered text. `from_input` is true for text that came out of messages, tools or
/// variables: it must never turn into control tokens.
struct RenderedPiece {
  std::string text;
  bool from_input = false;
};

/// A model's own Jinja template, parsed.
///
/// Const after parsing; any thread. Rendering is bounded in steps, depth and size, so a hostile
/// template ends in an error.
class ChatTemplate {
 public:
  /// Errors: Invalid with line number; a construct outside the subset is named.
  static Result<ChatTemplate> parse(std::string_view source);

  ~ChatTemplate();
  ChatTemplate(ChatTemplate&&) noexcept;
  ChatTemplate& operator=(ChatTemplate&&) noexcept;

  /// Errors: Invalid. What the template raises by raise_exception is the message as it stands.
  [[nodiscard]] Result<std::vector<RenderedPiece>> render(const ChatTemplateInput& input) const;

 private:
  struct Program;
  explicit ChatTemplate(std::unique_ptr<Program> program);
  std::unique_ptr<Program> program_;
};

/// The pieces as one text.
std::string rendered_text(const std::vector<RenderedPiece>& pieces);

}  // namespace trialwright
