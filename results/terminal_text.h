#pragma once

#include <string>
#include <string_view>
#include <vector>

#include "results/trace.h"

namespace trialwright {

enum class Colour { Plain, Bold, Dim, Green, Red, Yellow, Blue, Cyan };

/// The text between the escape sequences that turn a colour on and off.
std::string painted(std::string_view text, Colour colour);
/// The colour that goes with a verdict's glyph.
Colour verdict_colour(Verdict verdict);

/// The text as it can be shown on a terminal without obeying it: control characters become their
/// escapes (`\x1b`, `\r`), so do bytes that are no UTF-8 and characters that hide or reorder others
/// (`\u{202e}`). Tabs become spaces up to the next multiple of four; newlines stay.
std::string visible_text(std::string_view text);

/// The same on one line: line ends become spaces, so no text from outside can pass for a line of
/// ours.
std::string visible_line(std::string_view text);

/// Columns that visible text takes on a terminal: two for East Asian wide characters and emoji,
/// none for combining marks (Unicode 15, East_Asian_Width W and F, general category Mn, by blocks),
/// and none for our own colours (CSI sequences).
int display_width(std::string_view text);

/// Lines of at most `width` columns, broken between words where that is possible. A newline ends a
/// line; leading spaces stay; no text gives no lines. width >= 2.
std::vector<std::string> wrapped(std::string_view text, int width);

}  // namespace trialwright
