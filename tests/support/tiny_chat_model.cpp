#include "tests/support/tiny_chat_model.h"

#include "base/files.h"
#include "tests/inference/token/small_vocabulary.h"
#include "tests/support/tiny_model.h"

namespace trialwright {

namespace {

constexpr std::string_view kTemplate =
    "{%- if tools %}<|im_start|>system\nCall by <tool_call>{\"name\": …, \"arguments\": …}"
    "{%- for tool in tools %}\n{{ tool | tojson }}{%- endfor %}<|im_end|>\n{%- endif %}"
    "{%- for message in messages %}<|im_start|>{{ message.role }}\n{{ message.content }}"
    "<|im_end|>\n{%- endfor %}<|im_start|>assistant\n";

}  // namespace

std::string tiny_chat_model_bytes(bool can_chat) {
  SmallVocabulary vocabulary;
  vocabulary.token("<|im_start|>", TokenKind::Control);
  const TokenId end = vocabulary.token("<|im_end|>", TokenKind::Control);
  GgufWriter writer = tiny_model_writer({.vocabulary = vocabulary.size(), .context = 1024});
  vocabulary.write_to(writer);
  writer.u32("tokenizer.ggml.eos_token_id", static_cast<std::uint32_t>(end));
  if (can_chat) writer.text("tokenizer.chat_template", kTemplate);
  return writer.bytes();
}

std::unique_ptr<EmbeddedModel> load_tiny_chat_model(const std::filesystem::path& folder,
                                                    bool can_chat) {
  const auto path = folder / "tiny.gguf";
  CHECK(write_file_atomically(path, tiny_chat_model_bytes(can_chat)), "the folder can be written");
  auto model = EmbeddedModel::load(
      path, {.name = "tiny", .engine = {.threads = 1}, .digest_folder = folder / "digests"});
  CHECK(model, "the file is a model");
  return *std::move(model);
}

}  // namespace trialwright
