#pragma once

#include <array>
#include <cstdint>
#include <limits>
#include <span>
#include <string>
#include <vector>

namespace trialwright {

using StateId = std::uint32_t;
using RuleId = std::uint32_t;

/// How deep rules may be inside each other, not counting calls at a rule's very end. It keeps JSON
/// within what `parse_json` reads (kJsonDepthMax), and a model that only opens brackets has to
/// close them again.
inline constexpr std::uint16_t kRuleDepthMax = 100;

/// The rules of a grammar as one nondeterministic automaton over bytes, in which a rule may call
/// another and goes on where that one ends (a recursive transition network).
///
/// What cannot lead to the end of a text has been taken out: from every state that an edge leads
/// to, the end of its rule can be reached within kRuleDepthMax calls. No rule calls itself before
/// it has read a byte.
struct Automaton {
  /// Any byte in [first, last].
  struct ByteEdge {
    std::uint8_t first = 0;
    std::uint8_t last = 0;
    StateId to = 0;
  };
  struct CallEdge {
    RuleId rule = 0;
    StateId to = 0;
  };
  /// The special token with this text, or, where a vocabulary has none, the bytes of the text from
  /// `spelled` on.
  struct SpecialEdge {
    std::uint32_t text = 0;  ///< Place in special_texts.
    StateId to = 0;
    StateId spelled = 0;
  };
  /// A state's edges begin here and end where those of the next state begin.
  struct State {
    std::uint32_t bytes = 0;
    std::uint32_t epsilons = 0;
    std::uint32_t calls = 0;
    std::uint32_t specials = 0;
    /// How many calls inside each other the end of the rule is away at least.
    std::uint16_t need = 0;
    bool ends = false;  ///< The rule may end here.
    bool tail = false;  ///< All that is left to do here is to end the rule.
  };
  struct Rule {
    std::string name;
    StateId start = 0;
    bool nullable = false;    ///< The rule may be empty.
    std::uint32_t order = 0;  ///< Larger than that of every rule which may call this one first.
  };

  std::vector<State> states;  ///< One more than there are, so that each has a next.
  std::vector<ByteEdge> byte_edges;
  std::vector<StateId> epsilon_edges;
  std::vector<CallEdge> call_edges;
  std::vector<SpecialEdge> special_edges;
  std::vector<std::string> special_texts;
  std::vector<Rule> rules;
  RuleId root = 0;
  /// Bytes that no edge tells apart have the same class.
  std::array<std::uint8_t, 256> class_of{};
  std::uint32_t classes = 0;

  [[nodiscard]] std::span<const ByteEdge> bytes_from(StateId state) const {
    return between(byte_edges, states[state].bytes, states[state + 1].bytes);
  }
  [[nodiscard]] std::span<const StateId> epsilons_from(StateId state) const {
    return between(epsilon_edges, states[state].epsilons, states[state + 1].epsilons);
  }
  [[nodiscard]] std::span<const CallEdge> calls_from(StateId state) const {
    return between(call_edges, states[state].calls, states[state + 1].calls);
  }
  [[nodiscard]] std::span<const SpecialEdge> specials_from(StateId state) const {
    return between(special_edges, states[state].specials, states[state + 1].specials);
  }

 private:
  template <typename Edge>
  static std::span<const Edge> between(const std::vector<Edge>& edges, std::uint32_t begin,
                                       std::uint32_t end) {
    return std::span<const Edge>(edges).subspan(begin, end - begin);
  }
};

}  // namespace trialwright
