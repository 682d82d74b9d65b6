#include "inference/models/output_grammars.h"

#include <algorithm>
#include <utility>

#include "inference/constrain/grammar_constraint.h"

namespace trialwright {
namespace {

std::string kind_name(OutputFormat::Kind kind) {
  switch (kind) {
    case OutputFormat::Kind::JsonSchema:
      return "schema";
    case OutputFormat::Kind::Regex:
      return "regex";
    case OutputFormat::Kind::Gbnf:
      return "grammar";
  }
  return "";
}

Result<std::shared_ptr<const Grammar>> compile_format(const OutputFormat& format) {
  switch (format.kind) {
    case OutputFormat::Kind::Regex:
      return compile_regex(format.source);
    case OutputFormat::Kind::Gbnf:
      return compile_gbnf(format.source);
    case OutputFormat::Kind::JsonSchema:
      break;
  }
  auto schema = parse_json(format.source);
  if (!schema) {
    return schema.error();
  }
  return compile_json_schema(*schema);
}

std::vector<TokenId> turn_ends(const Tokenizer& tokenizer) {
  std::vector<TokenId> ends;
  for (TokenId id = 0; id < tokenizer.size(); ++id) {
    if (tokenizer.ends_turn(id)) {
      ends.push_back(id);
    }
  }
  // The one that is forced where nothing else can follow is the model's own.
  const auto own = std::find(ends.begin(), ends.end(), tokenizer.eos());
  if (own != ends.end()) {
    std::iter_swap(ends.begin(), own);
  }
  return ends;
}

}  // namespace

Result<std::unique_ptr<TokenConstraint>> OutputGrammars::of_format(const OutputFormat& format) {
  const std::string name = kind_name(format.kind);
  auto made = constraint(name + " " + format.source, [&] { return compile_format(format); });
  return made ? std::move(made) : made.error().during("reading the " + name + " of the answer");
}

Result<std::unique_ptr<TokenConstraint>> OutputGrammars::of_calls(
    ToolCallFormat format, std::span<const ToolDefinition> tools, const ToolCallChoice& choice) {
  Json key = {{"format", static_cast<int>(format)},
              {"mode", static_cast<int>(choice.mode)},
              {"name", choice.name},
              {"several", choice.several}};
  for (const ToolDefinition& tool : tools) {
    key["tools"].push_back(tool_to_json(tool));
  }
  return constraint("calls " + key.dump(),
                    [&] { return compile_tool_calls(format, tools, choice); });
}

Result<std::unique_ptr<TokenConstraint>> OutputGrammars::constraint(const std::string& key,
                                                                    const Compile& compile) {
  auto found = grammar(key, compile);
  if (!found) {
    return found.error();
  }
  return std::unique_ptr<TokenConstraint>(
      std::make_unique<GrammarConstraint>(std::move(*found), text_encoder(tokenizer_)));
}

std::shared_ptr<TokenGrammar> OutputGrammars::known(const std::string& key) {
  const std::scoped_lock lock(mutex_);
  const auto found = grammars_.find(key);
  if (found == grammars_.end()) {
    return nullptr;
  }
  used_.splice(used_.begin(), used_, std::find(used_.begin(), used_.end(), key));
  return found->second;
}

std::shared_ptr<const TokenTrie> OutputGrammars::trie() {
  const std::scoped_lock lock(mutex_);
  if (!trie_) {
    trie_ = TokenTrie::build(tokenizer_);
  }
  return trie_;
}

Result<std::shared_ptr<TokenGrammar>> OutputGrammars::grammar(const std::string& key,
                                                              const Compile& compile) {
  if (auto found = known(key)) {
    return found;
  }
  // Without the lock: a large grammar must not hold up those that are known.
  auto texts = compile();
  if (!texts) {
    return texts.error();
  }
  auto made = TokenGrammar::create(std::move(*texts), trie(), turn_ends(tokenizer_));
  if (!made) {
    return made.error();
  }
  const std::scoped_lock lock(mutex_);
  const auto [place, is_new] = grammars_.emplace(key, *made);
  if (is_new) {
    used_.push_front(key);
    if (used_.size() > kKeptMax) {
      grammars_.erase(used_.back());
      used_.pop_back();
    }
  }
  return place->second;
}

}  // namespace trialwright
