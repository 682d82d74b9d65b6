#pragma once

#include <cstdint>
#include <filesystem>
#include <optional>
#include <string>
#include <string_view>
#include <variant>
#include <vector>

#include "base/digest.h"
#include "base/result.h"

namespace trialwright {

/// The whole file from a web server.
struct UrlSource {
  std::string url;  ///< http:// or https://
};

/// The whole file, already on this machine.
struct PathSource {
  std::filesystem::path path;
};

/// A stretch of the file that lies in a Python package.
struct PackagePart {
  std::string package;
  std::string version;
  std::string member;  ///< Path inside the wheel.
  std::uint64_t bytes = 0;
  Digest sha256;
};

/// The file cut into parts, in order.
struct PackageSource {
  std::vector<PackagePart> parts;
};

using ModelSource = std::variant<UrlSource, PathSource, PackageSource>;

/// For messages: the URL, the path, or the packages.
std::string describe(const ModelSource& source);

/// A model that can be asked for by name.
/// Terms under which a model is given that are no common licence: whoever pulls it accepts them.
struct ModelTerms {
  std::string name;
  std::string url;      ///< Where they are read.
  std::string summary;  ///< One sentence on what they are about.
};

struct ModelEntry {
  std::string name;  ///< Letters, digits, '.', '-' and '_'; never a path.
  std::uint64_t bytes = 0;
  Digest sha256;
  std::string licence;
  std::string notes;
  /// How the model is best given tools: "native", "fenced", or empty if nobody has measured it.
  std::string tool_protocol;
  std::optional<ModelTerms> terms;
  std::vector<ModelSource> sources;  ///< Tried in order.
};

struct Catalog {
  std::vector<ModelEntry> models;

  /// Errors: NotFound, with names that are close.
  [[nodiscard]] Result<ModelEntry> find(std::string_view name) const;
};

/// Reads a manifest, which may name no model. `name` stands for it in messages.
/// Errors: Invalid, naming manifest, model and field.
Result<Catalog> parse_catalog(std::string_view toml, const std::string& name);

/// The models this program knows, then those of `own`, a user's manifest; a model there stands in
/// for a bundled one of the same name. An `own` that does not exist adds nothing.
/// Errors: Invalid, Unavailable.
Result<Catalog> load_catalog(const std::filesystem::path& own);

/// Where a user's manifest is looked for: models.toml in the user's configuration folder.
std::filesystem::path user_manifest_path();

/// Where a pulled model lies.
std::filesystem::path pulled_model_path(const ModelEntry& entry,
                                        const std::filesystem::path& models_folder);

/// The file for what a user called a model: a name of the catalog, or a path. What has a '/' or
/// ends in ".gguf" is a path. Of a pulled file only the size is looked at here.
/// Errors: NotFound, saying how to pull the model or which names are close; Integrity if a pulled
/// file has the wrong size; Invalid for weights in Python's pickle format.
Result<std::filesystem::path> resolve_model(const Catalog& catalog, const std::string& name_or_file,
                                            const std::filesystem::path& models_folder);

}  // namespace trialwright
