#include "inference/catalog/weights_name.h"

#include <string>

#include "base/text.h"

namespace trialwright {

bool is_pickle_name(std::string_view path) {
  const std::string name = to_lower(path.substr(path.rfind('/') + 1));
  for (const std::string_view ending : {".pt", ".pth", ".ckpt", ".pkl", ".pickle"}) {
    if (name.size() > ending.size() && name.ends_with(ending)) return true;
  }
  return name.starts_with("pytorch_model") && name.ends_with(".bin");
}

Error refused_pickle(std::string_view path) {
  return invalid(std::string(path) +
                 " is in Python's pickle format, which can run code when it is read; only GGUF " +
                 "files and folders with Safetensors are supported");
}

}  // namespace trialwright
