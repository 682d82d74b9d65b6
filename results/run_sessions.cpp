// What a run's sessions tell of the run as a whole: its time, and which models were served.

#include <algorithm>

#include "results/event_format.h"
#include "results/reader_state.h"

namespace trialwright {

namespace {

Result<std::string> field_of(const StoredEvent& event, std::string_view key) {
  auto text = string_field_or(event.detail, key, "");
  if (!text) return integrity("event " + event.kind + ": " + text.error().message);
  return text;
}

}  // namespace

Result<std::string> RunReader::first_served_model() {
  auto row = state_->database.prepare(
      "SELECT " + std::string(kEventColumns) +
      " FROM event WHERE kind = 'completion' ORDER BY trial, attempt, seq LIMIT 1");
  if (!row) return row.error();
  auto found = row->next();
  if (!found) return found.error();
  if (!*found) return std::string();
  auto event = state_->event(*row, 0);
  if (!event) return event.error();
  return field_of(*event, "served_model");
}

Result<std::vector<ServedModelChange>> RunReader::served_model_changes() {
  auto row = state_->database.prepare(
      "SELECT " + std::string(kEventColumns) +
      ", trial.number, task, epoch FROM event JOIN trial ON trial.number = event.trial "
      "WHERE kind = 'note' AND text = ? ORDER BY event.trial, attempt, seq");
  if (!row) return row.error();
  if (auto started = row->start({kOtherModelServed}); !started) return started.error();
  constexpr int kAfterEvent = 9;
  std::vector<ServedModelChange> changes;
  std::vector<std::int64_t> last_trials;  // Of each change: many notes may come from one trial.
  while (true) {
    auto more = row->next();
    if (!more) return more.error();
    if (!*more) return changes;
    auto event = state_->event(*row, 0);
    if (!event) return event.error();
    auto first = field_of(*event, "first");
    if (!first) return first.error();
    auto now = field_of(*event, "now");
    if (!now) return now.error();
    const auto known = std::ranges::find(changes, *now, &ServedModelChange::now);
    const auto place = static_cast<std::size_t>(known - changes.begin());
    if (known == changes.end()) {
      changes.push_back({*first, *now, 0, row->text(kAfterEvent + 1),
                         static_cast<int>(row->integer(kAfterEvent + 2))});
      last_trials.push_back(-1);
    }
    if (last_trials[place] == row->integer(kAfterEvent)) continue;
    last_trials[place] = row->integer(kAfterEvent);
    ++changes[place].trials;
  }
}

Result<std::chrono::microseconds> RunReader::elapsed() {
  auto statuses = read_statuses(state_->database);
  if (!statuses) return statuses.error();
  auto last_event = state_->database.prepare("SELECT max(at_us) FROM event WHERE at_us < ?");
  if (!last_event) return last_event.error();
  std::int64_t total = 0;
  for (std::size_t i = 0; i < statuses->size(); ++i) {
    const StatusRow& row = (*statuses)[i];
    if (row.status != RunStatus::Running) continue;
    const bool is_last = i + 1 == statuses->size();
    std::int64_t end = is_last ? INT64_MAX : (*statuses)[i + 1].at_us;
    if (is_last || (*statuses)[i + 1].status == RunStatus::Running) {
      // The session is under way or was cut off: it lasted until what it wrote last.
      if (auto started = last_event->start({end}); !started) return started.error();
      auto found = last_event->next();
      if (!found) return found.error();
      end = last_event->integer(0);
      last_event->reset();
    }
    total += std::max<std::int64_t>(0, end - row.at_us);
  }
  return std::chrono::microseconds(total);
}

}  // namespace trialwright
