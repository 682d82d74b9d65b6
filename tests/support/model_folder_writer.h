#pragma once

#include <map>
#include <string>

#include "base/json.h"
#include "inference/gguf/gguf_file.h"

namespace trialwright {

/// The files of a folder, by name.
using FolderFiles = std::map<std::string, std::string>;

/// How a merge is written in tokenizer.json.
enum class MergeSpelling { Text, Pair };

/// The model of a GGUF file as Transformers would have saved it: config.json and model.safetensors.
///
/// What llama.cpp's converter does to names, rows and norms is undone here in its own words, so
/// that a mistake in the one does not hide in the other. The architectures are llama, qwen2, qwen3
/// and gemma3; tensors are F32, F16 or BF16.
FolderFiles folder_of_gguf(const GgufFile& file);

/// A vocabulary as a tokenizer.json. That of SentencePiece has no merges; they are made from the
/// scores as Transformers makes them.
std::string tokenizer_json_of_gguf(const GgufFile& file,
                                   MergeSpelling spelling = MergeSpelling::Text);

}  // namespace trialwright
