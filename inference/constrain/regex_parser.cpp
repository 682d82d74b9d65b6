#include "inference/constrain/regex_parser.h"

#include <algorithm>
#include <optional>
#include <string>

#include "base/text.h"
#include "inference/constrain/hex_number.h"

namespace trialwright {

namespace {

constexpr std::uint32_t kRepeatMax = 1'000'000'000;

CharSet digits() { return CharSet::of({{'0', '9'}}); }
CharSet word_chars() { return CharSet::of({{'0', '9'}, {'A', 'Z'}, {'_', '_'}, {'a', 'z'}}); }
CharSet re2_spaces() { return CharSet::of({{'\t', '\n'}, {'\f', '\r'}, {' ', ' '}}); }
CharSet ecma_spaces() {
  return CharSet::of({{'\t', '\r'},
                      {' ', ' '},
                      {0xA0, 0xA0},
                      {0x1680, 0x1680},
                      {0x2000, 0x200A},
                      {0x2028, 0x2029},
                      {0x202F, 0x202F},
                      {0x205F, 0x205F},
                      {0x3000, 0x3000},
                      {0xFEFF, 0xFEFF}});
}

class RegexParser {
 public:
  RegexParser(std::string_view pattern, RegexDialect dialect)
      : pattern_(pattern), dialect_(dialect) {}

  Result<Expression> parse() {
    if (!is_utf8(pattern_)) return invalid("the regular expression is not UTF-8");
    std::vector<Expression> alternatives;
    do {
      alternatives.push_back(outermost_alternative());
    } while (!error_ && take('|'));
    if (!error_ && at_ < pattern_.size()) fail("\")\" closes nothing");
    if (error_) return *error_;
    if (alternatives.size() == 1) return std::move(alternatives.front());
    return Expression::choice(std::move(alternatives));
  }

 private:
  void fail(const std::string& what) { fail_at(at_, what); }
  void fail_at(std::size_t byte, const std::string& what) {
    if (!error_) {
      error_ = invalid("byte " + std::to_string(byte) + " of the regular expression: " + what);
    }
  }

  [[nodiscard]] bool next_is(std::string_view text) const {
    return pattern_.substr(at_).starts_with(text);
  }
  bool take(char c) {
    if (at_ >= pattern_.size() || pattern_[at_] != c) return false;
    ++at_;
    return true;
  }
  bool take(std::string_view text) {
    if (!next_is(text)) return false;
    at_ += text.size();
    return true;
  }
  char32_t take_char() {
    const CodePoint point = decode_utf8(pattern_.substr(at_));
    at_ += point.length;
    return point.value;
  }

  Expression outermost_alternative() {
    const bool searches = dialect_ == RegexDialect::JsonSchema;
    const auto anything = [] {
      return Expression::repeat(Expression::one_of(CharSet::all()), 0, Expression::kUnbounded);
    };
    std::vector<Expression> parts;
    if (!take('^') && searches) parts.push_back(anything());
    parts.push_back(sequence(0));
    if (!take('$') && searches) parts.push_back(anything());
    if (at_ < pattern_.size() && pattern_[at_] != '|' && pattern_[at_] != ')') {
      fail("\"^\" and \"$\" are supported at the ends of outermost alternatives only");
    }
    return Expression::sequence(std::move(parts));
  }

  Expression alternatives(int depth) {
    std::vector<Expression> parts;
    do {
      parts.push_back(sequence(depth));
      if (next_is("^") || next_is("$")) {
        fail("\"^\" and \"$\" are supported at the ends of outermost alternatives only");
      }
    } while (!error_ && take('|'));
    return parts.size() == 1 ? std::move(parts.front()) : Expression::choice(std::move(parts));
  }

  Expression sequence(int depth) {
    std::vector<Expression> parts;
    while (!error_ && at_ < pattern_.size()) {
      const char c = pattern_[at_];
      if (c == '|' || c == ')' || c == '^' || c == '$') break;
      parts.push_back(repeated(depth));
    }
    return Expression::sequence(std::move(parts));
  }

  Expression repeated(int depth) {
    Expression part = atom(depth);
    auto times = quantifier();
    if (!times || error_) return part;
    take('?');  // Which way is tried first makes no difference to what matches.
    if (next_is("*") || next_is("+") || next_is("?") || quantifier()) {
      fail("a repetition cannot be repeated; use a group");
    }
    return Expression::repeat(std::move(part), times->first, times->second);
  }

  std::optional<std::pair<std::uint32_t, std::uint32_t>> quantifier() {
    if (take('*')) return std::pair(0U, Expression::kUnbounded);
    if (take('+')) return std::pair(1U, Expression::kUnbounded);
    if (take('?')) return std::pair(0U, 1U);
    const std::size_t begin = at_;
    if (!take('{')) return std::nullopt;
    const auto min = number();
    auto max = min;
    if (min && take(',')) max = next_is("}") ? Expression::kUnbounded : number();
    if (!min || !max || !take('}')) {
      at_ = begin;  // Then it is an ordinary brace.
      return std::nullopt;
    }
    if (*max < *min) fail_at(begin, "the repetition's maximum is below its minimum");
    return std::pair(*min, *max);
  }

  std::optional<std::uint32_t> number() {
    const std::size_t begin = at_;
    std::uint32_t value = 0;
    while (at_ < pattern_.size() && pattern_[at_] >= '0' && pattern_[at_] <= '9') {
      value =
          std::min(kRepeatMax / 10, value) * 10 + static_cast<std::uint32_t>(pattern_[at_] - '0');
      ++at_;
    }
    if (at_ == begin) return std::nullopt;
    return std::min(value, kRepeatMax);
  }

