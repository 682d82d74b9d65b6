#include "tasks/dockerfile_lexer.h"

#include <algorithm>
#include <cctype>

#include "base/text.h"

namespace trialwright {

namespace {

constexpr std::size_t kBytesMax = std::size_t{1} << 20U;
constexpr int kNestedVariablesMax = 16;

bool is_name_start(char c) { return std::isalpha(static_cast<unsigned char>(c)) != 0 || c == '_'; }
bool is_name(char c) {
  return is_name_start(c) || std::isdigit(static_cast<unsigned char>(c)) != 0;
}

std::string at_line(std::size_t index) { return "line " + std::to_string(index + 1); }

/// "# name=value" gives the pair; anything else nothing.
std::optional<std::pair<std::string, std::string>> directive(std::string_view line) {
  line = trimmed(line);
  if (line.empty() || line.front() != '#') return std::nullopt;
  line = trimmed(line.substr(1));
  const std::size_t equals = line.find('=');
  if (equals == std::string_view::npos) return std::nullopt;
  const std::string_view name = trimmed(line.substr(0, equals));
  if (name.empty() || !std::all_of(name.begin(), name.end(), is_name)) return std::nullopt;
  return std::pair{to_lower(name), std::string(trimmed(line.substr(equals + 1)))};
}

/// Takes the escape character and what follows it off the end of a line that goes on.
bool takes_next_line(std::string& line, char escape) {
  std::size_t end = line.size();
  while (end > 0 && is_ascii_space(line[end - 1])) --end;
  if (end == 0 || line[end - 1] != escape) return false;
  line.resize(end - 1);
  return true;
}

struct HeredocStart {
  Heredoc heredoc;
  bool strip_tabs = false;
};

/// The words of a line, white space between them, with their quotes and escapes as they stand.
std::vector<std::string_view> raw_words(std::string_view line, char escape) {
  std::vector<std::string_view> words;
  char quote = 0;
  std::size_t begin = 0;
  for (std::size_t i = 0; i < line.size(); ++i) {
    const char c = line[i];
    if (quote != 0) {
      if (c == quote) quote = 0;
    } else if (c == escape) {
      ++i;
    } else if (c == '"' || c == '\'') {
      quote = c;
    } else if (is_ascii_space(c)) {
      if (begin < i) words.push_back(line.substr(begin, i - begin));
      begin = i + 1;
    }
  }
  if (begin < line.size()) words.push_back(line.substr(begin));
  return words;
}

/// Reads a word such as <<EOF, <<-"EOF" or 3<<EOF by BuildKit's rule (ParseHeredoc in its
/// parser.go): the whole word is `^[0-9]*<<-?[^<]+$`, and the name is the rest without its quotes.
std::optional<HeredocStart> heredoc_of(std::string_view word, char escape) {
  word.remove_prefix(std::min(word.find_first_not_of("0123456789"), word.size()));
  if (word.substr(0, 2) != "<<") return std::nullopt;
  word.remove_prefix(2);
  HeredocStart start;
  start.strip_tabs = word.substr(0, 1) == "-";
  if (start.strip_tabs) word.remove_prefix(1);
  if (word.find('<') != std::string_view::npos) return std::nullopt;
  char quote = 0;
  for (std::size_t i = 0; i < word.size(); ++i) {
    const char c = word[i];
    if (c == quote) {
      quote = 0;
    } else if (quote == 0 && (c == '"' || c == '\'')) {
      quote = c;
    } else if (quote != '\'' && c == escape && i + 1 < word.size()) {
      start.heredoc.name += word[++i];
    } else {
      start.heredoc.name += c;
    }
  }
  start.heredoc.expand = start.heredoc.name == word;
  return start.heredoc.name.empty() ? std::nullopt : std::optional(std::move(start));
}

/// The heredocs that a line of RUN, COPY or ADD starts.
std::vector<HeredocStart> heredocs_started(std::string_view line, char escape) {
  std::vector<HeredocStart> found;
  for (const std::string_view word : raw_words(line, escape))
    if (auto start = heredoc_of(word, escape)) found.push_back(*std::move(start));
  return found;
}

/// Reads text with quotes, escapes and variables; see docker_words.
class WordReader {
 public:
  WordReader(std::string_view text, char escape, const VariableLookup& lookup)
      : text_(text), escape_(escape), lookup_(lookup) {}

