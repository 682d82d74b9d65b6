#pragma once

#include <cstdint>
#include <string>
#include <vector>

#include "results/database.h"
#include "results/store_rows.h"

namespace trialwright {

// What the writer and the readers of a run's file both ask of it. All errors are the database's, or
// Integrity where a row cannot be understood.

/// The run's own row. `hash` and `plan` are the stored ones.
struct RunRow {
  RunRecord run;
  Digest spec_digest;
  Digest plan;
  Digest hash;
  int trials = 0;
};
Result<RunRow> read_run_row(Database& database);

/// A planned trial with its number and how often it was begun.
struct PlanRow {
  std::int64_t number = 0;
  PlannedTrial trial;
  Digest hash;  ///< As stored.
  int attempts = 0;
  bool finished = false;
};
Result<std::vector<PlanRow>> read_plan(Database& database);
Result<void> write_plan(Database& database, const RunRecord& run,
                        std::span<const PlannedTrial> plan);

/// Where the chain of each attempt of these trials stands.
Result<std::vector<ChainHead>> read_heads(Database& database, std::span<const PlanRow> plan);
/// The hash of the last generation of grades given afterwards.
Result<std::optional<Digest>> read_generation(Database& database);

/// All statuses, oldest first; never empty.
Result<std::vector<StatusRow>> read_statuses(Database& database);
/// Adds a status after those that are there.
Result<void> write_status(Database& database, RunStatus status, std::int64_t at_us,
                          const std::optional<Digest>& root);

/// A column that a StoredText was written to, as bytes to bind.
SqlValue text_value(const StoredText& text);
SqlValue digest_value(const Digest& digest);
SqlValue digest_value(const std::optional<Digest>& digest);
/// And read back. Nothing if the column has none of the three forms.
std::optional<StoredText> read_text(const Statement& row, int column);
/// A column of an optional digest. Only NULL stands for none: bytes that are no digest are an
/// Integrity error, or else another value than the one hashed would pass for NULL.
Result<std::optional<Digest>> read_optional_digest(const Statement& row, int column);

}  // namespace trialwright
