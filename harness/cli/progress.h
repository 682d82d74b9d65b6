#pragma once

#include <chrono>
#include <map>
#include <memory>
#include <string>

#include "harness/cli/console.h"
#include "harness/run/run.h"

namespace trialwright {

/// A glyph and a word for a verdict, coloured where the console has colours: "✓ passed".
std::string verdict_label(Verdict verdict, const Console& console);

enum class ProgressStyle {
  Auto,   ///< Bar on a terminal that is wide enough and can move its cursor, else Lines.
  Bar,    ///< One line redrawn on a terminal, with the trials under way below it.
  Lines,  ///< One line a trial, and a heartbeat each minute, for logs.
  None,
};

/// What --progress says: "auto", "bar", "lines" or "none". Errors: Invalid for another name.
Result<ProgressStyle> progress_style_from_name(std::string_view name);

/// Shows how a run goes on. `total` counts the trials that are to be made now.
std::unique_ptr<RunObserver> make_progress(ProgressStyle style, const Console& console, int total,
                                           const Clock& clock);

}  // namespace trialwright
