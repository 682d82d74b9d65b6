#pragma once

#include <stop_token>
#include <string>

#include "inference/model.h"
#include "results/run_reader.h"

namespace trialwright {

/// Whether a model gave the same tokens again.
struct ReplayReport {
  int turns = 0;   ///< Compared.
  int tokens = 0;  ///< Found equal.
  bool same = true;
  /// Where the first difference is, if there is one; counted from 0.
  int turn = 0;
  int position = 0;
  std::int32_t recorded_token = -1;  ///< -1: the recorded turn had ended.
  std::int32_t replayed_token = -1;
};

struct ReplayOptions {
  /// Hands the model the recorded answers to guess from, which is faster. A check that must not
  /// rest on guesses being verified rightly does without, and then nothing else is guessed from
  /// earlier answers either.
  bool guess_from_trace = false;
};

/// Asks the model every question of a stored trial again, with the conversation as it was recorded,
/// and compares token by token. Commands are not run again.
///
/// Errors: Invalid if the trial has no model's turns, or none with token ids; Cancelled; as
/// RunReader and Model.
Result<ReplayReport> replay_trial(RunReader& reader, const std::string& trial_id, Model& model,
                                  const ReplayOptions& options, std::stop_token stop);

}  // namespace trialwright
