#include <algorithm>
#include <unordered_set>

#include "results/reader_state.h"
#include "results/store_schema.h"

namespace trialwright {

namespace {

constexpr std::size_t kProblemsMax = 100;

/// Which attempt at which trial.
using AttemptKey = std::pair<std::int64_t, int>;

/// Checks one table after the other. Each check trusts only what the ones before it have confirmed.
class Verifier {
 public:
  Verifier(Database& database, VerifyReport& report) : database_(database), report_(report) {}

  /// Errors: Integrity if a row cannot even be read; what was found until then is in the report.
  Result<void> run() {
    if (auto done = check_file(); !done) return done;
    if (auto done = check_run_and_plan(); !done) return done;
    if (auto done = check_blobs(); !done) return done;
    if (auto done = check_messages(); !done) return done;
    if (auto done = check_events(); !done) return done;
    if (auto done = check_outcomes(); !done) return done;
    if (auto done = check_grades(); !done) return done;
    if (auto done = check_generations(); !done) return done;
    return check_statuses();
  }

 private:
  void problem(std::string table, std::string what, std::string trial_id = {}, int attempt = 0,
               int sequence = -1) {
    if (report_.problems.size() >= kProblemsMax) return;
    report_.problems.push_back(
        {std::move(table), std::move(trial_id), attempt, sequence, std::move(what)});
  }

  /// Calls `look(row)` for each row.
  template <typename Look>
  Result<void> each_row(std::string_view sql, Look look) {
    auto row = database_.prepare(sql);
    if (!row) return row.error();
    while (true) {
      auto more = row->next();
      if (!more) return more.error();
      if (!*more) return {};
      if (Result<void> done = look(*row); !done) return done;
    }
  }

  Result<void> check_file() {
    return each_row("PRAGMA integrity_check(20)", [&](const Statement& row) -> Result<void> {
      if (row.bytes(0) != "ok") problem("file", row.text(0));
      return {};
    });
  }

  Result<void> check_run_and_plan() {
    auto run = read_run_row(database_);
    if (!run) return run.error();
    auto plan = read_plan(database_);
    if (!plan) return plan.error();
    plan_ = *std::move(plan);
    run_hash_ = run->hash;
    report_.trials = static_cast<int>(plan_.size());
    std::vector<Digest> hashes;
    for (const PlanRow& row : plan_) {
      numbers_[row.number] = &row;
      hashes.push_back(row.hash);
      if (trial_hash(row.trial) != row.hash) {
        problem("trial", "the row of trial " + row.trial.id + " was changed", row.trial.id);
      }
    }
    if (run->trials != report_.trials) {
      problem("trial", "the plan has " + std::to_string(report_.trials) + " trials instead of " +
                           std::to_string(run->trials));
    } else if (plan_hash(hashes) != run->plan) {
      problem("trial", "the plan is not the one that the run began with");
    }
    if (run_hash(run->run, run->plan) != run->hash ||
        sha256(to_text(run->run.spec)) != run->spec_digest) {
      problem("run", "the run's own row was changed");
    }
    return check_json_is_ours();
  }

  /// Another spelling of the same JSON has the same meaning and hash, but is not what was written.
  Result<void> check_json_is_ours() {
    const auto is_ours = [](std::string_view text) {
      auto json = parse_json(text, kOwnJsonDepthMax);
      return json && to_text(*json) == text;
    };
    auto done = each_row("SELECT spec, environment FROM run", [&](const Statement& row) {
      if (!is_ours(row.bytes(0)) || !is_ours(row.bytes(1))) {
        problem("run", "the run's own row was changed");
      }
      return Result<void>();
    });
    if (!done) return done;
    return each_row("SELECT id, tags FROM trial", [&](const Statement& row) {
      if (!is_ours(row.bytes(1))) {
        problem("trial", "the row of trial " + row.text(0) + " was changed", row.text(0));
      }
      return Result<void>();
    });
  }

  Result<void> check_blobs() {
    return each_row("SELECT hash, codec, raw_bytes, data FROM blob", [&](const Statement& row) {
      ++report_.blobs;
      const auto hash = digest_from_bytes(row.bytes(0));
      auto content = unpack_blob(row.bytes(1), row.bytes(3), row.integer(2));
      if (hash && content && sha256(*content) == *hash) {
        good_blobs_.insert(row.text(0));
      } else {
        problem("blob", "blob " + (hash ? hash->hex() : "with a bad hash") + " was changed: " +
                            (content ? "its text has another hash" : content.error().message));
      }
      return Result<void>();
    });
  }

