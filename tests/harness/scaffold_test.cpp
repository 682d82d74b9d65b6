#include "harness/agent/scaffold.h"

#include <gtest/gtest.h>

namespace trialwright {
namespace {

constexpr std::string_view kSmallest = "system_prompt = \"Act.\"\n[tools.bash]\n";

TEST(Scaffold, TheBundledOneIsReadAndOffersEveryTool) {
  auto scaffold = load_scaffold({});
  ASSERT_TRUE(scaffold);
  EXPECT_EQ(scaffold->name, "default");
  EXPECT_EQ(scaffold->tools.size(), 6U);
  EXPECT_EQ(scaffold->tools.front().name, "bash");
}

TEST(Scaffold, NamesTheFieldThatIsWrong) {
  const auto message = [](std::string_view toml) {
    auto scaffold = parse_scaffold(toml);
    return scaffold ? std::string("no error") : scaffold.error().message;
  };
  EXPECT_EQ(message("system_promt = \"\"\n[tools.bash]"),
            "line 1: field \"system_promt\" is not a field of a scaffold");
  EXPECT_EQ(message("[tools.bash]\n[limitz]"),
            "line 2: field \"limitz\" is not a field of a scaffold");
  EXPECT_EQ(message("[limits]\nturns_max = 0\n[tools.bash]"),
            "line 2: field \"limits.turns_max\" must be a whole number from 1 to 1000000000");
  EXPECT_EQ(message("[sampling]\ntop_p = 2\n[tools.bash]"),
            "line 2: field \"sampling.top_p\" must be a number from 0 to 1");
  EXPECT_EQ(message("protocol = \"morse\"\n[tools.bash]"),
            "line 1: field \"protocol\" must be auto, native or fenced");
  EXPECT_EQ(message("tools.bash = 1"), "line 1: field \"tools.bash\" must be a table");
  for (const char* toml : {"name = \"x\"", "[tools]"}) {
    EXPECT_EQ(message(toml), "table \"tools\" is missing or empty: an agent needs at least one");
  }
  EXPECT_EQ(message("[tools.bsh]"),
            "line 1: field \"tools.bsh\" names no tool; there are bash, read_file, write_file, "
            "edit_file, "
            "grep, submit");
  EXPECT_EQ(message("fenced_observation = \"It says so.\"\n[tools.bash]"),
            "line 1: field \"fenced_observation\" must hold {{result}}");
  EXPECT_EQ(message("x = \n").substr(0, 7), "line 1:");
}

TEST(Scaffold, SaysHowAResultIsTold) {
  auto bare = parse_scaffold(kSmallest);
  auto worded = parse_scaffold("fenced_observation = \"It says {{result}}. Go on.\"\n" +
                               std::string(kSmallest));
  ASSERT_TRUE(bare && worded);
  EXPECT_EQ(fenced_observation(*bare, "{{result}}"), "{{result}}");
  EXPECT_EQ(fenced_observation(*worded, "{{result}}"), "It says {{result}}. Go on.");
  EXPECT_NE(scaffold_digest(*bare), scaffold_digest(*worded));
}

TEST(ScaffoldDigest, FollowsWhatDecidesATrialAndNothingElse) {
  auto plain = parse_scaffold(kSmallest);
  auto named = parse_scaffold("# a comment\nname = \"other\"\n" + std::string(kSmallest));
  auto prompted = parse_scaffold("nudge = \"Go on.\"\n" + std::string(kSmallest));
  ASSERT_TRUE(plain && named && prompted);
  EXPECT_EQ(scaffold_digest(*plain), scaffold_digest(*named));
  EXPECT_NE(scaffold_digest(*plain), scaffold_digest(*prompted));
}

}  // namespace
}  // namespace trialwright
