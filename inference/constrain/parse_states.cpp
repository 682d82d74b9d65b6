#include "inference/constrain/parse_states.h"

#include <algorithm>
#include <functional>

#include "base/check.h"

namespace trialwright {

namespace {

constexpr std::size_t kSeenAtFirst = 64;

/// Source: Steele, Lea, Flood, "Fast splittable pseudorandom number generators", OOPSLA 2014, the
/// finalizer of SplitMix64.
std::uint64_t mixed(std::uint64_t x) {
  x = (x ^ (x >> 30U)) * 0xBF58476D1CE4E5B9ULL;
  x = (x ^ (x >> 27U)) * 0x94D049BB133111EBULL;
  return x ^ (x >> 31U);
}

}  // namespace

std::size_t ParseStates::PlacesHash::operator()(const std::vector<Place>& places) const {
  std::uint64_t hash = places.size();
  for (const auto& [state, node] : places) {
    hash = mixed(hash * 31 + ((std::uint64_t{state} << 32U) | node));
  }
  return hash;
}

ParseStates::ParseStates(std::shared_ptr<const Grammar> grammar, std::vector<bool> special_tokens)
    : grammar_(std::move(grammar)),
      automaton_(grammar_->automaton()),
      classes_(automaton_.classes),
      special_tokens_(std::move(special_tokens)) {
  special_tokens_.resize(automaton_.special_texts.size(), false);
  nodes_.resize(2);      // kNowhere and kEnd
  sets_.emplace_back();  // kDead
  steps_.assign(classes_, kDead);
  begin_set();
  add(automaton_.rules[automaton_.root].start, kEnd);
  start_ = finish_set();
}

ParseStates::Id ParseStates::take_step(Id id, std::uint8_t byte) {
  begin_set();
  // Where the same edges are taken as for `byte`, the same state follows.
  unsigned first = 0;
  unsigned last = 255;
  for (const auto& [state, node] : sets_[id].places) {
    for (const Automaton::ByteEdge& edge : automaton_.bytes_from(state)) {
      if (edge.last < byte) {
        first = std::max(first, edge.last + 1U);
      } else if (edge.first > byte) {
        last = std::min(last, edge.first - 1U);
      } else {
        first = std::max<unsigned>(first, edge.first);
        last = std::min<unsigned>(last, edge.last);
        add(edge.to, node);
      }
    }
  }
  const Id next = finish_set();
  const auto row = steps_.begin() + static_cast<std::ptrdiff_t>(id * std::size_t{classes_});
  std::fill(row + automaton_.class_of[first], row + automaton_.class_of[last] + 1, next);
  return next;
}

ParseStates::Id ParseStates::step_special(Id id, std::uint32_t special) {
  const std::uint64_t key = (std::uint64_t{id} << 32U) | special;
  if (const auto known = special_steps_.find(key); known != special_steps_.end()) {
    return known->second;
  }
  begin_set();
  for (const auto& [state, node] : sets_[id].places) {
    for (const Automaton::SpecialEdge& edge : automaton_.specials_from(state)) {
      if (edge.text == special && special_tokens_[special]) add(edge.to, node);
    }
  }
  return special_steps_[key] = finish_set();
}

std::optional<std::uint8_t> ParseStates::only_byte(Id id) const {
  const Set& set = sets_[id];
  if (set.may_end || !set.specials.empty()) return std::nullopt;
  std::optional<std::uint8_t> only;
  for (const auto& [state, node] : set.places) {
    for (const Automaton::ByteEdge& edge : automaton_.bytes_from(state)) {
      // Not every edge can be taken that deep, but then another one can.
      if (automaton_.states[edge.to].need + nodes_[node].depth > kRuleDepthMax) continue;
      if (edge.first != edge.last || (only && *only != edge.first)) return std::nullopt;
      only = edge.first;
    }
  }
  return only;
}

ParseStates::Id ParseStates::alone(StateId state) {
  begin_set();
  add(state, kNowhere);
  return finish_set();
}

void ParseStates::begin_set() {
  reached_.clear();
  followed_ = 0;
  seen_.assign(kSeenAtFirst, 0);
  calls_.clear();
  may_end_ = false;
}

void ParseStates::add(StateId state, NodeId node) {
  if (nodes_[node].depth + automaton_.states[state].need > kRuleDepthMax) return;
  if (reached_.size() * 2 >= seen_.size()) {
    seen_.assign(seen_.size() * 2, 0);
    for (const auto& [known_state, known_node] : reached_) {
      const std::uint64_t key = ((std::uint64_t{known_state} << 32U) | known_node) + 1;
      std::size_t at = mixed(key) & (seen_.size() - 1);
      while (seen_[at] != 0) at = (at + 1) & (seen_.size() - 1);
      seen_[at] = key;
    }
  }
  const std::uint64_t key = ((std::uint64_t{state} << 32U) | node) + 1;
  std::size_t at = mixed(key) & (seen_.size() - 1);
  while (seen_[at] != 0) {
    if (seen_[at] == key) return;
    at = (at + 1) & (seen_.size() - 1);
  }
  seen_[at] = key;
  reached_.emplace_back(state, node);
}

/// Where a place leads without reading anything; calls are put aside until all callers are known.
void ParseStates::follow(Place place) {
  const auto [state, node] = place;
  for (const StateId to : automaton_.epsilons_from(state)) add(to, node);
  for (const Automaton::SpecialEdge& edge : automaton_.specials_from(state)) {
    if (!special_tokens_[edge.text]) add(edge.spelled, node);
  }
  if (automaton_.states[state].ends) {
    may_end_ = may_end_ || node == kEnd;
    for (const auto& [back, outer] : nodes_[node].returns) add(back, outer);
  }
  for (const Automaton::CallEdge& edge : automaton_.calls_from(state)) {
    const Automaton::Rule& rule = automaton_.rules[edge.rule];
    if (rule.nullable) add(edge.to, node);
    // What a call at a rule's very end returns to is what the rule itself returns to, so that
    // lists which are written as recursions do not grow deep.
    if (automaton_.states[edge.to].tail && node > kEnd) {
      for (const Place& back : nodes_[node].returns) {
        calls_.push_back({rule.order, edge.rule, back});
      }
    } else {
      calls_.push_back({rule.order, edge.rule, {edge.to, node}});
    }
    std::ranges::push_heap(calls_, std::greater<>());
  }
}

void ParseStates::follow_all() {
  while (followed_ < reached_.size()) {
    const Place place = reached_[followed_++];
    follow(place);
  }
}

/// Callers come before what they call first, so that each rule is entered once, with all that it
/// returns to.
void ParseStates::enter_calls() {
  std::vector<Place> returns;
  while (!calls_.empty()) {
    const RuleId rule = calls_.front().rule;
    const StateId start = automaton_.rules[rule].start;
    returns.clear();
    while (!calls_.empty() && calls_.front().rule == rule) {
      const Place back = calls_.front().back;
      std::ranges::pop_heap(calls_, std::greater<>());
      calls_.pop_back();
      const auto depth = nodes_[back.second].depth;
      if (depth + automaton_.states[back.first].need > kRuleDepthMax) continue;
      if (depth + 1 + automaton_.states[start].need > kRuleDepthMax) continue;
      returns.push_back(back);
    }
    if (returns.empty()) continue;
    add(start, node_of(returns));
    follow_all();
  }
}

ParseStates::NodeId ParseStates::node_of(std::vector<Place>& returns) {
  std::ranges::sort(returns);
  returns.erase(std::unique(returns.begin(), returns.end()), returns.end());
  const auto [known, is_new] = node_ids_.try_emplace(returns, static_cast<NodeId>(nodes_.size()));
  if (is_new) {
    std::uint16_t depth = 0;
    for (const Place& back : returns) depth = std::max(depth, nodes_[back.second].depth);
    places_bytes_ += 2 * returns.size() * sizeof(Place) + 160;
    nodes_.push_back({returns, static_cast<std::uint16_t>(depth + 1)});
  }
  return known->second;
}

ParseStates::Id ParseStates::finish_set() {
  follow_all();
  enter_calls();
  if (reached_.empty()) return kDead;
  Set& set = made_;
  set.places.clear();
  set.specials.clear();
  set.takes_bytes = false;
  set.may_end = may_end_;
  for (const Place& place : reached_) {
    const bool takes_byte = !automaton_.bytes_from(place.first).empty();
    bool takes_special = false;
    for (const Automaton::SpecialEdge& edge : automaton_.specials_from(place.first)) {
      if (!special_tokens_[edge.text]) continue;
      takes_special = true;
      set.specials.push_back(edge.text);
    }
    set.takes_bytes = set.takes_bytes || takes_byte;
    if (takes_byte || takes_special) set.places.push_back(place);
  }
  if (set.places.empty() && !set.may_end) return kDead;
  std::ranges::sort(set.places);
  std::ranges::sort(set.specials);
  set.specials.erase(std::unique(set.specials.begin(), set.specials.end()), set.specials.end());
  // Two sets can have the same places, and the text may end in one of them only.
  const std::size_t hash = PlacesHash()(set.places) * 2 + (set.may_end ? 1 : 0);
  const auto [first, last] = set_ids_.equal_range(hash);
  for (auto known = first; known != last; ++known) {
    const Set& other = sets_[known->second];
    if (other.may_end == set.may_end && other.places == set.places) return known->second;
  }
  const Id id = static_cast<Id>(sets_.size());
  set_ids_.emplace(hash, id);
  places_bytes_ += set.places.size() * sizeof(Place) + 160;
  sets_.push_back(set);
  steps_.resize(steps_.size() + classes_, kUnknown);
  return id;
}

ParseStates::Id ParseStates::import(const ParseStates& other, Id id) {
  CHECK(&other.automaton_ == &automaton_, "only states of the same grammar can be taken over");
  // A node's returns lead to nodes that were made before it.
  std::vector<bool> wanted(other.nodes_.size(), false);
  for (const Place& place : other.sets_[id].places) wanted[place.second] = true;
  for (NodeId node = static_cast<NodeId>(wanted.size()); node-- > 0;) {
    if (!wanted[node]) continue;
    for (const Place& back : other.nodes_[node].returns) wanted[back.second] = true;
  }
  std::vector<NodeId> here(other.nodes_.size(), kNowhere);
  here[kEnd] = kEnd;
  for (NodeId node = kEnd + 1; node < wanted.size(); ++node) {
    if (!wanted[node]) continue;
    std::vector<Place> returns = other.nodes_[node].returns;
    for (Place& back : returns) back.second = here[back.second];
    here[node] = node_of(returns);
  }
  begin_set();
  for (const auto& [state, node] : other.sets_[id].places) add(state, here[node]);
  may_end_ = other.sets_[id].may_end;
  return finish_set();
}

std::size_t ParseStates::bytes() const { return places_bytes_ + steps_.capacity() * sizeof(Id); }

}  // namespace trialwright
