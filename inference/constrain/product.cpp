#include "inference/constrain/product.h"

#include <array>
#include <map>

#include "inference/constrain/parse_states.h"

namespace trialwright {

namespace {

constexpr std::size_t kProductStatesMax = 50'000;

/// Several grammars matched side by side.
class Product {
 public:
  using Places = std::vector<ParseStates::Id>;  ///< One a grammar, the wanted ones first.

  Product(std::span<const std::shared_ptr<const Grammar>> wanted,
          std::span<const std::shared_ptr<const Grammar>> unwanted)
      : wanted_(wanted.size()) {
    for (const auto& grammar : wanted) states_.emplace_back(grammar, std::vector<bool>());
    for (const auto& grammar : unwanted) states_.emplace_back(grammar, std::vector<bool>());
    std::vector<std::uint8_t> last_kind;
    for (unsigned byte = 0; byte < 256; ++byte) {
      std::vector<std::uint8_t> kind;
      for (const ParseStates& states : states_) {
        kind.push_back(states.grammar().automaton().class_of[byte]);
      }
      starts_kind_[byte] = byte == 0 || kind != last_kind;
      last_kind = std::move(kind);
    }
  }

  [[nodiscard]] Places start() const {
    Places places;
    for (const ParseStates& states : states_) places.push_back(states.start());
    return places;
  }

  /// False if a wanted grammar does not go on.
  bool step(const Places& from, std::uint8_t byte, Places& to) {
    to.clear();
    for (std::size_t i = 0; i < states_.size(); ++i) {
      to.push_back(states_[i].step(from[i], byte));
      if (i < wanted_ && to.back() == ParseStates::kDead) return false;
    }
    return true;
  }

  [[nodiscard]] bool may_end(const Places& places) const {
    for (std::size_t i = 0; i < states_.size(); ++i) {
      if (states_[i].may_end(places[i]) != (i < wanted_)) return false;
    }
    return true;
  }

  /// Whether the byte is the first of those that no grammar tells apart.
  [[nodiscard]] bool starts_kind(unsigned byte) const { return starts_kind_[byte]; }

 private:
  std::size_t wanted_;
  std::vector<ParseStates> states_;
  std::array<bool, 256> starts_kind_{};
};

}  // namespace

Result<StateId> append_product(AutomatonBuilder& builder, StateId from,
                               std::span<const std::shared_ptr<const Grammar>> wanted,
                               std::span<const std::shared_ptr<const Grammar>> unwanted) {
  Product product(wanted, unwanted);
  const StateId end = builder.state();
  std::map<Product::Places, StateId> known;
  std::vector<Product::Places> list = {product.start()};
  const StateId start = builder.state();
  builder.epsilon(from, start);
  known[list.front()] = start;
  Product::Places to;
  while (!list.empty() && !builder.full()) {
    const Product::Places places = std::move(list.back());
    list.pop_back();
    const StateId here = known[places];
    if (product.may_end(places)) builder.epsilon(here, end);
    for (unsigned byte = 0; byte < 256;) {
      unsigned last = byte;
      while (last < 255 && !product.starts_kind(last + 1)) ++last;
      if (product.step(places, static_cast<std::uint8_t>(byte), to)) {
        const auto [place, is_new] = known.try_emplace(to, 0);
        if (is_new) {
          if (known.size() > kProductStatesMax) {
            return invalid("what must hold at once needs too many states");
          }
          place->second = builder.state();
          list.push_back(to);
        }
        builder.bytes(here, static_cast<std::uint8_t>(byte), static_cast<std::uint8_t>(last),
                      place->second);
      }
      byte = last + 1;
    }
  }
  return end;
}

}  // namespace trialwright
