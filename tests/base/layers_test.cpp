#include <gtest/gtest.h>

#include <algorithm>
#include <array>
#include <filesystem>
#include <fstream>
#include <regex>
#include <string>

namespace {

namespace fs = std::filesystem;

constexpr std::array<std::string_view, 6> kRooms = {"base",    "inference", "tasks",
                                                    "results", "graders",   "harness"};

/// True if a file of `room` may have this line. A quoted include with a folder must name a room:
/// what else lies in the tree, tests above all, is not for production code.
bool allowed(const std::string& line, std::string_view room) {
  static const std::regex include(R"re(^\s*#\s*include\s*(["<])([^">/]+)/.*)re");
  std::smatch match;
  if (!std::regex_match(line, match, include)) return true;
  const std::string folder = match[2].str();
  const bool is_ours = std::find(kRooms.begin(), kRooms.end(), folder) != kRooms.end();
  // Between angle brackets stand the folders of libraries, and whoever wants to get by unseen.
  if (match[1] == "<" && !is_ours && folder != "tests") return true;
  const auto* own = std::find(kRooms.begin(), kRooms.end(), room);
  return std::find(kRooms.begin(), own + 1, folder) != own + 1;
}

TEST(Layers, RefuseWhatIsToTheRightAndWhatIsNoRoom) {
  EXPECT_TRUE(allowed("#include \"base/text.h\"", "tasks"));
  EXPECT_TRUE(allowed("#include <valijson/schema.hpp>", "tasks"));
  EXPECT_FALSE(allowed("#include \"results/store.h\"", "tasks"));
  EXPECT_FALSE(allowed("#include <results/store.h>", "tasks"));
  EXPECT_FALSE(allowed("#include<tests/support/fake_model.h>", "tasks"));
  EXPECT_TRUE(allowed("#include <base/text.h>", "tasks"));
  EXPECT_FALSE(allowed("# include \"tests/support/fake_model.h\"", "harness"));
}

TEST(Layers, NoFileIncludesAFolderToItsRightOrOutsideTheRooms) {
  int files_read = 0;
  for (const std::string_view room : kRooms) {
    for (const auto& entry :
         fs::recursive_directory_iterator(fs::path(TRIALWRIGHT_SOURCE_FOLDER) / room)) {
      const std::string extension = entry.path().extension();
      if (extension != ".h" && extension != ".cpp" && extension != ".cu" && extension != ".cuh")
        continue;
      ++files_read;
      std::ifstream file(entry.path());
      std::string line;
      while (std::getline(file, line)) {
        EXPECT_TRUE(allowed(line, room)) << entry.path() << ": " << line;
      }
    }
  }
  EXPECT_GT(files_read, 10);
}

}  // namespace
