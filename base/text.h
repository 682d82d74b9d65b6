#pragma once

#include <cstddef>
#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

namespace trialwright {

/// One code point of UTF-8 text and how many bytes it took.
struct CodePoint {
  char32_t value = 0;
  std::size_t length = 1;
  bool valid = true;  ///< false: one byte that starts no well-formed sequence.
};

/// Reads the code point at the start of `text`, which must not be empty. Overlong forms, surrogates
/// and numbers above U+10FFFF are not well formed (Unicode 15, table 3-7).
CodePoint decode_utf8(std::string_view text);

/// Appends a code point; surrogates and numbers above U+10FFFF become U+FFFD.
void append_utf8(std::string& text, char32_t value);

/// True if the whole text is well-formed UTF-8.
bool is_utf8(std::string_view text);

/// The text with every ill-formed byte replaced by U+FFFD.
std::string to_valid_utf8(std::string_view text);

/// How many bytes at the end of `text` are the start of a code point whose rest may still come.
std::size_t incomplete_utf8_tail(std::string_view text);

/// The white space of ASCII.
bool is_ascii_space(char c);

std::vector<std::string_view> split(std::string_view text, char separator);
/// Without the white space of ASCII at both ends.
std::string_view trimmed(std::string_view text);
std::string joined(const std::vector<std::string>& parts, std::string_view separator);
/// ASCII letters only.
char to_lower(char c);
std::string to_lower(std::string_view text);
std::string to_upper(std::string_view text);
/// A name out of a file as people write it: "grader error" of "grader_error".
std::string name_words(std::string_view name);

/// "12,345".
std::string grouped(std::int64_t value);
/// "3 trials", "1 trial".
std::string counted(std::int64_t count, std::string_view noun);
/// "98.4 MB"; a megabyte has 1,000,000 bytes.
std::string bytes_text(double bytes);

/// True if `text` matches a glob: `*` any run without `/`, `**` any run, `?` one byte.
bool glob_matches(std::string_view glob, std::string_view text);

/// The candidates closest to `word` by edit distance, nearest first, at most three, none that is
/// further away than a third of its length (at least 2): for "did you mean".
std::vector<std::string> nearest_words(std::string_view word,
                                       const std::vector<std::string>& candidates);

}  // namespace trialwright
