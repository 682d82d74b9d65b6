#pragma once

#include <chrono>
#include <cstdint>
#include <filesystem>
#include <map>
#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "results/event_format.h"
#include "results/run_record.h"

namespace trialwright {

/// Where a text was found.
struct SearchHit {
  std::string trial_id;
  std::string task;
  int epoch = 0;
  int attempt = 1;
  int sequence = 0;
  std::string kind;
  std::string excerpt;  ///< One line around the first place; control characters as they are.
};

/// One row that is not as it was written.
struct StoreProblem {
  std::string table;     ///< "event", "blob", "trial" and so on; "file" if SQLite cannot read it.
  std::string trial_id;  ///< Empty where the row belongs to no trial.
  int attempt = 0;
  int sequence = -1;  ///< -1 where the row is no event.
  std::string what;   ///< One sentence that names the row.
};

struct VerifyReport {
  int trials = 0;
  int finished = 0;
  std::int64_t events = 0;
  std::int64_t blobs = 0;
  std::int64_t messages = 0;
  std::int64_t grades = 0;
  RunStatus status = RunStatus::Running;
  Digest root;  ///< Over all chains as they are now; the stored one must equal it.
  std::vector<StoreProblem> problems;  ///< In the order of the checks; at most 100.
};

/// Reads a run's file, also while it is being written.
///
/// One thread at a time. Every call sees what was committed when it began. All errors are
/// Integrity (the file is not what was written) or Unavailable, unless said otherwise.
class RunReader {
 public:
  /// Errors: NotFound; Integrity if this is no run's file, or one of a newer version.
  static Result<RunReader> open(const std::filesystem::path& path);
  ~RunReader();
  RunReader(RunReader&& other) noexcept;
  RunReader& operator=(RunReader&& other) noexcept;

  [[nodiscard]] const std::filesystem::path& path() const;
  Result<RunRecord> run();
  Result<RunStatus> status();
  /// The hash over all chains that was stored when the run last ended; none while it is being made.
  Result<std::optional<Digest>> root();
  /// When the status last changed, in microseconds since 1970-01-01 UTC.
  Result<std::int64_t> status_since_us();

  /// All planned trials in the order of the plan.
  Result<std::vector<TrialSummary>> trials();
  /// One trial. Errors: NotFound.
  Result<TrialSummary> trial(std::string_view trial_id);
  /// How many trials ended with each verdict; those without an outcome are not in it.
  Result<std::map<Verdict, int>> verdict_counts();
  Result<int> trial_count();

  /// What the first completion of the plan was served by; empty if there is none, or it did not
  /// say.
  Result<std::string> first_served_model();
  /// One row a model that was served later; a run with any is to be shown as flagged.
  Result<std::vector<ServedModelChange>> served_model_changes();
  /// How long the run was being made, in all its sessions.
  Result<std::chrono::microseconds> elapsed();

  /// The events of one attempt, in order; 0 is the latest finished attempt, or the latest begun.
  /// Errors: NotFound if the trial or the attempt does not exist.
  Result<std::vector<StoredEvent>> events(std::string_view trial_id, int attempt = 0);
  /// The trace of one attempt, rebuilt from its events. Of an unfinished attempt, as far as it got;
  /// its end is then EpisodeEnd::Error. Errors: as `events`.
  Result<Trace> trace(std::string_view trial_id, int attempt = 0);
  /// The messages that a completion was asked for with. Errors: NotFound.
  Result<std::vector<Message>> messages(std::string_view context);
  /// The grades of a trial, oldest generation first. An empty id gives those of all trials.
  Result<std::vector<StoredGrade>> grades(std::string_view trial_id = {});

  /// Every event whose text or detail contains `text` (letters of ASCII in either case), in the
  /// order of the plan; at most `hits_max`.
  Result<std::vector<SearchHit>> search(std::string_view text, std::size_t hits_max = 1000);

  /// Checks every hash, reference and copy in the file. A damaged file is a report with problems;
  /// an error is only a file that cannot be read at all.
  Result<VerifyReport> verify();

 private:
  struct State;
  explicit RunReader(std::unique_ptr<State> state);
  std::unique_ptr<State> state_;
};

/// True while a process has the run open for writing.
bool is_being_written(const std::filesystem::path& path);

}  // namespace trialwright
