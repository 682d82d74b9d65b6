#include "inference/token/bpe.h"

#include <algorithm>
#include <bit>
#include <queue>

#include "inference/token/byte_alphabet.h"

namespace trialwright {

namespace {

constexpr std::uint64_t kNoPair = ~std::uint64_t{0};
constexpr std::uint32_t kNoRank = ~std::uint32_t{0};
/// Up to this many bytes, looking for the best pair anew after each merge beats keeping a heap.
constexpr std::size_t kShortWord = 32;

std::uint64_t hash_pair(std::uint64_t pair) {
  // The finalizer of splitmix64: every bit of the pair reaches the low bits.
  pair ^= pair >> 30U;
  pair *= 0xBF58476D1CE4E5B9U;
  pair ^= pair >> 27U;
  pair *= 0x94D049BB133111EBU;
  return pair ^ (pair >> 31U);
}

}  // namespace

Bpe::Bpe(const Vocabulary& vocabulary, std::span<const std::string_view> merges)
    : ignores_merges_(vocabulary.pre.ignores_merges),
      token_count_(static_cast<Symbol>(vocabulary.size())) {
  std::unordered_map<std::string, Symbol> extra_of;
  std::unordered_map<std::string_view, Symbol> token_of;
  token_of.reserve(token_count_);
  for (Symbol id = 0; id < token_count_; ++id) {
    // Of two tokens with one text the later one counts, as in llama.cpp.
    if (vocabulary.mergeable[id]) token_of[vocabulary.token(id)] = id;
  }
  const auto symbol_of = [&](std::string_view text) {
    if (const auto found = token_of.find(text); found != token_of.end()) return found->second;
    const auto next = token_count_ + static_cast<Symbol>(extra_.size());
    const auto [place, is_new] = extra_of.try_emplace(std::string(text), next);
    if (is_new) extra_.emplace_back(text);
    return place->second;
  };

  for (std::size_t byte = 0; byte < 256; ++byte) {
    const char text = static_cast<char>(byte);
    symbol_of_byte_[byte] = symbol_of({&text, 1});
  }
  slots_.assign(std::bit_ceil(std::max<std::size_t>(merges.size(), 1) * 2), Slot{kNoPair, {}});
  slot_mask_ = slots_.size() - 1;
  std::string pair;
  for (std::size_t rank = 0; rank < merges.size(); ++rank) {
    const std::string_view merge = merges[rank];
    // The left part has at least one character, so a space in front belongs to it.
    const std::size_t space = merge.find(' ', 1);
    if (space == std::string_view::npos) continue;
    pair.clear();
    if (!append_alphabet_bytes(merge.substr(0, space), pair)) continue;
    const std::size_t left_size = pair.size();
    if (!append_alphabet_bytes(merge.substr(space + 1), pair) || pair.size() == left_size) continue;
    const std::string_view both = pair;
    add_merge(symbol_of(both.substr(0, left_size)), symbol_of(both.substr(left_size)),
              {static_cast<std::uint32_t>(rank), symbol_of(both)});
  }
  if (ignores_merges_) {
    for (const auto& [text, id] : token_of) whole_words_[text] = static_cast<TokenId>(id);
  }
}

void Bpe::add_merge(Symbol left, Symbol right, Merge merge) {
  const std::uint64_t pair = std::uint64_t{left} << 32U | right;
  std::uint64_t at = hash_pair(pair) & slot_mask_;
  while (slots_[at].pair != kNoPair && slots_[at].pair != pair) at = (at + 1) & slot_mask_;
  // Of two equal merges the earlier one counts.
  if (slots_[at].pair == kNoPair) slots_[at] = {pair, merge};
}

Bpe::Merge Bpe::find(Symbol left, Symbol right) const {
  const std::uint64_t pair = std::uint64_t{left} << 32U | right;
  for (std::uint64_t at = hash_pair(pair) & slot_mask_;; at = (at + 1) & slot_mask_) {
    if (slots_[at].pair == pair) return slots_[at].merge;
    if (slots_[at].pair == kNoPair) return {kNoRank, 0};
  }
}

void Bpe::encode_word(std::string_view word, std::vector<TokenId>& ids) const {
  if (ignores_merges_) {
    if (const auto whole = whole_words_.find(word); whole != whole_words_.end()) {
      ids.push_back(whole->second);
      return;
    }
  }
  const auto symbol_at = [&](std::size_t i) {
    return symbol_of_byte_[static_cast<unsigned char>(word[i])];
  };
  if (word.size() <= kShortWord) {
    std::array<Symbol, kShortWord> symbols;  // Filled as far as it is used.
    for (std::size_t i = 0; i < word.size(); ++i) symbols[i] = symbol_at(i);
    merge_short({symbols.data(), word.size()}, ids);
    return;
  }
  std::vector<Symbol> symbols(word.size());
  for (std::size_t i = 0; i < word.size(); ++i) symbols[i] = symbol_at(i);
  merge_long(std::move(symbols), ids);
}

void Bpe::merge_short(std::span<Symbol> symbols, std::vector<TokenId>& ids) const {
  std::array<Merge, kShortWord> pairs{};  // pairs[i] joins symbols i and i + 1.
  std::size_t count = symbols.size();
  for (std::size_t i = 0; i + 1 < count; ++i) pairs[i] = find(symbols[i], symbols[i + 1]);
  while (count > 1) {
    std::size_t best = 0;
    for (std::size_t i = 1; i + 1 < count; ++i) {
      if (pairs[i].rank < pairs[best].rank) best = i;
    }
    if (pairs[best].rank == kNoRank) break;
    symbols[best] = pairs[best].result;
    for (std::size_t i = best + 1; i + 1 < count; ++i) {
      symbols[i] = symbols[i + 1];
      pairs[i] = pairs[i + 1];
    }
    --count;
    if (best > 0) pairs[best - 1] = find(symbols[best - 1], symbols[best]);
    if (best + 1 < count) pairs[best] = find(symbols[best], symbols[best + 1]);
  }
  for (std::size_t i = 0; i < count; ++i) emit(symbols[i], ids);
}

void Bpe::merge_long(std::vector<Symbol> symbols, std::vector<TokenId>& ids) const {
  struct Candidate {
    std::uint32_t rank;
    Symbol left_symbol, right_symbol, result;
    std::size_t left, right;
    bool operator<(const Candidate& other) const {
      return rank != other.rank ? rank > other.rank : left > other.left;
    }
  };
  constexpr std::size_t kNone = ~std::size_t{0};
  constexpr Symbol kGone = ~Symbol{0};
  const std::size_t count = symbols.size();
  std::vector<std::size_t> before(count);
  std::vector<std::size_t> after(count);
  for (std::size_t i = 0; i < count; ++i) {
    before[i] = i == 0 ? kNone : i - 1;
    after[i] = i + 1 == count ? kNone : i + 1;
  }
  std::priority_queue<Candidate> queue;
  const auto consider = [&](std::size_t left, std::size_t right) {
    if (left == kNone || right == kNone) return;
    const Merge merge = find(symbols[left], symbols[right]);
    if (merge.rank == kNoRank) return;
    queue.push({merge.rank, symbols[left], symbols[right], merge.result, left, right});
  };
  for (std::size_t i = 0; i + 1 < count; ++i) consider(i, i + 1);
  while (!queue.empty()) {
    const Candidate best = queue.top();
    queue.pop();
    // Either side may have been merged since the pair was put in the queue.
    if (symbols[best.left] != best.left_symbol || symbols[best.right] != best.right_symbol)
      continue;
    symbols[best.left] = best.result;
    symbols[best.right] = kGone;
    after[best.left] = after[best.right];
    if (after[best.right] != kNone) before[after[best.right]] = best.left;
    consider(before[best.left], best.left);
    consider(best.left, after[best.left]);
  }
  for (std::size_t i = 0; i != kNone; i = after[i]) emit(symbols[i], ids);
}

void Bpe::emit(Symbol symbol, std::vector<TokenId>& ids) const {
  if (symbol < token_count_) {
    ids.push_back(static_cast<TokenId>(symbol));
    return;
  }
  for (const char byte : extra_[symbol - token_count_]) {
    const Symbol single = symbol_of_byte_[static_cast<unsigned char>(byte)];
    if (single < token_count_) ids.push_back(static_cast<TokenId>(single));
  }
}

}  // namespace trialwright