  /// Up to the end, or to a '}' if `in_braces`. `words` takes finished words if it is given.
  Result<std::string> read(bool quotes, std::vector<std::string>* words, bool in_braces,
                           int depth) {
    std::string word;
    bool started = false;
    while (position_ < text_.size()) {
      const char c = text_[position_];
      if (in_braces && c == '}') return word;
      if (words != nullptr && is_ascii_space(c)) {
        if (started) {
          finished_bytes_ += word.size();
          words->push_back(std::move(word));
        }
        word.clear();
        started = false;
        ++position_;
        continue;
      }
      started = true;
      if (quotes && c == '\'') {
        const std::size_t close = text_.find('\'', position_ + 1);
        if (close == std::string_view::npos) return invalid("a ' is never closed");
        word += text_.substr(position_ + 1, close - position_ - 1);
        position_ = close + 1;
      } else if (quotes && c == '"') {
        auto closed = read_double_quoted(word, depth);
        if (!closed) return closed.error();
      } else if (c == escape_ && position_ + 1 < text_.size()) {
        const char next = text_[position_ + 1];
        // Outside words only \$ is an escape; elsewhere the escape goes and the character stays.
        if (!quotes && next != '$') word += c;
        word += next;
        position_ += 2;
      } else if (c == '$') {
        auto value = read_variable(depth);
        if (!value) return value;
        word += *value;
        // Variables made of variables could grow without end.
        if (is_too_large(word)) return invalid("its text grows larger than 1 MiB");
      } else {
        word += c;
        ++position_;
      }
    }
    if (in_braces) return invalid("a ${ is never closed");
    if (words != nullptr && started) words->push_back(word);
    return word;
  }

 private:
  Result<void> read_double_quoted(std::string& word, int depth) {
    ++position_;
    while (position_ < text_.size()) {
      const char c = text_[position_];
      if (c == '"') {
        ++position_;
        return {};
      }
      if (c == escape_ && position_ + 1 < text_.size()) {
        const char next = text_[position_ + 1];
        if (next != '"' && next != '$' && next != escape_) word += c;
        word += next;
        position_ += 2;
      } else if (c == '$') {
        auto value = read_variable(depth);
        if (!value) return value.error();
        word += *value;
        if (is_too_large(word)) return invalid("its text grows larger than 1 MiB");
      } else {
        word += c;
        ++position_;
      }
    }
    return invalid("a \" is never closed");
  }

  /// At a '$'.
  Result<std::string> read_variable(int depth) {
    if (depth > kNestedVariablesMax) return invalid("variables are nested too deeply");
    ++position_;
    if (position_ >= text_.size()) return std::string("$");
    if (text_[position_] != '{') {
      const std::string name = read_name();
      if (name.empty()) return std::string("$");
      return lookup_(name).value_or("");
    }
    ++position_;
    const std::string name = read_name();
    if (name.empty()) return invalid("${ must be followed by a variable's name");
    const std::optional<std::string> value = lookup_(name);
    if (position_ >= text_.size()) return invalid("a ${ is never closed");
    if (text_[position_] == '}') {
      ++position_;
      return value.value_or("");
    }
    bool empty_counts_as_unset = false;
    if (text_[position_] == ':') {
      empty_counts_as_unset = true;
      ++position_;
    }
    const char kind = position_ < text_.size() ? text_[position_] : '\0';
    if (kind != '-' && kind != '+' && kind != '?') {
      return invalid("${" + name + "…} is of a kind that is not known; known are :- :+ :?");
    }
    ++position_;
    auto word = read(true, nullptr, true, depth + 1);
    if (!word) return word;
    ++position_;  // read() stops at the closing brace.
    const bool set = value && !(empty_counts_as_unset && value->empty());
    if (kind == '-') return set ? *value : *word;
    if (kind == '+') return set ? *word : std::string();
    if (!set)
      return invalid("the variable " + name + " is not set" + (word->empty() ? "" : ": " + *word));
    return *value;
  }

  [[nodiscard]] bool is_too_large(const std::string& word) const {
    return finished_bytes_ + word.size() > kBytesMax;
  }

  std::string read_name() {
    std::string name;
    if (position_ < text_.size() && is_name_start(text_[position_])) {
      while (position_ < text_.size() && is_name(text_[position_])) name += text_[position_++];
    }
    return name;
  }

