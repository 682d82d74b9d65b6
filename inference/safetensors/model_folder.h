#pragma once

#include <filesystem>
#include <string>
#include <vector>

#include "base/result.h"
#include "inference/gguf/gguf_file.h"

namespace trialwright {

/// Opens a model as a user names it: a GGUF file, or a folder as `open_model_folder` reads it.
/// Errors: as these two.
Result<GgufFile> open_model_files(const std::filesystem::path& path);

/// Opens a folder in the layout of Hugging Face's model repositories, in the terms of a GGUF file
/// of the same model:
///
/// - config.json: architecture and sizes (`read_folder_config`);
/// - tokenizer.json: the vocabulary (`read_tokenizer_json`), with BOS, EOS and chat template from
///   tokenizer_config.json, further ends of a turn from config.json and generation_config.json, and
///   the chat template from chat_template.jinja where there is one;
/// - model.safetensors, or the files that model.safetensors.index.json names, mapped into memory;
///   matrices whose rows change places are copied (`add_folder_tensors`).
///
/// Errors: NotFound, if a file is missing; Invalid, naming file and field; a folder that holds
/// weights in Python's pickle format only is refused by name.
Result<GgufFile> open_model_folder(const std::filesystem::path& folder);

/// The files of a folder that decide what its model computes, sorted by name.
/// Errors: as `open_model_folder`, as far as it has to read them.
Result<std::vector<std::filesystem::path>> model_folder_files(const std::filesystem::path& folder);

/// True for a folder with a config.json in it.
bool is_model_folder(const std::filesystem::path& path);

}  // namespace trialwright
