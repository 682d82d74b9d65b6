#pragma once

#include <sys/types.h>

#include <filesystem>
#include <map>
#include <string>
#include <vector>

#include "tests/support/file_tree.h"

namespace trialwright {

/// How a program ended and what it printed.
struct ProgramResult {
  int exit_code = -1;  ///< 128 + the signal's number if a signal ended it.
  std::string out;
  std::string err;
};

/// The built `trialwright`, started with arguments and running beside the test.
class Program {
 public:
  /// Starts it in `folder` with its runs in `folder`/runs, `input` on standard input, and the
  /// test's own environment but for `environment`.
  Program(const std::vector<std::string>& arguments, const std::filesystem::path& folder,
          const std::string& input = "",
          const std::map<std::string, std::string>& environment = {});
  /// Kills it if it still runs.
  ~Program();
  Program(const Program&) = delete;
  Program& operator=(const Program&) = delete;

  void send(int signal) const;
  [[nodiscard]] bool has_ended() const;
  [[nodiscard]] std::string out_so_far() const;
  [[nodiscard]] std::string err_so_far() const;
  /// Waits for its end.
  ProgramResult wait();

 private:
  FileTree streams_{};
  pid_t pid_ = -1;
};

/// Runs `trialwright` to its end.
ProgramResult run_trialwright(const std::vector<std::string>& arguments,
                              const std::filesystem::path& folder, const std::string& input = "",
                              const std::map<std::string, std::string>& environment = {});

/// The files below a folder, sorted, as paths relative to it.
std::vector<std::string> files_below(const std::filesystem::path& folder);

/// The one run of the runs folder. Its absence fails the test.
std::filesystem::path only_run(const std::filesystem::path& runs);

/// Trials with verdict and reward, in the order of the plan: "ID passed 1.0".
std::vector<std::string> outcomes_of(const std::filesystem::path& run);

}  // namespace trialwright
