#pragma once

#include <filesystem>
#include <memory>

#include "inference/models/embedded_model.h"

namespace trialwright {

/// The file of a model with random weights that reads and writes single bytes, so what it says is
/// noise, in conversations like Qwen's. `can_chat` false leaves the chat template out.
std::string tiny_chat_model_bytes(bool can_chat = true);

/// The same, written to `folder` and loaded with the name "tiny".
std::unique_ptr<EmbeddedModel> load_tiny_chat_model(const std::filesystem::path& folder,
                                                    bool can_chat = true);

}  // namespace trialwright
