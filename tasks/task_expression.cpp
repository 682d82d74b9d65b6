#include "tasks/task_expression.h"

#include <algorithm>
#include <string>
#include <vector>

#include "base/text.h"

namespace trialwright {

struct TaskExpression::Node {
  enum class Kind { And, Or, Not, Tag, Id, Word };
  Kind kind = Kind::Word;
  std::string text;                          ///< Of Tag, Id and Word.
  std::vector<std::unique_ptr<Node>> parts;  ///< Of And, Or and Not.
};

namespace {

using Node = TaskExpression::Node;
using Kind = Node::Kind;

constexpr int kNestedMax = 200;
constexpr std::size_t kBytesMax = 65'536;

struct Token {
  enum class Kind { End, Open, Close, Word };
  Kind kind = Kind::End;
  std::string text;
  bool quoted = false;
  std::size_t column = 1;  ///< In bytes, from 1.
};

Error at_column(std::size_t column, std::string_view what) {
  return invalid("column " + std::to_string(column) + ": " + std::string(what));
}

/// Reads an expression by recursive descent, one function a level of binding.
class ExpressionReader {
 public:
  explicit ExpressionReader(std::string_view text) : text_(text) {}

  Result<std::unique_ptr<Node>> read() {
    auto moved = advance();
    if (!moved) return moved.error();
    if (token_.kind == Token::Kind::End) return invalid("the expression is empty");
    auto root = read_or(0);
    if (!root) return root;
    if (token_.kind == Token::Kind::Close)
      return at_column(token_.column, "this ) was never opened");
    if (token_.kind != Token::Kind::End)
      return at_column(token_.column, "\"and\" or \"or\" is missing here");
    return root;
  }

 private:
  [[nodiscard]] bool at_word(std::string_view word) const {
    return token_.kind == Token::Kind::Word && !token_.quoted && token_.text == word;
  }

  Result<std::unique_ptr<Node>> read_or(int depth) {
    return read_joined(Kind::Or, "or", depth, &ExpressionReader::read_and);
  }

  Result<std::unique_ptr<Node>> read_and(int depth) {
    return read_joined(Kind::And, "and", depth, &ExpressionReader::read_not);
  }

  using Level = Result<std::unique_ptr<Node>> (ExpressionReader::*)(int);
  Result<std::unique_ptr<Node>> read_joined(Kind kind, std::string_view word, int depth,
                                            Level below) {
    auto first = (this->*below)(depth);
    if (!first || !at_word(word)) return first;
    auto node = std::make_unique<Node>();
    node->kind = kind;
    node->parts.push_back(std::move(*first));
    while (at_word(word)) {
      auto moved = advance();
      if (!moved) return moved.error();
      auto next = (this->*below)(depth);
      if (!next) return next;
      node->parts.push_back(std::move(*next));
    }
    return node;
  }

  Result<std::unique_ptr<Node>> read_not(int depth) {
    if (depth > kNestedMax) return at_column(token_.column, "the expression is nested too deeply");
    if (!at_word("not")) return read_primary(depth);
    auto moved = advance();
    if (!moved) return moved.error();
    auto inner = read_not(depth + 1);
    if (!inner) return inner;
    auto node = std::make_unique<Node>();
    node->kind = Kind::Not;
    node->parts.push_back(std::move(*inner));
    return node;
  }

  Result<std::unique_ptr<Node>> read_primary(int depth) {
    if (token_.kind == Token::Kind::Open) {
      const std::size_t opened = token_.column;
      auto moved = advance();
      if (!moved) return moved.error();
      auto inner = read_or(depth + 1);
      if (!inner) return inner;
      if (token_.kind != Token::Kind::Close) return at_column(opened, "this ( is never closed");
      moved = advance();
      if (!moved) return moved.error();
      return inner;
    }
    if (token_.kind != Token::Kind::Word || at_word("and") || at_word("or")) {
      return at_column(token_.column, "a word, \"not\" or ( is missing here");
    }
    auto node = read_term();
    if (!node) return node;
    auto moved = advance();
    if (!moved) return moved.error();
    return node;
  }

