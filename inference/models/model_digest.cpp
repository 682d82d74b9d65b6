#include "inference/models/model_digest.h"

#include <sys/stat.h>

#include <ctime>
#include <system_error>

#include "base/files.h"
#include "base/text.h"
#include "inference/safetensors/model_folder.h"

namespace trialwright {

Result<Digest> digest_model_files(const std::filesystem::path& path,
                                  const std::filesystem::path& memory_folder) {
  std::error_code failed;
  if (!std::filesystem::is_directory(path, failed)) return remembered_digest(path, memory_folder);
  auto files = model_folder_files(path);
  if (!files) return files.error();
  Hasher hasher;
  for (const std::filesystem::path& file : *files) {
    auto digest = remembered_digest(file, memory_folder);
    if (!digest) return digest.error();
    hasher.field(file.filename().string()).field(digest->hex());
  }
  return hasher.finish();
}

Result<Digest> remembered_digest(const std::filesystem::path& file,
                                 const std::filesystem::path& memory_folder) {
  std::error_code failed;
  const auto path = std::filesystem::canonical(file, failed);
  struct stat status {};
  if (failed || ::stat(path.c_str(), &status) != 0) {
    return sha256_file(file);
  }
  Hasher hasher;
  hasher.field(path.string())
      .field(static_cast<std::int64_t>(status.st_dev))
      .field(static_cast<std::int64_t>(status.st_ino))
      .field(std::int64_t{status.st_size});
  for (const timespec& time : {status.st_mtim, status.st_ctim}) {
    hasher.field(std::int64_t{time.tv_sec}).field(std::int64_t{time.tv_nsec});
  }
  const Digest key = hasher.finish();
  const auto memory = memory_folder / (key.hex() + ".sha256");
  if (auto text = read_file(memory, 4096)) {
    if (auto digest = parse_digest(trimmed(*text))) {
      return digest;
    }
  }
  auto digest = sha256_file(file);
  // Another change within a tick of the file system's clock would leave the same times. Files that
  // settled are remembered only.
  constexpr std::time_t kSettledSeconds = 2;
  if (digest && std::time(nullptr) - status.st_ctim.tv_sec >= kSettledSeconds) {
    // Without the memory the next start is slower, nothing else.
    (void)write_file_atomically(memory, digest->hex() + "\n");
  }
  return digest;
}

}  // namespace trialwright
