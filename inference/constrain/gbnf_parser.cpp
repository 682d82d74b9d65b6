#include <algorithm>
#include <map>
#include <optional>
#include <string>

#include "base/text.h"
#include "inference/constrain/expression.h"
#include "inference/constrain/hex_number.h"
#include "inference/constrain/regex_parser.h"

namespace trialwright {

namespace {

constexpr std::size_t kRulesMax = 20'000;
constexpr std::uint32_t kRepeatMax = 1'000'000'000;
constexpr int kRepeatsMax = 8;  ///< Of one part, as in a*?+.

bool is_name_char(char c) {
  return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9') || c == '-' ||
         c == '_';
}

/// Reads the rules and puts them into the builder.
class GbnfParser {
 public:
  explicit GbnfParser(std::string_view text) : text_(text) {}

  Result<std::shared_ptr<const Grammar>> compile() {
    if (!is_utf8(text_)) return invalid("the grammar is not UTF-8");
    skip_space(Lines::Cross);
    while (!error_ && at_ < text_.size()) {
      rule();
      skip_space(Lines::Cross);
    }
    for (const auto& [name, known] : names_) {
      if (error_ || known.defined) continue;
      fail_at(known.place, "the rule \"" + name + "\" is not defined");
    }
    if (!error_ && !names_.contains("root")) error_ = invalid("the grammar has no rule \"root\"");
    if (error_) return *error_;
    return builder_.build(names_["root"].rule);
  }

 private:
  enum class Lines { Cross, Stay };
  struct Name {
    RuleId rule = 0;
    std::size_t place = 0;  ///< Where it was met first.
    bool defined = false;
  };

  void fail(const std::string& what) { fail_at(at_, what); }
  void fail_at(std::size_t place, const std::string& what) {
    if (error_) return;
    const auto line = 1 + std::ranges::count(text_.substr(0, place), '\n');
    error_ = invalid("line " + std::to_string(line) + ": " + what);
  }

  [[nodiscard]] char next() const { return at_ < text_.size() ? text_[at_] : '\0'; }
  bool take(char c) {
    if (at_ >= text_.size() || text_[at_] != c) return false;
    ++at_;
    return true;
  }

  void skip_space(Lines lines) {
    while (at_ < text_.size()) {
      const char c = text_[at_];
      if (c == '#') {
        at_ = std::min(text_.find('\n', at_), text_.size());
      } else if (c == ' ' || c == '\t' || (lines == Lines::Cross && (c == '\n' || c == '\r'))) {
        ++at_;
      } else {
        break;
      }
    }
  }

  std::string_view name() {
    const std::size_t begin = at_;
    while (is_name_char(next())) ++at_;
    return text_.substr(begin, at_ - begin);
  }

  Name& named(std::string_view name, std::size_t place) {
    const auto [known, is_new] = names_.try_emplace(std::string(name));
    if (is_new) {
      known->second = {builder_.declare(std::string(name)), place, false};
      if (names_.size() > kRulesMax) fail("there are too many rules");
    }
    return known->second;
  }

  void rule() {
    const std::size_t begin = at_;
    const std::string_view rule_name = name();
    if (rule_name.empty()) return fail("a rule's name is expected");
    skip_space(Lines::Stay);
    if (!text_.substr(at_).starts_with("::=")) return fail("\"::=\" is expected");
    at_ += 3;
    skip_space(Lines::Cross);
    Name& rule = named(rule_name, begin);
    if (rule.defined) {
      return fail_at(begin, "the rule \"" + std::string(rule_name) + "\" is defined twice");
    }
    rule.defined = true;
    const RuleId id = rule.rule;
    const Expression body = alternatives(0);
    if (error_) return;
    if (at_ < text_.size() && next() != '\n' && next() != '\r') {
      return fail("this cannot stand in a rule");
    }
    const StateId start = builder_.state();
    builder_.define(id, start, append(builder_, start, body, Spelling::Plain));
  }

  Expression alternatives(int depth) {
    std::vector<Expression> parts;
    while (!error_) {
      parts.push_back(sequence(depth));
      const std::size_t end = at_;
      skip_space(Lines::Cross);  // An alternative may be on a line of its own.
      if (!take('|')) {
        at_ = end;
        break;
      }
      skip_space(Lines::Cross);
    }
    return parts.size() == 1 ? std::move(parts.front()) : Expression::choice(std::move(parts));
  }

  Expression sequence(int depth) {
    const Lines lines = depth > 0 ? Lines::Cross : Lines::Stay;
    std::vector<Expression> parts;
    while (!error_) {
      skip_space(lines);
      auto part = atom(depth);
      if (!part) break;
      skip_space(lines);
      parts.push_back(repeated(*std::move(part), lines));
    }
    return Expression::sequence(std::move(parts));
  }

