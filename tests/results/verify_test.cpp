#include <gtest/gtest.h>

#include <fstream>

#include "base/random.h"
#include "results/database.h"
#include "results/run_reader.h"
#include "tests/results/run_fixture.h"
#include "tests/support/fake_clock.h"

namespace trialwright {
namespace {

constexpr int kTrials = 4;

/// The file of a finished run with grades given afterwards, so that every table has rows.
const std::string& sample_file() {
  static const std::string file = [] {
    auto folder = TemporaryFolder::make("verify-test");
    CHECK(folder, "the test needs a folder");
    const auto path = folder->path() / "run.db";
    CHECK(write_sample_run(path, kTrials), "a run can be written");
    const FakeClock clock;
    auto store = RunStore::open_for_resume(path, clock);
    CHECK(store, "and opened again");
    const std::vector<StoredGrade> grades = {
        {sample_plan(kTrials)[1].id, 1, 0, sample_grades(0.5)[0]}};
    CHECK(store->add_generation(grades), "and graded again");
    CHECK(store->finish(RunStatus::Finished), "and closed");
    return *read_file(path);
  }();
  return file;
}

class Verify : public testing::Test {
 protected:
  void SetUp() override {
    auto folder = TemporaryFolder::make("verify-test");
    ASSERT_TRUE(folder);
    folder_.emplace(*std::move(folder));
    path_ = folder_->path() / "run.db";
    write(sample_file());
  }

  void write(const std::string& content) const {
    std::ofstream(path_, std::ios::binary | std::ios::trunc) << content;
  }

  /// Runs statements as somebody would who wants to change the record: without the triggers.
  void tamper(const std::string& sql) {
    auto database = Database::open(path_, Database::Mode::ReadWrite);
    ASSERT_TRUE(database);
    ASSERT_TRUE(database->execute("PRAGMA synchronous = OFF; BEGIN"));
    for (const std::string table :
         {"run", "trial", "event", "message", "blob", "outcome", "grade", "generation", "status"}) {
      ASSERT_TRUE(database->execute("DROP TRIGGER " + table + "_no_update; DROP TRIGGER " + table +
                                    "_no_delete"));
    }
    auto done = database->execute(sql + "; COMMIT");
    ASSERT_TRUE(done) << done.error().message;
  }

  std::vector<StoreProblem> problems() {
    auto reader = RunReader::open(path_);
    if (!reader) return {{"file", "", 0, -1, reader.error().message}};
    auto report = reader->verify();
    if (!report) return {{"file", "", 0, -1, report.error().message}};
    return report->problems;
  }

