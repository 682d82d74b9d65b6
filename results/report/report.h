#pragma once

#include <cstddef>
#include <cstdint>
#include <functional>
#include <optional>
#include <string>
#include <vector>

#include "base/digest.h"
#include "results/run_record.h"
#include "results/trace.h"

namespace trialwright {

/// One planned trial, as far as it got.
struct ReportTrial {
  TrialSummary summary;
  std::vector<StoredGrade> grades;  ///< Of the attempt that counts, oldest generation first.
};

/// What a report tells. Nothing in it is trusted to be well formed: every text may come from an
/// agent, from a task or from a damaged file.
struct ReportInput {
  std::string title;  ///< For people, for example the suite's name.
  RunRecord run;
  RunStatus status = RunStatus::Finished;
  std::optional<Digest> root;  ///< As stored when the run ended; `verify` computes it again.
  std::vector<ServedModelChange> served_model_changes;  ///< Any of them flags the run.
  std::vector<ReportTrial> trials;                      ///< In the order of the plan.
  /// Gives the trace of a trial, by trial id. Asked once a trial, failures first, and no more once
  /// the page is full. An error is printed in the transcript's place.
  std::function<Result<Trace>(const std::string& trial_id)> trace;
  /// How large the page may become. Transcripts that do not fit are left out, and the page names
  /// the command that shows them.
  std::size_t bytes_max = std::size_t{30} << 20U;
};

/// One self-contained HTML page: no network, no script but its own (a content security policy with
/// hashes holds), every text from outside as text. Reads without scripts too.
/// Errors: Invalid if the page without any transcript is larger than `bytes_max`.
Result<std::string> render_report(const ReportInput& input);

}  // namespace trialwright
