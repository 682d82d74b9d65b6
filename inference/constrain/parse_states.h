#pragma once

#include <cstdint>
#include <memory>
#include <optional>
#include <span>
#include <unordered_map>
#include <vector>

#include "inference/constrain/grammar.h"

namespace trialwright {

/// Where matches of a grammar stand, made deterministic as far as texts ask for it.
///
/// A parse state is a set of places: states of the automaton, each with the calls it will return
/// to. Equal calls are one node whichever way led there, and equal sets are one parse state, so
/// that ambiguity costs no more than the places that differ, and what recurs is worked out once:
/// from then on a step is one look into a table.
///
/// One thread at a time.
class ParseStates {
 public:
  using Id = std::uint32_t;
  /// No text goes on from here.
  static constexpr Id kDead = 0;

  /// special_tokens  by place in the automaton's special_texts, whether there is such a token;
  ///                 where not, its text is read byte by byte.
  ParseStates(std::shared_ptr<const Grammar> grammar, std::vector<bool> special_tokens);

  [[nodiscard]] const Grammar& grammar() const { return *grammar_; }
  [[nodiscard]] Id start() const { return start_; }

  [[nodiscard]] Id step(Id id, std::uint8_t byte) {
    const std::size_t at = id * std::size_t{classes_} + automaton_.class_of[byte];
    const Id next = steps_[at];
    return next != kUnknown ? next : take_step(id, byte);
  }
  /// After the special token with this place in the automaton's special_texts.
  Id step_special(Id id, std::uint32_t special);

  /// The whole text may end here.
  [[nodiscard]] bool may_end(Id id) const { return sets_[id].may_end; }
  /// The byte that must come next, if there is only one that may and the text may not end and no
  /// special token may come.
  [[nodiscard]] std::optional<std::uint8_t> only_byte(Id id) const;
  /// Places in special_texts, ascending, of the special tokens that may come next.
  [[nodiscard]] std::span<const std::uint32_t> specials(Id id) const { return sets_[id].specials; }
  /// True if some byte may come next.
  [[nodiscard]] bool takes_bytes(Id id) const { return sets_[id].takes_bytes; }

  /// The states of the automaton in this set; each may be there several times.
  [[nodiscard]] std::span<const std::pair<StateId, std::uint32_t>> places(Id id) const {
    return sets_[id].places;
  }
  /// The set of this state alone, returning nowhere: what goes on from it goes on wherever the
  /// state is part of a set.
  Id alone(StateId state);

  /// The parse state that `other`, of the same grammar and special tokens, calls `id`.
  Id import(const ParseStates& other, Id id);

  [[nodiscard]] std::size_t size() const { return sets_.size(); }
  /// How much memory this takes, without the automaton.
  [[nodiscard]] std::size_t bytes() const;

 private:
  using NodeId = std::uint32_t;
  using Place = std::pair<StateId, NodeId>;
  static constexpr Id kUnknown = 0xFFFFFFFF;
  static constexpr NodeId kNowhere = 0;  ///< Nothing to return to, and no end of the text either.
  static constexpr NodeId kEnd = 1;      ///< Returning ends the text.

  /// Where to go on after a call: any of the places.
  struct Node {
    std::vector<Place> returns;
    std::uint16_t depth = 0;  ///< Of calls, the longest way.
  };
  struct Set {
    std::vector<Place> places;  ///< Sorted; only those where a byte or a special token may come.
    std::vector<std::uint32_t> specials;
    bool may_end = false;
    bool takes_bytes = false;
  };
  struct PlacesHash {
    std::size_t operator()(const std::vector<Place>& places) const;
  };
  struct PendingCall {
    std::uint32_t order = 0;
    RuleId rule = 0;
    Place back;

    friend auto operator<=>(const PendingCall&, const PendingCall&) = default;
  };

  Id take_step(Id id, std::uint8_t byte);
  void begin_set();
  void add(StateId state, NodeId node);
  void follow(Place place);
  void follow_all();
  void enter_calls();
  Id finish_set();
  /// Sorts them.
  NodeId node_of(std::vector<Place>& returns);

  std::shared_ptr<const Grammar> grammar_;
  const Automaton& automaton_;
  std::uint32_t classes_;
  std::vector<bool> special_tokens_;

  std::vector<Node> nodes_;
  std::unordered_map<std::vector<Place>, NodeId, PlacesHash> node_ids_;
  std::vector<Set> sets_;
  std::unordered_multimap<std::size_t, Id> set_ids_;  ///< By hash.
  std::vector<Id> steps_;                             ///< [size()][classes_]
  std::unordered_map<std::uint64_t, Id> special_steps_;
  Id start_ = kDead;
  std::size_t places_bytes_ = 0;

  // The set that is being made.
  std::vector<Place> reached_;
  std::size_t followed_ = 0;
  std::vector<std::uint64_t> seen_;  ///< Open addressing; the keys of reached_ plus 1, or 0.
  std::vector<PendingCall> calls_;
  bool may_end_ = false;
  Set made_;
};

}  // namespace trialwright
