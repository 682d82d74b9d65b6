// How long a step of constrained decoding takes: after each token of some documents, the mask over
// a vocabulary of 262,144 tokens or a little less.
//
//   grammar_mask_bench [VOCABULARY.gguf]
//
// Without a file, the vocabulary is put together from those in the shared data folder: real tokens,
// about as many as Gemma 3 has. Times are microseconds of one thread's processor time, so that a
// busy machine does not show. "first" is a grammar that nobody has met before, "again" the same
// documents once more: what trials of one task see from the second on.

#include <algorithm>
#include <cstdio>
#include <ctime>
#include <filesystem>
#include <set>
#include <string>
#include <vector>

#include "inference/constrain/grammar_constraint.h"
#include "inference/gguf/gguf_file.h"

namespace trialwright {
namespace {

constexpr std::size_t kVocabularySize = 262'144;

struct Workload {
  const char* name;
  std::shared_ptr<const Grammar> grammar;
  std::vector<std::string> documents;
};

std::shared_ptr<const Grammar> schema(std::string_view text) {
  auto json = parse_json(text);
  CHECK(json, "the schemas below are JSON");
  auto grammar = compile_json_schema(*json);
  CHECK(grammar, "the schemas below are supported");
  return *grammar;
}

std::vector<Workload> workloads() {
  std::vector<Workload> all;
  all.push_back(
      {"nested objects",
       schema(R"({"type":"object","properties":{
    "user":{"type":"object","properties":{"name":{"type":"string"},"email":{"type":"string","format":"email"},
      "address":{"type":"object","properties":{"street":{"type":"string"},"city":{"type":"string"},
        "zip":{"type":"string","pattern":"^[0-9]{5}$"}},"required":["street","city"]}},
      "required":["name","address"]},
    "active":{"type":"boolean"}},"required":["user"]})"),
       {R"({"user": {"name": "Ada Lovelace", "email": "ada@example.org", "address": {"street": "12 St James's Square", "city": "London", "zip": "12345"}}, "active": true})",
        R"({"user":{"name":"Grace Hopper","address":{"street":"1 Navy Yard, Building 42","city":"Washington"}}})"}});
  all.push_back(
      {"enums",
       schema(R"({"type":"object","properties":{
    "status":{"enum":["open","closed","in_progress","blocked","wont_fix"]},
    "severity":{"enum":["low","medium","high","critical"]},"labels":{"type":"array","items":{"enum":["bug","feature","docs","ci"]}}},
    "required":["status","severity","labels"]})"),
       {R"({"status": "in_progress", "severity": "critical", "labels": ["bug", "ci", "docs"]})",
        R"({"status":"open","severity":"low","labels":[]})"}});
  all.push_back(
      {"array of objects",
       schema(R"({"type":"array","items":{"type":"object","properties":{
    "id":{"type":"integer"},"title":{"type":"string"},"price":{"type":"number"},"tags":{"type":"array","items":{"type":"string"}}},
    "required":["id","title","price"]}})"),
       {R"([{"id": 1, "title": "A wooden chair", "price": 49.99, "tags": ["home", "garden furniture"]}, {"id": 2, "title": "Ein großer Tisch", "price": 120}, {"id": 3, "title": "Lamp \"Luna\"", "price": 15.5, "tags": []}])"}});
  all.push_back(
      {"free strings",
       schema(
           R"({"type":"object","properties":{"thought":{"type":"string"},"answer":{"type":"string"}},
    "required":["thought","answer"]})"),
       {R"({"thought": "The user wants to know how many files there are in the folder, so I should list them first.\nThen I count the lines: \"wc -l\" does that.", "answer": "There are 12 files in the folder; the largest is data.csv with 3,204 lines."})"}});
  all.push_back(
      {"strings of bounded length",
       schema(
           R"({"type":"object","properties":{"title":{"type":"string","maxLength":60},"summary":{"type":"string","minLength":10,"maxLength":200}},
    "required":["title","summary"]})"),
       {R"({"title": "Fast masks for small models", "summary": "A table of automaton states answers most questions before they are asked, and what is left is a short walk over a tree of tokens."})"}});
  all.push_back(
      {"numbers",
       schema(
           R"({"type":"object","properties":{"x":{"type":"number"},"n":{"type":"integer","minimum":0,"maximum":5000},
    "list":{"type":"array","items":{"type":"number"},"maxItems":20}},"required":["x","n","list"]})"),
       {R"({"x": -12.375e-3, "n": 4821, "list": [1, 2.5, 3.14159, 42, 1000000, 0.001]})"}});
  all.push_back(
      {"any JSON",
       schema("{}"),
       {R"({"name": "config", "values": [1, true, null, {"deep": ["text", {"a": "b"}]}], "note": "free form"})"}});
  auto regex = compile_regex(R"([A-Z][a-z]+( [A-Z][a-z]+)*, \d{4}-\d\d-\d\d: [a-z ,]{1,120}\.)");
  CHECK(regex, "the expression is right");
  all.push_back(
      {"regex",
       *regex,
       {"Ada Lovelace, 1843-09-01: notes on the analytical engine, with a program for numbers."}});
  auto gbnf = compile_gbnf(R"gbnf(root ::= expr
expr ::= term (ws [-+] ws term)*
term ::= factor (ws [*/] ws factor)*
factor ::= number | "(" ws expr ws ")" | "-" factor
number ::= [0-9]+ ("." [0-9]+)?
ws ::= " "?
)gbnf");
  CHECK(gbnf, "the grammar is right");
  all.push_back({"GBNF arithmetic",
                 *gbnf,
                 {"(12 + 3.5) * -(4 - 100 / (2 * 7)) + 1234567 * (1 + (2 + (3 + 4)))"}});
  return all;
}

