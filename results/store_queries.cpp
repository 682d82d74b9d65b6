#include "results/store_queries.h"

namespace trialwright {

namespace {

Error bad_row(Database& database, std::string_view table, const std::string& what) {
  return integrity(database.name() + ": table " + std::string(table) + ": " + what);
}

Result<std::vector<std::string>> tags_from(std::string_view text) {
  auto json = parse_json(text, kOwnJsonDepthMax);
  if (!json) return json.error();
  std::vector<std::string> tags;
  if (!json->is_array()) return integrity("tags are no list");
  for (const Json& tag : *json) {
    if (!tag.is_string()) return integrity("a tag is no text");
    tags.push_back(tag.get<std::string>());
  }
  return tags;
}

}  // namespace

SqlValue text_value(const StoredText& text) {
  switch (text.kind) {
    case StoredText::Kind::None:
      return std::nullopt;
    case StoredText::Kind::Inline:
      return std::string_view(text.bytes);
    case StoredText::Kind::Reference:
      return SqlBlob{text.bytes};
  }
  CHECK(false, "every kind of stored text has a column form");
}

SqlValue digest_value(const Digest& digest) { return SqlBlob{digest_bytes(digest)}; }

SqlValue digest_value(const std::optional<Digest>& digest) {
  return digest ? digest_value(*digest) : SqlValue(std::nullopt);
}

std::optional<StoredText> read_text(const Statement& row, int column) {
  switch (row.type(column)) {
    case SqlType::Null:
      return StoredText{};
    case SqlType::Text:
      return StoredText{StoredText::Kind::Inline, row.text(column)};
    case SqlType::Blob:
      return StoredText{StoredText::Kind::Reference, row.text(column)};
    default:
      return std::nullopt;
  }
}

Result<std::optional<Digest>> read_optional_digest(const Statement& row, int column) {
  if (row.type(column) == SqlType::Null) return std::optional<Digest>();
  const auto digest = digest_from_bytes(row.bytes(column));
  if (!digest) return integrity("a hash has not 32 bytes");
  return digest;
}

Result<RunRow> read_run_row(Database& database) {
  auto row = database.prepare(
      "SELECT id, created_us, spec, spec_digest, environment, trials, plan_hash, hash FROM run");
  if (!row) return row.error();
  auto found = row->next();
  if (!found) return found.error();
  if (!*found) return bad_row(database, "run", "the run's own row is missing");
  RunRow result;
  result.run.id = row->text(0);
  result.run.created_us = row->integer(1);
  auto spec = parse_json(row->bytes(2), kOwnJsonDepthMax);
  if (!spec) return bad_row(database, "run", "spec: " + spec.error().message);
  result.run.spec = *std::move(spec);
  auto environment = parse_json(row->bytes(4), kOwnJsonDepthMax);
  if (!environment) {
    return bad_row(database, "run", "environment: " + environment.error().message);
  }
  result.run.environment = *std::move(environment);
  result.trials = static_cast<int>(row->integer(5));
  const auto spec_digest = digest_from_bytes(row->bytes(3));
  const auto plan = digest_from_bytes(row->bytes(6));
  const auto hash = digest_from_bytes(row->bytes(7));
  if (!spec_digest || !plan || !hash) return bad_row(database, "run", "a hash has not 32 bytes");
  result.spec_digest = *spec_digest;
  result.plan = *plan;
  result.hash = *hash;
  return result;
}

Result<std::vector<PlanRow>> read_plan(Database& database) {
  // Sub-queries that look at one index entry each: a join would read all events.
  auto row = database.prepare(
      "SELECT number, id, task, task_digest, epoch, seed, tags, hash, "
      "(SELECT max(attempt) FROM event WHERE trial = number), "
      "EXISTS (SELECT 1 FROM outcome WHERE trial = number) FROM trial ORDER BY number");
  if (!row) return row.error();
  std::vector<PlanRow> plan;
  while (true) {
    auto more = row->next();
    if (!more) return more.error();
    if (!*more) return plan;
    PlanRow trial;
    trial.number = row->integer(0);
    trial.trial.id = row->text(1);
    trial.trial.task = row->text(2);
    const auto digest = digest_from_bytes(row->bytes(3));
    const auto hash = digest_from_bytes(row->bytes(7));
    auto tags = tags_from(row->bytes(6));
    const std::string which = "trial " + trial.trial.id;
    if (!digest || !hash) return bad_row(database, "trial", which + ": a hash has not 32 bytes");
    if (!tags) return bad_row(database, "trial", which + ": " + tags.error().message);
    trial.trial.task_digest = *digest;
    trial.trial.epoch = static_cast<int>(row->integer(4));
    trial.trial.seed = static_cast<std::uint64_t>(row->integer(5));
    trial.trial.tags = *std::move(tags);
    trial.hash = *hash;
    trial.attempts = static_cast<int>(row->integer(8));
    trial.finished = row->integer(9) != 0;
    plan.push_back(std::move(trial));
  }
}

Result<void> write_plan(Database& database, const RunRecord& run,
                        std::span<const PlannedTrial> plan) {
  std::vector<Digest> hashes;
  for (const PlannedTrial& trial : plan) hashes.push_back(trial_hash(trial));
  const Digest plan_digest = plan_hash(hashes);
  const Digest hash = run_hash(run, plan_digest);
  const std::string spec = to_text(run.spec);
  const Digest spec_digest = sha256(spec);
  auto insert_run = database.prepare("INSERT INTO run VALUES(?, ?, ?, ?, ?, ?, ?, ?)");
  if (!insert_run) return insert_run.error();
  const std::string environment = to_text(run.environment);
  auto written = insert_run->run({std::string_view(run.id), run.created_us, std::string_view(spec),
                                  digest_value(spec_digest), std::string_view(environment),
                                  static_cast<std::int64_t>(plan.size()), digest_value(plan_digest),
                                  digest_value(hash)});
  if (!written) return written;
  auto insert_trial = database.prepare("INSERT INTO trial VALUES(?, ?, ?, ?, ?, ?, ?, ?)");
  if (!insert_trial) return insert_trial.error();
  std::int64_t number = 0;
  for (const PlannedTrial& trial : plan) {
    const std::string tags = to_text(Json(trial.tags));
    ++number;
    auto inserted = insert_trial->run(
        {number, std::string_view(trial.id), std::string_view(trial.task),
         digest_value(trial.task_digest), trial.epoch, static_cast<std::int64_t>(trial.seed),
         std::string_view(tags), digest_value(hashes[static_cast<std::size_t>(number) - 1])});
    if (!inserted) return inserted;
  }
  return {};
}

Result<std::vector<ChainHead>> read_heads(Database& database, std::span<const PlanRow> plan) {
  auto row = database.prepare(
      "SELECT hash FROM event WHERE trial = ? AND attempt = ? ORDER BY seq DESC LIMIT 1");
  if (!row) return row.error();
  std::vector<ChainHead> heads;
  for (const PlanRow& trial : plan) {
    for (int attempt = 1; attempt <= trial.attempts; ++attempt) {
      if (auto started = row->start({trial.number, attempt}); !started) return started.error();
      auto found = row->next();
      if (!found) return found.error();
      if (!*found) continue;
      const auto hash = digest_from_bytes(row->bytes(0));
      if (!hash) {
        return bad_row(database, "event",
                       "trial " + trial.trial.id + ": the last hash has not 32 bytes");
      }
      heads.push_back({trial.trial.id, attempt, *hash});
    }
  }
  return heads;
}

Result<std::optional<Digest>> read_generation(Database& database) {
  auto row = database.prepare("SELECT hash FROM generation ORDER BY number DESC LIMIT 1");
  if (!row) return row.error();
  auto found = row->next();
  if (!found) return found.error();
  if (!*found) return std::optional<Digest>();
  const auto hash = digest_from_bytes(row->bytes(0));
  if (!hash) return bad_row(database, "generation", "a hash has not 32 bytes");
  return std::optional<Digest>(hash);
}

Result<std::vector<StatusRow>> read_statuses(Database& database) {
  auto row =
      database.prepare("SELECT number, at_us, status, root, hash FROM status ORDER BY number");
  if (!row) return row.error();
  std::vector<StatusRow> statuses;
  while (true) {
    auto more = row->next();
    if (!more) return more.error();
    if (!*more) break;
    auto status = run_status_from_name(row->bytes(2));
    if (!status) return bad_row(database, "status", status.error().message);
    const auto hash = digest_from_bytes(row->bytes(4));
    if (!hash) return bad_row(database, "status", "a hash has not 32 bytes");
    const auto root = read_optional_digest(*row, 3);
    if (!root) return bad_row(database, "status", root.error().message);
    statuses.push_back({row->integer(0), row->integer(1), *status, *root, *hash});
  }
  if (statuses.empty()) return bad_row(database, "status", "it is empty");
  return statuses;
}

Result<void> write_status(Database& database, RunStatus status, std::int64_t at_us,
                          const std::optional<Digest>& root) {
  StatusRow row{1, at_us, status, root, {}};
  Digest previous;
  auto latest = database.prepare("SELECT number, hash FROM status ORDER BY number DESC LIMIT 1");
  if (!latest) return latest.error();
  auto found = latest->next();
  if (!found) return found.error();
  if (*found) {
    row.number = latest->integer(0) + 1;
    previous = digest_from_bytes(latest->bytes(1)).value_or(Digest{});
  }
  latest->reset();
  row.hash = status_hash(previous, row);
  auto insert = database.prepare("INSERT INTO status VALUES(?, ?, ?, ?, ?)");
  if (!insert) return insert.error();
  return insert->run({row.number, row.at_us, run_status_name(row.status), digest_value(row.root),
                      digest_value(row.hash)});
}

}  // namespace trialwright
