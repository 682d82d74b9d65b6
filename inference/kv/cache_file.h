#pragma once

#include <filesystem>
#include <span>
#include <string>
#include <vector>

#include "inference/kv/kv_sequence.h"

namespace trialwright {

/// Writes sequences with their keys and values to a file, each page once, in one step.
///
/// model_digest: of the weights that they were computed with. docs/kv-snapshot.md has the format.
/// Errors: Unavailable.
Result<void> write_cache_file(const std::filesystem::path& path, const std::string& model_digest,
                              const KvPageLayout& layout, std::span<const KvSequence> sequences);

/// Reads such a file; the sequences share pages as they did. Of sequences that need more than
/// `pages_max` pages together, the last ones are taken.
///
/// Errors: NotFound; Invalid if the file is of another model or no such file; Integrity if it is
/// not as it was written; Unavailable.
Result<std::vector<KvSequence>> read_cache_file(const std::filesystem::path& path,
                                                const std::string& model_digest, KvPagePool& pages,
                                                int pages_max);

}  // namespace trialwright
