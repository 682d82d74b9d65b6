#include "results/run_folder.h"

#include <sys/random.h>

#include <algorithm>
#include <charconv>
#include <cstdlib>
#include <functional>

#include "base/text.h"
#include "results/run_reader.h"

namespace trialwright {

namespace fs = std::filesystem;

namespace {

constexpr std::string_view kBase32 = "0123456789ABCDEFGHJKMNPQRSTVWXYZ";
constexpr std::size_t kIdLength = 26;
constexpr std::size_t kTimeDigits = 10;
constexpr std::string_view kExtension = ".db";

bool is_run_id(std::string_view text) {
  return text.size() == kIdLength && text.find_first_not_of(kBase32) == std::string_view::npos;
}

/// The ids of all runs in a folder, newest first.
std::vector<std::string> run_ids(const fs::path& folder) {
  std::vector<std::string> ids;
  std::error_code error;
  for (const auto& entry : fs::directory_iterator(folder, error)) {
    const fs::path& path = entry.path();
    if (path.extension() == kExtension && is_run_id(path.stem().string())) {
      ids.push_back(path.stem().string());
    }
  }
  std::ranges::sort(ids, std::greater<>());
  return ids;
}

/// At most three of them, for a message.
std::string some_of(std::vector<std::string> names) {
  const std::size_t all = names.size();
  if (all > 3) names.resize(3);
  return joined(names, ", ") + (all > 3 ? " and " + std::to_string(all - 3) + " more" : "");
}

Result<RunListing> read_listing(const fs::path& path) {
  auto reader = RunReader::open(path);
  if (!reader) return reader.error();
  auto run = reader->run();
  if (!run) return run.error();
  auto status = reader->status();
  if (!status) return status.error();
  auto counts = reader->verdict_counts();
  if (!counts) return counts.error();
  auto trials = reader->trial_count();
  if (!trials) return trials.error();
  RunListing listing;
  listing.id = run->id;
  listing.path = path;
  listing.created_us = run->created_us;
  listing.status = *status;
  listing.being_written = is_being_written(path);
  listing.trials = *trials;
  listing.counts = *std::move(counts);
  listing.spec = std::move(run->spec);
  return listing;
}

/// True if `task` is `text` or ends with `/text`.
bool names_task(std::string_view task, std::string_view text) {
  if (task == text) return true;
  return task.size() > text.size() && task.ends_with(text) &&
         task[task.size() - text.size() - 1] == '/';
}

/// The trials that `text` may mean: those of exactly this task and epoch before shortened names.
std::vector<const TrialSummary*> matching_trials(const std::vector<TrialSummary>& trials,
                                                 std::string_view text) {
  std::vector<const TrialSummary*> found;
  const std::size_t at = text.rfind('@');
  if (at == std::string_view::npos) {
    const std::string start = to_lower(text);
    for (const TrialSummary& trial : trials) {
      if (to_lower(trial.trial.id).starts_with(start)) found.push_back(&trial);
    }
    return found;
  }
  int epoch = 0;
  const std::string_view number = text.substr(at + 1);
  const auto read = std::from_chars(number.data(), number.data() + number.size(), epoch);
  if (read.ec != std::errc() || read.ptr != number.data() + number.size()) return found;
  const std::string_view task = text.substr(0, at);
  for (const TrialSummary& trial : trials) {
    if (trial.trial.epoch != epoch) continue;
    if (trial.trial.task == task) return {&trial};
    if (names_task(trial.trial.task, task)) found.push_back(&trial);
  }
  return found;
}

/// The name of a trial of the last run, if `text` names a task of it.
std::optional<std::string> trial_of_task(const fs::path& folder, std::string_view text) {
  const std::vector<std::string> ids = run_ids(folder);
  if (ids.empty()) return std::nullopt;
  auto reader = RunReader::open(run_file(folder, ids.front()));
  if (!reader) return std::nullopt;
  auto trials = reader->trials();
  if (!trials) return std::nullopt;
  for (const TrialSummary& trial : *trials) {
    if (!names_task(trial.trial.task, text)) continue;
    return trial.trial.task + "@" + std::to_string(trial.trial.epoch);
  }
  return std::nullopt;
}

}  // namespace

fs::path runs_folder() {
  const char* folder = std::getenv("TRIALWRIGHT_RUNS_DIR");
  return folder != nullptr && *folder != '\0' ? fs::path(folder) : fs::path("runs");
}

std::string make_run_id(std::int64_t wall_us, const std::array<std::uint8_t, 10>& random) {
  std::string id(kIdLength, '0');
  auto milliseconds = static_cast<std::uint64_t>(wall_us / 1000);
  for (std::size_t i = kTimeDigits; i-- > 0; milliseconds >>= 5U) {
    id[i] = kBase32[milliseconds & 31U];
  }
  // Ten bytes are exactly sixteen digits of five bits.
  std::uint32_t bits = 0;
  int held = 0;
  std::size_t next = kTimeDigits;
  for (const std::uint8_t byte : random) {
    bits = (bits << 8U) | byte;
    held += 8;
    for (; held >= 5; held -= 5)
      id[next++] = kBase32[(bits >> static_cast<unsigned>(held - 5)) & 31U];
  }
  return id;
}

std::string new_run_id(const Clock& clock) {
  std::array<std::uint8_t, 10> random{};
  const ssize_t got = ::getrandom(random.data(), random.size(), 0);
  CHECK(got == static_cast<ssize_t>(random.size()), "Linux gives up to 256 random bytes at once");
  return make_run_id(clock.wall_us(), random);
}

fs::path run_file(const fs::path& folder, std::string_view run_id) {
  return folder / (std::string(run_id) + std::string(kExtension));
}

std::vector<RunListing> list_runs(const fs::path& folder, std::size_t runs_max) {
  std::vector<std::string> ids = run_ids(folder);
  if (runs_max > 0 && ids.size() > runs_max) ids.resize(runs_max);
  std::vector<RunListing> listings;
  for (const std::string& id : ids) {
    const fs::path path = run_file(folder, id);
    auto listing = read_listing(path);
    if (!listing) {
      listings.emplace_back();
      listings.back().id = id;
      listings.back().path = path;
      listings.back().problem = listing.error().message;
    } else {
      listings.push_back(*std::move(listing));
    }
  }
  return listings;
}

Result<fs::path> resolve_run(const fs::path& folder, std::string_view text) {
  std::error_code error;
  const fs::path as_path{text};
  if (as_path.has_parent_path() || as_path.extension() == kExtension) {
    if (fs::is_regular_file(as_path, error)) return as_path;
    return not_found("there is no run " + as_path.string());
  }
  const std::vector<std::string> ids = run_ids(folder);
  if (ids.empty()) return not_found("there is no run in " + folder.string());
  if (text == "last") return run_file(folder, ids.front());
  std::vector<std::string> matches;
  const std::string start = to_upper(text);
  for (const std::string& id : ids) {
    if (!start.empty() && id.starts_with(start)) matches.push_back(id);
  }
  if (matches.size() == 1) return run_file(folder, matches.front());
  if (matches.empty()) {
    return not_found("there is no run \"" + std::string(text) + "\" in " + folder.string() +
                     "; the last one is " + ids.front());
  }
  return invalid("\"" + std::string(text) +
                 "\" is the start of several runs: " + some_of(std::move(matches)));
}

Result<RunReference> resolve_trial(const fs::path& folder, std::string_view text) {
  const std::size_t colon = text.find(':');
  const bool names_run = colon != std::string_view::npos;
  auto run = resolve_run(folder, names_run ? text.substr(0, colon) : "last");
  if (!run) return run.error();
  const std::string_view wanted = names_run ? text.substr(colon + 1) : text;
  if (wanted.empty()) return invalid("\"" + std::string(text) + "\" names no trial");
  auto reader = RunReader::open(*run);
  if (!reader) return reader.error();
  auto trials = reader->trials();
  if (!trials) return trials.error();
  const auto matches = matching_trials(*trials, wanted);
  const std::string where = " in run " + run->stem().string();
  if (matches.empty()) {
    return not_found("there is no trial \"" + std::string(wanted) + "\"" + where);
  }
  if (matches.size() > 1) {
    std::vector<std::string> names;
    for (const TrialSummary* trial : matches) {
      names.push_back(trial->trial.task + "@" + std::to_string(trial->trial.epoch));
    }
    return invalid("\"" + std::string(wanted) + "\" may be several trials" + where + ": " +
                   some_of(std::move(names)));
  }
  return RunReference{*run, matches.front()->trial.id};
}

Result<RunReference> resolve_run_or_trial(const fs::path& folder, std::string_view text) {
  const bool must_be_trial = text.find_first_of(":@") != std::string_view::npos;
  if (must_be_trial) return resolve_trial(folder, text);
  auto run = resolve_run(folder, text);
  if (run) return RunReference{*run, {}};
  if (run.error().kind != ErrorKind::NotFound) return run.error();
  auto trial = resolve_trial(folder, text);
  if (trial) return trial;
  if (const auto example = trial_of_task(folder, text)) {
    return not_found("\"" + std::string(text) + "\" is a task; a trial of it is " + *example);
  }
  // Whoever names neither most likely meant a run.
  return trial.error().kind != ErrorKind::NotFound ? trial : run.error();
}

}  // namespace trialwright