  Expression atom(int depth) {
    const std::size_t begin = at_;
    if (take('(')) return group(depth);
    if (take('[')) return Expression::one_of(char_class());
    if (take('\\')) return Expression::one_of(escape(false));
    if (take('.')) {
      CharSet line_ends = CharSet::of({{'\n', '\n'}});
      if (dialect_ == RegexDialect::JsonSchema) {
        line_ends = CharSet::of({{'\n', '\n'}, {'\r', '\r'}, {0x2028, 0x2029}});
      }
      return Expression::one_of(line_ends.inverted());
    }
    if (next_is("*") || next_is("+") || next_is("?")) fail_at(begin, "there is nothing to repeat");
    const char32_t c = take_char();
    return Expression::one_of(CharSet::of({{c, c}}));
  }

  Expression group(int depth) {
    const std::size_t begin = at_ - 1;
    if (depth >= kGroupDepthMax) {
      fail_at(begin, "groups are nested too deep");
      return {};
    }
    if (take('?')) {
      const bool named = take("P<") || (next_is("<") && !next_is("<=") && !next_is("<!"));
      if (named) {
        at_ = std::min(pattern_.find('>', at_), pattern_.size());
        if (!take('>')) fail_at(begin, "the group's name does not end");
      } else if (!take(':')) {
        fail_at(begin, "looking around and flags are not supported");
        return {};
      }
    }
    Expression inside = alternatives(depth + 1);
    if (!take(')')) fail_at(begin, "the group does not end");
    return inside;
  }

  CharSet char_class() {
    const std::size_t begin = at_ - 1;
    const bool inverted = take('^');
    if (next_is("]"))
      fail_at(begin, "an empty class is not supported; write \"\\]\" for a bracket");
    CharSet set;
    while (!error_ && !take(']')) {
      if (at_ >= pattern_.size()) {
        fail_at(begin, "the class does not end");
        break;
      }
      if (next_is("[:")) fail("POSIX classes are not supported");
      const std::size_t place = at_;
      const CharSet first = class_member(inverted);
      if (error_ || !next_is("-") || next_is("-]")) {
        set.add(first);
        continue;
      }
      take('-');
      if (at_ >= pattern_.size()) break;
      const CharSet last = class_member(inverted);
      if (error_) break;
      const auto from = first.ranges();
      const auto to = last.ranges();
      const bool single = from.size() == 1 && from[0].first == from[0].last && to.size() == 1 &&
                          to[0].first == to[0].last;
      if (!single || from[0].first > to[0].first) {
        fail_at(place, "the range of characters is wrong");
      } else {
        set.add(from[0].first, to[0].first);
      }
    }
    if (!error_ && pattern_[at_ - 1] != ']') fail_at(begin, "the class does not end");
    return inverted ? set.inverted() : set;
  }

  CharSet class_member(bool inverted) {
    if (take('\\')) return escape(inverted);
    const char32_t c = take_char();
    return CharSet::of({{c, c}});
  }

  /// inverted  what is returned says which characters may not be there.
  ///
  /// Validators differ in what they take for white space (ECMA-262 or RE2), so of a schema's
  /// pattern we allow only what is, or is not, white space to all.
  CharSet escape(bool inverted) {
    const std::size_t begin = at_ - 1;
    if (at_ >= pattern_.size()) {
      fail_at(begin, "nothing follows the backslash");
      return {};
    }
    const bool schema = dialect_ == RegexDialect::JsonSchema;
    const char c = pattern_[at_];
    const auto one = [this](char32_t value) {
      ++at_;
      return CharSet::of({{value, value}});
    };
    const auto set = [this](CharSet chars) {
      ++at_;
      return chars;
    };
    switch (c) {
      case 'd':
        return set(digits());
      case 'D':
        return set(digits().inverted());
      case 'w':
        return set(word_chars());
      case 'W':
        return set(word_chars().inverted());
      case 's':
        return set(schema && inverted ? ecma_spaces() : re2_spaces());
      case 'S':
        return set((schema && !inverted ? ecma_spaces() : re2_spaces()).inverted());
      case 't':
        return one('\t');
      case 'n':
        return one('\n');
      case 'r':
        return one('\r');
      case 'f':
        return one('\f');
      case 'v':
        return one('\v');
      case 'x':
      case 'u': {
        ++at_;
        const auto value = read_hex_number(pattern_, at_, c == 'x' ? 2 : 4);
        if (value) return CharSet::of({{*value, *value}});
        fail_at(begin, "the escape does not name a character");
        return {};
      }
      default:
        break;
    }
    const bool is_word = word_chars().contains(static_cast<unsigned char>(c));
    if (is_word || static_cast<unsigned char>(c) >= 0x80) {
      fail_at(begin, std::string("the escape \"\\") + (is_word ? std::string(1, c) : "") +
                         "\" is not supported");
      return {};
    }
    return one(static_cast<unsigned char>(c));
  }

  std::string_view pattern_;
  RegexDialect dialect_;
  std::size_t at_ = 0;
  std::optional<Error> error_;
};

}  // namespace

Result<Expression> parse_regex(std::string_view pattern, RegexDialect dialect) {
  return RegexParser(pattern, dialect).parse();
}

Result<std::shared_ptr<const Grammar>> compile_regex(std::string_view pattern) {
  auto expression = parse_regex(pattern, RegexDialect::WholeText);
  if (!expression) return expression.error();
  AutomatonBuilder builder;
  const RuleId root = builder.declare("regular expression");
  const StateId start = builder.state();
  builder.define(root, start, append(builder, start, *expression, Spelling::Plain));
  auto grammar = builder.build(root);
  if (!grammar) return grammar.error().during("the regular expression");
  return grammar;
}

}  // namespace trialwright