  std::optional<Expression> atom(int depth) {
    const std::size_t begin = at_;
    if (take('"')) return literal();
    if (take('[')) return Expression::one_of(char_class());
    if (take('.')) return Expression::one_of(CharSet::all());
    if (take('(')) {
      if (depth >= kGroupDepthMax) {
        fail_at(begin, "groups are nested too deep");
        return std::nullopt;
      }
      Expression inside = alternatives(depth + 1);
      skip_space(Lines::Cross);
      if (!take(')')) fail_at(begin, "the group does not end");
      return inside;
    }
    if (next() == '<' || next() == '!') {
      fail("tokens in grammars are not supported");
      return std::nullopt;
    }
    if (!is_name_char(next())) return std::nullopt;
    const std::string_view called = name();
    return Expression::call(named(called, begin).rule);
  }

  Expression repeated(Expression part, Lines lines) {
    int times = 0;
    while (!error_) {
      const std::size_t begin = at_;
      std::uint32_t min = 0;
      std::uint32_t max = Expression::kUnbounded;
      if (take('+')) {
        min = 1;
      } else if (take('?')) {
        max = 1;
      } else if (take('{')) {
        min = number();
        max = min;
        skip_space(lines);
        if (take(',')) {
          skip_space(lines);
          max = next() == '}' ? Expression::kUnbounded : number();
          skip_space(lines);
        }
        if (!take('}')) fail("\"}\" is expected");
        if (max < min) fail_at(begin, "the repetition's maximum is below its minimum");
      } else if (!take('*')) {
        break;
      }
      part = Expression::repeat(std::move(part), min, max);
      if (++times > kRepeatsMax) fail_at(begin, "this is repeated again and again; use groups");
      skip_space(lines);
    }
    return part;
  }

  std::uint32_t number() {
    const std::size_t begin = at_;
    std::uint32_t value = 0;
    while (next() >= '0' && next() <= '9') {
      value = std::min(kRepeatMax / 10, value) * 10 + static_cast<std::uint32_t>(next() - '0');
      ++at_;
    }
    if (at_ == begin) fail("a number is expected");
    return std::min(value, kRepeatMax);
  }

  Expression literal() {
    const std::size_t begin = at_ - 1;
    std::vector<Expression> chars;
    while (!error_ && !take('"')) {
      if (at_ >= text_.size()) {
        fail_at(begin, "the text in quotes does not end");
        break;
      }
      const char32_t c = one_char();
      chars.push_back(Expression::one_of(CharSet::of({{c, c}})));
    }
    return Expression::sequence(std::move(chars));
  }

  CharSet char_class() {
    const std::size_t begin = at_ - 1;
    const bool inverted = take('^');
    CharSet set;
    while (!error_ && !take(']')) {
      if (at_ >= text_.size()) {
        fail_at(begin, "the class does not end");
        break;
      }
      const char32_t first = one_char();
      char32_t last = first;
      if (next() == '-' && !text_.substr(at_).starts_with("-]")) {
        ++at_;
        if (at_ >= text_.size()) continue;
        last = one_char();
      }
      if (last < first) fail_at(begin, "the range of characters is wrong");
      set.add(first, last);
    }
    return inverted ? set.inverted() : set;
  }

  char32_t one_char() {
    const std::size_t begin = at_;
    if (!take('\\')) {
      const CodePoint point = decode_utf8(text_.substr(at_));
      at_ += point.length;
      return point.value;
    }
    const char c = next();
    if (at_ < text_.size()) ++at_;
    switch (c) {
      case 't':
        return '\t';
      case 'r':
        return '\r';
      case 'n':
        return '\n';
      case '\\':
      case '"':
      case '[':
      case ']':
      case '-':
      case '^':
        return static_cast<unsigned char>(c);
      case 'x':
      case 'u':
      case 'U': {
        const auto value = read_hex_number(text_, at_, c == 'x' ? 2 : c == 'u' ? 4 : 8);
        if (value) return *value;
        fail_at(begin, "the escape does not name a character");
        return 0;
      }
      default:
        fail_at(begin, "the escape is not known");
        return 0;
    }
  }

  std::string_view text_;
  std::size_t at_ = 0;
  std::optional<Error> error_;
  AutomatonBuilder builder_;
  std::map<std::string, Name> names_;
};

}  // namespace

Result<std::shared_ptr<const Grammar>> compile_gbnf(std::string_view text) {
  auto grammar = GbnfParser(text).compile();
  if (!grammar) return grammar.error().during("the grammar");
  return grammar;
}

}  // namespace trialwright
