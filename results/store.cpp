#include "results/store.h"

#include <algorithm>
#include <cerrno>
#include <cmath>
#include <cstdio>
#include <map>
#include <mutex>

#include "base/files.h"
#include "results/event_format.h"
#include "results/store_queries.h"
#include "results/store_schema.h"
#include "results/store_writer.h"
#include "results/writer_lock.h"

namespace trialwright {

namespace fs = std::filesystem;

namespace {

Result<void> check_plan(std::span<const PlannedTrial> plan) {
  std::map<std::string_view, std::string_view> tasks;  // By trial id.
  for (const PlannedTrial& trial : plan) {
    if (trial.id.empty()) return invalid("a trial of task " + trial.task + " has no id");
    const auto [other, is_new] = tasks.emplace(trial.id, trial.task);
    if (!is_new) {
      return invalid("the tasks " + std::string(other->second) + " and " + trial.task +
                     " are equal to the last byte, so their trials have the same id " + trial.id +
                     "; take one of them out");
    }
  }
  return {};
}

bool is_score(double value) { return std::isfinite(value) && value >= 0 && value <= 1; }

Result<void> check_score(const Grade& grade) {
  if (is_score(grade.score)) return {};
  return invalid("grader " + grade.grader + ": the score must be a number from 0 to 1");
}

/// SQLite gives -0 back as 0, so an event that said -0 would differ from the row beside it.
double plain_zero(double score) { return score == 0 ? 0 : score; }

Grade with_plain_zero(Grade grade) {
  grade.score = plain_zero(grade.score);
  return grade;
}

TrialOutcome with_plain_zero(TrialOutcome outcome) {
  if (outcome.reward) outcome.reward = plain_zero(*outcome.reward);
  return outcome;
}

Result<void> check_scores(const TrialOutcome& outcome, std::span<const Grade> grades) {
  if (outcome.reward && !is_score(*outcome.reward)) {
    return invalid("a trial's reward must be a number from 0 to 1");
  }
  for (const Grade& grade : grades) {
    if (auto checked = check_score(grade); !checked) return checked;
  }
  return {};
}

/// Writes a new file with schema, run and plan under another name first, so that the run's own name
/// never stands for half of it.
Result<void> write_new_file(const fs::path& path, const RunRecord& run,
                            std::span<const PlannedTrial> plan) {
  auto database = Database::open(path, Database::Mode::Create);
  if (!database) return database.error();
  // Large pages suit rows of some hundred bytes; measured in docs/store-format.md.
  auto set_up = database->execute(
      "PRAGMA page_size = 8192; PRAGMA journal_mode = MEMORY; PRAGMA synchronous = FULL");
  if (!set_up) return set_up;
  if (auto migrated = migrate(*database, kRunApplicationId, run_migrations()); !migrated) {
    return migrated;
  }
  auto transaction = Transaction::begin(*database);
  if (!transaction) return transaction.error();
  if (auto written = write_plan(*database, run, plan); !written) return written;
  if (auto written = write_status(*database, RunStatus::Running, run.created_us, {}); !written) {
    return written;
  }
  return transaction->commit();
}

Result<Database> open_for_writing(const fs::path& path, StoreOptions options) {
  auto database = Database::open(path, Database::Mode::ReadWrite);
  if (!database) return database.error();
  if (auto migrated = migrate(*database, kRunApplicationId, run_migrations()); !migrated) {
    return migrated.error();
  }
  // Readers go on while we write. Some network file systems refuse; the old journal serves there.
  auto journal = database->query_text("PRAGMA journal_mode = WAL");
  if (!journal) return journal.error();
  const bool flush_always = options.durable || *journal != "wal";
  auto set_up = database->execute(
      std::string("PRAGMA foreign_keys = ON; PRAGMA journal_size_limit = 67108864; "
                  "PRAGMA synchronous = ") +
      (flush_always ? "FULL" : "NORMAL"));
  if (!set_up) return set_up.error();
  return database;
}

}  // namespace

struct RunStore::State {
  fs::path path;
  WriterLock lock;
  RunRecord run;
  Digest run_digest;
  const Clock* clock = nullptr;
  std::vector<PlannedTrial> pending;

  std::mutex mutex;  ///< Guards `trials`.
  struct TrialState {
    std::int64_t number = 0;
    int attempts = 0;
  };
  std::map<std::string, TrialState, std::less<>> trials;

