#pragma once

#include <sys/types.h>

#include <filesystem>
#include <string>
#include <string_view>

#include "base/result.h"

namespace trialwright {

/// What copying makes of files that the harness may not read.
enum class Unreadable { Fails, IsPassedOver };

/// Makes files of the harness's own in a tree of a box that nothing runs in yet. What it makes
/// belongs to the boxes' root.
class TreeWriter {
 public:
  /// folder  an open folder that outlives this; paths below are relative to it.
  /// owner   the machine's id of the boxes' root.
  TreeWriter(int folder, uid_t owner) : folder_(folder), owner_(owner) {}

  /// Makes a folder, whose parent must exist; one that exists is left as it is.
  Result<void> make_folder(const std::string& path, mode_t mode = 0755) const;
  Result<void> write(const std::string& path, std::string_view content, mode_t mode = 0644) const;
  Result<void> link(const std::string& target, const std::string& path) const;
  /// Makes the mark by which an overlay hides what lower layers have under this name.
  Result<void> whiteout(const std::string& path) const;
  /// Copies a file, link or folder of the host with what is in it; special files are passed over.
  /// Modes are kept, without set-id bits.
  /// Errors: Unavailable, also for what the harness may not read unless that is to be passed over.
  Result<void> copy(const std::filesystem::path& source, const std::string& path,
                    Unreadable unreadable = Unreadable::Fails) const;

 private:
  Result<void> done(int outcome, const std::string& path) const;

  int folder_;
  uid_t owner_;
};

}  // namespace trialwright
