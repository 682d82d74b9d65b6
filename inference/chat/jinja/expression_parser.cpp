// Operators by precedence; operand_parser.cpp reads what stands between them.

#include "inference/chat/jinja/expression_parser.h"

#include <algorithm>
#include <array>

namespace trialwright::jinja {

namespace {

/// Real templates nest some 30 deep; the evaluator recurses as deep as the tree is.
constexpr int kDepthMax = 200;

/// Counts how deep the parser itself has recursed.
class Deeper {
 public:
  explicit Deeper(int& depth) : depth_(++depth) {}
  ~Deeper() { --depth_; }
  Deeper(const Deeper&) = delete;
  Deeper& operator=(const Deeper&) = delete;

 private:
  int& depth_;
};

}  // namespace

int ExpressionParser::depth_of(const ExpressionPtr& expression) {
  return expression == nullptr ? 0 : expression->depth;
}

int ExpressionParser::depth_of(const ArgumentNodes& arguments) {
  int depth = 0;
  for (const ExpressionPtr& each : arguments.positional) depth = std::max(depth, depth_of(each));
  for (const auto& named : arguments.named) depth = std::max(depth, depth_of(named.second));
  return depth;
}

Result<ExpressionPtr> ExpressionParser::make(int line, int depth_of_parts, Expression::Node node) {
  if (depth_of_parts >= kDepthMax) return tokens_.error("an expression is nested too deeply");
  auto expression = std::make_unique<Expression>();
  expression->node = std::move(node);
  expression->line = line;
  expression->depth = depth_of_parts + 1;
  return expression;
}

Result<ExpressionPtr> ExpressionParser::parse_tuple() {
  const int line = tokens_.current().line;
  auto first = parse_conditional();
  if (!first || !tokens_.is_operator(",")) return first;
  SequenceNode tuple{{}, true};
  int depth = depth_of(*first);
  tuple.items.push_back(*std::move(first));
  while (tokens_.skip_operator(",")) {
    const bool ends = tokens_.is(TokenKind::BlockEnd) || tokens_.is(TokenKind::VariableEnd) ||
                      tokens_.is_operator(")") || tokens_.is_name("in");
    if (ends) break;
    auto item = parse_conditional();
    if (!item) return item;
    depth = std::max(depth, depth_of(*item));
    tuple.items.push_back(*std::move(item));
  }
  return make(line, depth, std::move(tuple));
}

Result<ExpressionPtr> ExpressionParser::parse_conditional() {
  const Deeper deeper(depth_);
  if (depth_ > kDepthMax) return tokens_.error("an expression is nested too deeply");
  const int line = tokens_.current().line;
  auto value = parse_or();
  while (value && tokens_.skip_name("if")) {
    auto condition = parse_or();
    if (!condition) return condition;
    ExpressionPtr otherwise;
    if (tokens_.skip_name("else")) {
      auto parsed = parse_conditional();
      if (!parsed) return parsed;
      otherwise = *std::move(parsed);
    }
    const int depth = std::max({depth_of(*value), depth_of(*condition), depth_of(otherwise)});
    value = make(line, depth,
                 ConditionalNode{*std::move(condition), *std::move(value), std::move(otherwise)});
  }
  return value;
}

Result<ExpressionPtr> ExpressionParser::parse_logic(std::string_view word, bool is_and,
                                                    Parse operand) {
  const int line = tokens_.current().line;
  auto left = (this->*operand)();
  while (left && tokens_.skip_name(word)) {
    auto right = (this->*operand)();
    if (!right) return right;
    const int depth = std::max(depth_of(*left), depth_of(*right));
    left = make(line, depth, LogicNode{is_and, *std::move(left), *std::move(right)});
  }
  return left;
}

Result<ExpressionPtr> ExpressionParser::parse_or() {
  return parse_logic("or", false, &ExpressionParser::parse_and);
}

Result<ExpressionPtr> ExpressionParser::parse_and() {
  return parse_logic("and", true, &ExpressionParser::parse_not);
}

Result<ExpressionPtr> ExpressionParser::parse_not() {
  const int line = tokens_.current().line;
  if (!tokens_.is_name("not")) return parse_comparison();
  const Deeper deeper(depth_);
  if (depth_ > kDepthMax) return tokens_.error("an expression is nested too deeply");
  tokens_.take();
  auto operand = parse_not();
  if (!operand) return operand;
  const int depth = depth_of(*operand);
  return make(line, depth, UnaryNode{UnaryOperator::Not, *std::move(operand)});
}

namespace {

struct ComparatorName {
  std::string_view text;
  Comparator what;
};
constexpr std::array kComparators = {
    ComparatorName{"==", Comparator::Equal},       ComparatorName{"!=", Comparator::NotEqual},
    ComparatorName{"<=", Comparator::LessOrEqual}, ComparatorName{">=", Comparator::GreaterOrEqual},
    ComparatorName{"<", Comparator::Less},         ComparatorName{">", Comparator::Greater},
};

std::optional<Comparator> take_comparator(TokenStream& tokens) {
  for (const ComparatorName& each : kComparators) {
    if (tokens.skip_operator(each.text)) return each.what;
  }
  if (tokens.skip_name("in")) return Comparator::In;
  const bool not_in = tokens.is_name("not") && tokens.following().kind == TokenKind::Name &&
                      tokens.following().text == "in";
  if (!not_in) return std::nullopt;
  tokens.take();
  tokens.take();
  return Comparator::NotIn;
}

constexpr std::array kSums = {ArithmeticName{"+", Arithmetic::Add},
                              ArithmeticName{"-", Arithmetic::Subtract}};
constexpr std::array kProducts = {
    ArithmeticName{"*", Arithmetic::Multiply}, ArithmeticName{"/", Arithmetic::Divide},
    ArithmeticName{"//", Arithmetic::FloorDivide}, ArithmeticName{"%", Arithmetic::Modulo}};
constexpr std::array kPowers = {ArithmeticName{"**", Arithmetic::Power}};

std::optional<Arithmetic> take_arithmetic(TokenStream& tokens,
                                          std::span<const ArithmeticName> names) {
  for (const ArithmeticName& each : names) {
    if (tokens.skip_operator(each.text)) return each.what;
  }
  return std::nullopt;
}

}  // namespace

Result<ExpressionPtr> ExpressionParser::parse_comparison() {
  const int line = tokens_.current().line;
  auto first = parse_sum();
  if (!first) return first;
  ComparisonNode node;
  int depth = depth_of(*first);
  while (const auto comparator = take_comparator(tokens_)) {
    auto other = parse_sum();
    if (!other) return other;
    depth = std::max(depth, depth_of(*other));
    node.others.emplace_back(*comparator, *std::move(other));
  }
  if (node.others.empty()) return first;
  node.first = *std::move(first);
  return make(line, depth, std::move(node));
}

Result<ExpressionPtr> ExpressionParser::parse_arithmetic(std::span<const ArithmeticName> operators,
                                                         Parse operand) {
  const int line = tokens_.current().line;
  auto left = (this->*operand)();
  while (left) {
    const auto what = take_arithmetic(tokens_, operators);
    if (!what) break;
    auto right = (this->*operand)();
    if (!right) return right;
    const int depth = std::max(depth_of(*left), depth_of(*right));
    left = make(line, depth, ArithmeticNode{*what, *std::move(left), *std::move(right)});
  }
  return left;
}

Result<ExpressionPtr> ExpressionParser::parse_sum() {
  return parse_arithmetic(kSums, &ExpressionParser::parse_concat);
}

/// In Jinja `~` binds more tightly than `+`.
Result<ExpressionPtr> ExpressionParser::parse_concat() {
  const int line = tokens_.current().line;
  auto first = parse_product();
  if (!first || !tokens_.is_operator("~")) return first;
  ConcatNode node;
  int depth = depth_of(*first);
  node.parts.push_back(*std::move(first));
  while (tokens_.skip_operator("~")) {
    auto part = parse_product();
    if (!part) return part;
    depth = std::max(depth, depth_of(*part));
    node.parts.push_back(*std::move(part));
  }
  return make(line, depth, std::move(node));
}

Result<ExpressionPtr> ExpressionParser::parse_product() {
  return parse_arithmetic(kProducts, &ExpressionParser::parse_power);
}

/// In Jinja powers group to the left.
Result<ExpressionPtr> ExpressionParser::parse_power() {
  return parse_arithmetic(kPowers, &ExpressionParser::parse_unary);
}

Result<ExpressionPtr> ExpressionParser::parse_unary(bool with_filters) {
  const Deeper deeper(depth_);
  if (depth_ > kDepthMax) return tokens_.error("an expression is nested too deeply");
  const int line = tokens_.current().line;
  Result<ExpressionPtr> value = ExpressionPtr();
  if (tokens_.is_operator("-") || tokens_.is_operator("+")) {
    const bool negative = tokens_.take().text == "-";
    auto operand = parse_unary(false);
    if (!operand) return operand;
    const int depth = depth_of(*operand);
    value = make(line, depth,
                 UnaryNode{negative ? UnaryOperator::Negative : UnaryOperator::Positive,
                           *std::move(operand)});
  } else {
    value = parse_primary();
  }
  if (value) value = parse_postfix(*std::move(value));
  if (value && with_filters) value = parse_filter_chain(*std::move(value));
  return value;
}

}  // namespace trialwright::jinja
