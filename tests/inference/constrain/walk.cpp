#include "tests/inference/constrain/walk.h"

#include <algorithm>

#include "base/check.h"

namespace trialwright {

namespace {

constexpr int kTokensMax = 4000;
constexpr int kTokensAtEase = 60;

/// What closes something, so that walks come to an end.
bool closes(std::string_view text) {
  return text == "\"" || text == "}" || text == "]" || text == ")" || text == "</tool_call>";
}

}  // namespace

bool matches(const std::shared_ptr<const Grammar>& grammar, std::string_view text) {
  ParseStates states(grammar, {});
  ParseStates::Id id = states.start();
  for (const char c : text) id = states.step(id, static_cast<std::uint8_t>(c));
  return states.may_end(id);
}

std::string error_of(const GrammarResult& grammar) {
  return grammar ? "" : grammar.error().message;
}

WordVocabulary::WordVocabulary(std::vector<std::string> words) {
  for (unsigned byte = 0; byte < 256; ++byte) {
    tokens_.push_back({std::string(1, static_cast<char>(byte)), TrieToken::Kind::Text});
  }
  for (const char* const word : {"{\"",       "\":",
                                 "\": ",      "\",",
                                 "\", \"",    "\"}",
                                 "}}",        "\"]",
                                 "],",        "[[",
                                 "null",      "true",
                                 "false",     "name",
                                 "order",     "orderId",
                                 "Id",        " the",
                                 "the",       "12",
                                 "123",       "0.",
                                 "\\n",       "\\\"",
                                 "é",         "日本",
                                 "\xE6\x97",  "a\"",
                                 "tool",      "<too",
                                 "  ",        "\n\n",
                                 "arguments", "\"arguments\": {"}) {
    tokens_.push_back({word, TrieToken::Kind::Text});
  }
  for (std::string& word : words) tokens_.push_back({std::move(word), TrieToken::Kind::Text});
  tokens_.push_back({"<tool_call>", TrieToken::Kind::Special});
  tokens_.push_back({"</tool_call>", TrieToken::Kind::Special});
  tokens_.push_back({"<|python_tag|>", TrieToken::Kind::Special});
  tokens_.push_back({"", TrieToken::Kind::Unused});
  end_ = static_cast<TokenId>(tokens_.size());
  tokens_.push_back({"<end>", TrieToken::Kind::Special});
  trie_ = TokenTrie::build(tokens_);
}

TokenId WordVocabulary::id_of(std::string_view text) const {
  const auto known = std::ranges::find(tokens_, text, &TrieToken::bytes);
  CHECK(known != tokens_.end(), "the test names a token that there is");
  return static_cast<TokenId>(known - tokens_.begin());
}

std::vector<TokenId> WordVocabulary::encode(std::string_view text) const {
  std::vector<TokenId> ids;
  while (!text.empty()) {
    std::size_t best = static_cast<unsigned char>(text.front());  // A byte's id is the byte.
    for (std::size_t i = 0; i < tokens_.size(); ++i) {
      const TrieToken& token = tokens_[i];
      if (token.kind == TrieToken::Kind::Text && text.starts_with(token.bytes) &&
          token.bytes.size() > tokens_[best].bytes.size()) {
        best = i;
      }
    }
    ids.push_back(static_cast<TokenId>(best));
    text.remove_prefix(tokens_[best].bytes.size());
  }
  return ids;
}

GrammarConstraint WordVocabulary::match(const std::shared_ptr<const Grammar>& grammar) const {
  auto tokens = TokenGrammar::create(grammar, trie_, {end_});
  CHECK(tokens, "all bytes are tokens");
  return GrammarConstraint(*tokens, [this](std::string_view text) { return encode(text); });
}

Walked random_walk(const WordVocabulary& vocabulary, const std::shared_ptr<const Grammar>& grammar,
                   RandomStream& random) {
  GrammarConstraint match = vocabulary.match(grammar);
  const TokenTrie& trie = *vocabulary.trie();
  Walked walked;
  while (walked.tokens < kTokensMax) {
    std::vector<TokenId> ids;
    std::vector<TokenId> closing;
    const auto words = match.allowed();
    for (TokenId id = 0; id < trie.vocabulary_size(); ++id) {
      const auto place = static_cast<std::size_t>(id);
      const bool is_set = ((words[place / 64] >> (place % 64)) & 1U) != 0;
      if (is_set != match.allows(id)) walked.wrong = "mask and steps differ for a token";
      if (!is_set) continue;
      ids.push_back(id);
      if (id == vocabulary.end() || closes(trie.bytes(id))) closing.push_back(id);
    }
    if (ids.empty()) walked.wrong = "nothing is allowed after: " + walked.text;
    if (static_cast<int>(ids.size()) != match.allowed_count()) walked.wrong = "the count is wrong";
    for (const TokenId id : match.forced().first(std::min<std::size_t>(match.forced().size(), 1))) {
      if (std::ranges::find(ids, id) == ids.end()) walked.wrong = "a forced token is not allowed";
    }
    if (!walked.wrong.empty()) return walked;
    const bool close = !closing.empty() && (walked.tokens > kTokensAtEase || random.below(4) == 0);
    const std::vector<TokenId>& from = close ? closing : ids;
    const TokenId id = from[random.below(from.size())];
    match.accept(id);
    ++walked.tokens;
    if (id == vocabulary.end()) {
      walked.ended = true;
      return walked;
    }
    walked.text += trie.bytes(id);
  }
  return walked;
}

}  // namespace trialwright