  std::mutex generation_mutex;  ///< Held while a generation is added.
  int generations = 0;

  /// Recorders share it, so that one that is left over finds a closed store, not a freed one.
  std::shared_ptr<StoreWriter> writer;

  State(fs::path where, WriterLock held) : path(std::move(where)), lock(std::move(held)) {}

  /// The trial's number, or 0 if it has no such attempt.
  std::int64_t attempted(std::string_view trial_id, int attempt) {
    const std::lock_guard guard(mutex);
    const auto found = trials.find(trial_id);
    if (found == trials.end() || attempt < 1 || attempt > found->second.attempts) return 0;
    return found->second.number;
  }
};

RunStore::RunStore(std::unique_ptr<State> state) : state_(std::move(state)) {}
RunStore::RunStore(RunStore&& other) noexcept = default;
RunStore& RunStore::operator=(RunStore&& other) noexcept = default;

RunStore::~RunStore() {
  // What is queued is written while the lock is still held.
  if (state_ && state_->writer) static_cast<void>(state_->writer->stop());
}

Result<RunStore> RunStore::create(const fs::path& path, const RunRecord& run,
                                  std::span<const PlannedTrial> plan, const Clock& clock,
                                  StoreOptions options) {
  const std::string step = "creating " + path.string();
  if (auto checked = check_plan(plan); !checked) return checked.error().during(step);
  std::error_code error;
  if (path.has_parent_path()) fs::create_directories(path.parent_path(), error);
  {
    auto lock = WriterLock::take(path);
    if (!lock) return lock.error().during(step);
    if (fs::exists(path, error)) return invalid("the file exists already").during(step);
    const fs::path unfinished = path.string() + "-new";
    fs::remove(unfinished, error);
    auto written = write_new_file(unfinished, run, plan);
    if (written && std::rename(unfinished.c_str(), path.c_str()) != 0) {
      written = unavailable("cannot rename " + unfinished.string() + ": " + errno_text(errno));
    }
    if (!written) {
      fs::remove(unfinished, error);
      return written.error().during(step);
    }
  }
  // From here the run exists and can be resumed.
  return open_for_resume(path, clock, options);
}

Result<RunStore> RunStore::open_for_resume(const fs::path& path, const Clock& clock,
                                           StoreOptions options) {
  const std::string step = "opening " + path.string();
  std::error_code error;
  if (!fs::exists(path, error)) return not_found("there is no run " + path.string());
  auto lock = WriterLock::take(path);
  if (!lock) return lock.error().during(step);
  auto state = std::make_unique<State>(path, *std::move(lock));
  state->clock = &clock;

  auto database = open_for_writing(path, options);
  if (!database) return database.error().during(step);
  auto run = read_run_row(*database);
  if (!run) return run.error().during(step);
  auto plan = read_plan(*database);
  if (!plan) return plan.error().during(step);
  bool has_begun = false;
  for (PlanRow& row : *plan) {
    has_begun = has_begun || row.attempts > 0;
    state->trials[row.trial.id] = {row.number, row.attempts};
    if (!row.finished) state->pending.push_back(std::move(row.trial));
  }
  state->run_digest = run->hash;
  auto generations = database->query_integer("SELECT ifnull(max(number), 0) FROM generation");
  if (!generations) return generations.error().during(step);
  state->generations = static_cast<int>(*generations);
  auto statuses = read_statuses(*database);
  if (!statuses) return statuses.error().during(step);
  // A session that was cut off wrote no status; this row tells where the next one begins.
  if (has_begun || statuses->back().status != RunStatus::Running) {
    auto reopened = write_status(*database, RunStatus::Running, clock.wall_us(), {});
    if (!reopened) return reopened.error().during(step);
  }
  state->run = std::move(run->run);
  state->writer = std::make_shared<StoreWriter>(*std::move(database));
  return RunStore(std::move(state));
}

const RunRecord& RunStore::run() const { return state_->run; }
const fs::path& RunStore::path() const { return state_->path; }
const std::vector<PlannedTrial>& RunStore::pending() const { return state_->pending; }

namespace {

bool is_same(const Message& a, const Message& b) {
  const auto same_call = [](const ToolCall& x, const ToolCall& y) {
    return x.id == y.id && x.name == y.name && x.arguments == y.arguments;
  };
  return a.role == b.role && a.content == b.content && a.tool_call_id == b.tool_call_id &&
         std::ranges::equal(a.tool_calls, b.tool_calls, same_call);
}

}  // namespace

struct TrialRecorder::State {
  std::shared_ptr<StoreWriter> writer;
  const Clock* clock = nullptr;
  std::int64_t trial = 0;
  std::string trial_id;
  int attempt = 1;
  int next_sequence = 0;
  Digest previous;
  bool finished = false;
  /// What was sent last. A conversation grows at its end, so comparing finds what is new with far
  /// less work than hashing all of it each turn.
  struct SentMessage {
    Message message;
    Digest hash;
  };
  std::vector<SentMessage> conversation;

