#include "inference/catalog/catalog.h"

#include <algorithm>

#include "base/files.h"
#include "base/text.h"
#include "inference/catalog/bundled_models.h"
#include "inference/catalog/weights_name.h"
#include "inference/safetensors/model_folder.h"

namespace trialwright {

namespace fs = std::filesystem;

std::string describe(const ModelSource& source) {
  if (const auto* url = std::get_if<UrlSource>(&source)) return url->url;
  if (const auto* path = std::get_if<PathSource>(&source)) return path->path.string();
  const auto& parts = std::get<PackageSource>(source).parts;
  std::string text = "package " + parts.front().package;
  if (parts.size() > 1) text += " to " + parts.back().package;
  return text;
}

Result<ModelEntry> Catalog::find(std::string_view name) const {
  std::vector<std::string> names;
  for (const ModelEntry& model : models) {
    if (model.name == name) return model;
    names.push_back(model.name);
  }
  std::string message = "there is no model named \"" + std::string(name) + "\"";
  const std::vector<std::string> near = nearest_words(name, names);
  message += near.empty() ? "; known are " + joined(names, ", ")
                          : "; did you mean " + joined(near, " or ") + "?";
  return not_found(std::move(message));
}

Result<Catalog> load_catalog(const fs::path& own) {
  auto bundled = parse_catalog(bundled_models(), "the bundled models.toml");
  if (!bundled) return bundled.error();
  auto text = read_file(own, std::uint64_t{1} << 24U);
  if (!text) {
    if (text.error().kind == ErrorKind::NotFound) return bundled;
    return text.error();
  }
  auto added = parse_catalog(*text, own.string());
  if (!added) return added.error();
  for (ModelEntry& model : added->models) {
    const auto same = std::find_if(bundled->models.begin(), bundled->models.end(),
                                   [&](const ModelEntry& each) { return each.name == model.name; });
    if (same == bundled->models.end()) {
      bundled->models.push_back(std::move(model));
    } else {
      *same = std::move(model);
    }
  }
  return bundled;
}

fs::path user_manifest_path() { return user_config_folder() / "models.toml"; }

fs::path pulled_model_path(const ModelEntry& entry, const fs::path& models_folder) {
  return models_folder / (entry.name + ".gguf");
}

bool is_model_path(const Catalog& catalog, const std::string& name_or_file) {
  if (name_or_file.find('/') != std::string::npos ||
      fs::path(name_or_file).extension() == ".gguf" || is_pickle_name(name_or_file)) {
    return true;
  }
  return is_model_folder(name_or_file) && !catalog.find(name_or_file);
}

Result<fs::path> resolve_model(const Catalog& catalog, const std::string& name_or_file,
                               const fs::path& models_folder) {
  std::error_code error;
  if (is_model_path(catalog, name_or_file)) {
    if (is_pickle_name(name_or_file)) return refused_pickle(name_or_file);
    if (!fs::exists(name_or_file, error)) {
      return not_found("model file " + name_or_file + " does not exist");
    }
    return fs::path(name_or_file);
  }
  auto entry = catalog.find(name_or_file);
  if (!entry) return entry.error();
  const fs::path path = pulled_model_path(*entry, models_folder);
  const std::uintmax_t bytes = fs::file_size(path, error);
  if (error) {
    return not_found("model " + entry->name +
                     " is not on this machine; fetch it with: trialwright " + "models pull " +
                     entry->name);
  }
  if (bytes != entry->bytes) {
    return integrity(path.string() + " has " + std::to_string(bytes) + " bytes, not " +
                     std::to_string(entry->bytes) + "; fetch it again with: trialwright models " +
                     "pull " + entry->name);
  }
  return path;
}

}  // namespace trialwright
