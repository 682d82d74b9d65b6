#include "results/store.h"

#include <gtest/gtest.h>

#include <limits>
#include <thread>

#include "results/database.h"
#include "tests/results/run_fixture.h"
#include "tests/support/fake_clock.h"

namespace trialwright {
namespace {

class Store : public testing::Test {
 protected:
  void SetUp() override {
    auto folder = TemporaryFolder::make("store-test");
    ASSERT_TRUE(folder);
    folder_.emplace(*std::move(folder));
    path_ = folder_->path() / "run.db";
  }

  /// Rows that a query counts, read with a connection of its own.
  std::int64_t count(const std::string& sql) {
    auto database = Database::open(path_, Database::Mode::ReadOnly);
    EXPECT_TRUE(database) << database.error().message;
    auto number = database->query_integer(sql);
    EXPECT_TRUE(number) << number.error().message;
    return *number;
  }

  std::optional<TemporaryFolder> folder_;
  std::filesystem::path path_;
  FakeClock clock_;
};

TEST_F(Store, StoresMinusZeroAsZeroEverywhere) {
  const auto plan = sample_plan(1);
  auto store = RunStore::create(path_, sample_run(), plan, clock_);
  ASSERT_TRUE(store);
  ASSERT_TRUE(record_trial(*store, plan[0].id, -0.0));
  ASSERT_TRUE(store->finish(RunStatus::Finished));

  auto reader = RunReader::open(path_);
  ASSERT_TRUE(reader);
  auto report = reader->verify();
  ASSERT_TRUE(report);
  EXPECT_TRUE(report->problems.empty()) << report->problems[0].what;
}

TEST_F(Store, ReadsBackTheDeepestArgumentsThatAModelCanSend) {
  const auto arguments =
      parse_json(std::string(kJsonDepthMax, '[') + std::string(kJsonDepthMax, ']'));
  ASSERT_TRUE(arguments);
  const auto plan = sample_plan(1);
  auto store = RunStore::create(path_, sample_run(), plan, clock_);
  ASSERT_TRUE(store);
  Trace trace = sample_trace(plan[0].id);
  trace.turns[0].completion.tool_calls[0].arguments = *arguments;
  std::vector<Grade> grades = sample_grades(1);
  grades[0].evidence = {{"steps", {{{"evidence", {{"reward_json", *arguments}}}}}}};
  {
    auto recorder = store->begin_trial(plan[0].id);
    ASSERT_TRUE(recorder);
    ASSERT_TRUE(record_turns(*recorder, trace));
    ASSERT_TRUE(recorder->finish(sample_outcome(1), grades));
  }
  ASSERT_TRUE(store->finish(RunStatus::Finished));

  auto reader = RunReader::open(path_);
  ASSERT_TRUE(reader);
  auto read = reader->trace(plan[0].id);
  ASSERT_TRUE(read) << read.error().message;
  EXPECT_EQ(read->turns[0].completion.tool_calls[0].arguments, *arguments);
  auto report = reader->verify();
  ASSERT_TRUE(report);
  EXPECT_TRUE(report->problems.empty()) << report->problems[0].what;
}

TEST_F(Store, GivesBackEveryTraceExactlyAsItWas) {
  const auto plan = sample_plan(3);
  ASSERT_TRUE(write_sample_run(path_, 3));

  auto reader = RunReader::open(path_);
  ASSERT_TRUE(reader) << reader.error().message;
  for (const PlannedTrial& trial : plan) {
    const Trace written = sample_trace(trial.id);
    auto read = reader->trace(trial.id);
    ASSERT_TRUE(read) << read.error().message;
    EXPECT_EQ(to_text(trace_to_json(*read, true)), to_text(trace_to_json(written, true)));
    EXPECT_EQ(trace_digest(*read), trace_digest(written));
    ASSERT_EQ(read->turns.size(), 2U);
    // JSON replaces bytes that are no UTF-8; the store must not.
    EXPECT_EQ(read->turns[0].observations[0].text, written.turns[0].observations[0].text);
    const auto& tokens = read->turns[0].completion.tokens;
    ASSERT_EQ(tokens.size(), 9U);
    EXPECT_EQ(tokens[3].chosen.logprob, -0.375);
    ASSERT_EQ(tokens[3].alternatives.size(), 2U);
    EXPECT_EQ(tokens[3].alternatives[1].id, 7);
    EXPECT_EQ(read->turns[1].completion.tokens[0].chosen.logprob, -0.1);
  }
}

TEST_F(Store, GivesBackRunPlanOutcomesAndGrades) {
  const auto plan = sample_plan(2);
  ASSERT_TRUE(write_sample_run(path_, 2));

  auto reader = RunReader::open(path_);
  ASSERT_TRUE(reader);
  auto run = reader->run();
  ASSERT_TRUE(run);
  EXPECT_EQ(run->id, sample_run().id);
  EXPECT_EQ(run->spec, sample_run().spec);
  EXPECT_EQ(run->environment, sample_run().environment);
  auto status = reader->status();
  ASSERT_TRUE(status);
  EXPECT_EQ(*status, RunStatus::Finished);
  auto trials = reader->trials();
  ASSERT_TRUE(trials) << trials.error().message;
  ASSERT_EQ(trials->size(), 2U);
  const TrialSummary& second = (*trials)[1];
  EXPECT_EQ(second.trial.id, plan[1].id);
  EXPECT_EQ(second.trial.seed, plan[1].seed);
  EXPECT_EQ(second.trial.tags, plan[1].tags);
  EXPECT_EQ(second.trial.task_digest, plan[1].task_digest);
  EXPECT_EQ(second.attempts, 1);
  ASSERT_TRUE(second.outcome);
  EXPECT_EQ(second.outcome->verdict, Verdict::Failed);
  EXPECT_EQ(second.outcome->reward, 0.25);
  EXPECT_EQ(second.outcome->signature, "missing-file");
  EXPECT_EQ(second.outcome->total_time, std::chrono::microseconds(123456));
  auto counts = reader->verdict_counts();
  ASSERT_TRUE(counts);
  EXPECT_EQ(*counts, (std::map<Verdict, int>{{Verdict::Passed, 1}, {Verdict::Failed, 1}}));
  auto grades = reader->grades(plan[0].id);
  ASSERT_TRUE(grades);
  ASSERT_EQ(grades->size(), 2U);
  EXPECT_EQ((*grades)[0].grade.evidence, sample_grades(1)[0].evidence);
  EXPECT_EQ((*grades)[0].grade.digest, "d1");
  EXPECT_EQ((*grades)[1].grade.grader, "exact");
}

TEST_F(Store, KeepsTheMessagesThatWereSent) {
  const auto plan = sample_plan(1);
  ASSERT_TRUE(write_sample_run(path_, 1));

  auto reader = RunReader::open(path_);
  ASSERT_TRUE(reader);
  auto events = reader->events(plan[0].id);
  ASSERT_TRUE(events);
  const auto sent = sent_messages(sample_trace(plan[0].id));
  std::size_t completion = 0;
  for (const StoredEvent& event : *events) {
    if (event.kind != kCompletion) continue;
    auto messages = reader->messages(event.context);
    ASSERT_TRUE(messages) << messages.error().message;
    ASSERT_EQ(messages->size(), sent[completion].size());
    for (std::size_t i = 0; i < messages->size(); ++i) {
      EXPECT_EQ(message_to_json((*messages)[i]), message_to_json(sent[completion][i]));
    }
    ++completion;
  }
  EXPECT_EQ(completion, 2U);
}

TEST_F(Store, StoresASharedPrefixOnce) {
  ASSERT_TRUE(write_sample_run(path_, 10));
  // One system prompt for all ten trials; then each trial has its own user message, one answer and
  // two observations.
  EXPECT_EQ(count("SELECT count(*) FROM message"), 1 + 10 * 4);
  EXPECT_EQ(count("SELECT count(*) FROM message WHERE role = 'system'"), 1);
  // Each trial has one long observation, which is one text as an event and as a message. All ten
  // have the same system prompt, evidence of a grade, and tokens of two completions; the grade's
  // event, with its score, is one of two.
  EXPECT_EQ(count("SELECT count(*) FROM blob"), 10 + 1 + 1 + 2 + 2);
}

TEST_F(Store, LeavesOneFileBehind) {
  ASSERT_TRUE(write_sample_run(path_, 2));
  int files = 0;
  for (const auto& entry : std::filesystem::directory_iterator(folder_->path())) {
    ++files;
    EXPECT_EQ(entry.path(), path_);
  }
  EXPECT_EQ(files, 1);
}

TEST_F(Store, RunsAnUnfinishedTrialAgainAsTheNextAttempt) {
  const auto plan = sample_plan(2);
  {
    auto store = RunStore::create(path_, sample_run(), plan, clock_);
    ASSERT_TRUE(store) << store.error().message;
    ASSERT_TRUE(record_trial(*store, plan[0].id));
    auto cut_off = store->begin_trial(plan[1].id);
    ASSERT_TRUE(cut_off);
    ASSERT_TRUE(cut_off->opening(sample_trace("half").opening, {}));
  }
  auto store = RunStore::open_for_resume(path_, clock_);
  ASSERT_TRUE(store) << store.error().message;
  EXPECT_EQ(store->run().spec, sample_run().spec);
  ASSERT_EQ(store->pending().size(), 1U);
  EXPECT_EQ(store->pending()[0].id, plan[1].id);
  auto again = store->begin_trial(plan[1].id);
  ASSERT_TRUE(again);
  EXPECT_EQ(again->attempt(), 2);
  ASSERT_TRUE(record_turns(*again, sample_trace("whole")));
  ASSERT_TRUE(again->finish(sample_outcome(1), sample_grades(1)));
  ASSERT_TRUE(store->finish(RunStatus::Finished));

  auto reader = RunReader::open(path_);
  ASSERT_TRUE(reader);
  auto summary = reader->trial(plan[1].id);
  ASSERT_TRUE(summary);
  EXPECT_EQ(summary->attempts, 2);
  EXPECT_EQ(summary->finished_attempt, 2);
  auto first = reader->trace(plan[1].id, 1);
  ASSERT_TRUE(first);
  EXPECT_EQ(first->end, EpisodeEnd::Error);
  EXPECT_EQ(first->opening[1].content, "Count the lines of half");
  auto second = reader->trace(plan[1].id);
  ASSERT_TRUE(second);
  EXPECT_EQ(second->opening[1].content, "Count the lines of whole");
  auto report = reader->verify();
  ASSERT_TRUE(report);
  EXPECT_TRUE(report->problems.empty()) << report->problems[0].what;
}

TEST_F(Store, CanBeReadWhileItIsWritten) {
  const auto plan = sample_plan(4);
  auto store = RunStore::create(path_, sample_run(), plan, clock_);
  ASSERT_TRUE(store);
  auto reader = RunReader::open(path_);
  ASSERT_TRUE(reader);
  for (int done = 1; done <= 4; ++done) {
    ASSERT_TRUE(record_trial(*store, plan[static_cast<std::size_t>(done) - 1].id));
    // What was acknowledged is there.
    auto counts = reader->verdict_counts();
    ASSERT_TRUE(counts);
    EXPECT_EQ((*counts)[Verdict::Passed], done);
  }
  EXPECT_TRUE(is_being_written(path_));
  auto report = reader->verify();
  ASSERT_TRUE(report);
  EXPECT_TRUE(report->problems.empty()) << report->problems[0].what;
  EXPECT_EQ(report->status, RunStatus::Running);
  // A reader must not keep the run from ending.
  EXPECT_TRUE(store->finish(RunStatus::Finished));
}

TEST_F(Store, TakesTrialsFromManyThreads) {
  const auto plan = sample_plan(64);
  {
    auto store = RunStore::create(path_, sample_run(), plan, clock_);
    ASSERT_TRUE(store);
    std::vector<std::thread> threads;
    for (std::size_t worker = 0; worker < 4; ++worker) {
      threads.emplace_back([&, worker] {
        for (std::size_t i = worker; i < plan.size(); i += 4) {
          EXPECT_TRUE(record_trial(*store, plan[i].id));
        }
      });
    }
    for (std::thread& thread : threads) thread.join();
    ASSERT_TRUE(store->finish(RunStatus::Finished));
  }
  auto reader = RunReader::open(path_);
  ASSERT_TRUE(reader);
  auto report = reader->verify();
  ASSERT_TRUE(report);
  EXPECT_TRUE(report->problems.empty()) << report->problems[0].what;
  EXPECT_EQ(report->finished, 64);
  for (const PlannedTrial& trial : plan) {
    auto trace = reader->trace(trial.id);
    ASSERT_TRUE(trace);
    EXPECT_EQ(trace_digest(*trace), trace_digest(sample_trace(trial.id)));
  }
}

TEST_F(Store, HasOneWriterAtATime) {
  const auto plan = sample_plan(1);
  auto store = RunStore::create(path_, sample_run(), plan, clock_);
  ASSERT_TRUE(store);
  auto second = RunStore::open_for_resume(path_, clock_);
  ASSERT_FALSE(second);
  EXPECT_EQ(second.error().kind, ErrorKind::Unavailable);
  EXPECT_NE(second.error().message.find("is being written by another process"), std::string::npos);
  // The refusal must not have cost the first writer its locks.
  EXPECT_TRUE(record_trial(*store, plan[0].id));
}

TEST_F(Store, DoesNotOverwriteARun) {
  ASSERT_TRUE(write_sample_run(path_, 1));
  auto again = RunStore::create(path_, sample_run(), sample_plan(1), clock_);
  ASSERT_FALSE(again);
  EXPECT_EQ(again.error().message, "creating " + path_.string() + ": the file exists already");
}

TEST_F(Store, RefusesAPlanThatNamesATrialTwice) {
  auto plan = sample_plan(2);
  plan[1].id = plan[0].id;
  auto store = RunStore::create(path_, sample_run(), plan, clock_);
  ASSERT_FALSE(store);
  EXPECT_NE(store.error().message.find("are equal to the last byte"), std::string::npos);
  EXPECT_FALSE(std::filesystem::exists(path_));
}

TEST_F(Store, RefusesAScoreThatIsNoNumberAndGoesOn) {
  const auto plan = sample_plan(1);
  auto store = RunStore::create(path_, sample_run(), plan, clock_);
  ASSERT_TRUE(store);
  auto recorder = store->begin_trial(plan[0].id);
  ASSERT_TRUE(recorder);
  auto grades = sample_grades(std::numeric_limits<double>::quiet_NaN());
  EXPECT_FALSE(recorder->finish(sample_outcome(1), grades));
  EXPECT_TRUE(recorder->finish(sample_outcome(1), sample_grades(1)));
}

TEST_F(Store, RefusesAFileOfANewerVersion) {
  ASSERT_TRUE(write_sample_run(path_, 1));
  {
    auto database = Database::open(path_, Database::Mode::ReadWrite);
    ASSERT_TRUE(database);
    ASSERT_TRUE(database->execute("PRAGMA user_version = 99"));
  }
  auto reader = RunReader::open(path_);
  ASSERT_FALSE(reader);
  EXPECT_EQ(reader.error().kind, ErrorKind::Integrity);
  EXPECT_NE(reader.error().message.find("newer version"), std::string::npos);
  auto store = RunStore::open_for_resume(path_, clock_);
  ASSERT_FALSE(store);
  EXPECT_EQ(store.error().kind, ErrorKind::Integrity);
}

TEST_F(Store, RefusesWhatIsNoRun) {
  ASSERT_TRUE(write_file_atomically(path_, "not a database, whatever its name says"));
  auto reader = RunReader::open(path_);
  ASSERT_FALSE(reader);
  EXPECT_EQ(reader.error().kind, ErrorKind::Integrity);
  EXPECT_EQ(RunReader::open(folder_->path() / "none.db").error().kind, ErrorKind::NotFound);
  EXPECT_EQ(RunStore::open_for_resume(folder_->path() / "none.db", clock_).error().kind,
            ErrorKind::NotFound);
}

TEST_F(Store, DoesNotLetEventsBeChanged) {
  ASSERT_TRUE(write_sample_run(path_, 1));
  auto database = Database::open(path_, Database::Mode::ReadWrite);
  ASSERT_TRUE(database);
  for (const std::string table :
       {"run", "trial", "event", "message", "blob", "outcome", "grade", "status"}) {
    EXPECT_FALSE(database->execute("DELETE FROM " + table)) << table;
  }
  auto changed = database->execute("UPDATE event SET at_us = 0");
  ASSERT_FALSE(changed);
  EXPECT_NE(changed.error().message.find("events are only added"), std::string::npos);
}

TEST_F(Store, AddsGradesAfterwardsAndKeepsTheFirstOnes) {
  const auto plan = sample_plan(2);
  ASSERT_TRUE(write_sample_run(path_, 2));
  {
    auto store = RunStore::open_for_resume(path_, clock_);
    ASSERT_TRUE(store);
    std::vector<StoredGrade> grades = {{plan[0].id, 1, 0, sample_grades(0.5)[0]}};
    auto first = store->add_generation(grades);
    ASSERT_TRUE(first) << first.error().message;
    EXPECT_EQ(*first, 1);
    auto second = store->add_generation(grades);
    ASSERT_TRUE(second);
    EXPECT_EQ(*second, 2);
    ASSERT_TRUE(store->finish(RunStatus::Finished));
  }
  auto reader = RunReader::open(path_);
  ASSERT_TRUE(reader);
  auto grades = reader->grades(plan[0].id);
  ASSERT_TRUE(grades);
  ASSERT_EQ(grades->size(), 4U);
  EXPECT_EQ((*grades)[0].generation, 0);
  EXPECT_EQ((*grades)[0].grade.score, 1.0);
  EXPECT_EQ((*grades)[3].generation, 2);
  EXPECT_EQ((*grades)[3].grade.score, 0.5);
  auto report = reader->verify();
  ASSERT_TRUE(report);
  EXPECT_TRUE(report->problems.empty()) << report->problems[0].what;
}

}  // namespace
}  // namespace trialwright
