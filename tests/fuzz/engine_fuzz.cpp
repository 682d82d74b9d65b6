// Whatever a GGUF file says of its model, loading it and computing with it ends in numbers or an
// error.

#include <cstddef>
#include <cstdint>
#include <span>
#include <vector>

#include "inference/llm/engine.h"

using trialwright::Engine;
using trialwright::GgufFile;

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  auto file = GgufFile::parse(std::as_bytes(std::span(data, size)), "fuzz.gguf");
  if (!file) return 0;
  auto engine = Engine::load(*std::move(file), {.threads = 1});
  if (!engine) return 0;
  CHECK(engine->vocabulary() >= 1 && engine->context_tokens_max() >= 1, "sizes are checked");
  // The last id of the vocabulary, and one beyond it.
  const std::int32_t last = engine->vocabulary() - 1;
  (void)engine->generate({.ids = {0, last, 0}, .tokens_max = 2, .alternatives = 3}, {});
  CHECK(!engine->generate({.ids = {last + 1}}, {}), "there is no such token");
  const std::vector<std::vector<std::int32_t>> continuations = {{last}, {0, last}};
  (void)engine->score(std::vector<std::int32_t>{0, last}, continuations, {});
  return 0;
}