  std::string_view text_;
  std::size_t position_ = 0;
  std::size_t finished_bytes_ = 0;  ///< Of the words before this one.
  char escape_;
  const VariableLookup& lookup_;
};

/// Puts the lines of a file together into instructions.
class LineReader {
 public:
  explicit LineReader(std::vector<std::string_view> lines) : lines_(std::move(lines)) {}

  Result<DockerLines> read() {
    auto directives = read_directives();
    if (!directives) return directives.error();
    while (next_ < lines_.size()) {
      const std::string_view content = trimmed(lines_[next_]);
      if (content.empty() || content.front() == '#') {
        ++next_;
        continue;
      }
      auto done = read_instruction();
      if (!done) return done.error();
    }
    return std::move(result_);
  }

 private:
  /// Directives count only above everything else, comments included.
  Result<void> read_directives() {
    for (; next_ < lines_.size(); ++next_) {
      const auto found = directive(lines_[next_]);
      if (!found) return {};
      if (found->first != "escape") continue;
      if (found->second != "\\" && found->second != "`") {
        return invalid(at_line(next_) + ": the escape directive must be \\ or `");
      }
      result_.escape = found->second.front();
    }
    return {};
  }

  Result<void> read_instruction() {
    const std::size_t first = next_;
    const std::string logical = logical_line();
    DockerInstruction instruction;
    instruction.line = static_cast<int>(first) + 1;
    const std::string_view whole = trimmed(logical);
    const auto name_end = std::find_if(whole.begin(), whole.end(), is_ascii_space);
    const auto name_length = static_cast<std::size_t>(name_end - whole.begin());
    instruction.name = to_upper(whole.substr(0, name_length));
    instruction.arguments = trimmed(whole.substr(name_length));
    if (instruction.name == "RUN" || instruction.name == "COPY" || instruction.name == "ADD") {
      for (HeredocStart& start : heredocs_started(instruction.arguments, result_.escape)) {
        if (!read_body(start)) {
          return invalid(at_line(first) + ": " + instruction.name + ": the heredoc " +
                         start.heredoc.name + " is never closed");
        }
        instruction.heredocs.push_back(std::move(start.heredoc));
      }
    }
    result_.instructions.push_back(std::move(instruction));
    return {};
  }

  /// A line and those that it goes on in.
  std::string logical_line() {
    std::string logical(lines_[next_++]);
    while (takes_next_line(logical, result_.escape)) {
      // Comments and empty lines between continuation lines are passed over.
      while (next_ < lines_.size() &&
             (trimmed(lines_[next_]).empty() || trimmed(lines_[next_]).front() == '#')) {
        ++next_;
      }
      if (next_ >= lines_.size()) break;
      logical += lines_[next_++];
    }
    return logical;
  }

  /// False if the file ends before the heredoc does.
  bool read_body(HeredocStart& start) {
    while (next_ < lines_.size()) {
      std::string_view line = lines_[next_++];
      if (start.strip_tabs) line.remove_prefix(std::min(line.find_first_not_of('\t'), line.size()));
      if (line == start.heredoc.name) return true;
      start.heredoc.body.append(line).push_back('\n');
    }
    return false;
  }

  std::vector<std::string_view> lines_;
  std::size_t next_ = 0;
  DockerLines result_;
};

}  // namespace

Result<DockerLines> split_dockerfile(std::string_view text) {
  if (text.size() > kBytesMax) return invalid("it is larger than 1 MiB");
  if (text.find('\0') != std::string_view::npos) return invalid("it holds a zero byte");
  if (text.substr(0, 3) == "\xEF\xBB\xBF") text.remove_prefix(3);

  std::vector<std::string_view> lines = split(text, '\n');
  for (std::string_view& line : lines)
    if (!line.empty() && line.back() == '\r') line.remove_suffix(1);
  return LineReader(std::move(lines)).read();
}

Result<std::vector<std::string>> docker_words(std::string_view text, char escape,
                                              const VariableLookup& lookup) {
  std::vector<std::string> words;
  auto rest = WordReader(text, escape, lookup).read(true, &words, false, 0);
  if (!rest) return rest.error();
  return words;
}

Result<std::string> docker_word(std::string_view text, char escape, const VariableLookup& lookup) {
  return WordReader(text, escape, lookup).read(true, nullptr, false, 0);
}

Result<std::string> docker_heredoc_text(std::string_view text, char escape,
                                        const VariableLookup& lookup) {
  return WordReader(text, escape, lookup).read(false, nullptr, false, 0);
}

}  // namespace trialwright