  /// True if the column can be read and, where it refers to a blob, that blob is as written.
  bool is_sound(const std::optional<StoredText>& text) const {
    return text && (text->kind != StoredText::Kind::Reference || good_blobs_.contains(text->bytes));
  }

  Result<void> check_messages() {
    std::vector<std::pair<std::string, std::string>> parents;  // Of each message.
    auto done =
        each_row("SELECT hash, parent, role, text, detail FROM message",
                 [&](const Statement& row) -> Result<void> {
                   ++report_.messages;
                   MessageRow message;
                   const auto parent = read_optional_digest(row, 1);
                   message.parent = parent ? *parent : std::nullopt;
                   message.role = row.text(2);
                   const auto text = read_text(row, 3);
                   const auto detail = read_text(row, 4);
                   const auto hash = digest_from_bytes(row.bytes(0));
                   const std::string name = "message " + (hash ? hash->hex() : "with a bad hash");
                   if (!is_sound(text) || !is_sound(detail)) {
                     problem("message", name + " refers to a blob that is damaged or missing");
                     return {};
                   }
                   message.text = *text;
                   message.detail = *detail;
                   if (!hash || !parent || message_hash(message) != *hash) {
                     problem("message", name + " was changed");
                     return {};
                   }
                   good_messages_.insert(row.text(0));
                   if (message.parent) parents.emplace_back(row.text(0), row.text(1));
                   return {};
                 });
    if (!done) return done;
    for (const auto& [hash, parent] : parents) {
      if (!good_messages_.contains(parent)) {
        problem("message", "message " + digest_from_bytes(hash)->hex() +
                               " follows one that is damaged or missing");
      }
    }
    return {};
  }

  /// What a chain has shown until now.
  struct Chain {
    AttemptKey key{0, 0};
    std::string trial_id;
    int next_sequence = 0;
    Digest head;
    bool ended = false;
  };

  Result<void> check_events() {
    Chain chain;
    auto done = each_row(
        "SELECT trial, " + std::string(kEventColumns) + " FROM event ORDER BY trial, attempt, seq",
        [&](const Statement& row) -> Result<void> {
          ++report_.events;
          return check_event(row, chain);
        });
    if (!done) return done;
    close_chain(chain);
    return {};
  }

  void close_chain(const Chain& chain) {
    if (chain.next_sequence > 0) {
      heads_.push_back({chain.trial_id, chain.key.second, chain.head});
    }
  }

  Result<void> check_event(const Statement& row, Chain& chain) {
    const AttemptKey key{row.integer(0), static_cast<int>(row.integer(1))};
    if (key != chain.key) {
      close_chain(chain);
      chain = Chain{};
      chain.key = key;
      const auto planned = numbers_.find(key.first);
      if (planned != numbers_.end()) chain.trial_id = planned->second->trial.id;
    }
    EventRow event;
    event.trial = key.first;
    event.attempt = key.second;
    event.sequence = static_cast<int>(row.integer(2));
    event.at_us = row.integer(3);
    event.kind = row.text(4);
    const auto text = read_text(row, 5);
    const auto detail = read_text(row, 6);
    const auto tokens = read_optional_digest(row, 7);
    const auto context = read_optional_digest(row, 8);
    event.tokens = tokens ? *tokens : std::nullopt;
    event.context = context ? *context : std::nullopt;
    const auto hash = digest_from_bytes(row.bytes(9));
    const auto wrong = [&](const std::string& what) {
      problem("event",
              "trial " + chain.trial_id + ", attempt " + std::to_string(event.attempt) +
                  ", event " + std::to_string(event.sequence) + " (" + event.kind + ") " + what,
              chain.trial_id, event.attempt, event.sequence);
    };
    if (chain.trial_id.empty()) wrong("belongs to no planned trial");
    if (event.sequence != chain.next_sequence) {
      wrong("follows a gap: event " + std::to_string(chain.next_sequence) + " is missing");
    }
    if (chain.ended) wrong("comes after the attempt's end");
    event.text = text.value_or(StoredText{});
    event.detail = detail.value_or(StoredText{});
    const bool is_chained = text && detail && tokens && context && hash &&
                            event_hash(chain.head, chain.trial_id, event) == *hash;
    if (!is_chained) {
      wrong("was changed, or an event before it is missing");
    } else if (!is_sound(text) || !is_sound(detail) ||
               (event.tokens && !good_blobs_.contains(row.text(7)))) {
      wrong("refers to a blob that is damaged or missing");
    } else if (event.context && !good_messages_.contains(row.text(8))) {
      wrong("refers to a message that is damaged or missing");
    } else if (event.kind == kGrade || event.kind == kTrialEnded) {
      if (auto kept = keep_result(row, chain); !kept) wrong(kept.error().message);
    }
    chain.next_sequence = event.sequence + 1;
    // Going on from the stored hash, one changed row is one problem.
    if (hash) chain.head = *hash;
    chain.ended = chain.ended || event.kind == kTrialEnded;
    return {};
  }

