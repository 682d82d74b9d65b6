#pragma once

#include <functional>
#include <memory>
#include <string_view>
#include <vector>

#include "inference/constrain/token_grammar.h"
#include "inference/llm/token_constraint.h"

namespace trialwright {

/// What the tokenizer makes of a text inside a message: no BOS, no space put in front, no special
/// tokens. It outlives the constraints that hold it and may be called from any thread that uses
/// one.
using EncodeText = std::function<std::vector<TokenId>(std::string_view text)>;

/// The EncodeText of a tokenizer, which must outlive it.
EncodeText text_encoder(const Tokenizer& tokenizer);

/// One text that must match a grammar, as far as it has been generated.
///
/// Where only one text can follow, `forced` gives the tokens that the tokenizer makes of it, up to
/// the first that could be another one, or longer, depending on what comes after: a model that is
/// given "order" and may only go on with "Id" would hardly do so if it knows "orderId" as one token
/// (llguidance, docs/fast_forward.md). When the text is complete and nothing can follow, the first
/// of the end ids is forced.
class GrammarConstraint final : public TokenConstraint {
 public:
  GrammarConstraint(std::shared_ptr<TokenGrammar> grammar, EncodeText encode);

  std::span<const std::uint64_t> allowed() override;
  int allowed_count() override;
  std::span<const std::int32_t> forced() override;
  void accept(std::int32_t id) override;
  [[nodiscard]] bool ended() const override { return ended_; }

  /// True if `id` may come next; cheaper than the whole mask.
  [[nodiscard]] bool allows(TokenId id);
  /// The text so far is one that the grammar describes.
  [[nodiscard]] bool complete();

  /// A match of its own that stands where this one does; costs next to nothing.
  [[nodiscard]] std::unique_ptr<GrammarConstraint> clone() const;

 private:
  struct ForcedText {
    std::string bytes;
    ParseStates::Id after = ParseStates::kDead;
  };
  /// A token that may come from a byte of the text on and is longer than what is left of it.
  struct Continuation {
    std::size_t place = 0;
    TokenId token = -1;
  };

  [[nodiscard]] bool is_end(TokenId id) const;
  const AllowedTokens& allowed_tokens();
  void work_out_forced();
  ForcedText forced_text();
  std::size_t settled_bytes(std::string_view text, std::size_t begin, ParseStates::Id after,
                            std::vector<Continuation>& longer);

  std::shared_ptr<TokenGrammar> grammar_;
  std::shared_ptr<MaskTable> table_;
  EncodeText encode_;
  ParseStates::Id state_;
  std::shared_ptr<const AllowedTokens> allowed_;  ///< Of the state, once asked for.
  std::vector<TokenId> forced_;
  bool forced_known_ = false;
  TokenId last_text_token_ = -1;  ///< If the last token was an ordinary one.
  bool ended_ = false;
};

}  // namespace trialwright
