// What stands between operators: names, literals, and the attributes, calls, filters and tests that
// follow them. expression_parser.cpp has the operators.

#include <algorithm>
#include <array>
#include <charconv>

#include "inference/chat/jinja/expression_parser.h"

namespace trialwright::jinja {

Result<ExpressionPtr> ExpressionParser::parse_primary() {
  switch (tokens_.current().kind) {
    case TokenKind::Name:
      return parse_name();
    case TokenKind::String:
      return parse_text();
    case TokenKind::Integer:
    case TokenKind::Float:
      return parse_number();
    default:
      break;
  }
  if (tokens_.is_operator("(")) return parse_parenthesized();
  if (tokens_.is_operator("[")) return parse_list();
  if (tokens_.is_operator("{")) return parse_dict();
  return tokens_.expected("an expression");
}

Result<ExpressionPtr> ExpressionParser::parse_name() {
  const Token token = tokens_.take();
  const std::string& name = token.text;
  if (name == "true" || name == "True") return make(token.line, 0, ConstantNode{Value(true)});
  if (name == "false" || name == "False") return make(token.line, 0, ConstantNode{Value(false)});
  if (name == "none" || name == "None") return make(token.line, 0, ConstantNode{none_value()});
  return make(token.line, 0, NameNode{name});
}

/// Texts next to each other are one.
Result<ExpressionPtr> ExpressionParser::parse_text() {
  const int line = tokens_.current().line;
  std::string text;
  while (tokens_.is(TokenKind::String)) text += tokens_.take().text;
  return make(line, 0, ConstantNode{text_value(std::move(text))});
}

Result<ExpressionPtr> ExpressionParser::parse_number() {
  const Token token = tokens_.take();
  const char* begin = token.text.data();
  const char* end = begin + token.text.size();
  if (token.kind == TokenKind::Float) {
    double real = 0;
    if (std::from_chars(begin, end, real).ec != std::errc()) {
      return tokens_.error("the number " + token.text + " is too large or too small");
    }
    return make(token.line, 0, ConstantNode{Value(real)});
  }
  std::int64_t number = 0;
  if (std::from_chars(begin, end, number).ec != std::errc()) {
    return tokens_.error("the number " + token.text + " is too large");
  }
  return make(token.line, 0, ConstantNode{Value(Int{number})});
}

Result<ExpressionPtr> ExpressionParser::parse_parenthesized() {
  const int line = tokens_.take().line;
  if (tokens_.skip_operator(")")) return make(line, 0, SequenceNode{{}, true});
  auto inner = parse_tuple();
  if (inner && !tokens_.skip_operator(")")) return tokens_.expected("\")\"");
  return inner;
}

Result<ExpressionPtr> ExpressionParser::parse_list() {
  const int line = tokens_.take().line;
  SequenceNode list;
  int depth = 0;
  while (!tokens_.skip_operator("]")) {
    if (!list.items.empty() && !tokens_.skip_operator(","))
      return tokens_.expected("\",\" or \"]\"");
    if (tokens_.skip_operator("]")) break;
    auto item = parse_conditional();
    if (!item) return item;
    depth = std::max(depth, depth_of(*item));
    list.items.push_back(*std::move(item));
  }
  return make(line, depth, std::move(list));
}

Result<ExpressionPtr> ExpressionParser::parse_dict() {
  const int line = tokens_.take().line;
  DictNode dict;
  int depth = 0;
  while (!tokens_.skip_operator("}")) {
    if (!dict.entries.empty() && !tokens_.skip_operator(",")) {
      return tokens_.expected("\",\" or \"}\"");
    }
    if (tokens_.skip_operator("}")) break;
    auto key = parse_conditional();
    if (!key) return key;
    if (!tokens_.skip_operator(":")) return tokens_.expected("\":\"");
    auto value = parse_conditional();
    if (!value) return value;
    depth = std::max({depth, depth_of(*key), depth_of(*value)});
    dict.entries.emplace_back(*std::move(key), *std::move(value));
  }
  return make(line, depth, std::move(dict));
}

Result<ExpressionPtr> ExpressionParser::parse_postfix(ExpressionPtr object) {
  Result<ExpressionPtr> value = std::move(object);
  while (value) {
    if (tokens_.is_operator(".")) {
      value = parse_attribute(*std::move(value));
    } else if (tokens_.is_operator("[")) {
      value = parse_subscript(*std::move(value));
    } else if (tokens_.is_operator("(")) {
      value = parse_call(*std::move(value));
    } else {
      break;
    }
  }
  return value;
}

Result<ExpressionPtr> ExpressionParser::parse_attribute(ExpressionPtr object) {
  const int line = tokens_.take().line;
  const int depth = depth_of(object);
  if (tokens_.is(TokenKind::Name)) {
    return make(line, depth, AttributeNode{std::move(object), tokens_.take().text});
  }
  if (!tokens_.is(TokenKind::Integer)) return tokens_.expected("a name after \".\"");
  auto key = parse_number();
  if (!key) return key;
  return make(line, depth, ItemNode{std::move(object), *std::move(key)});
}

Result<ExpressionPtr> ExpressionParser::parse_subscript(ExpressionPtr object) {
  const int line = tokens_.take().line;
  std::array<ExpressionPtr, 3> parts;
  std::size_t colons = 0;
  int depth = depth_of(object);
  while (!tokens_.is_operator("]")) {
    if (tokens_.skip_operator(":")) {
      if (++colons > 2) return tokens_.error("a slice has at most three parts");
      continue;
    }
    if (parts[colons] != nullptr) return tokens_.expected("\":\" or \"]\"");
    auto part = parse_conditional();
    if (!part) return part;
    depth = std::max(depth, depth_of(*part));
    parts[colons] = *std::move(part);
  }
  if (colons == 0 && parts[0] == nullptr) return tokens_.expected("an expression");
  tokens_.take();
  if (colons == 0) return make(line, depth, ItemNode{std::move(object), std::move(parts[0])});
  return make(
      line, depth,
      SliceNode{std::move(object), std::move(parts[0]), std::move(parts[1]), std::move(parts[2])});
}

Result<ExpressionPtr> ExpressionParser::parse_call(ExpressionPtr function) {
  const int line = tokens_.current().line;
  auto arguments = parse_arguments();
  if (!arguments) return arguments.error();
  const int depth = std::max(depth_of(function), depth_of(*arguments));
  return make(line, depth, CallNode{std::move(function), *std::move(arguments)});
}

Result<ArgumentNodes> ExpressionParser::parse_arguments() {
  tokens_.take();
  ArgumentNodes arguments;
  bool first = true;
  while (!tokens_.skip_operator(")")) {
    if (!first && !tokens_.skip_operator(",")) return tokens_.expected("\",\" or \")\"");
    if (tokens_.skip_operator(")")) break;
    first = false;
    if (tokens_.is_operator("*") || tokens_.is_operator("**")) {
      return tokens_.error("arguments taken from a list or a dict (* and **) are not supported");
    }
    const bool named = tokens_.is(TokenKind::Name) &&
                       tokens_.following().kind == TokenKind::Operator &&
                       tokens_.following().text == "=";
    std::string name;
    if (named) {
      name = tokens_.take().text;
      tokens_.take();
    } else if (!arguments.named.empty()) {
      return tokens_.error("an argument without a name follows one with a name");
    }
    auto value = parse_conditional();
    if (!value) return value.error();
    if (named) {
      arguments.named.emplace_back(std::move(name), *std::move(value));
    } else {
      arguments.positional.push_back(*std::move(value));
    }
  }
  return arguments;
}

Result<ExpressionPtr> ExpressionParser::parse_filter_chain(ExpressionPtr input) {
  Result<ExpressionPtr> value = std::move(input);
  while (value) {
    if (tokens_.skip_operator("|")) {
      value = parse_filter(*std::move(value));
    } else if (tokens_.skip_name("is")) {
      value = parse_test(*std::move(value));
    } else if (tokens_.is_operator("(")) {
      value = parse_call(*std::move(value));
    } else {
      break;
    }
  }
  return value;
}

Result<ExpressionPtr> ExpressionParser::parse_filters(ExpressionPtr input, bool starts_with_name) {
  Result<ExpressionPtr> value = std::move(input);
  if (starts_with_name) value = parse_filter(*std::move(value));
  while (value && tokens_.skip_operator("|")) value = parse_filter(*std::move(value));
  return value;
}

Result<ExpressionPtr> ExpressionParser::parse_filter(ExpressionPtr input) {
  const int line = tokens_.current().line;
  if (!tokens_.is(TokenKind::Name)) return tokens_.expected("the name of a filter");
  const std::string name = tokens_.current().text;
  FilterNode node{std::move(input), find_filter(name), {}};
  if (node.filter == nullptr) return tokens_.error("the filter \"" + name + "\" is not supported");
  tokens_.take();
  if (tokens_.is_operator("(")) {
    auto arguments = parse_arguments();
    if (!arguments) return arguments.error();
    node.arguments = *std::move(arguments);
  }
  const int depth = std::max(depth_of(node.input), depth_of(node.arguments));
  return make(line, depth, std::move(node));
}

Result<ExpressionPtr> ExpressionParser::parse_test(ExpressionPtr input) {
  const int line = tokens_.current().line;
  const bool negated = tokens_.skip_name("not");
  if (!tokens_.is(TokenKind::Name)) return tokens_.expected("the name of a test");
  const std::string name = tokens_.current().text;
  TestNode node{std::move(input), find_test(name), {}};
  if (node.test == nullptr) return tokens_.error("the test \"" + name + "\" is not supported");
  tokens_.take();
  const bool word_ends_test = tokens_.is_name("else") || tokens_.is_name("or") ||
                              tokens_.is_name("and") || tokens_.is_name("if") ||
                              tokens_.is_name("in") || tokens_.is_name("not");
  const bool argument_follows = (tokens_.is(TokenKind::Name) && !word_ends_test) ||
                                tokens_.is(TokenKind::String) || tokens_.is(TokenKind::Integer) ||
                                tokens_.is(TokenKind::Float) || tokens_.is_operator("[") ||
                                tokens_.is_operator("{");
  if (tokens_.is_operator("(")) {
    auto arguments = parse_arguments();
    if (!arguments) return arguments.error();
    node.arguments = *std::move(arguments);
  } else if (argument_follows) {
    if (tokens_.is_name("is")) return tokens_.error("tests cannot be chained with \"is\"");
    auto argument = parse_primary();
    if (argument) argument = parse_postfix(*std::move(argument));
    if (!argument) return argument;
    node.arguments.positional.push_back(*std::move(argument));
  }
  const int depth = std::max(depth_of(node.input), depth_of(node.arguments));
  auto test = make(line, depth, std::move(node));
  if (!test || !negated) return test;
  return make(line, depth + 1, UnaryNode{UnaryOperator::Not, *std::move(test)});
}

}  // namespace trialwright::jinja
