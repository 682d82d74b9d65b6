#include "harness/agent/fenced_protocol.h"

#include <gtest/gtest.h>

#include "harness/agent/tools.h"

namespace trialwright {
namespace {

TEST(FencedProtocol, ReadsABashBlockAndTheTextBeforeIt) {
  const ParsedToolCalls parsed = parse_fenced_call("I list the files.\n```bash\nls -l\npwd\n```\n");
  ASSERT_EQ(parsed.calls.size(), 1U);
  EXPECT_EQ(parsed.calls[0].name, "bash");
  EXPECT_EQ(parsed.calls[0].arguments["command"], "ls -l\npwd\n");
  EXPECT_EQ(parsed.text, "I list the files.\n");
}

TEST(FencedProtocol, ReadsABlockThatTheReplyLeavesOpen) {
  const ParsedToolCalls parsed = parse_fenced_call("```sh\nls");
  ASSERT_EQ(parsed.calls.size(), 1U);
  EXPECT_EQ(parsed.calls[0].name, "bash");
  EXPECT_EQ(parsed.calls[0].arguments["command"], "ls");
}

TEST(FencedProtocol, TakesTheFirstBlockOnly) {
  const ParsedToolCalls parsed = parse_fenced_call("```bash\na\n```\nthen\n```bash\nb\n```\n");
  ASSERT_EQ(parsed.calls.size(), 1U);
  EXPECT_EQ(parsed.calls[0].arguments["command"], "a\n");
}

TEST(FencedProtocol, ReadsPathsFromTheFenceLine) {
  const ParsedToolCalls parsed = parse_fenced_call("```write_file a b.txt\nx\ny\n```");
  ASSERT_EQ(parsed.calls.size(), 1U);
  EXPECT_EQ(parsed.calls[0].arguments["path"], "a b.txt");
  EXPECT_EQ(parsed.calls[0].arguments["content"], "x\ny\n");
}

TEST(FencedProtocol, AToolWrittenAsACommandIsThatTool) {
  const ParsedToolCalls write = parse_fenced_call("```bash\nwrite_file a.txt\nx\ny\n```");
  ASSERT_EQ(write.calls.size(), 1U);
  EXPECT_EQ(write.calls[0].name, "write_file");
  EXPECT_EQ(write.calls[0].arguments["path"], "a.txt");
  EXPECT_EQ(write.calls[0].arguments["content"], "x\ny\n");
  EXPECT_EQ(parse_fenced_call("```bash\nsubmit\n```").calls[0].name, "submit");
  EXPECT_EQ(parse_fenced_call("```bash\nsubmit").calls[0].name, "submit");
  EXPECT_EQ(parse_fenced_call("```bash\nread_file a.txt\n```").calls[0].arguments["path"], "a.txt");
  EXPECT_EQ(parse_fenced_call("```bash\ngrep a b.txt\n```").calls[0].name, "bash");
  EXPECT_EQ(parse_fenced_call("```bash\nsubmitted=1\n```").calls[0].name, "bash");
}

TEST(FencedProtocol, AnEmptyBlockIsAMistake) {
  const ParsedToolCalls parsed = parse_fenced_call("Done.\n```bash\n```");
  EXPECT_TRUE(parsed.calls.empty());
  EXPECT_EQ(parsed.errors.size(), 1U);
}

TEST(FencedProtocol, TellsWhatAnEditNeeds) {
  EXPECT_EQ(parse_fenced_call("```edit_file a\nold\n```").errors.size(), 1U);
  const ParsedToolCalls parsed = parse_fenced_call("```edit_file a\nold\n=======\nnew\n```");
  ASSERT_EQ(parsed.calls.size(), 1U);
  EXPECT_EQ(parsed.calls[0].arguments["old_text"], "old");
  EXPECT_EQ(parsed.calls[0].arguments["new_text"], "new");
}

TEST(FencedProtocol, ReadsAnEditWrittenAsAMergeConflict) {
  const ParsedToolCalls parsed =
      parse_fenced_call("```edit_file a\n<<<<<<< SEARCH\nold\n=======\nnew\n>>>>>>> REPLACE\n```");
  ASSERT_EQ(parsed.calls.size(), 1U);
  EXPECT_EQ(parsed.calls[0].arguments["old_text"], "old");
  EXPECT_EQ(parsed.calls[0].arguments["new_text"], "new");
  EXPECT_EQ(parse_fenced_call("```edit_file a\n<<<<<<<\n```").errors.size(), 1U);
}

TEST(FencedProtocol, LeavesConflictMarkersThatAreEditedAlone) {
  const ParsedToolCalls gone = parse_fenced_call("```edit_file a\n<<<<<<< HEAD\n=======\n\n```");
  ASSERT_EQ(gone.calls.size(), 1U);
  EXPECT_EQ(gone.calls[0].arguments["old_text"], "<<<<<<< HEAD");
  const ParsedToolCalls made = parse_fenced_call("```edit_file a\nx\n=======\ny\n>>>>>>> b\n```");
  ASSERT_EQ(made.calls.size(), 1U);
  EXPECT_EQ(made.calls[0].arguments["new_text"], "y\n>>>>>>> b");
}

TEST(FencedProtocol, FindsNoCallInPlainTextOrInlineCode) {
  EXPECT_TRUE(parse_fenced_call("").calls.empty());
  EXPECT_TRUE(parse_fenced_call("I would use ```ls``` here.").calls.empty());
}

TEST(FencedProtocol, ExplainsEveryToolOfTheScaffold) {
  std::vector<ToolDefinition> tools;
  for (const std::string& name : built_in_tool_names()) tools.push_back(tool_definition(name, ""));
  const std::string text = fenced_instructions(tools, "For example");
  for (const std::string& name : built_in_tool_names()) {
    EXPECT_NE(text.find("```" + name), std::string::npos) << name;
  }
  EXPECT_EQ(text.substr(text.size() - 11), "For example");
}

}  // namespace
}  // namespace trialwright
