#pragma once

#include <map>
#include <set>

#include "results/run_reader.h"
#include "results/store_queries.h"

namespace trialwright {

/// What RunReader's parts share: the connection, and texts read through it.
struct RunReader::State {
  std::filesystem::path path;
  Database database;
  Statement find_blob;
  Statement find_message;

  /// The text itself, out of its blob if need be.
  Result<std::string> full_text(const StoredText& text);
  Result<std::string> blob(std::string_view hash);
  /// The messages up to and with this one, first to last.
  Result<std::vector<Message>> conversation(const Digest& last);
  /// Turns a row of kEventColumns, which begin at `first`, into an event.
  Result<StoredEvent> event(const Statement& row, int first);
  Result<PlanRow> planned(std::string_view trial_id);
};

/// A conversation with more messages is a damaged chain, such as one that leads back to itself.
inline constexpr std::size_t kConversationMax = 1'000'000;

/// What State::event reads.
inline constexpr std::string_view kEventColumns =
    "attempt, seq, at_us, kind, text, detail, tokens, context, event.hash";

/// Reads the outcome that `row` holds from column `first` on.
Result<TrialOutcome> read_outcome(const Statement& row, int first);
inline constexpr std::string_view kOutcomeColumns =
    "verdict, reward, reason, signature, turns, prompt_tokens, cached_tokens, completion_tokens, "
    "setup_us, model_us, tool_us, grading_us, total_us";

}  // namespace trialwright
