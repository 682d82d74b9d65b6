#include <toml++/toml.h>

#include <algorithm>

#include "inference/catalog/catalog.h"
#include "inference/catalog/weights_name.h"

namespace trialwright {

namespace {

/// Reads the fields of one table; the first thing that is wrong is kept, the rest then gives empty
/// values.
class Fields {
 public:
  Fields(const toml::table& table, std::string where) : table_(table), where_(std::move(where)) {}

  std::string text(const char* key, bool required = true) {
    const auto value = table_[key].value<std::string>();
    if (!value && (required || table_.contains(key))) fail(key, "must be a string");
    if (required && value && value->empty()) fail(key, "must not be empty");
    return value.value_or("");
  }

  std::uint64_t size(const char* key) {
    const auto value = table_[key].value_exact<std::int64_t>();
    if (!value || *value <= 0) fail(key, "must be a positive whole number");
    return value && *value > 0 ? static_cast<std::uint64_t>(*value) : 1;
  }

  Digest digest(const char* key) {
    auto value = parse_digest(text(key));
    if (!value) fail(key, "must be 64 hexadecimal digits");
    return value ? *value : Digest{};
  }

  void only(std::initializer_list<std::string_view> known) {
    for (const auto& [key, value] : table_) {
      if (std::find(known.begin(), known.end(), key.str()) == known.end()) {
        fail(std::string(key.str()), "is not known");
      }
    }
  }

  void fail(const std::string& key, const std::string& what) {
    if (!error_) error_ = invalid(where_ + ": field \"" + key + "\" " + what);
  }
  [[nodiscard]] const std::optional<Error>& error() const { return error_; }

 private:
  const toml::table& table_;
  std::string where_;
  std::optional<Error> error_;
};

bool is_model_name(std::string_view name) {
  const auto allowed = [](char c) {
    return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9') || c == '.' ||
           c == '-' || c == '_';
  };
  return !name.empty() && name.size() <= 100 && name.front() != '.' && name.front() != '-' &&
         std::all_of(name.begin(), name.end(), allowed) && !name.ends_with(".gguf");
}

/// A name or version that may stand on pip's command line: it cannot be an option, an address or a
/// path.
bool is_package_word(std::string_view word) { return is_model_name(word); }

Result<PackagePart> read_part(const toml::table& table, const std::string& where) {
  Fields fields(table, where);
  fields.only({"package", "version", "member", "bytes", "sha256"});
  PackagePart part{fields.text("package"), fields.text("version"), fields.text("member"),
                   fields.size("bytes"), fields.digest("sha256")};
  if (!is_package_word(part.package)) fields.fail("package", "is not the name of a package");
  if (!is_package_word(part.version)) fields.fail("version", "is not a version");
  if (fields.error()) return *fields.error();
  return part;
}

Result<ModelSource> read_source(const toml::table& table, std::uint64_t model_bytes,
                                const std::string& where) {
  Fields fields(table, where);
  fields.only({"url", "path", "parts"});
  const std::string url = fields.text("url", false);
  const std::string path = fields.text("path", false);
  if (fields.error()) return *fields.error();
  const toml::array* parts = table["parts"].as_array();
  if ((url.empty() ? 0 : 1) + (path.empty() ? 0 : 1) + (parts == nullptr ? 0 : 1) != 1) {
    return invalid(where + ": a source has one of \"url\", \"path\" and \"parts\"");
  }
  if (is_pickle_name(url) || is_pickle_name(path)) {
    return refused_pickle(url.empty() ? path : url).during(where);
  }
  if (!url.empty()) {
    if (!url.starts_with("https://") && !url.starts_with("http://")) {
      return invalid(where + ": field \"url\" must begin with https:// or http://");
    }
    return ModelSource(UrlSource{url});
  }
  if (!path.empty()) return ModelSource(PathSource{path});
  PackageSource source;
  std::uint64_t bytes = 0;
  for (const toml::node& node : *parts) {
    if (!node.is_table()) return invalid(where + ": field \"parts\" must hold tables");
    const std::string which = where + ", part " + std::to_string(source.parts.size() + 1);
    auto part = read_part(*node.as_table(), which);
    if (!part) return part.error();
    bytes += part->bytes;
    source.parts.push_back(*std::move(part));
  }
  if (bytes != model_bytes) {
    return invalid(where + ": the parts have " + std::to_string(bytes) +
                   " bytes together, the model has " + std::to_string(model_bytes));
  }
  return ModelSource(std::move(source));
}

Result<ModelEntry> read_model(const toml::table& table, const std::string& where) {
  Fields fields(table, where);
  fields.only({"name", "bytes", "sha256", "licence", "notes", "tool_protocol", "source"});
  ModelEntry entry{fields.text("name"),
                   fields.size("bytes"),
                   fields.digest("sha256"),
                   fields.text("licence", false),
                   fields.text("notes", false),
                   fields.text("tool_protocol", false),
                   {}};
  if (!entry.tool_protocol.empty() && entry.tool_protocol != "native" &&
      entry.tool_protocol != "fenced") {
    fields.fail("tool_protocol", "must be native or fenced");
  }
  if (!is_model_name(entry.name)) {
    fields.fail("name", "may hold letters, digits, '.', '-' and '_' and not end in .gguf");
  }
  const toml::array* sources = table["source"].as_array();
  if (sources == nullptr || sources->empty())
    fields.fail("source", "must list at least one source");
  if (fields.error()) return *fields.error();
  for (const toml::node& node : *sources) {
    const std::string which =
        where + " (" + entry.name + "), source " + std::to_string(entry.sources.size() + 1);
    if (!node.is_table()) return invalid(which + ": must be a table");
    auto source = read_source(*node.as_table(), entry.bytes, which);
    if (!source) return source.error();
    entry.sources.push_back(*std::move(source));
  }
  return entry;
}

}  // namespace

Result<Catalog> parse_catalog(std::string_view text, const std::string& name) {
  toml::table document;
  try {
    document = toml::parse(text);
  } catch (const toml::parse_error& error) {
    return invalid(name + ", line " + std::to_string(error.source().begin.line) + ": " +
                   std::string(error.description()));
  }
  for (const auto& [key, value] : document) {
    if (key.str() != "model") {
      return invalid(name + ": field \"" + std::string(key.str()) + "\" is not known");
    }
  }
  Catalog catalog;
  if (!document.contains("model")) return catalog;
  const toml::array* models = document["model"].as_array();
  if (models == nullptr) return invalid(name + ": field \"model\" must be a list of tables");
  for (const toml::node& node : *models) {
    const std::string where = name + ", model " + std::to_string(catalog.models.size() + 1);
    if (!node.is_table()) return invalid(where + ": must be a table");
    auto entry = read_model(*node.as_table(), where);
    if (!entry) return entry.error();
    for (const ModelEntry& other : catalog.models) {
      if (other.name == entry->name) {
        return invalid(where + ": the name \"" + entry->name + "\" is taken by an earlier model");
      }
    }
    catalog.models.push_back(*std::move(entry));
  }
  return catalog;
}

}  // namespace trialwright
