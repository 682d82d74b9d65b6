#include "results/run_reader.h"

#include <algorithm>

#include "results/reader_state.h"
#include "results/store_schema.h"
#include "results/token_codec.h"
#include "results/writer_lock.h"

namespace trialwright {

namespace {

Result<PlanRow> find_trial(std::vector<PlanRow> plan, std::string_view trial_id) {
  const auto found =
      std::ranges::find_if(plan, [&](const PlanRow& row) { return row.trial.id == trial_id; });
  if (found == plan.end()) return not_found("the run has no trial " + std::string(trial_id));
  return std::move(*found);
}

}  // namespace

RunReader::RunReader(std::unique_ptr<State> state) : state_(std::move(state)) {}
RunReader::~RunReader() = default;
RunReader::RunReader(RunReader&& other) noexcept = default;
RunReader& RunReader::operator=(RunReader&& other) noexcept = default;

Result<RunReader> RunReader::open(const std::filesystem::path& path) {
  auto database = Database::open(path, Database::Mode::ReadOnly);
  if (!database) return database.error();
  const auto version = static_cast<int>(run_migrations().size());
  if (auto right = require_version(*database, kRunApplicationId, version); !right) {
    return right.error();
  }
  auto find_blob = database->prepare("SELECT codec, raw_bytes, data FROM blob WHERE hash = ?");
  if (!find_blob) return find_blob.error();
  auto find_message =
      database->prepare("SELECT parent, role, text, detail FROM message WHERE hash = ?");
  if (!find_message) return find_message.error();
  return RunReader(std::make_unique<State>(
      State{path, *std::move(database), *std::move(find_blob), *std::move(find_message)}));
}

const std::filesystem::path& RunReader::path() const { return state_->path; }

Result<std::string> RunReader::State::blob(std::string_view hash) {
  if (auto started = find_blob.start({SqlBlob{hash}}); !started) return started.error();
  auto found = find_blob.next();
  if (!found) return found.error();
  if (!*found) return integrity(database.name() + ": a blob is missing");
  auto content = unpack_blob(find_blob.bytes(0), find_blob.bytes(2), find_blob.integer(1));
  find_blob.reset();
  if (!content) return content.error().during(database.name() + ": a blob");
  return content;
}

Result<std::string> RunReader::State::full_text(const StoredText& text) {
  return text.kind == StoredText::Kind::Reference ? blob(text.bytes) : text.bytes;
}

Result<std::vector<Message>> RunReader::State::conversation(const Digest& last) {
  std::vector<Message> messages;
  std::optional<Digest> next = last;
  while (next) {
    if (messages.size() > kConversationMax) return integrity("a conversation does not end");
    if (auto started = find_message.start({digest_value(*next)}); !started) return started.error();
    auto found = find_message.next();
    if (!found) return found.error();
    if (!*found) return integrity(database.name() + ": a message is missing");
    const auto text = read_text(find_message, 2);
    const auto detail = read_text(find_message, 3);
    const std::string role = find_message.text(1);
    const bool is_first = find_message.type(0) == SqlType::Null;
    next = digest_from_bytes(find_message.bytes(0));
    find_message.reset();
    if (!text || !detail || (!is_first && !next)) {
      return integrity(database.name() + ": a message cannot be read");
    }
    auto full = full_text(*text);
    if (!full) return full.error();
    auto full_detail = full_text(*detail);
    if (!full_detail) return full_detail.error();
    auto message = message_from_row(role, *std::move(full), *full_detail);
    if (!message) return message.error().during(database.name() + ": a message");
    messages.push_back(*std::move(message));
  }
  std::ranges::reverse(messages);
  return messages;
}

Result<StoredEvent> RunReader::State::event(const Statement& row, int first) {
  StoredEvent event;
  event.attempt = static_cast<int>(row.integer(first));
  event.sequence = static_cast<int>(row.integer(first + 1));
  event.at_us = row.integer(first + 2);
  event.kind = row.text(first + 3);
  const auto text = read_text(row, first + 4);
  const auto detail = read_text(row, first + 5);
  if (!text || !detail) return integrity("an event cannot be read");
  auto full = full_text(*text);
  if (!full) return full.error();
  event.text = *std::move(full);
  auto full_detail = full_text(*detail);
  if (!full_detail) return full_detail.error();
  if (!full_detail->empty()) {
    auto json = parse_json(*full_detail, kOwnJsonDepthMax);
    if (!json) return integrity(json.error().message);
    event.detail = *std::move(json);
  }
  if (row.type(first + 6) != SqlType::Null) {
    auto bytes = blob(row.bytes(first + 6));
    if (!bytes) return bytes.error();
    auto tokens = decode_tokens(*bytes);
    if (!tokens) return tokens.error();
    event.tokens = *std::move(tokens);
  }
  if (const auto context = digest_from_bytes(row.bytes(first + 7))) event.context = context->hex();
  return event;
}

Result<PlanRow> RunReader::State::planned(std::string_view trial_id) {
  auto plan = read_plan(database);
  if (!plan) return plan.error();
  return find_trial(*std::move(plan), trial_id);
}

Result<RunRecord> RunReader::run() {
  auto row = read_run_row(state_->database);
  if (!row) return row.error();
  return std::move(row->run);
}

Result<RunStatus> RunReader::status() {
  auto rows = read_statuses(state_->database);
  if (!rows) return rows.error();
  return rows->back().status;
}

Result<std::optional<Digest>> RunReader::root() {
  auto rows = read_statuses(state_->database);
  if (!rows) return rows.error();
  return rows->back().root;
}

Result<std::int64_t> RunReader::status_since_us() {
  auto rows = read_statuses(state_->database);
  if (!rows) return rows.error();
  return rows->back().at_us;
}

Result<TrialOutcome> read_outcome(const Statement& row, int first) {
  TrialOutcome outcome;
  auto verdict = verdict_from_name(row.bytes(first));
  if (!verdict) return integrity(verdict.error().message);
  outcome.verdict = *verdict;
  if (row.type(first + 1) != SqlType::Null) outcome.reward = row.real(first + 1);
  outcome.reason = row.text(first + 2);
  outcome.signature = row.text(first + 3);
  outcome.turns = static_cast<int>(row.integer(first + 4));
  outcome.prompt_tokens = row.integer(first + 5);
  outcome.cached_tokens = row.integer(first + 6);
  outcome.completion_tokens = row.integer(first + 7);
  outcome.setup_time = std::chrono::microseconds(row.integer(first + 8));
  outcome.model_time = std::chrono::microseconds(row.integer(first + 9));
  outcome.tool_time = std::chrono::microseconds(row.integer(first + 10));
  outcome.grading_time = std::chrono::microseconds(row.integer(first + 11));
  outcome.total_time = std::chrono::microseconds(row.integer(first + 12));
  return outcome;
}

Result<std::vector<TrialSummary>> RunReader::trials() {
  // One snapshot for both statements: a trial must not end between them.
  if (auto begun = state_->database.execute("BEGIN"); !begun) return begun.error();
  const auto read = [&]() -> Result<std::vector<TrialSummary>> {
    auto plan = read_plan(state_->database);
    if (!plan) return plan.error();
    std::vector<TrialSummary> trials;
    std::map<std::int64_t, std::size_t> places;
    for (PlanRow& row : *plan) {
      places[row.number] = trials.size();
      trials.push_back({std::move(row.trial), row.attempts, 0, std::nullopt});
    }
    auto row = state_->database.prepare("SELECT trial, attempt, " + std::string(kOutcomeColumns) +
                                        " FROM outcome ORDER BY trial, attempt");
    if (!row) return row.error();
    while (true) {
      auto more = row->next();
      if (!more) return more.error();
      if (!*more) return trials;
      const auto place = places.find(row->integer(0));
      if (place == places.end()) return integrity("an outcome belongs to no planned trial");
      auto outcome = read_outcome(*row, 2);
      if (!outcome) return outcome.error();
      // A later attempt takes the place of an earlier one.
      trials[place->second].outcome = *std::move(outcome);
      trials[place->second].finished_attempt = static_cast<int>(row->integer(1));
    }
  };
  auto trials = read();
  if (auto ended = state_->database.execute("COMMIT"); !ended) return ended.error();
  return trials;
}

Result<TrialSummary> RunReader::trial(std::string_view trial_id) {
  auto plan = state_->planned(trial_id);
  if (!plan) return plan.error();
  TrialSummary trial{plan->trial, plan->attempts, 0, std::nullopt};
  auto row =
      state_->database.prepare("SELECT attempt, " + std::string(kOutcomeColumns) +
                               " FROM outcome WHERE trial = ? ORDER BY attempt DESC LIMIT 1");
  if (!row) return row.error();
  if (auto started = row->start({plan->number}); !started) return started.error();
  auto found = row->next();
  if (!found) return found.error();
  if (*found) {
    auto outcome = read_outcome(*row, 1);
    if (!outcome) return outcome.error();
    trial.outcome = *std::move(outcome);
    trial.finished_attempt = static_cast<int>(row->integer(0));
  }
  return trial;
}

Result<std::map<Verdict, int>> RunReader::verdict_counts() {
  auto row = state_->database.prepare(
      "SELECT verdict, count(*) FROM outcome AS o WHERE attempt = "
      "(SELECT max(attempt) FROM outcome WHERE trial = o.trial) GROUP BY verdict");
  if (!row) return row.error();
  std::map<Verdict, int> counts;
  while (true) {
    auto more = row->next();
    if (!more) return more.error();
    if (!*more) return counts;
    auto verdict = verdict_from_name(row->bytes(0));
    if (!verdict) return integrity(state_->database.name() + ": " + verdict.error().message);
    counts[*verdict] = static_cast<int>(row->integer(1));
  }
}

Result<int> RunReader::trial_count() {
  auto count = state_->database.query_integer("SELECT trials FROM run");
  if (!count) return count.error();
  return static_cast<int>(*count);
}

Result<std::vector<StoredEvent>> RunReader::events(std::string_view trial_id, int attempt) {
  auto plan = state_->planned(trial_id);
  if (!plan) return plan.error();
  if (attempt == 0) {
    auto summary = trial(trial_id);
    if (!summary) return summary.error();
    attempt = summary->finished_attempt > 0 ? summary->finished_attempt : summary->attempts;
  }
  auto row = state_->database.prepare("SELECT " + std::string(kEventColumns) +
                                      " FROM event WHERE trial = ? AND attempt = ? ORDER BY seq");
  if (!row) return row.error();
  if (auto started = row->start({plan->number, attempt}); !started) return started.error();
  std::vector<StoredEvent> events;
  while (true) {
    auto more = row->next();
    if (!more) return more.error();
    if (!*more) break;
    auto event = state_->event(*row, 0);
    if (!event) {
      return event.error().during("trial " + std::string(trial_id) + ", event " +
                                  std::to_string(row->integer(1)));
    }
    events.push_back(*std::move(event));
  }
  if (events.empty()) {
    return not_found(
        "trial " + std::string(trial_id) +
        (attempt == 0 ? " has not begun" : " has no attempt " + std::to_string(attempt)));
  }
  return events;
}

Result<std::vector<Message>> RunReader::messages(std::string_view context) {
  if (context.empty()) return std::vector<Message>{};
  auto hash = parse_digest(context);
  if (!hash) return hash.error();
  return state_->conversation(*hash);
}

Result<Trace> RunReader::trace(std::string_view trial_id, int attempt) {
  auto events = this->events(trial_id, attempt);
  if (!events) return events.error();
  const auto opening = std::ranges::find(*events, kOpening, &StoredEvent::kind);
  std::vector<Message> messages;
  if (opening != events->end()) {
    auto found = this->messages(opening->context);
    if (!found) return found.error().during("trial " + std::string(trial_id));
    messages = *std::move(found);
  }
  auto trace = trace_from_events(*events, std::move(messages));
  if (!trace) return trace.error().during("trial " + std::string(trial_id));
  return trace;
}

Result<std::vector<StoredGrade>> RunReader::grades(std::string_view trial_id) {
  auto row = state_->database.prepare(
      "SELECT trial.id, attempt, generation, grader, version, digest, score, explanation, evidence "
      "FROM grade JOIN trial ON trial.number = grade.trial WHERE ?1 = '' OR trial.id = ?1 "
      "ORDER BY grade.trial, attempt, generation, place");
  if (!row) return row.error();
  if (auto started = row->start({trial_id}); !started) return started.error();
  std::vector<StoredGrade> grades;
  while (true) {
    auto more = row->next();
    if (!more) return more.error();
    if (!*more) return grades;
    const auto explanation = read_text(*row, 7);
    const auto evidence = read_text(*row, 8);
    if (!explanation || !evidence) return integrity("a grade cannot be read");
    auto full = state_->full_text(*explanation);
    if (!full) return full.error();
    auto full_evidence = state_->full_text(*evidence);
    if (!full_evidence) return full_evidence.error();
    StoredGrade stored{row->text(0), static_cast<int>(row->integer(1)),
                       static_cast<int>(row->integer(2)), Grade{}};
    stored.grade.grader = row->text(3);
    stored.grade.version = row->text(4);
    stored.grade.digest = row->text(5);
    stored.grade.score = row->real(6);
    stored.grade.explanation = *std::move(full);
    if (!full_evidence->empty()) {
      auto json = parse_json(*full_evidence, kOwnJsonDepthMax);
      if (!json) return integrity("a grade's evidence is " + json.error().message);
      stored.grade.evidence = *std::move(json);
    }
    grades.push_back(std::move(stored));
  }
}

bool is_being_written(const std::filesystem::path& path) { return WriterLock::is_held(path); }

}  // namespace trialwright
