#include "graders/answer_grader.h"

#include <re2/re2.h>

#include <algorithm>
#include <charconv>
#include <cmath>

#include "base/text.h"
#include "tasks/answer_schema.h"
#include "tasks/pattern.h"

namespace trialwright {

namespace {

constexpr std::size_t kAnswerBytesMax = std::size_t{1} << 20U;
constexpr std::size_t kEvidenceBytesMax = 4000;
constexpr std::size_t kJsonCandidatesMax = 64;

bool is_digit(char c) { return c >= '0' && c <= '9'; }
bool is_letter(char c) { return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || c == '_'; }
bool is_space(char c) { return c == ' ' || (c >= '\t' && c <= '\r'); }

/// How far digits go from `at`.
std::size_t digits_from(std::string_view text, std::size_t at) {
  std::size_t end = at;
  while (end < text.size() && is_digit(text[end])) ++end;
  return end - at;
}

/// Reads an unsigned number at `at`, as "1,234.5e3"; its length, or 0 if there is none.
std::size_t read_number(std::string_view text, std::size_t at, double& number) {
  std::string plain;
  std::size_t end = at;
  std::size_t digits = digits_from(text, end);
  plain += text.substr(end, digits);
  end += digits;
  // Groups of exactly three digits go on after one to three.
  if (digits >= 1 && digits <= 3) {
    while (end < text.size() && text[end] == ',' && digits_from(text, end + 1) == 3) {
      plain += text.substr(end + 1, 3);
      end += 4;
    }
  }
  if (end + 1 < text.size() && text[end] == '.' && is_digit(text[end + 1])) {
    digits = digits_from(text, end + 1);
    plain += text.substr(end, digits + 1);
    end += digits + 1;
  }
  if (plain.empty()) return 0;
  if (end < text.size() && (text[end] == 'e' || text[end] == 'E')) {
    const std::size_t sign =
        end + 1 < text.size() && (text[end + 1] == '-' || text[end + 1] == '+') ? 1 : 0;
    digits = digits_from(text, end + 1 + sign);
    if (digits > 0) {
      plain += 'e';
      if (sign == 1 && text[end + 1] == '-') plain += '-';
      plain += text.substr(end + 1 + sign, digits);
      end += 1 + sign + digits;
    }
  }
  const auto [stopped, error] = std::from_chars(plain.data(), plain.data() + plain.size(), number);
  static_cast<void>(stopped);
  // Larger or smaller than any double: there, but of no use.
  if (error != std::errc()) number = std::nan("");
  return end - at;
}

/// A minus in front of the number at `at`, if it is a sign and not a dash between two words. The
/// sign of a currency may stand between: "-$5".
bool is_negative(std::string_view text, std::size_t at) {
  constexpr std::string_view kMinus = "\u2212";
  std::size_t before = at;
  for (const std::string_view currency : {"$", "\u20ac", "\u00a3", "\u00a5"}) {
    if (!text.substr(0, at).ends_with(currency)) continue;
    before -= currency.size();
    break;
  }
  if (before >= 1 && text[before - 1] == '-') {
    before -= 1;
  } else if (before >= kMinus.size() &&
             text.substr(before - kMinus.size(), kMinus.size()) == kMinus) {
    before -= kMinus.size();
  } else {
    return false;
  }
  return before == 0 ||
         !(is_digit(text[before - 1]) || is_letter(text[before - 1]) || text[before - 1] == ')');
}

struct Marked {
  double score = 0;
  std::string explanation;
};

Marked mark(const ExactAnswer& answer, const std::string& given, Json& evidence) {
  const std::string read = normalized_answer(given, answer.ignore_case);
  evidence["read"] = read.substr(0, kEvidenceBytesMax);
  evidence["accepted"] = answer.accepted;
  for (const std::string& accepted : answer.accepted) {
    if (normalized_answer(accepted, answer.ignore_case) == read)
      return {1, "the answer is \"" + accepted + "\""};
  }
  return {0, "the answer is none of the " + std::to_string(answer.accepted.size()) + " accepted"};
}

Marked mark(const NumericAnswer& answer, const std::string& given, Json& evidence) {
  const std::optional<double> number = last_number(given);
  evidence["accepted"] = answer.value;
  evidence["tolerance"] = answer.tolerance;
  if (!number) return {0, "the answer holds no number"};
  evidence["read"] = *number;
  // Decimal fractions are not exact in binary, so a difference that looks equal may be a hair off.
  const double slack = 1e-12 * std::max(std::abs(*number), std::abs(answer.value));
  const bool right = std::abs(*number - answer.value) <= answer.tolerance + slack;
  return {right ? 1.0 : 0.0, "the last number is " + Json(*number).dump()};
}

Result<Marked> mark(const RegexAnswer& answer, const std::string& given, Json& evidence) {
  evidence["accepted"] = answer.pattern;
  const auto pattern = compile_pattern(answer.pattern);
  if (!pattern) return pattern.error().during("the pattern is no RE2 pattern");
  re2::StringPiece found;
  if (!(*pattern)->Match(given, 0, given.size(), RE2::UNANCHORED, &found, 1))
    return Marked{0, "the pattern is not found in the answer"};
  evidence["read"] =
      to_valid_utf8(std::string_view(found.data(), found.size()).substr(0, kEvidenceBytesMax));
  return Marked{1, "the pattern is found in the answer"};
}

Result<Marked> mark(const SchemaAnswer& answer, const std::string& given, Json& evidence) {
  evidence["accepted"] = answer.schema;
  const auto schema = AnswerSchema::compile(answer.schema);
  if (!schema) return schema.error();
  const auto value = json_in_answer(given);
  if (!value) return Marked{0, value.error().message};
  evidence["read"] = to_text(*value).substr(0, kEvidenceBytesMax);
  const auto checked = schema->check(*value);
  if (!checked) return Marked{0, checked.error().message};
  return Marked{1, "the answer's JSON fulfils the schema"};
}

/// The start and end of a piece of a text.
struct Piece {
  std::size_t begin = 0;
  std::size_t end = 0;
};

/// The insides of blocks between lines that start with ```.
std::vector<Piece> fenced_blocks(std::string_view text) {
  std::vector<Piece> blocks;
  std::optional<std::size_t> opened;
  std::size_t at = 0;
  for (const std::string_view line : split(text, '\n')) {
    const std::size_t next = at + line.size() + 1;
    if (trimmed(line).substr(0, 3) == "```") {
      if (opened) blocks.push_back({*opened, at});
      opened = opened ? std::nullopt : std::optional<std::size_t>(next);
    }
    at = next;
  }
  // A model that was cut off, or that forgot, leaves the last block open.
  if (opened && *opened < text.size()) blocks.push_back({*opened, text.size()});
  return blocks;
}

/// The outermost balanced pairs of brackets, by one pass over the text.
std::vector<Piece> bracketed(std::string_view text) {
  std::vector<std::size_t> open;
  std::vector<Piece> found;
  bool in_string = false;
  for (std::size_t i = 0; i < text.size(); ++i) {
    const char c = text[i];
    if (in_string) {
      if (c == '\\')
        ++i;
      else if (c == '"')
        in_string = false;
    } else if (c == '"' && !open.empty()) {
      in_string = true;
    } else if (c == '{' || c == '[') {
      open.push_back(i);
    } else if (c == '}' || c == ']') {
      const char opening = c == '}' ? '{' : '[';
      if (open.empty() || text[open.back()] != opening) {
        open.clear();
        continue;
      }
      while (!found.empty() && found.back().begin > open.back()) found.pop_back();
      found.push_back({open.back(), i + 1});
      open.pop_back();
    }
  }
  return found;
}

}  // namespace

std::string normalized_answer(std::string_view answer, bool ignore_case) {
  constexpr std::string_view kAround = "\"'`*.";
  answer = trimmed(answer);
  // What wraps the whole may be wrapped itself: **"Paris".**
  for (bool again = true; again;) {
    again = false;
    if (!answer.empty() && answer.back() == '.') {
      answer.remove_suffix(1);
      again = true;
    }
    if (answer.size() >= 2 && answer.front() == answer.back() &&
        kAround.find(answer.front()) != kAround.npos) {
      answer = answer.substr(1, answer.size() - 2);
      again = true;
    }
    answer = trimmed(answer);
  }
  std::string result;
  for (const char c : answer) {
    if (!is_space(c))
      result += c;
    else if (!result.empty() && result.back() != ' ')
      result += ' ';
  }
  return ignore_case ? to_lower(result) : result;
}

std::optional<double> last_number(std::string_view text) {
  std::optional<double> last;
  std::size_t at = 0;
  while (at < text.size()) {
    // A point after another one is the end of an ellipsis: "...42" is 42.
    const bool starts = is_digit(text[at]) || (text[at] == '.' && digits_from(text, at + 1) > 0 &&
                                               (at == 0 || text[at - 1] != '.'));
    if (!starts) {
      ++at;
      continue;
    }
    double number = 0;
    const std::size_t length = read_number(text, at, number);
    // Digits inside a word, as in "H2O", are no number of their own.
    const bool in_word = at > 0 && is_letter(text[at - 1]);
    if (is_negative(text, at)) number = -number;
    std::size_t end = at + length;
    double divisor = 0;
    if (end < text.size() && text[end] == '/') {
      const std::size_t more = read_number(text, end + 1, divisor);
      const std::size_t after = end + 1 + more;
      // "12/25/2024" is a date, and "1/0" no number.
      const bool is_date =
          (after < text.size() && text[after] == '/') || (at > 0 && text[at - 1] == '/');
      if (more > 0 && !is_date && divisor != 0) {
        number /= divisor;
        end = after;
      }
    }
    if (!in_word && std::isfinite(number)) last = number;
    at = end;
  }
  return last;
}

Result<Json> json_in_answer(std::string_view answer) {
  if (answer.size() > kAnswerBytesMax)
    return invalid("the answer is too long to look for JSON in it");
  std::vector<Piece> pieces = fenced_blocks(answer);
  std::reverse(pieces.begin(), pieces.end());
  pieces.push_back({0, answer.size()});
  std::vector<Piece> brackets = bracketed(answer);
  pieces.insert(pieces.end(), brackets.rbegin(), brackets.rend());
  if (pieces.size() > kJsonCandidatesMax) pieces.resize(kJsonCandidatesMax);
  for (const Piece& piece : pieces) {
    auto json = parse_json(trimmed(answer.substr(piece.begin, piece.end - piece.begin)));
    if (json) return json;
  }
  return invalid("the answer holds no JSON");
}

AnswerGrader::AnswerGrader() {
  identity_.name = "answer";
  identity_.version = "2";
  identity_.digest = Hasher().field(identity_.name).field(identity_.version).finish();
}

Result<Grade> AnswerGrader::grade(const Task& task, const Trace& trace,
                                  VerifierWorkspace* /*workspace*/, std::stop_token /*stop*/) {
  const auto* question = std::get_if<QaTask>(&task.content);
  if (question == nullptr) return invalid("task " + task.id + " is no question");
  constexpr const char* kKinds[] = {"exact", "numeric", "regex", "schema", "choices"};
  Grade grade;
  grade.grader = identity_.name;
  grade.version = identity_.version;
  grade.digest = identity_.digest.hex();
  grade.evidence["kind"] = kKinds[question->answer.index()];
  grade.evidence["answer"] =
      to_valid_utf8(std::string_view(trace.answer).substr(0, kEvidenceBytesMax));
  if (trace.answer.size() > kAnswerBytesMax) {
    grade.explanation = "the answer is longer than 1 MiB";
    return grade;
  }
  const auto marked = std::visit(
      [&](const auto& answer) -> Result<Marked> {
        if constexpr (std::is_same_v<std::decay_t<decltype(answer)>, ChoiceAnswer>)
          return invalid("task " + task.id +
                         " is a multiple choice, which the model's probabilities answer");
        else
          return mark(answer, trace.answer, grade.evidence);
      },
      question->answer);
  if (!marked) return marked.error();
  grade.score = marked->score;
  grade.explanation = to_valid_utf8(marked->explanation);
  return grade;
}

}  // namespace trialwright
