#pragma once

#include <chrono>
#include <cstdint>
#include <map>
#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "base/json.h"
#include "base/result.h"

namespace trialwright {

/// A table of a TOML document, read field by field.
///
/// A field of the wrong type is remembered, the first one of the document, and reads as if it were
/// not there; `check` gives it, so that a reader can ask for all its fields and look once. Every
/// key that was asked for is remembered too. A key may be dotted: "task.name". Copies share the
/// document. One thread at a time.
class TomlTable {
 public:
  /// The longest time that `seconds` takes: 30 days.
  static constexpr double kSecondsMax = 30.0 * 24 * 3600;

  /// The whole document. Errors: Invalid, with the line; also for keys and values that are nested
  /// so deeply that reading them could exhaust the stack.
  static Result<TomlTable> parse(std::string_view text);

  [[nodiscard]] std::optional<std::string> text(std::string_view key) const;
  /// Whole or not.
  [[nodiscard]] std::optional<double> number(std::string_view key) const;
  /// A whole number from `least` to `most`.
  [[nodiscard]] std::optional<std::int64_t> whole(std::string_view key, std::int64_t least,
                                                  std::int64_t most) const;
  [[nodiscard]] std::optional<bool> flag(std::string_view key) const;
  /// A number of seconds above 0, rounded up to a whole one; at most kSecondsMax.
  [[nodiscard]] std::optional<std::chrono::seconds> seconds(std::string_view key) const;
  /// A list of strings; empty if it is not there.
  [[nodiscard]] std::vector<std::string> texts(std::string_view key) const;
  /// A table of strings; empty if it is not there.
  [[nodiscard]] std::map<std::string, std::string> text_map(std::string_view key) const;
  /// The names of what is in this table, in the order of the alphabet.
  [[nodiscard]] std::vector<std::string> keys() const;
  /// An empty table if it is not there.
  [[nodiscard]] TomlTable table(std::string_view key) const;
  /// An array of tables; empty if it is not there.
  [[nodiscard]] std::vector<TomlTable> tables(std::string_view key) const;
  /// Anything, as JSON; null if it is not there. Dates become text.
  [[nodiscard]] Json json(std::string_view key) const;
  /// True if something is there that is not an empty list, empty table, empty text, 0 or false.
  [[nodiscard]] bool is_set(std::string_view key) const;

  /// Reports a field whose type is right and whose value is not: `field "KEY" WHAT`.
  void reject(std::string_view key, std::string_view what) const;

  /// The first wrong field, as `line N: field "KEY" must be …`. Errors: Invalid.
  [[nodiscard]] Result<void> check() const;

  /// The dotted keys of this table, and of those below it, that nobody asked for. Of a table it is
  /// the keys in it, or its own if it is empty and nobody asked for it.
  [[nodiscard]] std::vector<std::string> unread_keys() const;

 private:
  struct Document;
  TomlTable(std::shared_ptr<Document> document, const void* table, std::string path);

  std::shared_ptr<Document> document_;
  const void* table_;  ///< A toml::table of the document, or null for one that is not there.
  std::string path_;   ///< Dotted, with a '.' at its end; empty for the document.
};

}  // namespace trialwright
