#include <cstddef>
#include <cstdint>
#include <string_view>

#include "inference/gguf/gguf_file.h"
#include "inference/llm/model_config.h"
#include "inference/safetensors/folder_config.h"

/// The input is a config.json; what it says is read on as a model's configuration.
extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  const std::string_view json(reinterpret_cast<const char*>(data), size);
  trialwright::GgufMetadata metadata;
  const auto config = trialwright::read_folder_config(json, metadata);
  if (!config) return 0;
  const auto file = trialwright::GgufFile::assemble("fuzz", metadata, {});
  CHECK(file, "what was read has each key once");
  const auto model = trialwright::read_model_config(*file);
  if (!model) return 0;
  CHECK(model->layers == config->layers && model->heads == config->heads &&
            model->kv_heads == config->kv_heads,
        "both readers of one file agree");
  return 0;
}
