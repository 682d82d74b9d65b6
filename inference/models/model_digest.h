#pragma once

#include <filesystem>

#include "base/digest.h"
#include "base/result.h"

namespace trialwright {

/// The digest of a model: of a file as `remembered_digest` has it; of a folder, the SHA-256 over
/// name and digest (in hexadecimal) of each of `model_folder_files` in their order, each with its
/// length in front as `Hasher::field` has it. Errors: as these.
Result<Digest> digest_model_files(const std::filesystem::path& path,
                                  const std::filesystem::path& memory_folder);

/// The SHA-256 of a large file, remembered in `memory_folder` under the file's path, inode, size
/// and times of modification and of change (which nobody can set back), because reading a gigabyte
/// takes a second. A memory that cannot be read or written costs only time. Errors: NotFound,
/// Unavailable.
Result<Digest> remembered_digest(const std::filesystem::path& file,
                                 const std::filesystem::path& memory_folder);

}  // namespace trialwright
