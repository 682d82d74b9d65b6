#pragma once

#include <memory>
#include <string>
#include <string_view>
#include <vector>

#include "base/result.h"
#include "harness/sandbox/base_tree.h"
#include "harness/sandbox/keeper.h"
#include "harness/sandbox/sandbox.h"
#include "harness/sandbox/tree_writer.h"

namespace trialwright {

/// A folder that has an overlay of its own in the grader's machine.
struct ViewFolder {
  std::string path;                 ///< In the machine, for example "/usr/local".
  std::vector<std::string> lowers;  ///< Overlay layers, topmost first.
  std::string changes;              ///< Its own layer's folder in the grader's tree.
};

struct GraderView {
  std::vector<ViewFolder> folders;   ///< In the order to mount them.
  std::vector<std::string> trusted;  ///< Folders of programs that an agent cannot have led astray.
  SealFindings findings;
};

/// What the grader's view depends on besides the trees.
struct GraderSettings {
  std::string path;            ///< The task's PATH.
  std::string python_path;     ///< The task's PYTHONPATH; empty if it has none.
  std::string working_folder;  ///< Of the task; belongs to the agent, whatever PATH says.
};

/// Takes out of a grader's view what an agent may have left to be run before, or in place of, the
/// programs that tests trust; docs/sandbox.md lists it.
///
/// layers   the file trees below the grader's, topmost first; the first is the agent's, the others
///          are the image's.
/// changes  the grader's own tree, in which nothing runs yet; gets the layers that hide things.
/// owner    the machine's id of the boxes' root.
/// Errors: Invalid if the agent left more than can be taken out; Unavailable.
Result<GraderView> prepare_grader_view(const BaseTree& base,
                                       const std::vector<std::shared_ptr<const Tree>>& layers,
                                       const GraderSettings& settings, const Tree& changes,
                                       uid_t owner);

/// PATH with the trusted folders first, otherwise in its order; without relative folders.
std::string trusted_first(std::string_view path, const std::vector<std::string>& trusted);

}  // namespace trialwright
