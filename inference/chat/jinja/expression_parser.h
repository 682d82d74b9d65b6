#pragma once

#include <span>
#include <string>
#include <string_view>

#include "inference/chat/jinja/ast.h"
#include "inference/chat/jinja/token_stream.h"

namespace trialwright::jinja {

/// How an operator is written.
struct ArithmeticName {
  std::string_view text;
  Arithmetic what;
};

/// Reads expressions by Jinja's grammar and precedence.
class ExpressionParser {
 public:
  explicit ExpressionParser(TokenStream& tokens) : tokens_(tokens) {}

  /// One expression, or several with commas between them as a tuple.
  Result<ExpressionPtr> parse_tuple();
  /// One expression, `a if b else c` included.
  Result<ExpressionPtr> parse_conditional();
  /// As above without `if`, for `for x in HERE if …`.
  Result<ExpressionPtr> parse_or();
  /// `| a | b(…)`, with a filter block's text or `input` before it; `starts_with_name` if the first
  /// filter has no bar before it.
  Result<ExpressionPtr> parse_filters(ExpressionPtr input, bool starts_with_name);

 private:
  using Parse = Result<ExpressionPtr> (ExpressionParser::*)();

  /// Operands with the operator between them, grouped to the left.
  Result<ExpressionPtr> parse_logic(std::string_view word, bool is_and, Parse operand);
  Result<ExpressionPtr> parse_arithmetic(std::span<const ArithmeticName> operators, Parse operand);

  Result<ExpressionPtr> parse_and();
  Result<ExpressionPtr> parse_not();
  Result<ExpressionPtr> parse_comparison();
  Result<ExpressionPtr> parse_sum();
  Result<ExpressionPtr> parse_concat();
  Result<ExpressionPtr> parse_product();
  Result<ExpressionPtr> parse_power();
  Result<ExpressionPtr> parse_unary() { return parse_unary(true); }
  Result<ExpressionPtr> parse_unary(bool with_filters);
  Result<ExpressionPtr> parse_primary();
  Result<ExpressionPtr> parse_name();
  Result<ExpressionPtr> parse_text();
  Result<ExpressionPtr> parse_number();
  Result<ExpressionPtr> parse_parenthesized();
  Result<ExpressionPtr> parse_list();
  Result<ExpressionPtr> parse_dict();
  Result<ExpressionPtr> parse_postfix(ExpressionPtr object);
  Result<ExpressionPtr> parse_attribute(ExpressionPtr object);
  Result<ExpressionPtr> parse_subscript(ExpressionPtr object);
  Result<ExpressionPtr> parse_call(ExpressionPtr function);
  Result<ExpressionPtr> parse_test(ExpressionPtr input);
  Result<ExpressionPtr> parse_filter_chain(ExpressionPtr input);
  Result<ExpressionPtr> parse_filter(ExpressionPtr input);
  Result<ArgumentNodes> parse_arguments();

  /// How deep a tree is; 0 for none.
  static int depth_of(const ExpressionPtr& expression);
  static int depth_of(const ArgumentNodes& arguments);
  /// Makes the node; errors where it nests too deeply.
  Result<ExpressionPtr> make(int line, int depth_of_parts, Expression::Node node);

  TokenStream& tokens_;
  int depth_ = 0;
};

}  // namespace trialwright::jinja