  /// The event's row, its long texts as blobs, next in the chain.
  void add_event(WriteUnit& unit, EventContent content, std::optional<Digest> context = {}) {
    CHECK(!finished, "a finished attempt records nothing more");
    EventRow row;
    row.trial = trial;
    row.attempt = attempt;
    row.sequence = next_sequence++;
    row.at_us = clock->wall_us();
    row.kind = content.kind;
    row.text = store_text(std::move(content.text), &unit.blobs);
    if (!content.detail.empty()) row.detail = store_text(to_text(content.detail), &unit.blobs);
    if (!content.tokens.empty()) {
      const Digest hash = sha256(content.tokens);
      row.tokens = hash;
      unit.blobs.push_back({hash, std::move(content.tokens)});
    }
    row.context = context;
    row.hash = event_hash(previous, trial_id, row);
    previous = row.hash;
    unit.events.push_back(std::move(row));
  }

  /// Adds those messages of a conversation that the store lacks; returns the hash of the last.
  std::optional<Digest> add_messages(WriteUnit& unit, std::span<const Message> messages) {
    std::size_t shared = 0;
    while (shared < conversation.size() && shared < messages.size() &&
           is_same(conversation[shared].message, messages[shared])) {
      ++shared;
    }
    conversation.resize(shared);
    for (const Message& message : messages.subspan(shared)) {
      const auto parent = conversation.empty() ? std::optional<Digest>() : conversation.back().hash;
      MessageRow row = message_row(parent, message, &unit.blobs);
      conversation.push_back({message, row.hash});
      unit.messages.push_back(std::move(row));
    }
    return conversation.empty() ? std::optional<Digest>() : conversation.back().hash;
  }

