#include "inference/constrain/token_trie.h"

#include <algorithm>
#include <numeric>

#include "base/check.h"
#include "inference/constrain/parse_states.h"

namespace trialwright {

namespace {

#define TEXT R"([^"\\<\x00-\x1F\x7F])"

/// What slices are made of, in this order; a token belongs to the first that it fits. Strings of
/// JSON may go on with all of them, free text before a tag with all but what holds a `<`, many
/// patterns with words. They go by length, so that a string with room for a few characters more
/// takes the shorter ones at a glance.
struct SliceTexts {
  std::string_view pattern;
  std::size_t within;  ///< A later slice whose texts are more than these; or its own place.
};
constexpr SliceTexts kSliceTexts[] = {
    {" ?[a-z]{1,7}", 1}, {" ?[a-z]{1,15}", 2}, {" ?[A-Za-z]{1,15}", 6}, {"[0-9A-Z_a-z]{1,16}", 6},
    {TEXT "{1,4}", 5},   {TEXT "{1,8}", 6},    {TEXT "{1,16}", 7},      {TEXT "{1,32}", 7},
};

#undef TEXT

bool matches(ParseStates& states, std::string_view text) {
  ParseStates::Id id = states.start();
  for (const char c : text) {
    id = states.step(id, static_cast<std::uint8_t>(c));
    if (id == ParseStates::kDead) return false;
  }
  return states.may_end(id);
}

/// Tokens in the order of their bytes, so that what begins alike lies together and a text comes
/// before what it begins.
std::vector<TrieNode> nodes_of(std::span<const std::pair<std::string_view, TokenId>> sorted) {
  std::vector<TrieNode> nodes;
  std::vector<std::size_t> way;  // Nodes from the root to the last token.
  const auto leave = [&](std::size_t depth) {
    while (way.size() > depth) {
      nodes[way.back()].size = static_cast<std::uint32_t>(nodes.size() - way.back());
      way.pop_back();
    }
  };
  std::string_view last;
  for (const auto& [text, id] : sorted) {
    const auto [end, unused] = std::mismatch(text.begin(), text.end(), last.begin(), last.end());
    auto common = static_cast<std::size_t>(end - text.begin());
    // A second token with the same bytes gets a node beside the first one's.
    if (common == text.size()) --common;
    leave(common);
    for (std::size_t i = common; i < text.size(); ++i) {
      way.push_back(nodes.size());
      nodes.push_back(
          {1, -1, static_cast<std::uint16_t>(i + 1), static_cast<std::uint8_t>(text[i])});
    }
    nodes.back().token = id;
    last = text;
  }
  leave(0);
  return nodes;
}

std::array<std::uint32_t, 257> begins_of(std::span<const TrieNode> nodes) {
  std::array<std::uint32_t, 257> begins{};
  std::size_t at = 0;
  for (unsigned byte = 0; byte < 256; ++byte) {
    begins[byte] = static_cast<std::uint32_t>(at);
    while (at < nodes.size() && nodes[at].byte == byte) at += nodes[at].size;
  }
  begins[256] = static_cast<std::uint32_t>(at);
  return begins;
}

}  // namespace

TokenTrie::TokenTrie(std::span<const TrieToken> tokens) {
  constexpr std::size_t kBytesMax = 0xFFFF;  // Depths have 16 bits; no real token comes near.
  offsets_.push_back(0);
  for (std::size_t i = 0; i < tokens.size(); ++i) {
    TrieToken::Kind kind = tokens[i].kind;
    if (tokens[i].bytes.empty() || tokens[i].bytes.size() > kBytesMax) {
      kind = TrieToken::Kind::Unused;
    }
    kinds_.push_back(kind);
    bytes_ += tokens[i].bytes;
    offsets_.push_back(bytes_.size());
  }

  std::vector<std::shared_ptr<const Grammar>> texts;
  std::vector<ParseStates> states;
  for (const SliceTexts& slice : kSliceTexts) {
    auto grammar = compile_regex(slice.pattern);
    CHECK(grammar, "the expressions above are right");
    states.emplace_back(*grammar, std::vector<bool>());
    texts.push_back(*std::move(grammar));
  }
  texts.push_back(nullptr);
  std::vector<std::vector<std::pair<std::string_view, TokenId>>> members(texts.size());
  for (TokenId id = 0; id < vocabulary_size(); ++id) {
    if (!is_text(id)) continue;
    const std::string_view text = bytes(id);
    bytes_max_ = std::max(bytes_max_, text.size());
    if (text.size() == 1) has_byte_[static_cast<std::uint8_t>(text[0])] = true;
    std::size_t slice = 0;
    while (slice < states.size() && !matches(states[slice], text)) ++slice;
    members[slice].emplace_back(text, id);
  }
  for (std::size_t i = 0; i < texts.size(); ++i) {
    TokenMask mask(vocabulary_size());
    for (const auto& [text, id] : members[i]) mask.add(id);
    std::ranges::sort(members[i]);
    TokenSlice slice{
        texts[i],        texts[i] ? kSliceTexts[i].within : i, nodes_of(members[i]), {},
        std::move(mask), static_cast<int>(members[i].size())};
    slice.begins = begins_of(slice.nodes);
    slices_.push_back(std::move(slice));
  }
}

std::shared_ptr<const TokenTrie> TokenTrie::build(std::span<const TrieToken> tokens) {
  return std::shared_ptr<const TokenTrie>(new TokenTrie(tokens));
}

std::shared_ptr<const TokenTrie> TokenTrie::build(const Tokenizer& tokenizer) {
  std::vector<TrieToken> tokens;
  tokens.reserve(static_cast<std::size_t>(tokenizer.size()));
  for (TokenId id = 0; id < tokenizer.size(); ++id) {
    const bool special = tokenizer.is_control(id) || tokenizer.ends_turn(id);
    tokens.push_back({std::string(tokenizer.bytes(id)),
                      special ? TrieToken::Kind::Special : TrieToken::Kind::Text});
  }
  return build(tokens);
}

bool TokenTrie::is_text(TokenId id) const {
  return kinds_[static_cast<std::size_t>(id)] == TrieToken::Kind::Text;
}

std::optional<TokenId> TokenTrie::special(std::string_view text) const {
  std::optional<TokenId> as_text;
  for (TokenId id = 0; id < vocabulary_size(); ++id) {
    const TrieToken::Kind kind = kinds_[static_cast<std::size_t>(id)];
    if (kind == TrieToken::Kind::Unused || bytes(id) != text) continue;
    if (kind == TrieToken::Kind::Special) return id;
    if (!as_text) as_text = id;
  }
  return as_text;
}

}  // namespace trialwright
