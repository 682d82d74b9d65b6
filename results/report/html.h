#pragma once

#include <cstddef>
#include <string>
#include <string_view>

#include "results/trace.h"

namespace trialwright::html {

/// Text from outside as text: `& < > " '` are escaped, so it can stand between tags and in quoted
/// attributes. Ill-formed UTF-8 becomes U+FFFD. Characters that would act on the page instead of
/// showing (control characters, those that turn the direction of writing, invisible ones) are shown
/// by name, in a span of class `odd`; line ends and tabs stay.
std::string text(std::string_view text);

/// The first `bytes_max` bytes as text, with an ellipsis where something follows.
std::string text_start(std::string_view text, std::size_t bytes_max);

/// As above without spans, for attributes and titles.
std::string attribute(std::string_view text);

/// `<TAG class="CLASSES">CONTENT</TAG>`; CONTENT is HTML already.
std::string element(std::string_view tag, std::string_view classes, std::string_view content);

/// A text of any length in a `pre`. What is beyond a screenful folds away, and what is beyond
/// `bytes_max` is left out with a note.
std::string block(std::string_view content, std::size_t bytes_max = std::size_t{256} << 10U);

/// The verdict as a glyph and a word, in its colour.
std::string verdict(Verdict verdict);
/// As a word for people: "grader error".
std::string verdict_words(Verdict verdict);
/// What stands in its place where there is no outcome.
std::string missing();

/// One pair of a list of facts, `dl`. VALUE is HTML already.
std::string fact(std::string_view name, std::string_view value);

/// "0.612".
std::string number(double value, int digits = 3);
/// "2026-11-21 18:02:33 UTC".
std::string moment(std::int64_t microseconds);

}  // namespace trialwright::html
