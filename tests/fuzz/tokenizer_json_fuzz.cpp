#include <cstddef>
#include <cstdint>
#include <string_view>

#include "inference/gguf/gguf_file.h"
#include "inference/safetensors/tokenizer_json.h"
#include "inference/token/tokenizer.h"

/// The input is a tokenizer.json; whatever vocabulary it claims to hold is loaded and used.
extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  const std::string_view json(reinterpret_cast<const char*>(data), size);
  trialwright::GgufMetadata metadata;
  if (!trialwright::read_tokenizer_json(json, 300, metadata)) return 0;
  const auto file = trialwright::GgufFile::assemble("fuzz", metadata, {});
  CHECK(file, "what was read has each key once");
  const auto tokenizer = trialwright::Tokenizer::load(*file);
  if (!tokenizer) return 0;
  for (const bool trusted : {false, true}) {
    const auto ids = tokenizer->encode("ab aa\n  7x<|end|>\xC3\xA9\xFF", trusted);
    for (const trialwright::TokenId id : ids) {
      CHECK(id >= 0 && id < tokenizer->size(), "encoding gives ids of the vocabulary");
    }
    (void)tokenizer->decode(ids);
  }
  return 0;
}
