#pragma once

#include <cstdint>
#include <span>

namespace trialwright {

/// What may come next while a text that must have a certain form is generated.
///
/// One thread at a time. The engine asks for `forced` and `allowed`, and tells of every token that
/// was taken by `accept`.
class TokenConstraint {
 public:
  virtual ~TokenConstraint() = default;

  /// Bit i % 64 of word i / 64 is set if token i may come next: [(vocabulary + 63) / 64] words,
  /// valid until `accept`. At least one bit is set; the tokens that end a turn are among them
  /// exactly where the text may end.
  virtual std::span<const std::uint64_t> allowed() = 0;

  /// How many bits of `allowed` are set.
  virtual int allowed_count() = 0;

  /// Tokens that come next whatever the model thinks, so that it need not be asked; often none.
  /// They are what the tokenizer makes of the forced text, never another way to spell it. Valid
  /// until `accept`.
  virtual std::span<const std::int32_t> forced() = 0;

  /// Takes a token that `allowed` holds.
  virtual void accept(std::int32_t id) = 0;

  /// True once a token that ends the turn was accepted; then nothing more may be asked.
  [[nodiscard]] virtual bool ended() const = 0;
};

}  // namespace trialwright
