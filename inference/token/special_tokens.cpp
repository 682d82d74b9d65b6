#include "inference/token/special_tokens.h"

#include <algorithm>

namespace trialwright {

namespace {

bool is_special(TokenKind kind) {
  return kind == TokenKind::Control || kind == TokenKind::Unknown || kind == TokenKind::UserDefined;
}

bool is_blank(std::string_view token) {
  return token.find_first_not_of(" \t\r\n") == std::string_view::npos;
}

/// True if [begin, end) lies in one of the stretches.
bool covered(std::span<const TextSpan> stretches, std::size_t begin, std::size_t end) {
  const auto after =
      std::upper_bound(stretches.begin(), stretches.end(), begin,
                       [](std::size_t at, const TextSpan& stretch) { return at < stretch.begin; });
  return after != stretches.begin() && end <= std::prev(after)->end;
}

}  // namespace

SpecialTokens::SpecialTokens(const Vocabulary& vocabulary) : vocabulary_(vocabulary), nodes_(1) {
  const auto text_of = [&](TokenId id) { return vocabulary.token(static_cast<std::size_t>(id)); };
  for (TokenId id = 0; id < vocabulary.size(); ++id) {
    const bool special = is_special(vocabulary.kind[static_cast<std::size_t>(id)]);
    if (special && !text_of(id).empty()) order_.push_back(id);
  }
  std::stable_sort(order_.begin(), order_.end(), [&](TokenId left, TokenId right) {
    return text_of(left).size() > text_of(right).size();
  });
  for (std::size_t place = 0; place < order_.size(); ++place) {
    std::size_t node = 0;
    for (const char c : text_of(order_[place])) {
      auto& next = nodes_[node].next;
      const auto at = std::lower_bound(next.begin(), next.end(), std::pair{c, std::size_t{0}});
      if (at != next.end() && at->first == c) {
        node = at->second;
        continue;
      }
      const std::size_t added = nodes_.size();
      next.insert(at, {c, added});
      nodes_.emplace_back();  // `next` is not valid from here.
      node = added;
    }
    if (nodes_[node].token == 0) nodes_[node].token = place + 1;
  }
}

std::vector<bool> SpecialTokens::present_in(std::string_view text) const {
  std::vector<bool> present(order_.size());
  for (std::size_t begin = 0; begin < text.size(); ++begin) {
    std::size_t node = 0;
    for (std::size_t i = begin; i < text.size(); ++i) {
      const auto& next = nodes_[node].next;
      const auto at =
          std::lower_bound(next.begin(), next.end(), std::pair{text[i], std::size_t{0}});
      if (at == next.end() || at->first != text[i]) break;
      node = at->second;
      if (nodes_[node].token != 0) present[nodes_[node].token - 1] = true;
    }
  }
  return present;
}

std::vector<TextSpan> SpecialTokens::split(std::string_view text, std::span<const TextSpan> trusted,
                                           UserDefined user_defined) const {
  std::vector<TextSpan> spans;
  if (!text.empty()) spans.push_back({0, text.size(), -1});
  const std::vector<bool> present = present_in(text);
  for (std::size_t place = 0; place < order_.size(); ++place) {
    if (!present[place]) continue;
    const TokenId id = order_[place];
    const std::string_view token = vocabulary_.token(static_cast<std::size_t>(id));
    const bool needs_trust =
        vocabulary_.kind[static_cast<std::size_t>(id)] != TokenKind::UserDefined ||
        (user_defined == UserDefined::WhereTrusted && !is_blank(token));
    std::vector<TextSpan> cut;
    for (const TextSpan& span : spans) {
      if (span.id >= 0) {
        cut.push_back(span);
        continue;
      }
      std::size_t rest = span.begin;
      const std::string_view part = text.substr(0, span.end);
      for (std::size_t at = part.find(token, rest); at != std::string_view::npos;) {
        const std::size_t end = at + token.size();
        if (needs_trust && !covered(trusted, at, end)) {
          at = part.find(token, at + 1);
          continue;
        }
        if (rest < at) cut.push_back({rest, at, -1});
        cut.push_back({at, end, id});
        rest = end;
        at = part.find(token, rest);
      }
      if (rest < span.end) cut.push_back({rest, span.end, -1});
    }
    spans = std::move(cut);
  }
  return spans;
}

}  // namespace trialwright
