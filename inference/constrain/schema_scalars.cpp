// How SchemaCompiler writes strings and numbers.

#include <algorithm>
#include <cmath>

#include "base/text.h"
#include "inference/constrain/product.h"
#include "inference/constrain/regex_parser.h"
#include "inference/constrain/schema_compiler.h"
#include "inference/constrain/string_format.h"

namespace trialwright {

namespace {

constexpr std::uint32_t kCountMax = 1'000'000'000;

}  // namespace

StateId SchemaCompiler::string(StateId from, const Json& schema, const std::string& place) {
  std::vector<Expression> all;
  const auto add_regex = [&](const std::string& pattern, RegexDialect dialect) {
    auto expression = parse_regex(pattern, dialect);
    if (!expression) {
      fail(place, "\"pattern\": " + expression.error().message);
    } else {
      all.push_back(*std::move(expression));
    }
  };
  if (schema.contains("pattern")) {
    if (schema["pattern"].is_string()) {
      add_regex(schema["pattern"].get<std::string>(), RegexDialect::JsonSchema);
    } else {
      fail(place, "\"pattern\" must be a regular expression");
    }
  }
  if (schema.contains("format")) {
    const auto name = string_field(schema, "format");
    const auto pattern = name ? format_pattern(*name) : std::nullopt;
    if (pattern) {
      add_regex(*pattern, RegexDialect::WholeText);
    } else {
      fail(place, "\"format\": only " + joined(format_names(), ", ") + " are supported");
    }
  }
  const auto min = count_of(schema, "minLength", place);
  const auto max = count_of(schema, "maxLength", place);
  if (max && *max < min.value_or(0)) fail(place, "no string is that long");
  if (min.value_or(0) > 0 || max) {
    all.push_back(Expression::repeat(Expression::one_of(CharSet::all()), min.value_or(0),
                                     max.value_or(Expression::kUnbounded)));
  }
  if (error_) return from;
  if (all.empty()) return text_.string(from);
  if (all.size() == 1) return text_.string(from, all.front());
  std::vector<std::shared_ptr<const Grammar>> wanted;
  for (const Expression& expression : all) {
    AutomatonBuilder builder;
    const RuleId rule = builder.declare(place);
    const StateId start = builder.state();
    builder.define(rule, start, append(builder, start, expression, Spelling::InJsonString));
    auto grammar = builder.build(rule);
    if (!grammar) {
      fail(place, grammar.error().message);
      return from;
    }
    wanted.push_back(*std::move(grammar));
  }
  const StateId open = text_.builder().literal(from, "\"");
  const auto end = append_product(text_.builder(), open, wanted, {});
  if (end) return text_.builder().literal(*end, "\"");
  fail(place, end.error().message);
  return from;
}

StateId SchemaCompiler::number(StateId from, const Json& schema, bool whole,
                               const std::string& place) {
  if (schema.contains("multipleOf") && !(whole && schema["multipleOf"] == 1)) {
    fail(place, "\"multipleOf\" is not supported");
  }
  IntegerRange range;
  range.min = limit_of(schema, "minimum", whole, place);
  range.max = limit_of(schema, "maximum", whole, place);
  const auto above = limit_of(schema, "exclusiveMinimum", whole, place);
  const auto below = limit_of(schema, "exclusiveMaximum", whole, place);
  if (above) range.min = std::max(range.min.value_or(*above), *above);
  if (below) range.max = std::min(range.max.value_or(*below), *below);
  if (range.min && range.max && *range.min > *range.max) fail(place, "no number is in the range");
  if (error_) return from;
  if (!range.min && !range.max) return whole ? text_.integer(from) : text_.number(from);
  return whole ? text_.integer(from, range) : text_.number(from, range);
}

std::optional<std::uint32_t> SchemaCompiler::count_of(const Json& schema, const char* key,
                                                      const std::string& place) {
  if (!schema.contains(key)) return std::nullopt;
  const Json& value = schema[key];
  const bool right = value.is_number() && value.get<double>() >= 0 &&
                     value.get<double>() == std::floor(value.get<double>());
  if (!right) {
    fail(place, std::string("\"") + key + "\" must be a whole number, not negative");
    return std::nullopt;
  }
  return static_cast<std::uint32_t>(std::min<double>(value.get<double>(), kCountMax));
}

/// The first number inside the limit. Fractions are kept away from only where they do not matter.
std::optional<std::int64_t> SchemaCompiler::limit_of(const Json& schema, const char* key,
                                                     bool whole, const std::string& place) {
  if (!schema.contains(key)) return std::nullopt;
  const Json& value = schema[key];
  if (!value.is_number()) {
    fail(place, std::string("\"") + key + "\" must be a number");
    return std::nullopt;
  }
  constexpr double kFar = 1e18;
  const double limit = std::clamp(value.get<double>(), -kFar, kFar);
  const bool exclusive = std::string_view(key).starts_with("exclusive");
  const bool is_min = std::string_view(key).ends_with("inimum");
  if (!whole && (exclusive || limit != std::floor(limit))) {
    fail(place, std::string("\"") + key + "\" of a number that is not an integer is supported " +
                    "for whole limits only, and not exclusive");
    return std::nullopt;
  }
  // Integers are taken as they are: a double does not hold all of them.
  const auto near = value.is_number_integer() && std::abs(limit) < kFar
                        ? value.get<std::int64_t>()
                        : static_cast<std::int64_t>(is_min ? std::ceil(limit) : std::floor(limit));
  const bool on_limit = static_cast<double>(near) == limit;
  if (!exclusive || !on_limit) return near;
  return is_min ? near + 1 : near - 1;
}

}  // namespace trialwright
