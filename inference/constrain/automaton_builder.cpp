#include "inference/constrain/automaton_builder.h"

#include <algorithm>
#include <bitset>
#include <map>
#include <unordered_set>

#include "base/check.h"

namespace trialwright {

namespace {

constexpr StateId kDeadState = 0;

/// The bytes in classes: a new class begins where an edge begins or has ended.
void classify_bytes(Automaton& automaton) {
  std::bitset<257> begins;
  for (const Automaton::ByteEdge& edge : automaton.byte_edges) {
    begins.set(edge.first);
    begins.set(edge.last + 1U);
  }
  std::uint32_t current = 0;
  for (std::size_t byte = 0; byte < 256; ++byte) {
    if (byte > 0 && begins.test(byte)) ++current;
    automaton.class_of[byte] = static_cast<std::uint8_t>(current);
  }
  automaton.classes = current + 1;
}

}  // namespace

AutomatonBuilder::AutomatonBuilder(std::uint32_t states_max) : states_max_(states_max) {
  states_.emplace_back();  // kDeadState
}

RuleId AutomatonBuilder::declare(std::string name) {
  rules_.push_back({std::move(name), kDeadState, false, 0});
  return static_cast<RuleId>(rules_.size() - 1);
}

void AutomatonBuilder::define(RuleId rule, StateId start, StateId end) {
  rules_[rule].start = start;
  if (end != kDeadState) states_[end].ends = true;
}

StateId AutomatonBuilder::state() {
  if (states_.size() >= states_max_) {
    full_ = true;
    return kDeadState;
  }
  states_.emplace_back();
  return static_cast<StateId>(states_.size() - 1);
}

void AutomatonBuilder::bytes(StateId from, std::uint8_t first, std::uint8_t last, StateId to) {
  if (!full_) states_[from].bytes.push_back({first, last, to});
}

void AutomatonBuilder::epsilon(StateId from, StateId to) {
  if (!full_) states_[from].epsilons.push_back(to);
}

void AutomatonBuilder::call(StateId from, RuleId rule, StateId to) {
  if (!full_) states_[from].calls.push_back({rule, to});
}

StateId AutomatonBuilder::call(StateId from, RuleId rule) {
  const StateId to = state();
  call(from, rule, to);
  return to;
}

StateId AutomatonBuilder::literal(StateId from, std::string_view text) {
  for (const char c : text) {
    const auto byte = static_cast<std::uint8_t>(c);
    const StateId to = state();
    bytes(from, byte, byte, to);
    from = to;
  }
  return from;
}

StateId AutomatonBuilder::one_of(StateId from, std::span<const std::string> texts) {
  const StateId end = state();
  std::map<std::pair<StateId, char>, StateId> next;
  for (const std::string& text : texts) {
    StateId at = from;
    for (const char c : text) {
      const auto [found, is_new] = next.try_emplace({at, c}, kDeadState);
      if (is_new) {
        found->second = state();
        bytes(at, static_cast<std::uint8_t>(c), static_cast<std::uint8_t>(c), found->second);
      }
      at = found->second;
    }
    epsilon(at, end);
    if (full_) break;
  }
  return end;
}

StateId AutomatonBuilder::special(StateId from, std::string_view text) {
  const StateId spelled = state();
  const StateId to = literal(spelled, text);
  const auto known = std::ranges::find(special_texts_, text);
  const auto place = static_cast<std::uint32_t>(known - special_texts_.begin());
  if (known == special_texts_.end()) special_texts_.emplace_back(text);
  if (!full_) states_[from].specials.push_back({place, to, spelled});
  return to;
}

/// Level by level: what can end with no call, with one call inside, with two inside each other, and
/// so on. A state that no level reaches leads nowhere.
void AutomatonBuilder::measure_needs() {
  struct Caller {
    StateId from = 0;
    StateId to = 0;
  };
  std::vector<std::vector<StateId>> before(states_.size());     // By edges that call nothing.
  std::vector<std::vector<RuleId>> started_by(states_.size());  // Rules that start in the state.
  std::vector<std::vector<Caller>> callers(rules_.size());
  std::vector<std::vector<std::pair<StateId, RuleId>>> returns(states_.size());
  for (StateId q = 0; q < states_.size(); ++q) {
    for (const auto& edge : states_[q].bytes) before[edge.to].push_back(q);
    for (const StateId to : states_[q].epsilons) before[to].push_back(q);
    // What is left of the token's text leads to the same state, so the token adds nothing.
    for (const auto& edge : states_[q].specials) before[edge.spelled].push_back(q);
    for (const auto& edge : states_[q].calls) {
      callers[edge.rule].push_back({q, edge.to});
      returns[edge.to].emplace_back(q, edge.rule);
    }
  }
  std::vector<bool> callable(rules_.size(), false);
  std::vector<StateId> reached;
  const auto reach = [&](StateId q, std::uint16_t level) {
    if (states_[q].need != kNoEnd) return;
    states_[q].need = level;
    reached.push_back(q);
  };
  for (RuleId rule = 0; rule < rules_.size(); ++rule) {
    started_by[rules_[rule].start].push_back(rule);
  }
  for (StateId q = 1; q < states_.size(); ++q) {
    if (states_[q].ends) reach(q, 0);
  }
  for (std::uint16_t level = 0; level <= kRuleDepthMax && !reached.empty(); ++level) {
    std::vector<RuleId> can_end;
    while (!reached.empty()) {
      const StateId q = reached.back();
      reached.pop_back();
      for (const StateId from : before[q]) reach(from, level);
      for (const auto& [from, rule] : returns[q]) {
        if (callable[rule]) reach(from, level);
      }
      can_end.insert(can_end.end(), started_by[q].begin(), started_by[q].end());
    }
    for (const RuleId rule : can_end) {
      callable[rule] = true;
      for (const Caller& caller : callers[rule]) {
        if (states_[caller.to].need != kNoEnd) reach(caller.from, level + 1U);
      }
    }
  }
}

void AutomatonBuilder::drop_dead_edges() {
  const auto dead = [this](StateId to) { return states_[to].need == kNoEnd; };
  for (State& state : states_) {
    std::erase_if(state.bytes, [&](const auto& edge) { return dead(edge.to); });
    std::erase_if(state.epsilons, dead);
    std::erase_if(state.specials, [&](const auto& edge) { return dead(edge.to); });
    std::erase_if(state.calls,
                  [&](const auto& edge) { return dead(edge.to) || dead(rules_[edge.rule].start); });
  }
}

/// Backwards from the ends of rules over all edges that read nothing.
void AutomatonBuilder::find_nullable_rules() {
  std::vector<std::vector<StateId>> before(states_.size());
  std::vector<std::vector<std::pair<StateId, RuleId>>> returns(states_.size());
  std::vector<std::vector<Automaton::CallEdge>> callers(rules_.size());  // `to` is where it calls.
  std::vector<std::vector<RuleId>> started_by(states_.size());
  std::vector<StateId> reached;
  std::vector<bool> can_end(states_.size(), false);
  const auto reach = [&](StateId q) {
    if (!can_end[q]) reached.push_back(q);
    can_end[q] = true;
  };
  for (RuleId rule = 0; rule < rules_.size(); ++rule) {
    started_by[rules_[rule].start].push_back(rule);
  }
  for (StateId q = 0; q < states_.size(); ++q) {
    for (const StateId to : states_[q].epsilons) before[to].push_back(q);
    for (const auto& edge : states_[q].calls) {
      returns[edge.to].emplace_back(q, edge.rule);
      callers[edge.rule].push_back({edge.rule, q});
    }
    if (states_[q].ends) reach(q);
  }
  while (!reached.empty()) {
    const StateId q = reached.back();
    reached.pop_back();
    for (const StateId from : before[q]) reach(from);
    for (const auto& [from, rule] : returns[q]) {
      if (rules_[rule].nullable) reach(from);
    }
    for (const RuleId rule : started_by[q]) {
      rules_[rule].nullable = true;
      for (const auto& caller : callers[rule]) {
        const auto goes_on_to_end = [&](const Automaton::CallEdge& edge) {
          return edge.rule == rule && can_end[edge.to];
        };
        if (std::ranges::any_of(states_[caller.to].calls, goes_on_to_end)) reach(caller.to);
      }
    }
  }
}

/// The rules that `rule` may call before it has read anything.
void AutomatonBuilder::add_left_calls(RuleId rule, std::vector<RuleId>& calls) const {
  std::vector<StateId> list = {rules_[rule].start};
  std::unordered_set<StateId> seen = {rules_[rule].start};
  while (!list.empty()) {
    const State& state = states_[list.back()];
    list.pop_back();
    const auto visit = [&](StateId to) {
      if (seen.insert(to).second) list.push_back(to);
    };
    for (const StateId to : state.epsilons) visit(to);
    for (const auto& edge : state.calls) {
      calls.push_back(edge.rule);
      if (rules_[edge.rule].nullable) visit(edge.to);
    }
  }
  std::ranges::sort(calls);
  calls.erase(std::unique(calls.begin(), calls.end()), calls.end());
}

/// Callers before what they call first, by depth-first search; a way back into a rule that is being
/// looked at is a left recursion.
Result<void> AutomatonBuilder::order_rules() {
  enum class Mark : std::uint8_t { New, Open, Done };
  struct Visit {
    RuleId rule = 0;
    std::vector<RuleId> calls;
    std::size_t next = 0;
  };
  std::vector<Mark> marks(rules_.size(), Mark::New);
  auto order = static_cast<std::uint32_t>(rules_.size());
  std::vector<Visit> open;
  const auto enter = [&](RuleId rule) {
    marks[rule] = Mark::Open;
    open.push_back({rule, {}, 0});
    add_left_calls(rule, open.back().calls);
  };
  for (RuleId first = 0; first < rules_.size(); ++first) {
    if (marks[first] == Mark::New) enter(first);
    while (!open.empty()) {
      Visit& visit = open.back();
      if (visit.next == visit.calls.size()) {
        marks[visit.rule] = Mark::Done;
        rules_[visit.rule].order = order--;
        open.pop_back();
        continue;
      }
      const RuleId callee = visit.calls[visit.next++];
      if (marks[callee] == Mark::Open) {
        std::string way;
        bool inside = false;
        for (const Visit& on_way : open) {
          inside = inside || on_way.rule == callee;
          if (inside) way += "\"" + rules_[on_way.rule].name + "\" calls ";
        }
        return invalid(way + "\"" + rules_[callee].name +
                       "\" before anything is read; left recursion is not supported, write the "
                       "repetition with * or with the call at the end");
      }
      if (marks[callee] == Mark::New) enter(callee);
    }
  }
  return {};
}

bool AutomatonBuilder::is_tail(StateId state) const {
  std::vector<StateId> list = {state};
  std::unordered_set<StateId> seen = {state};
  bool ends = false;
  while (!list.empty()) {
    const State& here = states_[list.back()];
    list.pop_back();
    if (!here.bytes.empty() || !here.calls.empty() || !here.specials.empty()) return false;
    ends = ends || here.ends;
    for (const StateId to : here.epsilons) {
      if (seen.insert(to).second) list.push_back(to);
    }
  }
  return ends;
}

Automaton AutomatonBuilder::frozen(RuleId root) const {
  Automaton automaton;
  automaton.rules = rules_;
  automaton.root = root;
  automaton.special_texts = special_texts_;
  automaton.states.reserve(states_.size() + 1);
  const auto begin_state = [&automaton]() {
    automaton.states.push_back({static_cast<std::uint32_t>(automaton.byte_edges.size()),
                                static_cast<std::uint32_t>(automaton.epsilon_edges.size()),
                                static_cast<std::uint32_t>(automaton.call_edges.size()),
                                static_cast<std::uint32_t>(automaton.special_edges.size()), 0,
                                false, false});
  };
  for (const State& state : states_) {
    begin_state();
    automaton.states.back().need = state.need;
    automaton.states.back().ends = state.ends;
    const auto add = [](auto& all, const auto& some) {
      all.insert(all.end(), some.begin(), some.end());
    };
    add(automaton.byte_edges, state.bytes);
    add(automaton.epsilon_edges, state.epsilons);
    add(automaton.call_edges, state.calls);
    add(automaton.special_edges, state.specials);
  }
  begin_state();
  for (const Automaton::CallEdge& edge : automaton.call_edges) {
    automaton.states[edge.to].tail = is_tail(edge.to);
  }
  classify_bytes(automaton);
  return automaton;
}

Result<std::shared_ptr<const Grammar>> AutomatonBuilder::build(RuleId root) {
  if (full_) {
    return invalid("the grammar needs more than " + std::to_string(states_max_) +
                   " states; make repetitions and lengths smaller");
  }
  measure_needs();
  if (states_[rules_[root].start].need == kNoEnd) return invalid("no text can match");
  drop_dead_edges();
  find_nullable_rules();
  if (auto ordered = order_rules(); !ordered) return ordered.error();
  return std::make_shared<const Grammar>(frozen(root));
}

}  // namespace trialwright
