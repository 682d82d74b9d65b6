#include "results/store_rows.h"

#include <algorithm>
#include <bit>
#include <tuple>

namespace trialwright {

namespace {

/// A text's kind is part of the hash, so that a text cannot be passed off as a reference.
void add_text(Hasher& hasher, const StoredText& text) {
  hasher.field(static_cast<std::int64_t>(text.kind)).field(text.bytes);
}

void add_digest(Hasher& hasher, const std::optional<Digest>& digest) {
  hasher.field(digest ? digest_bytes(*digest) : std::string_view());
}

/// An empty object, the usual case, takes no space.
std::string json_or_nothing(const Json& json) {
  return json.is_object() && json.empty() ? "" : to_text(json);
}

}  // namespace

Digest event_hash(const Digest& previous, std::string_view trial_id, const EventRow& row) {
  Hasher hasher;
  hasher.field("event").field(digest_bytes(previous)).field(trial_id);
  hasher.field(row.attempt).field(row.sequence).field(row.at_us).field(row.kind);
  add_text(hasher, row.text);
  add_text(hasher, row.detail);
  add_digest(hasher, row.tokens);
  add_digest(hasher, row.context);
  return hasher.finish();
}

Digest message_hash(const MessageRow& row) {
  Hasher hasher;
  hasher.field("message");
  add_digest(hasher, row.parent);
  hasher.field(row.role);
  add_text(hasher, row.text);
  add_text(hasher, row.detail);
  return hasher.finish();
}

MessageRow message_row(const std::optional<Digest>& parent, const Message& message,
                       std::vector<Blob>* blobs) {
  MessageRow row;
  row.parent = parent;
  row.role = role_name(message.role);
  row.text = store_text(message.content, blobs);
  Json detail = message_to_json(message);
  detail.erase("role");
  detail.erase("content");
  row.detail = store_text(json_or_nothing(detail), blobs);
  row.hash = message_hash(row);
  return row;
}

Result<Message> message_from_row(std::string_view role, std::string text, std::string_view detail) {
  auto json = detail.empty() ? Result<Json>(Json::object()) : parse_json(detail, kOwnJsonDepthMax);
  if (!json) return integrity(json.error().message);
  if (!json->is_object()) return integrity("its detail is no JSON object");
  (*json)["role"] = role;
  (*json)["content"] = "";
  auto message = message_from_json(*json);
  if (!message) return integrity(message.error().message);
  // Beside JSON, so that bytes which are no UTF-8 stay as they are.
  message->content = std::move(text);
  return message;
}

Digest grade_hash(std::string_view trial_id, const GradeRow& row) {
  Hasher hasher;
  hasher.field("grade").field(trial_id).field(row.attempt).field(row.generation).field(row.place);
  hasher.field(row.grader).field(row.version).field(row.digest);
  hasher.field(std::bit_cast<std::int64_t>(row.score));
  add_text(hasher, row.explanation);
  add_text(hasher, row.evidence);
  return hasher.finish();
}

GradeRow grade_row(std::int64_t trial, std::string_view trial_id, int attempt, int generation,
                   int place, const Grade& grade, std::vector<Blob>* blobs) {
  GradeRow row;
  row.trial = trial;
  row.attempt = attempt;
  row.generation = generation;
  row.place = place;
  row.grader = grade.grader;
  row.version = grade.version;
  row.digest = grade.digest;
  row.score = grade.score;
  row.explanation = store_text(grade.explanation, blobs);
  row.evidence = store_text(json_or_nothing(grade.evidence), blobs);
  row.hash = grade_hash(trial_id, row);
  return row;
}

Digest trial_hash(const PlannedTrial& trial) {
  Hasher hasher;
  hasher.field("trial").field(trial.id).field(trial.task).field(digest_bytes(trial.task_digest));
  hasher.field(trial.epoch).field(static_cast<std::int64_t>(trial.seed));
  for (const std::string& tag : trial.tags) hasher.field(tag);
  return hasher.finish();
}

Digest plan_hash(std::span<const Digest> trials) {
  Hasher hasher;
  hasher.field("plan");
  for (const Digest& trial : trials) hasher.field(digest_bytes(trial));
  return hasher.finish();
}

Digest run_hash(const RunRecord& run, const Digest& plan) {
  return Hasher()
      .field("run")
      .field(run.id)
      .field(run.created_us)
      .field(digest_bytes(sha256(to_text(run.spec))))
      .field(to_text(run.environment))
      .field(digest_bytes(plan))
      .finish();
}

Digest generation_hash(const Digest& previous, int number, std::int64_t at_us,
                       std::span<const Digest> grade_hashes) {
  std::vector<Digest> sorted(grade_hashes.begin(), grade_hashes.end());
  std::ranges::sort(sorted);
  Hasher hasher;
  hasher.field("generation").field(digest_bytes(previous)).field(number).field(at_us);
  for (const Digest& hash : sorted) hasher.field(digest_bytes(hash));
  return hasher.finish();
}

Digest status_hash(const Digest& previous, const StatusRow& row) {
  Hasher hasher;
  hasher.field("status").field(digest_bytes(previous)).field(row.number).field(row.at_us);
  hasher.field(run_status_name(row.status));
  add_digest(hasher, row.root);
  return hasher.finish();
}

Digest root_hash(const Digest& run, std::vector<ChainHead> heads,
                 const std::optional<Digest>& generation) {
  std::ranges::sort(heads, [](const ChainHead& a, const ChainHead& b) {
    return std::tie(a.trial_id, a.attempt) < std::tie(b.trial_id, b.attempt);
  });
  Hasher hasher;
  hasher.field("root").field(digest_bytes(run)).field(static_cast<std::int64_t>(heads.size()));
  for (const ChainHead& head : heads) {
    hasher.field(head.trial_id).field(head.attempt).field(digest_bytes(head.hash));
  }
  add_digest(hasher, generation);
  return hasher.finish();
}

}  // namespace trialwright