  Result<std::unique_ptr<Node>> read_term() {
    auto node = std::make_unique<Node>();
    node->text = token_.text;
    const std::size_t colon = token_.text.find(':');
    if (token_.quoted || colon == std::string::npos) return node;
    const std::string key = token_.text.substr(0, colon);
    node->text = token_.text.substr(colon + 1);
    if (key == "tag")
      node->kind = Kind::Tag;
    else if (key == "id")
      node->kind = Kind::Id;
    else
      return at_column(token_.column, "\"" + key + ":\" is not known; known are tag: and id:");
    if (node->text.empty()) return at_column(token_.column, "nothing follows " + key + ":");
    return node;
  }

  Result<void> advance() {
    while (position_ < text_.size() && is_ascii_space(text_[position_])) ++position_;
    token_ = Token{};
    token_.column = position_ + 1;
    if (position_ >= text_.size()) return {};
    const char c = text_[position_];
    if (c == '(' || c == ')') {
      token_.kind = c == '(' ? Token::Kind::Open : Token::Kind::Close;
      ++position_;
      return {};
    }
    token_.kind = Token::Kind::Word;
    while (position_ < text_.size() && !is_ascii_space(text_[position_]) &&
           text_[position_] != '(' && text_[position_] != ')') {
      if (text_[position_] != '"') {
        token_.text += text_[position_++];
        continue;
      }
      const std::size_t close = text_.find('"', position_ + 1);
      if (close == std::string_view::npos)
        return at_column(position_ + 1, "this \" is never closed");
      // A key before the quotes still counts: tag:"two words".
      token_.quoted = token_.quoted || token_.text.empty();
      token_.text += text_.substr(position_ + 1, close - position_ - 1);
      position_ = close + 1;
    }
    if (token_.text.empty()) return at_column(token_.column, "the quotes are empty");
    return {};
  }

  std::string_view text_;
  std::size_t position_ = 0;
  Token token_;
};

bool node_matches(const Node& node, const Task& task) {
  const auto fits = [&](const std::unique_ptr<Node>& part) { return node_matches(*part, task); };
  switch (node.kind) {
    case Kind::And:
      return std::all_of(node.parts.begin(), node.parts.end(), fits);
    case Kind::Or:
      return std::any_of(node.parts.begin(), node.parts.end(), fits);
    case Kind::Not:
      return !fits(node.parts.front());
    case Kind::Tag:
      return has_tag(task, node.text);
    case Kind::Id:
      return glob_fits_id(node.text, task.id);
    case Kind::Word:
      return task.id.find(node.text) != std::string::npos ||
             std::find(task.tags.begin(), task.tags.end(), node.text) != task.tags.end();
  }
  CHECK(false, "every kind of node is handled");
}

}  // namespace

TaskExpression::TaskExpression(std::unique_ptr<Node> root) : root_(std::move(root)) {}
TaskExpression::TaskExpression(TaskExpression&&) noexcept = default;
TaskExpression& TaskExpression::operator=(TaskExpression&&) noexcept = default;
TaskExpression::~TaskExpression() = default;

Result<TaskExpression> TaskExpression::parse(std::string_view text) {
  if (text.size() > kBytesMax) return invalid("the expression is longer than 64 KiB");
  auto root = ExpressionReader(text).read();
  if (!root) return root.error();
  return TaskExpression(std::move(*root));
}

bool TaskExpression::matches(const Task& task) const { return node_matches(*root_, task); }

bool has_tag(const Task& task, std::string_view glob) {
  return std::any_of(task.tags.begin(), task.tags.end(),
                     [&](const std::string& tag) { return glob_matches(glob, tag); });
}

bool glob_fits_id(std::string_view glob, std::string_view id) {
  if (glob_matches(glob, id)) return true;
  const std::size_t slash = id.find('/');
  return slash != std::string_view::npos && glob_matches(glob, id.substr(slash + 1));
}

}  // namespace trialwright