  std::optional<TemporaryFolder> folder_;
  std::filesystem::path path_;
  std::vector<PlannedTrial> plan_ = sample_plan(kTrials);
};

TEST_F(Verify, PassesWhatWasWritten) {
  auto reader = RunReader::open(path_);
  ASSERT_TRUE(reader);
  auto report = reader->verify();
  ASSERT_TRUE(report);
  EXPECT_TRUE(report->problems.empty()) << report->problems[0].what;
  EXPECT_EQ(report->trials, kTrials);
  EXPECT_EQ(report->finished, kTrials);
  EXPECT_EQ(report->events, kTrials * 10);
  EXPECT_EQ(report->grades, kTrials * 2 + 1);
  EXPECT_EQ(report->status, RunStatus::Finished);
}

TEST_F(Verify, NamesTheFirstEventThatWasChanged) {
  tamper("UPDATE event SET text = replace(text, 'look', 'LOOK') WHERE trial = 3 AND seq = 2");
  const auto found = problems();
  ASSERT_EQ(found.size(), 1U);
  EXPECT_EQ(found[0].table, "event");
  EXPECT_EQ(found[0].trial_id, plan_[2].id);
  EXPECT_EQ(found[0].attempt, 1);
  EXPECT_EQ(found[0].sequence, 2);
  EXPECT_EQ(found[0].what, "trial " + plan_[2].id +
                               ", attempt 1, event 2 (completion) was changed, or an event before "
                               "it is missing");
}

TEST_F(Verify, NamesTheEventWhoseBlobWasChanged) {
  // The blob keeps a readable form, with one letter changed.
  tamper(
      "UPDATE blob SET codec = 'raw', data = zeroblob(raw_bytes) WHERE hash = "
      "(SELECT text FROM event WHERE trial = 2 AND kind = 'observation' AND seq = 3)");
  const auto found = problems();
  ASSERT_GE(found.size(), 2U);
  EXPECT_EQ(found[0].table, "blob");
  const auto event = std::find_if(found.begin(), found.end(),
                                  [](const StoreProblem& p) { return p.table == "event"; });
  ASSERT_NE(event, found.end());
  EXPECT_EQ(event->trial_id, plan_[1].id);
  EXPECT_EQ(event->sequence, 3);
}

struct Tampering {
  std::string sql;
  std::string table;
};

class EveryTable : public Verify, public testing::WithParamInterface<Tampering> {};

TEST_P(EveryTable, ShowsThatItWasChanged) {
  tamper(GetParam().sql);
  const auto found = problems();
  ASSERT_FALSE(found.empty());
  EXPECT_EQ(found[0].table, GetParam().table) << found[0].what;
}

INSTANTIATE_TEST_SUITE_P(
    Tampering, EveryTable,
    testing::Values(
        Tampering{"UPDATE run SET spec = replace(spec, '7', '8')", "run"},
        Tampering{"UPDATE run SET environment = replace(environment, '512', '513')", "run"},
        Tampering{"UPDATE run SET environment = environment || ' '", "run"},
        Tampering{"UPDATE run SET created_us = created_us + 1", "run"},
        Tampering{"UPDATE run SET id = id || 'X'", "run"},
        Tampering{"UPDATE trial SET task = task || 'x' WHERE number = 1", "trial"},
        Tampering{"UPDATE trial SET seed = seed + 1 WHERE number = 1", "trial"},
        Tampering{"UPDATE trial SET tags = replace(tags, 'files', 'filez')", "trial"},
        Tampering{"INSERT INTO trial SELECT 9, 'new', task, task_digest, epoch, seed, tags, hash "
                  "FROM trial WHERE number = 1",
                  "trial"},
        Tampering{"UPDATE event SET at_us = at_us + 1 WHERE trial = 1 AND seq = 4", "event"},
        Tampering{"UPDATE event SET detail = '{}' WHERE trial = 1 AND seq = 2", "event"},
        Tampering{"UPDATE event SET tokens = NULL WHERE trial = 1 AND seq = 2", "event"},
        Tampering{"UPDATE event SET context = NULL WHERE trial = 1 AND seq = 2", "event"},
        // An empty value is not a missing one, though both have no bytes.
        Tampering{"UPDATE event SET tokens = x'' WHERE trial = 1 AND seq = 1", "event"},
        Tampering{"UPDATE event SET context = x'' WHERE trial = 1 AND seq = 1", "event"},
        Tampering{"UPDATE message SET parent = x'' WHERE parent IS NULL", "message"},
        Tampering{"UPDATE status SET root = x'' WHERE root IS NULL", "file"},
        Tampering{"DELETE FROM event WHERE trial = 1 AND seq = 3", "event"},
        Tampering{"DELETE FROM event WHERE trial = 1 AND kind = 'trial_ended'", "outcome"},
        Tampering{"DELETE FROM event WHERE trial = 1; DELETE FROM outcome WHERE trial = 1; "
                  "DELETE FROM grade WHERE trial = 1",
                  "status"},
        Tampering{"UPDATE message SET role = 'user' WHERE role = 'system'", "message"},
        Tampering{"DELETE FROM message WHERE role = 'system'", "message"},
        Tampering{"UPDATE blob SET raw_bytes = raw_bytes + 1 WHERE number = 1", "blob"},
        Tampering{"DELETE FROM blob WHERE number = 1", "message"},
        Tampering{"UPDATE outcome SET reward = 0.75 WHERE trial = 2", "outcome"},
        Tampering{"UPDATE outcome SET verdict = 'passed' WHERE trial = 2", "outcome"},
        Tampering{"DELETE FROM outcome WHERE trial = 2", "outcome"},
        Tampering{"UPDATE grade SET score = 0.75 WHERE trial = 2 AND generation = 0", "grade"},
        Tampering{"DELETE FROM grade WHERE trial = 2 AND generation = 0 AND place = 1", "grade"},
        Tampering{"UPDATE grade SET score = 0.75 WHERE generation = 1", "grade"},
        Tampering{"DELETE FROM grade WHERE generation = 1", "generation"},
        Tampering{"DELETE FROM generation", "generation"},
        Tampering{"DELETE FROM generation; DELETE FROM grade WHERE generation = 1", "status"},
        Tampering{"UPDATE status SET status = 'interrupted' WHERE number = 2", "status"},
        Tampering{"UPDATE status SET at_us = at_us + 1 WHERE number = 1", "status"},
        Tampering{"UPDATE status SET root = zeroblob(32) WHERE number = 4", "status"}));

/// All that a run says, as text.
std::string content_of(const std::filesystem::path& path) {
  auto reader = RunReader::open(path);
  if (!reader) return "unreadable";
  std::string content;
  if (auto run = reader->run()) content += to_text(run->spec) + to_text(run->environment) + run->id;
  auto trials = reader->trials();
  if (!trials) return "unreadable";
  for (const TrialSummary& trial : *trials) {
    content += trial.trial.id + trial.trial.task + trial.trial.task_digest.hex() +
               std::to_string(trial.trial.epoch) + " " + std::to_string(trial.trial.seed) +
               to_text(Json(trial.trial.tags));
    if (auto trace = reader->trace(trial.trial.id)) content += to_text(trace_to_json(*trace, true));
    auto events = reader->events(trial.trial.id);
    if (!events) return "unreadable";
    for (const StoredEvent& event : *events)
      content += event.kind + std::to_string(event.at_us) + event.text + to_text(event.detail);
    if (trial.outcome) {
      const EventContent outcome = trial_ended_content(*trial.outcome);
      content += to_text(outcome.detail) + outcome.text;
    }
  }
  auto grades = reader->grades();
  auto status = reader->status();
  auto since = reader->status_since_us();
  if (!grades || !status || !since) return "unreadable";
  for (const StoredGrade& stored : *grades) {
    const EventContent grade = grade_content(stored.grade);
    content += stored.trial_id + std::to_string(stored.attempt) + " " +
               std::to_string(stored.generation) + to_text(grade.detail) + grade.text;
  }
  return content + std::string(run_status_name(*status)) + std::to_string(*since);
}

TEST_F(Verify, FindsEveryChangedByteThatMatters) {
  const std::string& original = sample_file();
  const std::string content = content_of(path_);
  int found = 0;
  int harmless = 0;
  constexpr int kFlips = 600;
  RandomStream random(5, 0);
  for (int flip = 0; flip < kFlips; ++flip) {
    std::string changed = original;
    const auto at = static_cast<std::size_t>(random.below(changed.size()));
    // One bit, or any other value: an empty blob looks like NULL but for more than one bit.
    const auto difference = flip % 2 == 0 ? 1U << random.below(8) : 1U + random.below(255);
    changed[at] = static_cast<char>(changed[at] ^ static_cast<char>(difference));
    write(changed);
    if (!problems().empty()) {
      ++found;
    } else {
      // Free space, the schema's text and SQLite's own counters say nothing about the run.
      ++harmless;
      EXPECT_EQ(content_of(path_), content) << "byte " << at;
    }
  }
  EXPECT_GT(found, kFlips / 10);
  RecordProperty("harmless", harmless);
}

TEST_F(Verify, FindsAFlippedByteInEveryRowOfEventsAndBlobs) {
  // The bytes of each text as they lie in the file, so that SQLite's own checks do not help.
  const std::string& original = sample_file();
  std::vector<std::string> texts;
  {
    auto database = Database::open(path_, Database::Mode::ReadOnly);
    ASSERT_TRUE(database);
    auto row = database->prepare(
        "SELECT text FROM event WHERE typeof(text) = 'text' UNION ALL "
        "SELECT detail FROM event WHERE typeof(detail) = 'text' UNION ALL "
        "SELECT hash FROM event UNION ALL SELECT data FROM blob");
    ASSERT_TRUE(row);
    while (true) {
      auto more = row->next();
      ASSERT_TRUE(more);
      if (!*more) break;
      texts.push_back(row->text(0));
    }
  }
  int flipped = 0;
  for (const std::string& text : texts) {
    const std::size_t at = original.find(text);
    if (at == std::string::npos) continue;  // Split over two pages.
    std::string changed = original;
    const std::size_t middle = at + text.size() / 2;
    changed[middle] = static_cast<char>(changed[middle] ^ 1);
    write(changed);
    EXPECT_FALSE(problems().empty()) << "byte " << middle;
    ++flipped;
  }
  EXPECT_GT(flipped, 60);
}

TEST_F(Verify, SurvivesAFileCutShort) {
  for (std::size_t size : {std::size_t{0}, std::size_t{50}, std::size_t{4096},
                           sample_file().size() / 2, sample_file().size() - 1}) {
    write(sample_file().substr(0, size));
    EXPECT_FALSE(problems().empty()) << size;
  }
}

}  // namespace
}  // namespace trialwright
