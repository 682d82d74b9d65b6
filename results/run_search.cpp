#include <algorithm>
#include <array>

#include "base/text.h"
#include "results/reader_state.h"

namespace trialwright {

namespace {

constexpr std::size_t kContextBytes = 40;  ///< Shown on each side of what was found.

/// Finds one text in many, letters of ASCII in either case.
class Needle {
 public:
  explicit Needle(std::string_view text) : text_(to_lower(text)) {
    const char first = text_.empty() ? '\0' : text_[0];
    first_lower_ = first;
    first_upper_ = first >= 'a' && first <= 'z' ? static_cast<char>(first - 'a' + 'A') : first;
  }

  [[nodiscard]] std::size_t find_in(std::string_view haystack) const {
    const std::array<char, 2> firsts = {first_lower_, first_upper_};
    const std::string_view first_bytes(firsts.data(), first_lower_ == first_upper_ ? 1 : 2);
    for (std::size_t at = haystack.find_first_of(first_bytes);
         at != std::string_view::npos && haystack.size() - at >= text_.size();
         at = haystack.find_first_of(first_bytes, at + 1)) {
      if (std::equal(text_.begin(), text_.end(), haystack.begin() + static_cast<std::ptrdiff_t>(at),
                     [](char a, char b) { return a == to_lower(b); })) {
        return at;
      }
    }
    return std::string_view::npos;
  }

  [[nodiscard]] std::size_t size() const { return text_.size(); }

 private:
  std::string text_;
  char first_lower_;
  char first_upper_;
};

/// The line around a place, cut at both ends on the border of a code point.
std::string excerpt(std::string_view text, std::size_t at, std::size_t length) {
  std::size_t from = at > kContextBytes ? at - kContextBytes : 0;
  std::size_t to = std::min(text.size(), at + length + kContextBytes);
  if (const auto newline = text.rfind('\n', at); newline != std::string_view::npos && at > 0) {
    if (newline < at) from = std::max(from, newline + 1);
  }
  if (const auto newline = text.find('\n', at + length); newline != std::string_view::npos) {
    to = std::min(to, newline);
  }
  const auto is_continuation = [&](std::size_t i) {
    return (static_cast<unsigned char>(text[i]) & 0xC0U) == 0x80U;
  };
  while (from < at && is_continuation(from)) ++from;
  while (to < text.size() && is_continuation(to)) --to;
  return std::string(text.substr(from, to - from));
}

/// The text as it stands inside of a JSON string.
std::string escaped_for_json(std::string_view text) {
  const std::string quoted = to_text(Json(text));
  return quoted.substr(1, quoted.size() - 2);
}

/// What was found in a text: the excerpt.
using Finding = std::optional<std::string>;

/// A text as it was said or, in the arguments of tool calls, as JSON holds it.
class Wanted {
 public:
  explicit Wanted(std::string_view text)
      : plain_(text), escaped_(escaped_for_json(text)), differ_(escaped_for_json(text) != text) {}

  [[nodiscard]] Finding find_in(std::string_view text) const {
    for (const Needle* needle : {&plain_, &escaped_}) {
      const std::size_t at = needle->find_in(text);
      if (at != std::string_view::npos) return excerpt(text, at, needle->size());
      if (!differ_) break;
    }
    return std::nullopt;
  }

 private:
  Needle plain_;
  Needle escaped_;
  bool differ_;
};

/// Every text is looked at once: first all blobs, then all messages, then the events that refer to
/// them. A blob is shared by many rows, so this is less work than going from row to blob.
class Search {
 public:
  Search(Database& database, std::string_view text) : database_(database), wanted_(text) {}

  Result<std::vector<SearchHit>> run(std::size_t hits_max) {
    if (auto read = look_at_blobs(); !read) return read.error();
    if (auto read = look_at_messages(); !read) return read.error();
    return look_at_events(hits_max);
  }

 private:
  Result<void> look_at_blobs() {
    auto row = database_.prepare("SELECT hash, codec, raw_bytes, data FROM blob");
    if (!row) return row.error();
    while (true) {
      auto more = row->next();
      if (!more) return more.error();
      if (!*more) return {};
      auto content = unpack_blob(row->bytes(1), row->bytes(3), row->integer(2));
      if (!content) return content.error().during(database_.name() + ": a blob");
      if (auto found = wanted_.find_in(*content)) blobs_[row->text(0)] = *std::move(found);
    }
  }

  Finding in_column(const Statement& row, int column) const {
    switch (row.type(column)) {
      case SqlType::Text:
        return wanted_.find_in(row.bytes(column));
      case SqlType::Blob: {
        const auto found = blobs_.find(row.bytes(column));
        return found == blobs_.end() ? Finding() : found->second;
      }
      default:
        return std::nullopt;
    }
  }

  Result<void> look_at_messages() {
    auto row = database_.prepare("SELECT hash, parent, text, detail FROM message");
    if (!row) return row.error();
    while (true) {
      auto more = row->next();
      if (!more) return more.error();
      if (!*more) return {};
      MessageState& state = messages_[row->text(0)];
      state.parent = row->text(1);
      state.finding = in_column(*row, 2);
      if (!state.finding) state.finding = in_column(*row, 3);
    }
  }

  /// The first finding in the messages up to this one.
  [[nodiscard]] Result<Finding> in_conversation(std::string_view last) const {
    Finding first;
    std::size_t length = 0;
    for (auto at = messages_.find(last); at != messages_.end();
         at = messages_.find(at->second.parent)) {
      if (++length > kConversationMax) return integrity("a conversation does not end");
      if (at->second.finding) first = at->second.finding;
    }
    return first;
  }

  Result<std::vector<SearchHit>> look_at_events(std::size_t hits_max) {
    auto row = database_.prepare(
        "SELECT trial.id, task, epoch, attempt, seq, kind, text, detail, context "
        "FROM event JOIN trial ON trial.number = event.trial "
        "ORDER BY event.trial, attempt, seq");
    if (!row) return row.error();
    std::vector<SearchHit> hits;
    while (hits.size() < hits_max) {
      auto more = row->next();
      if (!more) return more.error();
      if (!*more) break;
      Finding found = in_column(*row, 6);
      if (!found) found = in_column(*row, 7);
      // What a completion was sent is told by the events before it; only the opening is not.
      if (!found && row->bytes(5) == kOpening) {
        auto in_opening = in_conversation(row->bytes(8));
        if (!in_opening) return in_opening.error().during(database_.name());
        found = *std::move(in_opening);
      }
      if (!found) continue;
      hits.push_back({row->text(0), row->text(1), static_cast<int>(row->integer(2)),
                      static_cast<int>(row->integer(3)), static_cast<int>(row->integer(4)),
                      row->text(5), *std::move(found)});
    }
    return hits;
  }

  struct MessageState {
    std::string parent;
    Finding finding;
  };

  Database& database_;
  Wanted wanted_;
  std::map<std::string, std::string, std::less<>> blobs_;  ///< Excerpts of those that match.
  std::map<std::string, MessageState, std::less<>> messages_;
};

}  // namespace

Result<std::vector<SearchHit>> RunReader::search(std::string_view text, std::size_t hits_max) {
  if (text.empty()) return invalid("an empty text is everywhere");
  if (auto begun = state_->database.execute("BEGIN"); !begun) return begun.error();
  auto hits = Search(state_->database, text).run(hits_max);
  if (auto ended = state_->database.execute("COMMIT"); !ended) return ended.error();
  return hits;
}

}  // namespace trialwright
