#pragma once

#include <functional>
#include <string>
#include <string_view>
#include <vector>

#include "harness/sandbox/image_files.h"
#include "harness/sandbox/left_files.h"

namespace trialwright {

/// Where an entry of PYTHONPATH leads on a grader's machine.
struct PythonFolder {
  std::string path;    ///< Absolute, without links on the way; "" for /.
  bool whole = false;  ///< The agent's must not be seen at all: it is no folder, or who knows what.
};

/// Follows the entries of PYTHONPATH through the agent's links and the image's, as the kernel
/// would. Outer folders come before those in them, each once.
///
/// working_folder  of the task; relative entries start there.
/// image_first     tells whether the image's file at a path comes before the agent's.
std::vector<PythonFolder> python_folders(
    std::string_view python_path, const std::string& working_folder, const Tree& left,
    const ImageFiles& image, const std::function<bool(const std::string&)>& image_first);

}  // namespace trialwright