double processor_microseconds() {
  timespec now{};
  clock_gettime(CLOCK_THREAD_CPUTIME_ID, &now);
  return static_cast<double>(now.tv_sec) * 1e6 + static_cast<double>(now.tv_nsec) / 1e3;
}

std::vector<TrieToken> tokens_of(const Tokenizer& tokenizer) {
  std::vector<TrieToken> tokens;
  for (TokenId id = 0; id < tokenizer.size(); ++id) {
    const bool special = tokenizer.is_control(id) || tokenizer.ends_turn(id);
    tokens.push_back({std::string(tokenizer.bytes(id)),
                      special ? TrieToken::Kind::Special : TrieToken::Kind::Text});
  }
  return tokens;
}

Result<std::vector<TrieToken>> read_tokens(const std::string& path) {
  auto file = GgufFile::open(path);
  if (!file) return file.error();
  auto tokenizer = Tokenizer::load(*file);
  if (!tokenizer) return tokenizer.error();
  return tokens_of(*tokenizer);
}

std::vector<TrieToken> joined_vocabularies() {
  std::vector<TrieToken> all;
  std::set<std::string> known;
  for (const char* const name :
       {"llama-bpe", "qwen2", "deepseek-coder", "starcoder", "gpt-2", "llama-spm"}) {
    auto tokens = read_tokens(std::string(TRIALWRIGHT_SHARED_DATA_FOLDER) +
                              "/tokenizers/ggml-vocab-" + name + ".gguf");
    if (!tokens) continue;
    for (TrieToken& token : *tokens) {
      if (token.kind == TrieToken::Kind::Text && known.insert(token.bytes).second)
        all.push_back(std::move(token));
    }
  }
  // There are not that many different ones; words with the other kind of first letter fill up.
  for (std::size_t i = 0; all.size() + 1 < kVocabularySize && i < all.size(); ++i) {
    std::string text = all[i].bytes;
    char& first = text[text[0] == ' ' && text.size() > 1 ? 1 : 0];
    const bool letter = (first >= 'a' && first <= 'z') || (first >= 'A' && first <= 'Z');
    if (letter) first = static_cast<char>(first ^ 0x20);
    if (letter && known.insert(text).second) all.push_back({text, TrieToken::Kind::Text});
  }
  all.push_back({"<end>", TrieToken::Kind::Special});
  return all;
}

/// The longest allowed token that the text goes on with.
TokenId next_token(const std::vector<std::vector<TokenId>>& by_byte, const TokenTrie& trie,
                   GrammarConstraint& match, std::string_view text) {
  TokenId best = -1;
  for (const TokenId id : by_byte[static_cast<unsigned char>(text[0])]) {
    const bool longer = best < 0 || trie.bytes(id).size() > trie.bytes(best).size();
    if (longer && text.starts_with(trie.bytes(id)) && match.allows(id)) best = id;
  }
  CHECK(best >= 0, "the documents fit their grammars");
  return best;
}

void print(const char* name, std::vector<double>& microseconds) {
  std::ranges::sort(microseconds);
  const auto at = [&](double part) {
    return microseconds[static_cast<std::size_t>(part *
                                                 static_cast<double>(microseconds.size() - 1))];
  };
  std::printf("%-32s %6zu %8.1f %8.1f %8.1f\n", name, microseconds.size(), at(0.5), at(0.99),
              at(1));
}

int run(int argc, char** argv) {
  std::vector<TrieToken> tokens;
  if (argc > 1) {
    auto read = read_tokens(argv[1]);
    if (!read) {
      std::fprintf(stderr, "%s\n", read.error().message.c_str());
      return 1;
    }
    tokens = *std::move(read);
  } else {
    tokens = joined_vocabularies();
  }
  const double begin = processor_microseconds();
  const auto trie = TokenTrie::build(tokens);
  std::printf("%d tokens, tree built in %.0f ms\n", trie->vocabulary_size(),
              (processor_microseconds() - begin) / 1000);
  std::vector<std::vector<TokenId>> by_byte(256);
  TokenId end = -1;
  for (TokenId id = 0; id < trie->vocabulary_size(); ++id) {
    if (trie->is_text(id)) {
      by_byte[static_cast<unsigned char>(trie->bytes(id)[0])].push_back(id);
    } else if (!trie->bytes(id).empty()) {
      end = id;
    }
  }
  if (trie->vocabulary_size() < 1000 || end < 0) {
    std::fprintf(stderr, "there is no vocabulary\n");
    return 1;
  }
  std::printf("%-32s %6s %8s %8s %8s\n", "", "masks", "p50", "p99", "max");
  std::vector<double> all_first;
  std::vector<double> all_again;
  for (const Workload& workload : workloads()) {
    auto grammar = TokenGrammar::create(workload.grammar, trie, {end});
    CHECK(grammar, "all bytes are tokens");
    for (const bool again : {false, true}) {
      std::vector<double> times;
      for (const std::string& document : workload.documents) {
        GrammarConstraint match(*grammar, [](std::string_view) { return std::vector<TokenId>(); });
        std::string_view rest = document;
        while (true) {
          const double step = processor_microseconds();
          static_cast<void>(match.allowed());
          times.push_back(processor_microseconds() - step);
          if (rest.empty()) break;
          const TokenId id = next_token(by_byte, *trie, match, rest);
          match.accept(id);
          rest.remove_prefix(trie->bytes(id).size());
        }
      }
      auto& all = again ? all_again : all_first;
      all.insert(all.end(), times.begin(), times.end());
      print((std::string(workload.name) + (again ? ", again" : ", first")).c_str(), times);
    }
  }
  print("all, first", all_first);
  print("all, again", all_again);
  return 0;
}

}  // namespace
}  // namespace trialwright

int main(int argc, char** argv) { return trialwright::run(argc, argv); }
