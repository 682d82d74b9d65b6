#pragma once

#include <cstdint>
#include <memory>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "base/result.h"
#include "inference/constrain/grammar.h"

namespace trialwright {

/// How many states an automaton may have; about 25 MB.
inline constexpr std::uint32_t kAutomatonStatesMax = 300'000;

/// Puts an automaton together, state by state and edge by edge.
///
/// Functions that append something take the state to go on from and return the one it ends in.
/// When there are too many states, new ones are the same dead one, `full()` is true, and `build`
/// fails; who repeats something many times asks for `full()`.
class AutomatonBuilder {
 public:
  explicit AutomatonBuilder(std::uint32_t states_max = kAutomatonStatesMax);

  /// A rule that can be called before it is defined. The name is for messages.
  RuleId declare(std::string name);
  /// Each rule once: it starts in `start`, which nothing else may lead into, and may end in `end`.
  void define(RuleId rule, StateId start, StateId end);
  [[nodiscard]] const std::string& name(RuleId rule) const { return rules_[rule].name; }
  [[nodiscard]] std::size_t rules() const { return rules_.size(); }

  StateId state();
  void bytes(StateId from, std::uint8_t first, std::uint8_t last, StateId to);
  void epsilon(StateId from, StateId to);
  void call(StateId from, RuleId rule, StateId to);

  StateId literal(StateId from, std::string_view text);
  /// Any of the texts, sharing what they begin with.
  StateId one_of(StateId from, std::span<const std::string> texts);
  StateId call(StateId from, RuleId rule);
  /// The special token with this text, or its bytes where a vocabulary has no such token.
  StateId special(StateId from, std::string_view text);

  [[nodiscard]] bool full() const { return full_; }

  /// Takes out what leads nowhere and makes the rule `root` a grammar.
  /// Errors: Invalid if the automaton is too large, if no text can match, or if a rule calls itself
  /// before it has read anything; rules are named.
  Result<std::shared_ptr<const Grammar>> build(RuleId root);

 private:
  struct State {
    std::vector<Automaton::ByteEdge> bytes;
    std::vector<StateId> epsilons;
    std::vector<Automaton::CallEdge> calls;
    std::vector<Automaton::SpecialEdge> specials;
    std::uint16_t need = kNoEnd;
    bool ends = false;
  };
  static constexpr std::uint16_t kNoEnd = std::numeric_limits<std::uint16_t>::max();

  void measure_needs();
  void drop_dead_edges();
  void find_nullable_rules();
  void add_left_calls(RuleId rule, std::vector<RuleId>& calls) const;
  Result<void> order_rules();
  [[nodiscard]] bool is_tail(StateId state) const;
  [[nodiscard]] Automaton frozen(RuleId root) const;

  std::uint32_t states_max_;
  bool full_ = false;
  std::vector<State> states_;
  std::vector<Automaton::Rule> rules_;
  std::vector<std::string> special_texts_;
};

}  // namespace trialwright