  Result<std::string> blob(std::string_view hash) {
    auto row = database_.prepare("SELECT codec, raw_bytes, data FROM blob WHERE hash = ?");
    if (!row) return row.error();
    if (auto started = row->start({SqlBlob{hash}}); !started) return started.error();
    auto found = row->next();
    if (!found) return found.error();
    if (!*found) return integrity("refers to a missing blob");
    return unpack_blob(row->bytes(0), row->bytes(2), row->integer(1));
  }

  Result<std::string> full_text(const Statement& row, int column) {
    return row.type(column) == SqlType::Blob ? blob(row.bytes(column)) : row.text(column);
  }

  /// Remembers what an event says about the result, to compare with the tables that repeat it.
  Result<void> keep_result(const Statement& row, const Chain& chain) {
    StoredEvent event;
    event.kind = row.text(4);
    auto text = full_text(row, 5);
    if (!text) return text.error();
    event.text = *std::move(text);
    auto detail = full_text(row, 6);
    if (!detail) return detail.error();
    auto json = parse_json(*detail, kOwnJsonDepthMax);
    if (!json) return json.error();
    event.detail = *std::move(json);
    if (event.kind == kTrialEnded) {
      auto outcome = outcome_from_event(event);
      if (!outcome) return outcome.error();
      outcomes_[chain.key] = outcome_text(*outcome);
      return {};
    }
    auto grade = grade_from_event(event);
    if (!grade) return grade.error();
    std::vector<Digest>& grades = grades_[chain.key];
    grades.push_back(grade_row(chain.key.first, chain.trial_id, chain.key.second, 0,
                               static_cast<int>(grades.size()), *grade, nullptr)
                         .hash);
    return {};
  }

  static std::string outcome_text(const TrialOutcome& outcome) {
    const EventContent content = trial_ended_content(outcome);
    return to_text(content.detail) + content.text;
  }

  std::string trial_id(std::int64_t number) const {
    const auto found = numbers_.find(number);
    return found == numbers_.end() ? std::string() : found->second->trial.id;
  }

  Result<void> check_outcomes() {
    auto done = each_row(
        "SELECT trial, attempt, " + std::string(kOutcomeColumns) + " FROM outcome",
        [&](const Statement& row) -> Result<void> {
          finished_.insert(row.integer(0));
          const AttemptKey key{row.integer(0), static_cast<int>(row.integer(1))};
          const std::string id = trial_id(key.first);
          auto outcome = read_outcome(row, 2);
          const auto told = outcomes_.find(key);
          if (told == outcomes_.end()) {
            problem("outcome", "the outcome of trial " + id + " has no event that tells it", id,
                    key.second);
          } else if (!outcome || outcome_text(*outcome) != told->second) {
            problem("outcome",
                    "the outcome of trial " + id + " is not the one its last event tells", id,
                    key.second);
          }
          if (told != outcomes_.end()) outcomes_.erase(told);
          return {};
        });
    if (!done) return done;
    report_.finished = static_cast<int>(finished_.size());
    for (const auto& [key, text] : outcomes_) {
      const std::string id = trial_id(key.first);
      problem("outcome", "the outcome of trial " + id + " is missing", id, key.second);
    }
    return {};
  }

  Result<void> check_grades() {
    auto done = each_row(
        "SELECT trial, attempt, generation, place, grader, version, digest, score, explanation, "
        "evidence, hash FROM grade ORDER BY trial, attempt, generation, place",
        [&](const Statement& row) -> Result<void> {
          ++report_.grades;
          check_grade(row);
          return {};
        });
    if (!done) return done;
    for (const auto& [key, hashes] : grades_) {
      if (hashes.empty()) continue;
      const std::string id = trial_id(key.first);
      problem("grade", "a grade of trial " + id + " is missing", id, key.second);
    }
    return {};
  }

