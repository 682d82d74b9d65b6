#include "harness/cli/json_lines.h"

#include <cerrno>
#include <cstdio>
#include <fstream>
#include <iostream>

#include "base/text.h"

namespace trialwright {

Result<void> answer_json_lines(const std::string& path,
                               const std::function<Result<Json>(const Json&)>& answer) {
  std::ifstream file;
  const bool from_stdin = path.empty() || path == "-";
  const std::string name = from_stdin ? "standard input" : path;
  if (!from_stdin) {
    file.open(path, std::ios::binary);
    if (!file) return not_found("cannot open " + path);
  }
  std::istream& input = from_stdin ? std::cin : file;
  std::string line;
  for (int number = 1; std::getline(input, line); ++number) {
    if (trimmed(line).empty()) continue;
    const std::string place = name + ", line " + std::to_string(number);
    auto value = parse_json(line);
    if (!value) return value.error().during(place);
    auto answered = answer(*value);
    if (!answered) return answered.error().during(place);
    errno = 0;
    std::cout << to_text(*answered) << '\n';
    if (!std::cout) break;
  }
  // A folder can be opened like a file; only reading it fails.
  if (input.bad() || std::ferror(stdin) != 0) return invalid("cannot read " + name);
  std::cout.flush();
  // A reader that has what it wanted is no failure.
  if (!std::cout && errno != EPIPE) return unavailable("writing to standard output failed");
  return {};
}

}  // namespace trialwright
