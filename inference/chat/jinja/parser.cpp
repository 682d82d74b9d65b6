#include "inference/chat/jinja/parser.h"

#include <algorithm>

#include "inference/chat/jinja/expression_parser.h"
#include "inference/chat/jinja/token_stream.h"

namespace trialwright::jinja {

namespace {

/// Blocks inside blocks; real templates have about 12.
constexpr int kBlockDepthMax = 100;

class Parser {
 public:
  explicit Parser(std::vector<Token> tokens) : tokens_(std::move(tokens)), expressions_(tokens_) {}

  Result<Block> parse() {
    auto block = parse_block({});
    if (block && !tokens_.is(TokenKind::End)) return tokens_.expected("the end of the template");
    return block;
  }

 private:
  /// Reads statements until a tag named in `ends`, whose `{%` is read too, or to the end of the
  /// template if `ends` is empty.
  Result<Block> parse_block(std::initializer_list<std::string_view> ends) {
    if (++depth_ > kBlockDepthMax) return tokens_.error("blocks are nested too deeply");
    Block block;
    while (true) {
      if (tokens_.is(TokenKind::End)) {
        if (ends.size() > 0) {
          return tokens_.error("the template ends before \"" + std::string(*(ends.end() - 1)) +
                               "\"");
        }
        break;
      }
      if (tokens_.is(TokenKind::BlockBegin) &&
          std::ranges::find(ends, tokens_.following().text) != ends.end()) {
        tokens_.take();
        break;
      }
      const int line = tokens_.current().line;
      auto node = parse_statement();
      if (!node) return node.error();
      block.push_back({*std::move(node), line});
    }
    --depth_;
    return block;
  }

  Result<Statement::Node> parse_statement() {
    if (tokens_.is(TokenKind::Data))
      return Statement::Node(DataNode{Text(tokens_.take().text, false)});
    const bool prints = tokens_.take().kind == TokenKind::VariableBegin;
    if (!prints) return parse_tag();
    auto value = expressions_.parse_tuple();
    if (!value) return value.error();
    if (!tokens_.is(TokenKind::VariableEnd)) return tokens_.expected("\"}}\"");
    tokens_.take();
    return Statement::Node(OutputNode{*std::move(value)});
  }

  Result<Statement::Node> parse_tag() {
    if (!tokens_.is(TokenKind::Name)) return tokens_.expected("the name of a tag");
    const std::string name = tokens_.current().text;
    if (name == "if") return parse_if();
    if (name == "for") return parse_for();
    if (name == "set") return parse_set();
    if (name == "macro") return parse_macro();
    if (name == "filter") return parse_filter_block();
    if (name == "generation") return parse_generation();
    if (name == "break" || name == "continue") return parse_loop_control();
    if (name.starts_with("end") || name == "else" || name == "elif") {
      return tokens_.error("\"" + name + "\" closes nothing");
    }
    return tokens_.error("the tag \"" + name + "\" is not supported");
  }

  Result<void> end_tag() {
    if (!tokens_.is(TokenKind::BlockEnd)) return tokens_.expected("\"%}\"");
    tokens_.take();
    return {};
  }

  /// The body of a block up to its end tag, which is read too.
  Result<Block> parse_body(std::string_view end) {
    auto opened = end_tag();
    if (!opened) return opened.error();
    auto body = parse_block({end});
    if (!body) return body;
    tokens_.take();
    // `endmacro` and the like may repeat a name.
    if (end == "endmacro" && tokens_.is(TokenKind::Name)) tokens_.take();
    auto closed = end_tag();
    if (!closed) return closed.error();
    return body;
  }

  Result<Statement::Node> parse_if() {
    IfNode node;
    while (true) {
      tokens_.take();
      auto condition = expressions_.parse_tuple();
      if (!condition) return condition.error();
      auto opened = end_tag();
      if (!opened) return opened.error();
      auto body = parse_block({"elif", "else", "endif"});
      if (!body) return body.error();
      node.branches.emplace_back(*std::move(condition), *std::move(body));
      if (tokens_.is_name("elif")) continue;
      auto rest = parse_rest("endif", node.otherwise);
      if (!rest) return rest.error();
      return Statement::Node(std::move(node));
    }
  }

  /// From the tag on that ended a block's first part: `else` and what it holds, or the block's end.
  Result<void> parse_rest(std::string_view end, Block& otherwise) {
    if (tokens_.take().text == end) return end_tag();
    auto body = parse_body(end);
    if (!body) return body.error();
    otherwise = *std::move(body);
    return {};
  }

  /// `a`, `a, b` or `(a, b)`.
  Result<SetTarget> parse_target() {
    SetTarget target;
    const bool parenthesized = tokens_.skip_operator("(");
    do {
      if (!target.names.empty()) target.is_tuple = true;
      if (target.is_tuple && !tokens_.is(TokenKind::Name)) break;
      if (!tokens_.is(TokenKind::Name)) return tokens_.expected("the name of a variable");
      target.names.push_back(tokens_.take().text);
      const std::string& name = target.names.back();
      if (name == "true" || name == "false" || name == "none" || name == "True" ||
          name == "False" || name == "None") {
        return tokens_.error("\"" + name + "\" cannot be set");
      }
    } while (tokens_.skip_operator(","));
    if (parenthesized && !tokens_.skip_operator(")")) return tokens_.expected("\")\"");
    return target;
  }