  void check_grade(const Statement& row) {
    GradeRow grade;
    grade.trial = row.integer(0);
    grade.attempt = static_cast<int>(row.integer(1));
    grade.generation = static_cast<int>(row.integer(2));
    grade.place = static_cast<int>(row.integer(3));
    grade.grader = row.text(4);
    grade.version = row.text(5);
    grade.digest = row.text(6);
    grade.score = row.real(7);
    const auto explanation = read_text(row, 8);
    const auto evidence = read_text(row, 9);
    const auto hash = digest_from_bytes(row.bytes(10));
    const std::string id = trial_id(grade.trial);
    const auto wrong = [&](const std::string& what) {
      problem("grade",
              "grade " + std::to_string(grade.place) + " of trial " + id + ", generation " +
                  std::to_string(grade.generation) + ", " + what,
              id, grade.attempt);
    };
    if (!is_sound(explanation) || !is_sound(evidence)) {
      return wrong("refers to a blob that is damaged or missing");
    }
    grade.explanation = *explanation;
    grade.evidence = *evidence;
    if (!hash || grade_hash(id, grade) != *hash) return wrong("was changed");
    if (grade.generation > 0) {
      generations_[grade.generation].push_back(*hash);
      return;
    }
    std::vector<Digest>& told = grades_[{grade.trial, grade.attempt}];
    const auto found = std::ranges::find(told, *hash);
    if (found == told.end()) return wrong("is in no event");
    told.erase(found);
  }

  Result<void> check_generations() {
    Digest previous;
    int next = 1;
    return each_row("SELECT number, at_us, grades, hash FROM generation ORDER BY number",
                    [&](const Statement& row) -> Result<void> {
                      const int number = static_cast<int>(row.integer(0));
                      const std::vector<Digest>& grades = generations_[number];
                      const auto hash = digest_from_bytes(row.bytes(3));
                      if (!hash || number != next ||
                          row.integer(2) != static_cast<std::int64_t>(grades.size()) ||
                          generation_hash(previous, number, row.integer(1), grades) != *hash) {
                        problem("generation", "generation " + std::to_string(number) +
                                                  " of the grades is not what was written");
                      }
                      if (hash) previous = *hash;
                      last_generation_ = hash;
                      next = number + 1;
                      generations_.erase(number);
                      return {};
                    });
  }

  Result<void> check_statuses() {
    for (const auto& [number, grades] : generations_) {
      problem("generation", "generation " + std::to_string(number) + " of the grades is missing");
    }
    auto statuses = read_statuses(database_);
    if (!statuses) return statuses.error();
    Digest previous;
    std::int64_t next = 1;
    for (const StatusRow& row : *statuses) {
      if (row.number != next || status_hash(previous, row) != row.hash) {
        problem("status", "status " + std::to_string(row.number) + " was changed");
      }
      previous = row.hash;
      next = row.number + 1;
    }
    const StatusRow& last = statuses->back();
    report_.status = last.status;
    report_.root = root_hash(run_hash_, heads_, last_generation_);
    if (last.status != RunStatus::Running && last.root != report_.root) {
      problem("status",
              "the run's root hash is not the one stored when it ended: rows are missing");
    }
    return {};
  }

  Database& database_;
  VerifyReport& report_;
  Digest run_hash_;
  std::vector<PlanRow> plan_;
  std::map<std::int64_t, const PlanRow*> numbers_;
  std::unordered_set<std::string> good_blobs_;
  std::unordered_set<std::string> good_messages_;
  std::vector<ChainHead> heads_;
  std::map<AttemptKey, std::string> outcomes_;        ///< As events tell them.
  std::map<AttemptKey, std::vector<Digest>> grades_;  ///< Likewise, those not yet seen as rows.
  std::map<int, std::vector<Digest>> generations_;
  std::optional<Digest> last_generation_;
  std::set<std::int64_t> finished_;  ///< Trials with an outcome.
};

}  // namespace

Result<VerifyReport> RunReader::verify() {
  VerifyReport report;
  if (auto begun = state_->database.execute("BEGIN"); !begun) return begun.error();
  auto checked = Verifier(state_->database, report).run();
  if (auto ended = state_->database.execute("COMMIT"); !ended) return ended.error();
  if (!checked) {
    if (checked.error().kind != ErrorKind::Integrity) return checked.error();
    report.problems.push_back({"file", "", 0, -1, checked.error().message});
  }
  return report;
}

}  // namespace trialwright
