#include "inference/constrain/mask_table.h"

#include <algorithm>
#include <set>
#include <unordered_set>

#include "base/check.h"

namespace trialwright {

namespace {

constexpr std::size_t kTableBytesMax = std::size_t{96} << 20U;
constexpr std::size_t kMaskBytesMax = std::size_t{48} << 20U;

std::vector<bool> present(const std::vector<TokenId>& specials) {
  std::vector<bool> present;
  present.reserve(specials.size());
  for (const TokenId id : specials) present.push_back(id >= 0);
  return present;
}

}  // namespace

MaskTable::MaskTable(std::shared_ptr<const Grammar> grammar, const TokenVocabulary& vocabulary)
    : vocabulary_(vocabulary),
      states_(grammar, present(vocabulary.specials)),
      way_(vocabulary.trie->bytes_max() + 1) {
  const Automaton& automaton = grammar->automaton();
  for (const TokenSlice& slice : vocabulary.trie->slices()) {
    if (!slice.texts) continue;
    const auto& slice_classes = slice.texts->automaton().class_of;
    SliceTexts texts{ParseStates(slice.texts, {}), 0, {}, {}};
    texts.included.resize(automaton.states.size(), Inclusion::Unknown);
    std::set<std::pair<std::uint8_t, std::uint8_t>> kinds;
    for (unsigned byte = 0; byte < 256; ++byte) {
      if (kinds.emplace(slice_classes[byte], automaton.class_of[byte]).second) {
        texts.samples.push_back(static_cast<std::uint8_t>(byte));
      }
      const bool begins = texts.states.step(texts.states.start(),
                                            static_cast<std::uint8_t>(byte)) != ParseStates::kDead;
      if (begins && (texts.probe == 0 || byte == 'a')) {
        texts.probe = static_cast<std::uint8_t>(byte);
      }
    }
    slices_.push_back(std::move(texts));
  }
}

bool MaskTable::is_large() const { return states_.bytes() > kTableBytesMax; }

std::shared_ptr<const AllowedTokens> MaskTable::allowed(ParseStates::Id id) {
  if (const auto known = masks_.find(id); known != masks_.end()) return known->second;
  const TokenTrie& trie = *vocabulary_.trie;
  auto allowed = std::make_shared<AllowedTokens>();
  allowed->mask = TokenMask(trie.vocabulary_size());
  const auto slices = trie.slices();
  std::vector<bool> included(slices.size(), false);
  // From the last on, so that a slice is not looked at when one that holds more is included.
  for (std::size_t i = slices.size(); i-- > 0 && states_.takes_bytes(id);) {
    included[i] = included[slices[i].within] || (slices[i].texts && includes(id, i));
    if (included[i]) {
      allowed->mask.add(slices[i].mask);
      allowed->count += slices[i].tokens;
    } else {
      allowed->count += walk(slices[i], id, allowed->mask);
    }
  }
  const auto add = [&](TokenId token) {
    if (allowed->mask.has(token)) return;
    allowed->mask.add(token);
    ++allowed->count;
  };
  for (const std::uint32_t special : states_.specials(id)) add(vocabulary_.specials[special]);
  if (states_.may_end(id)) std::ranges::for_each(vocabulary_.end_ids, add);
  CHECK(allowed->count > 0, "every edge of the automaton has a byte that is a token");
  if (masks_.size() * allowed->mask.words().size_bytes() > kMaskBytesMax) masks_.clear();
  masks_[id] = allowed;
  return allowed;
}

int MaskTable::walk(const TokenSlice& slice, ParseStates::Id id, TokenMask& mask) {
  const std::vector<TrieNode>& nodes = slice.nodes;
  int count = 0;
  way_[0] = id;
  for (unsigned byte = 0; byte < 256; ++byte) {
    const std::size_t end = slice.begins[byte + 1];
    std::size_t i = slice.begins[byte];
    if (i == end || states_.step(id, static_cast<std::uint8_t>(byte)) == ParseStates::kDead) {
      continue;
    }
    while (i < end) {
      const TrieNode& node = nodes[i];
      const ParseStates::Id next = states_.step(way_[node.depth - 1U], node.byte);
      if (next == ParseStates::kDead) {
        i += node.size;
        continue;
      }
      way_[node.depth] = next;
      if (node.token >= 0) {
        mask.add(node.token);
        ++count;
      }
      ++i;
    }
  }
  return count;
}

bool MaskTable::includes(ParseStates::Id id, std::size_t slice) {
  SliceTexts& texts = slices_[slice];
  // Working it out adds states, so the places are looked at by number.
  for (std::size_t i = 0; i < states_.places(id).size(); ++i) {
    const StateId state = states_.places(id)[i].first;
    if (texts.included[state] == Inclusion::Unknown) {
      texts.included[state] = includes_alone(state, slice) ? Inclusion::Included : Inclusion::Not;
    }
    if (texts.included[state] == Inclusion::Included) return true;
  }
  return false;
}

/// Whether every text of the slice can go on from the state without leaving its rule: all pairs of
/// where a text and where the grammar may stand are visited.
bool MaskTable::includes_alone(StateId state, std::size_t slice) {
  SliceTexts& texts = slices_[slice];
  const Automaton& automaton = states_.grammar().automaton();
  const auto covers = [&](const Automaton::ByteEdge& edge) {
    return edge.first <= texts.probe && texts.probe <= edge.last;
  };
  if (std::ranges::none_of(automaton.bytes_from(state), covers)) return false;
  std::vector<std::pair<ParseStates::Id, ParseStates::Id>> pairs = {
      {texts.states.start(), states_.alone(state)}};
  std::unordered_set<std::uint64_t> seen;
  while (!pairs.empty()) {
    const auto [text, here] = pairs.back();
    pairs.pop_back();
    for (const std::uint8_t byte : texts.samples) {
      const ParseStates::Id next_text = texts.states.step(text, byte);
      if (next_text == ParseStates::kDead) continue;
      const ParseStates::Id next = states_.step(here, byte);
      if (next == ParseStates::kDead) return false;
      const std::uint64_t key = (std::uint64_t{next_text} << 32U) | next;
      if (seen.insert(key).second) pairs.emplace_back(next_text, next);
    }
  }
  return true;
}

ParseStates::Id MaskTable::step(ParseStates::Id id, TokenId token) {
  const TokenTrie& trie = *vocabulary_.trie;
  if (token < 0 || token >= trie.vocabulary_size()) return ParseStates::kDead;
  for (const std::uint32_t special : states_.specials(id)) {
    if (vocabulary_.specials[special] == token) return states_.step_special(id, special);
  }
  if (!trie.is_text(token)) return ParseStates::kDead;
  for (const char c : trie.bytes(token)) {
    id = states_.step(id, static_cast<std::uint8_t>(c));
    if (id == ParseStates::kDead) break;
  }
  return id;
}

std::optional<TokenId> MaskTable::longer_token(std::string_view text, ParseStates::Id after) {
  CHECK(!text.empty(), "only what was written can be begun with");
  for (const TokenSlice& slice : vocabulary_.trie->slices()) {
    const auto first = static_cast<std::uint8_t>(text.front());
    const std::size_t end = slice.begins[first + 1U];
    for (std::size_t i = slice.begins[first]; i < end;) {
      const TrieNode& node = slice.nodes[i];
      const std::size_t place = node.depth - 1U;
      ParseStates::Id next = after;
      if (place < text.size()) {
        if (node.byte != static_cast<std::uint8_t>(text[place])) next = ParseStates::kDead;
      } else {
        next = states_.step(place == text.size() ? after : way_[place], node.byte);
      }
      if (next == ParseStates::kDead) {
        i += node.size;
        continue;
      }
      way_[node.depth] = next;
      if (node.token >= 0 && node.depth > text.size()) return node.token;
      ++i;
    }
  }
  return std::nullopt;
}

}  // namespace trialwright
