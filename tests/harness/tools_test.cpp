#include "harness/agent/tools.h"

#include <gtest/gtest.h>

#include "tests/support/memory_workspace.h"

namespace trialwright {
namespace {

class Tools : public testing::Test {
 protected:
  ToolResult call(const std::string& name, Json arguments) {
    auto result = call_tool({"call_0", name, std::move(arguments)}, built_in_tool_names(),
                            workspace_, {}, {});
    EXPECT_TRUE(result);
    return result ? *result : ToolResult{};
  }

  std::shared_ptr<MemoryMachine> machine_ = std::make_shared<MemoryMachine>();
  MemoryWorkspace workspace_{machine_};
};

TEST_F(Tools, BashTellsOutputAndHowItEnded) {
  machine_->command = [](const auto&, auto&) { return printed("a\nb\n", 2); };
  const ToolResult result = call("bash", {{"command", "ls"}});
  EXPECT_EQ(result.text, "a\nb\n[exit status 2]");
  EXPECT_FALSE(result.is_error);
  EXPECT_EQ(machine_->commands_run.back(), (std::vector<std::string>{"bash", "-c", "ls"}));
}

TEST_F(Tools, BashSaysWhenThereIsNoOutput) {
  EXPECT_EQ(call("bash", {{"command", "true"}}).text, "[exit status 0, no output]");
}

TEST_F(Tools, AMissingArgumentIsAnObservationThatNamesIt) {
  const ToolResult result = call("bash", Json::object());
  EXPECT_TRUE(result.is_error);
  EXPECT_EQ(result.text, "tool \"bash\": argument \"command\" is missing");
  EXPECT_TRUE(call("bash", Json::array()).is_error);
}

TEST_F(Tools, ANulInACommandOrPathIsAMistakeAndNotAnEnd) {
  const std::string cut("echo a\0; rm -rf /", 18);
  for (const auto& [name, argument] :
       std::vector<std::pair<std::string, std::string>>{{"bash", "command"},
                                                        {"grep", "pattern"},
                                                        {"read_file", "path"},
                                                        {"write_file", "path"},
                                                        {"edit_file", "path"}}) {
    const ToolResult result =
        call(name, {{argument, cut}, {"content", "x"}, {"old_text", "a"}, {"new_text", "b"}});
    EXPECT_TRUE(result.is_error) << name;
    EXPECT_EQ(result.text,
              "tool \"" + name + "\": argument \"" + argument + "\" must not hold a NUL character");
  }
  EXPECT_TRUE(machine_->commands_run.empty());
  // A file may hold any bytes.
  EXPECT_FALSE(call("write_file", {{"path", "f"}, {"content", cut}}).is_error);
  EXPECT_EQ(machine_->files["/app/f"], cut);
}

TEST_F(Tools, AnUnknownToolIsToldWhichThereAre) {
  const ToolResult result = call("python", {{"code", "1"}});
  EXPECT_TRUE(result.is_error);
  EXPECT_NE(result.text.find("there are: bash"), std::string::npos);
}

TEST_F(Tools, PathsAreRelativeToTheWorkingFolder) {
  EXPECT_EQ(call("write_file", {{"path", "a.txt"}, {"content", "hi"}}).text,
            "wrote 2 bytes to /app/a.txt");
  EXPECT_EQ(machine_->files["/app/a.txt"], "hi");
  EXPECT_EQ(call("read_file", {{"path", "/app/a.txt"}}).text, "hi");
  EXPECT_TRUE(call("read_file", {{"path", "none"}}).is_error);
}

TEST_F(Tools, LeaveTheModeOfAFileAlone) {
  ASSERT_TRUE(workspace_.write_file("/app/run.sh", "echo old", 0755));
  call("edit_file", {{"path", "run.sh"}, {"old_text", "old"}, {"new_text", "new"}});
  call("write_file", {{"path", "new.txt"}, {"content", "x"}});
  EXPECT_EQ(machine_->files["/app/run.sh"], "echo new");
  EXPECT_EQ(machine_->modes["/app/run.sh"], 0755U);
  EXPECT_EQ(machine_->modes["/app/new.txt"], 0644U);
}

TEST_F(Tools, EditWantsTheOldTextExactlyOnce) {
  machine_->files["/app/f"] = "one two one";
  EXPECT_TRUE(call("edit_file", {{"path", "f"}, {"old_text", "one"}, {"new_text", "1"}}).is_error);
  EXPECT_TRUE(call("edit_file", {{"path", "f"}, {"old_text", "six"}, {"new_text", "6"}}).is_error);
  EXPECT_FALSE(call("edit_file", {{"path", "f"}, {"old_text", "two"}, {"new_text", "2"}}).is_error);
  EXPECT_EQ(machine_->files["/app/f"], "one 2 one");
}

TEST_F(Tools, AnEditThatFindsNothingShowsWhatTheFileHolds) {
  machine_->files["/app/f"] = "one two";
  const ToolResult result =
      call("edit_file", {{"path", "f"}, {"old_text", "six"}, {"new_text", "6"}});
  EXPECT_EQ(result.text,
            "nothing was changed: the old text does not occur in /app/f, which holds:\none two");
}

TEST_F(Tools, SubmitEndsTheEpisodeWithAnAnswer) {
  const ToolResult result = call("submit", {{"answer", "42"}});
  EXPECT_TRUE(result.submitted);
  EXPECT_EQ(result.answer, "42");
}

TEST_F(Tools, ADeadMachineIsAnErrorAndNoObservation) {
  machine_->command = [](const auto&, auto&) -> Result<CommandResult> {
    return unavailable("the sandbox died");
  };
  auto result =
      call_tool({"c", "bash", {{"command", "ls"}}}, built_in_tool_names(), workspace_, {}, {});
  ASSERT_FALSE(result);
  EXPECT_EQ(result.error().kind, ErrorKind::Unavailable);
}

TEST(Shortened, KeepsBothEndsAndWholeCharacters) {
  std::string text;
  for (int i = 0; i < 1000; ++i) text += "é";
  const std::string kept = shortened(text, 101);
  EXPECT_TRUE(is_utf8(kept));
  EXPECT_NE(kept.find("bytes left out"), std::string::npos);
  EXPECT_LT(kept.size(), 160U);
  EXPECT_EQ(shortened("short", 64), "short");
}

}  // namespace
}  // namespace trialwright
