#include <gtest/gtest.h>

#include "results/database.h"
#include "results/run_reader.h"
#include "tests/results/run_fixture.h"
#include "tests/support/fake_clock.h"

namespace trialwright {
namespace {

class RunSearch : public testing::Test {
 protected:
  void SetUp() override {
    auto folder = TemporaryFolder::make("search-test");
    ASSERT_TRUE(folder);
    folder_.emplace(*std::move(folder));
    const auto path = folder_->path() / "run.db";
    ASSERT_TRUE(write_sample_run(path, 2));
    auto reader = RunReader::open(path);
    ASSERT_TRUE(reader);
    reader_.emplace(*std::move(reader));
  }

  std::vector<SearchHit> search(std::string_view text) {
    auto hits = reader_->search(text);
    EXPECT_TRUE(hits);
    return hits ? *hits : std::vector<SearchHit>();
  }

  std::optional<TemporaryFolder> folder_;
  std::optional<RunReader> reader_;
};

TEST_F(RunSearch, FindsShortTextsInEitherCase) {
  const auto hits = search("i WILL look");
  ASSERT_EQ(hits.size(), 2U);
  EXPECT_EQ(hits[0].kind, "completion");
  EXPECT_EQ(hits[0].task, "starter/files/task-0");
  EXPECT_EQ(hits[0].epoch, 1);
  EXPECT_EQ(hits[0].sequence, 2);
  EXPECT_EQ(hits[0].excerpt, "I will look.");
  EXPECT_EQ(hits[1].epoch, 2);
}

TEST_F(RunSearch, FindsTextsInsideBlobs) {
  const auto hits = search("[31mred");
  ASSERT_EQ(hits.size(), 2U);
  EXPECT_EQ(hits[0].kind, "observation");
  EXPECT_EQ(hits[0].excerpt.substr(0, 40), std::string(38, 'x') + std::string("\0\x1b", 2));
}

TEST_F(RunSearch, FindsOpeningMessagesOncePerTrial) {
  const auto hits = search("you solve tasks");
  ASSERT_EQ(hits.size(), 2U);
  EXPECT_EQ(hits[0].kind, "opening");
  EXPECT_EQ(hits[0].excerpt, "You solve tasks.");
}

TEST_F(RunSearch, FindsArgumentsOfToolCallsAndReasons) {
  EXPECT_EQ(search("wc -l").size(), 2U);
  const auto hits = search("the file is missing");
  ASSERT_EQ(hits.size(), 1U);
  EXPECT_EQ(hits[0].kind, "trial_ended");
}

TEST(RunSearchInArguments, FindsTextWithQuotesBackslashesAndNewlines) {
  auto folder = TemporaryFolder::make("search-test");
  ASSERT_TRUE(folder);
  const auto path = folder->path() / "run.db";
  Trace trace = sample_trace("x");
  trace.turns[0].completion.tool_calls[0].arguments = {
      {"command", "grep \"a b\" C:\\temp\ncat <<'É'"}};
  FakeClock clock;
  const auto plan = sample_plan(1);
  auto store = RunStore::create(path, sample_run(), plan, clock);
  ASSERT_TRUE(store);
  auto recorder = store->begin_trial(plan[0].id);
  ASSERT_TRUE(recorder);
  ASSERT_TRUE(record_turns(*recorder, trace));
  ASSERT_TRUE(recorder->finish(sample_outcome(1), sample_grades(1)));
  auto reader = RunReader::open(path);
  ASSERT_TRUE(reader);
  for (const std::string text : {"\"a b\"", "c:\\temp", "temp\ncat", "<<'É'"}) {
    auto hits = reader->search(text);
    ASSERT_TRUE(hits);
    ASSERT_EQ(hits->size(), 1U) << text;
    EXPECT_EQ(hits->front().kind, "completion");
  }
}

TEST_F(RunSearch, EndsInAConversationThatLeadsBackToItself) {
  const auto path = folder_->path() / "run.db";
  {
    auto database = Database::open(path, Database::Mode::ReadWrite);
    ASSERT_TRUE(database);
    ASSERT_TRUE(database->execute(
        "DROP TRIGGER message_no_update; UPDATE message SET parent = hash WHERE parent IS NULL"));
  }
  auto reader = RunReader::open(path);
  ASSERT_TRUE(reader);
  auto hits = reader->search("no such words anywhere");
  ASSERT_FALSE(hits);
  EXPECT_EQ(hits.error().kind, ErrorKind::Integrity);
  EXPECT_NE(hits.error().message.find("a conversation does not end"), std::string::npos);
}

TEST_F(RunSearch, FindsNothingWhereThereIsNothing) {
  EXPECT_TRUE(search("no such words anywhere").empty());
  EXPECT_FALSE(reader_->search(""));
  auto limited = reader_->search("a", 3);
  ASSERT_TRUE(limited);
  EXPECT_EQ(limited->size(), 3U);
}

}  // namespace
}  // namespace trialwright
