#include "inference/constrain/grammar_constraint.h"

#include <algorithm>

#include "base/check.h"

namespace trialwright {

namespace {

/// So that a long constant does not hold up the step; the rest is forced when this was taken.
constexpr std::size_t kForcedBytesMax = 1024;
/// How many ways to go on are tried against the tokens that seem settled.
constexpr std::size_t kContinuationsMax = 8;

std::string bytes_of(const TokenTrie& trie, std::span<const TokenId> ids) {
  std::string bytes;
  for (const TokenId id : ids) bytes += trie.bytes(id);
  return bytes;
}

}  // namespace

EncodeText text_encoder(const Tokenizer& tokenizer) {
  return [&tokenizer](std::string_view text) -> std::vector<TokenId> {
    std::vector<TokenId> ids = tokenizer.encode(text, false);
    if (tokenizer.decode(ids) == text) return ids;
    // SentencePiece puts a space in front of a text. A line end in front keeps to itself there and
    // takes the space.
    ids = tokenizer.encode("\n" + std::string(text), false);
    std::string front;
    std::size_t tokens = 0;
    while (tokens < ids.size() && !front.ends_with('\n')) front += tokenizer.bytes(ids[tokens++]);
    ids.erase(ids.begin(), ids.begin() + static_cast<std::ptrdiff_t>(tokens));
    return ids;
  };
}

GrammarConstraint::GrammarConstraint(std::shared_ptr<TokenGrammar> grammar, EncodeText encode)
    : grammar_(std::move(grammar)), encode_(std::move(encode)) {
  const std::scoped_lock lock(grammar_->mutex());
  table_ = grammar_->table();
  state_ = table_->states().start();
}

std::unique_ptr<GrammarConstraint> GrammarConstraint::clone() const {
  return std::make_unique<GrammarConstraint>(*this);
}

bool GrammarConstraint::is_end(TokenId id) const {
  return std::ranges::find(grammar_->vocabulary().end_ids, id) !=
         grammar_->vocabulary().end_ids.end();
}

const AllowedTokens& GrammarConstraint::allowed_tokens() {
  if (!allowed_) {
    const std::scoped_lock lock(grammar_->mutex());
    allowed_ = table_->allowed(state_);
  }
  return *allowed_;
}

std::span<const std::uint64_t> GrammarConstraint::allowed() {
  return allowed_tokens().mask.words();
}

int GrammarConstraint::allowed_count() { return allowed_tokens().count; }

bool GrammarConstraint::complete() {
  const std::scoped_lock lock(grammar_->mutex());
  return table_->states().may_end(state_);
}

bool GrammarConstraint::allows(TokenId id) {
  const std::scoped_lock lock(grammar_->mutex());
  if (is_end(id) && table_->states().may_end(state_)) return true;
  return table_->step(state_, id) != ParseStates::kDead;
}

void GrammarConstraint::accept(std::int32_t id) {
  CHECK(!ended_, "nothing comes after the end of the turn");
  const std::scoped_lock lock(grammar_->mutex());
  const bool was_forced = !forced_.empty() && forced_.front() == id;
  const ParseStates::Id next = table_->step(state_, id);
  if (next == ParseStates::kDead) {
    CHECK(is_end(id) && table_->states().may_end(state_), "the token is one that is allowed");
    ended_ = true;
    forced_.clear();
    return;
  }
  state_ = next;
  allowed_.reset();
  last_text_token_ = grammar_->trie().is_text(id) ? id : -1;
  // Forced tokens stay what they are until the last of them was taken.
  if (was_forced) forced_.erase(forced_.begin());
  if (!was_forced || forced_.empty()) {
    forced_.clear();
    forced_known_ = false;
  }
  if (table_->is_large()) {
    const std::shared_ptr<MaskTable> fresh = grammar_->table();
    state_ = fresh->states().import(table_->states(), state_);
    table_ = fresh;
  }
}

std::span<const std::int32_t> GrammarConstraint::forced() {
  if (!forced_known_ && !ended_) {
    const std::scoped_lock lock(grammar_->mutex());
    work_out_forced();
    forced_known_ = true;
  }
  return forced_;
}

void GrammarConstraint::work_out_forced() {
  ParseStates& states = table_->states();
  forced_.clear();
  if (!states.takes_bytes(state_)) {
    const auto specials = states.specials(state_);
    if (states.may_end(state_)) {
      if (specials.empty()) forced_ = {grammar_->vocabulary().end_ids.front()};
    } else if (specials.size() == 1) {
      forced_ = {grammar_->vocabulary().specials[specials.front()]};
    }
    return;
  }
  const auto [bytes, after] = forced_text();
  if (bytes.empty()) return;
  const TokenTrie& trie = grammar_->trie();

  // The last token shows the tokenizer what the forced text follows; if it would have drawn that
  // one otherwise, the model writes in a way of its own, and has to go on so.
  std::vector<TokenId> before;
  if (last_text_token_ >= 0) before.push_back(last_text_token_);
  const std::string text = bytes_of(trie, before) + bytes;
  const std::size_t begin = text.size() - bytes.size();
  std::vector<TokenId> ids = encode_(text);
  const auto in_vocabulary = [&](TokenId id) { return id >= 0 && id < trie.vocabulary_size(); };
  if (!std::ranges::all_of(ids, in_vocabulary) || bytes_of(trie, ids) != text) return;

  std::vector<Continuation> longer;
  const std::size_t settled = settled_bytes(text, begin, after, longer);
  std::size_t count = 0;
  std::size_t end = 0;
  while (count < ids.size() && end + trie.bytes(ids[count]).size() <= settled) {
    end += trie.bytes(ids[count++]).size();
  }
  ids.resize(count);
  // Merging may draw even earlier tokens differently; so see what some texts become as a whole.
  for (const auto& [place, token] : longer) {
    const std::string_view more = trie.bytes(token).substr(text.size() - place);
    const std::vector<TokenId> other = encode_(text + std::string(more));
    const auto [same, unused] = std::ranges::mismatch(ids, other);
    ids.erase(same, ids.end());
  }
  if (ids.size() <= before.size() ||
      !std::ranges::equal(before, std::span(ids).first(before.size()))) {
    return;
  }
  forced_.assign(ids.begin() + static_cast<std::ptrdiff_t>(before.size()), ids.end());
}

GrammarConstraint::ForcedText GrammarConstraint::forced_text() {
  ParseStates& states = table_->states();
  ForcedText forced{"", state_};
  while (forced.bytes.size() < kForcedBytesMax) {
    const auto byte = states.only_byte(forced.after);
    if (!byte) break;
    forced.bytes += static_cast<char>(*byte);
    forced.after = states.step(forced.after, *byte);
  }
  return forced;
}

/// How many bytes of `text` no token that may come can reach across; `longer` gets some of those
/// that reach out of what is left.
std::size_t GrammarConstraint::settled_bytes(std::string_view text, std::size_t begin,
                                             ParseStates::Id after,
                                             std::vector<Continuation>& longer) {
  const std::size_t reach = grammar_->trie().bytes_max() - 1;
  std::size_t settled = text.size();
  for (std::size_t i = std::max(begin, text.size() - std::min(text.size(), reach));
       i < text.size() && longer.size() < kContinuationsMax; ++i) {
    const auto token = table_->longer_token(text.substr(i), after);
    if (!token) continue;
    settled = std::min(settled, i);
    longer.push_back({i, *token});
  }
  return settled;
}

}  // namespace trialwright