  Result<void> push(EventContent content) {
    WriteUnit unit;
    add_event(unit, std::move(content));
    return writer->push(std::move(unit));
  }
};

TrialRecorder::TrialRecorder(std::unique_ptr<State> state) : state_(std::move(state)) {}
TrialRecorder::~TrialRecorder() = default;
TrialRecorder::TrialRecorder(TrialRecorder&& other) noexcept = default;
TrialRecorder& TrialRecorder::operator=(TrialRecorder&& other) noexcept = default;

int TrialRecorder::attempt() const { return state_->attempt; }

Result<void> TrialRecorder::opening(std::span<const Message> messages,
                                    std::span<const ToolDefinition> tools) {
  WriteUnit unit;
  const auto context = state_->add_messages(unit, messages);
  state_->add_event(unit, opening_content(tools), context);
  return state_->writer->push(std::move(unit));
}

Result<void> TrialRecorder::completion(std::span<const Message> sent,
                                       const Completion& completion) {
  WriteUnit unit;
  const auto context = state_->add_messages(unit, sent);
  state_->add_event(unit, completion_content(completion), context);
  return state_->writer->push(std::move(unit));
}

Result<void> TrialRecorder::observation(const Observation& observation) {
  return state_->push(observation_content(observation));
}

Result<void> TrialRecorder::agent_end(EpisodeEnd end, std::string_view error,
                                      std::string_view answer) {
  return state_->push(agent_end_content(end, error, answer));
}

Result<void> TrialRecorder::note(std::string_view text, const Json& detail) {
  return state_->push({kNote, std::string(text), detail, {}});
}

Result<void> TrialRecorder::finish(const TrialOutcome& outcome, std::span<const Grade> grades) {
  if (auto checked = check_scores(outcome, grades); !checked) return checked;
  WriteUnit unit;
  int place = 0;
  for (const Grade& given : grades) {
    const Grade grade = with_plain_zero(given);
    state_->add_event(unit, grade_content(grade));
    unit.grades.push_back(grade_row(state_->trial, state_->trial_id, state_->attempt, 0, place++,
                                    grade, &unit.blobs));
  }
  const TrialOutcome stored = with_plain_zero(outcome);
  state_->add_event(unit, trial_ended_content(stored));
  unit.outcome = OutcomeRow{state_->trial, state_->attempt, stored};
  state_->finished = true;
  return state_->writer->commit(std::move(unit));
}

Result<TrialRecorder> RunStore::begin_trial(std::string_view trial_id) {
  auto recorder = std::make_unique<TrialRecorder::State>();
  {
    const std::lock_guard lock(state_->mutex);
    const auto found = state_->trials.find(trial_id);
    if (found == state_->trials.end()) {
      return not_found("the plan of run " + state_->run.id + " has no trial " +
                       std::string(trial_id));
    }
    recorder->trial = found->second.number;
    recorder->attempt = ++found->second.attempts;
  }
  recorder->writer = state_->writer;
  recorder->clock = state_->clock;
  recorder->trial_id = trial_id;
  if (auto pushed = recorder->push({kTrialStarted, {}, Json::object(), {}}); !pushed) {
    return pushed.error();
  }
  return TrialRecorder(std::move(recorder));
}

Result<int> RunStore::add_generation(std::span<const StoredGrade> grades) {
  const std::lock_guard one_at_a_time(state_->generation_mutex);
  const int number = state_->generations + 1;
  WriteUnit unit;
  std::map<std::pair<std::string_view, int>, int> places;
  std::vector<Digest> hashes;
  for (const StoredGrade& grade : grades) {
    const std::int64_t trial = state_->attempted(grade.trial_id, grade.attempt);
    if (trial == 0) {
      return not_found("there is no attempt " + std::to_string(grade.attempt) + " at trial " +
                       grade.trial_id);
    }
    if (auto checked = check_score(grade.grade); !checked) return checked.error();
    const int place = places[{grade.trial_id, grade.attempt}]++;
    unit.grades.push_back(grade_row(trial, grade.trial_id, grade.attempt, number, place,
                                    with_plain_zero(grade.grade), &unit.blobs));
    hashes.push_back(unit.grades.back().hash);
  }
  unit.then = [&](Database& database) -> Result<void> {
    auto before = read_generation(database);
    if (!before) return before.error();
    const std::int64_t at_us = state_->clock->wall_us();
    const Digest hash = generation_hash(before->value_or(Digest{}), number, at_us, hashes);
    auto insert = database.prepare("INSERT INTO generation VALUES(?, ?, ?, ?)");
    if (!insert) return insert.error();
    return insert->run(
        {number, at_us, static_cast<std::int64_t>(hashes.size()), digest_value(hash)});
  };
  if (auto added = state_->writer->commit(std::move(unit)); !added) return added.error();
  state_->generations = number;
  return number;
}

Result<Digest> RunStore::finish(RunStatus status) {
  CHECK(status != RunStatus::Running, "a run that ends is no longer running");
  const std::string step = "closing " + state_->path.string();
  Digest root;
  WriteUnit unit;
  unit.then = [&](Database& database) -> Result<void> {
    auto plan = read_plan(database);
    if (!plan) return plan.error();
    auto heads = read_heads(database, *plan);
    if (!heads) return heads.error();
    auto generation = read_generation(database);
    if (!generation) return generation.error();
    root = root_hash(state_->run_digest, *std::move(heads), *generation);
    return write_status(database, status, state_->clock->wall_us(), root);
  };
  if (auto sealed = state_->writer->commit(std::move(unit)); !sealed) return sealed.error();
  // From here the run has ended; what follows only tidies the files up.
  auto database = state_->writer->stop();
  if (!database) return database.error().during(step);
  if (auto done = database->execute("PRAGMA wal_checkpoint(TRUNCATE)"); !done) {
    return done.error().during(step);
  }
  // A reader that has the run open keeps it in WAL mode; the last one to close it folds the log in.
  const auto left_wal = database->execute("PRAGMA journal_mode = DELETE");
  static_cast<void>(left_wal);
  return root;
}

}  // namespace trialwright
