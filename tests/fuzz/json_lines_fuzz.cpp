// Every line of JSON is answered by a line of JSON, up to the first that is none.

#include <algorithm>
#include <cstdint>
#include <fstream>
#include <iostream>
#include <sstream>

#include "base/check.h"
#include "base/files.h"
#include "harness/cli/json_lines.h"

using namespace trialwright;

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  static const TemporaryFolder folder = *TemporaryFolder::make("json-lines-fuzz");
  const std::string path = (folder.path() / "input").string();
  std::ofstream(path, std::ios::binary | std::ios::trunc)
      .write(reinterpret_cast<const char*>(data), static_cast<std::streamsize>(size));
  std::ostringstream printed;
  std::streambuf* const terminal = std::cout.rdbuf(printed.rdbuf());
  std::ptrdiff_t asked = 0;
  const auto answered = answer_json_lines(path, [&](const Json& value) -> Result<Json> {
    ++asked;
    return value;
  });
  std::cout.rdbuf(terminal);
  static_cast<void>(answered);
  const std::string text = printed.str();
  CHECK(std::count(text.begin(), text.end(), '\n') == asked, "an answer is one line");
  return 0;
}
