#pragma once

#include <functional>
#include <list>
#include <map>
#include <memory>
#include <mutex>
#include <span>
#include <string>
#include <vector>

#include "inference/chat/tool_call_format.h"
#include "inference/constrain/token_grammar.h"
#include "inference/constrain/tool_call_grammar.h"
#include "inference/llm/token_constraint.h"
#include "inference/model.h"
#include "inference/token/tokenizer.h"

namespace trialwright {

/// The grammars that requests to one model ask for. Each is compiled once and kept while it is in
/// use, with all that its earlier texts have worked out. Any thread.
class OutputGrammars {
 public:
  /// The tokenizer must outlive this and all constraints.
  explicit OutputGrammars(const Tokenizer& tokenizer) : tokenizer_(tokenizer) {}

  /// A text of its own that must have the format. Errors: Invalid, as compile_json_schema,
  /// compile_regex and compile_gbnf.
  Result<std::unique_ptr<TokenConstraint>> of_format(const OutputFormat& format);
  /// A message of its own whose calls can be read and fit the tools' schemas. Errors: Invalid, as
  /// compile_tool_calls.
  Result<std::unique_ptr<TokenConstraint>> of_calls(ToolCallFormat format,
                                                    std::span<const ToolDefinition> tools,
                                                    const ToolCallChoice& choice);

 private:
  using Compile = std::function<Result<std::shared_ptr<const Grammar>>()>;

  static constexpr std::size_t kKeptMax = 64;

  Result<std::unique_ptr<TokenConstraint>> constraint(const std::string& key,
                                                      const Compile& compile);
  /// Null if it is not known.
  std::shared_ptr<TokenGrammar> known(const std::string& key);
  std::shared_ptr<const TokenTrie> trie();
  Result<std::shared_ptr<TokenGrammar>> grammar(const std::string& key, const Compile& compile);

  const Tokenizer& tokenizer_;
  std::mutex mutex_;                       ///< Of all below.
  std::shared_ptr<const TokenTrie> trie_;  ///< Built when first needed.
  std::map<std::string, std::shared_ptr<TokenGrammar>> grammars_;
  std::list<std::string> used_;  ///< Their keys, the latest one first.
};

}  // namespace trialwright
