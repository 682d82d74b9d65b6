#include "harness/sandbox/image_store.h"

#include <algorithm>

#include "base/text.h"

namespace trialwright {
namespace {

namespace fs = std::filesystem;
using std::chrono::steady_clock;

constexpr std::size_t kImagesKept = 32;
constexpr std::uint64_t kBuildOutputBytes = 64U << 10U;
constexpr std::size_t kOutputShown = 2000;

Result<void> add_files(Hasher& hasher, const fs::path& source) {
  std::error_code failure;
  const fs::file_status status = fs::symlink_status(source, failure);
  hasher.field(source.filename().string());
  hasher.field(static_cast<std::int64_t>(status.type()));
  hasher.field(static_cast<std::int64_t>(status.permissions()));
  if (failure) return invalid(source.string() + ": " + failure.message());
  if (fs::is_symlink(status)) {
    hasher.field(fs::read_symlink(source, failure).string());
  } else if (fs::is_regular_file(status)) {
    const auto digest = sha256_file(source);
    if (!digest) return digest.error();
    hasher.field(digest->hex());
  } else if (fs::is_directory(status)) {
    std::vector<fs::path> entries;
    for (const auto& entry : fs::directory_iterator(source, failure)) {
      entries.push_back(entry.path());
    }
    std::sort(entries.begin(), entries.end());
    hasher.field(static_cast<std::int64_t>(entries.size()));
    for (const fs::path& entry : entries) {
      if (auto added = add_files(hasher, entry); !added) return added;
    }
  }
  return {};
}

void add_map(Hasher& hasher, const std::map<std::string, std::string>& map) {
  hasher.field(static_cast<std::int64_t>(map.size()));
  for (const auto& [key, value] : map) hasher.field(key).field(value);
}

/// The end of a build step's output, for a message.
std::string output_end(const CommandResult& result) {
  std::string text = to_valid_utf8(trimmed(result.out.text()));
  if (text.size() > kOutputShown) text = "..." + text.substr(text.size() - kOutputShown);
  return text;
}

Result<void> run_step(Machine& machine, const RunStep& step, steady_clock::time_point until,
                      const std::stop_token& stop) {
  CommandOptions options;
  options.timeout = std::chrono::ceil<std::chrono::milliseconds>(until - steady_clock::now());
  options.cwd = step.cwd;
  options.env = step.env;
  options.output_bytes_max = kBuildOutputBytes;
  options.merge_streams = true;
  const std::vector<std::string> argv = {"/bin/sh", "-c", step.command};
  const auto result = machine.run(argv, options, stop);
  if (!result) return result.error();
  if (result->end == CommandEnd::Cancelled) return cancelled("building an image was stopped");
  if (result->end == CommandEnd::Exited && result->code == 0) return {};
  std::string how = std::string(command_end_name(result->end));
  if (result->end != CommandEnd::TimedOut) how += " " + std::to_string(result->code);
  return invalid("build step `" + step.command + "` " + how + ": " + output_end(*result));
}

Result<std::shared_ptr<const BubblewrapImage>> build_image(
    const std::shared_ptr<const MachineRoom>& room, const EnvironmentSpec& environment,
    const TaskLimits& limits, const std::stop_token& stop) {
  auto image = std::make_shared<BubblewrapImage>();
  image->working_folder = environment.working_folder;
  image->env = environment.env;
  MachineSpec spec;
  spec.role = MachineRole::Build;
  spec.limits = limits;
  spec.env = environment.env;
  auto machine = Machine::start(room, spec);
  if (!machine) return machine.error();
  const std::vector<std::string> make_folder = {"mkdir", "-p", environment.working_folder};
  const auto made = (*machine)->run(make_folder, CommandOptions{}, stop);
  if (!made) return made.error();
  const auto until = steady_clock::now() + limits.build_timeout;
  for (const BuildStep& step : environment.steps) {
    const auto* copy = std::get_if<CopyStep>(&step);
    auto done = copy != nullptr ? (*machine)->copy_in(copy->source, copy->target, copy->mode)
                                : run_step(**machine, std::get<RunStep>(step), until, stop);
    if (!done) return done.error().during("building the environment");
  }
  if (auto stopped = (*machine)->stop(); !stopped) return stopped.error();
  image->layer = (*machine)->tree();
  return std::shared_ptr<const BubblewrapImage>(std::move(image));
}

}  // namespace

Result<Digest> image_digest(const std::string& base_fingerprint, const EnvironmentSpec& environment,
                            const TaskLimits& limits) {
  Hasher hasher;
  hasher.field(base_fingerprint).field(environment.working_folder);
  hasher.field(static_cast<std::int64_t>(limits.storage_bytes));
  add_map(hasher, environment.env);
  for (const BuildStep& step : environment.steps) {
    if (const auto* copy = std::get_if<CopyStep>(&step)) {
      hasher.field("copy").field(copy->target);
      if (copy->mode) hasher.field("mode").field(*copy->mode);
      if (auto added = add_files(hasher, copy->source); !added) return added.error();
    } else {
      const auto& run = std::get<RunStep>(step);
      hasher.field("run").field(run.command).field(run.cwd);
      add_map(hasher, run.env);
    }
  }
  return hasher.finish();
}

std::shared_ptr<ImageStore::Entry> ImageStore::entry_of(const Digest& digest) {
  const std::lock_guard lock(mutex_);
  const auto found = std::find_if(entries_.begin(), entries_.end(),
                                  [&](const auto& entry) { return entry.first == digest; });
  if (found != entries_.end()) {
    entries_.splice(entries_.begin(), entries_, found);
  } else {
    entries_.emplace_front(digest, std::make_shared<Entry>());
    if (entries_.size() > kImagesKept) entries_.pop_back();
  }
  return entries_.front().second;
}

Result<std::shared_ptr<const BubblewrapImage>> ImageStore::build(const EnvironmentSpec& environment,
                                                                 const TaskLimits& limits,
                                                                 std::stop_token stop) {
  const auto digest = image_digest(room_->base.fingerprint, environment, limits);
  if (!digest) return digest.error();
  const std::shared_ptr<Entry> entry = entry_of(*digest);
  const std::lock_guard lock(entry->building);
  if (entry->image == nullptr) {
    auto image = build_image(room_, environment, limits, stop);
    if (!image) return image.error();
    entry->image = std::move(*image);
  }
  return entry->image;
}

}  // namespace trialwright