  Result<Statement::Node> parse_for() {
    ++loops_;
    tokens_.take();
    auto target = parse_target();
    if (!target) return target.error();
    if (!tokens_.skip_name("in")) return tokens_.expected("\"in\"");
    ForNode node;
    node.targets = std::move(target->names);
    if (target->is_tuple && node.targets.size() == 1) {
      return tokens_.error("a loop over tuples of one is not supported");
    }
    auto iterable = parse_loop_iterable();
    if (!iterable) return iterable.error();
    node.iterable = *std::move(iterable);
    if (tokens_.skip_name("if")) {
      auto condition = expressions_.parse_tuple();
      if (!condition) return condition.error();
      node.condition = *std::move(condition);
    }
    if (tokens_.is_name("recursive")) return tokens_.error("a recursive loop is not supported");
    auto opened = end_tag();
    if (!opened) return opened.error();
    auto body = parse_block({"else", "endfor"});
    if (!body) return body.error();
    node.body = *std::move(body);
    --loops_;
    auto rest = parse_rest("endfor", node.otherwise);
    if (!rest) return rest.error();
    return Statement::Node(std::move(node));
  }

  /// What follows `in`: no `a if b else c`, because `if` starts the loop's condition.
  Result<ExpressionPtr> parse_loop_iterable() {
    auto iterable = expressions_.parse_or();
    if (iterable && tokens_.is_operator(",")) {
      return tokens_.error("a loop over a tuple without parentheses is not supported");
    }
    return iterable;
  }

  Result<Statement::Node> parse_set() {
    tokens_.take();
    auto target = parse_target();
    if (!target) return target.error();
    if (tokens_.skip_operator(".")) {
      if (target->names.size() != 1 || !tokens_.is(TokenKind::Name)) {
        return tokens_.expected("the name of an attribute");
      }
      target->attribute = tokens_.take().text;
    }
    if (tokens_.skip_operator("=")) {
      auto value = expressions_.parse_tuple();
      if (!value) return value.error();
      auto closed = end_tag();
      if (!closed) return closed.error();
      return Statement::Node(SetNode{*std::move(target), *std::move(value)});
    }
    SetBlockNode node;
    node.target = *std::move(target);
    if (tokens_.is_operator("|")) {
      auto filter = expressions_.parse_filters(nullptr, false);
      if (!filter) return filter.error();
      node.filter = *std::move(filter);
    }
    auto body = parse_body("endset");
    if (!body) return body.error();
    node.body = *std::move(body);
    return Statement::Node(std::move(node));
  }

  Result<Statement::Node> parse_macro() {
    // A break inside a macro cannot leave a loop around it.
    const int loops_outside = std::exchange(loops_, 0);
    tokens_.take();
    if (!tokens_.is(TokenKind::Name)) return tokens_.expected("the name of a macro");
    MacroNode node;
    node.name = tokens_.take().text;
    if (!tokens_.skip_operator("(")) return tokens_.expected("\"(\"");
    while (!tokens_.skip_operator(")")) {
      if (!node.parameters.empty() && !tokens_.skip_operator(",")) {
        return tokens_.expected("\",\" or \")\"");
      }
      if (tokens_.skip_operator(")")) break;
      if (!tokens_.is(TokenKind::Name)) return tokens_.expected("the name of a parameter");
      std::string name = tokens_.take().text;
      ExpressionPtr otherwise;
      if (tokens_.skip_operator("=")) {
        auto value = expressions_.parse_conditional();
        if (!value) return value.error();
        otherwise = *std::move(value);
      } else if (!node.parameters.empty() && node.parameters.back().second != nullptr) {
        return tokens_.error("a parameter without a default follows one with a default");
      }
      node.parameters.emplace_back(std::move(name), std::move(otherwise));
    }
    auto body = parse_body("endmacro");
    if (!body) return body.error();
    node.body = *std::move(body);
    loops_ = loops_outside;
    return Statement::Node(std::move(node));
  }

  Result<Statement::Node> parse_filter_block() {
    tokens_.take();
    auto filter = expressions_.parse_filters(nullptr, true);
    if (!filter) return filter.error();
    auto body = parse_body("endfilter");
    if (!body) return body.error();
    return Statement::Node(FilterBlockNode{*std::move(filter), *std::move(body)});
  }

  Result<Statement::Node> parse_generation() {
    tokens_.take();
    auto body = parse_body("endgeneration");
    if (!body) return body.error();
    return Statement::Node(GenerationNode{*std::move(body)});
  }

  Result<Statement::Node> parse_loop_control() {
    if (loops_ == 0) return tokens_.error("\"" + tokens_.current().text + "\" is outside a loop");
    const bool breaks = tokens_.take().text == "break";
    auto closed = end_tag();
    if (!closed) return closed.error();
    return breaks ? Statement::Node(BreakNode{}) : Statement::Node(ContinueNode{});
  }

  TokenStream tokens_;
  ExpressionParser expressions_;
  int depth_ = 0;
  int loops_ = 0;
};

}  // namespace

Result<Block> parse_template(std::string_view source) {
  auto tokens = tokenize(source);
  if (!tokens) return tokens.error();
  return Parser(*std::move(tokens)).parse();
}

}  // namespace trialwright::jinja
