#include "inference/safetensors/model_folder.h"

#include <algorithm>
#include <map>
#include <optional>
#include <set>
#include <utility>

#include "base/files.h"
#include "base/json_cursor.h"
#include "inference/catalog/weights_name.h"
#include "inference/safetensors/folder_config.h"
#include "inference/safetensors/folder_weights.h"
#include "inference/safetensors/json_fields.h"
#include "inference/safetensors/safetensors_file.h"
#include "inference/safetensors/tokenizer_json.h"

namespace trialwright {

namespace {

namespace fs = std::filesystem;

constexpr std::uint64_t kSmallFileBytesMax = 1 << 20;
constexpr std::uint64_t kLargeFileBytesMax = 1 << 28;
constexpr const char* kWeights = "model.safetensors";
constexpr const char* kIndex = "model.safetensors.index.json";
/// Files that are read where they are there.
constexpr const char* kOptional[] = {"chat_template.jinja", "generation_config.json",
                                     "tokenizer_config.json"};

/// The file's text; "{}" stands in for one that is not there.
Result<std::string> read_optional(const fs::path& path, std::uint64_t bytes_max) {
  auto text = read_file(path, bytes_max);
  if (!text && text.error().kind == ErrorKind::NotFound) return std::string("{}");
  return text;
}

/// Which file each tensor lies in, as the index says. Errors: Invalid, naming file and field.
Result<std::map<std::string, std::string>> read_index(const fs::path& path) {
  auto text = read_file(path, kLargeFileBytesMax);
  if (!text) return text.error();
  JsonFields fields(*text);
  if (!fields.has("weight_map")) fields.refuse("weight_map", "is missing");
  JsonFields tensors = fields.object("weight_map");
  fields.keep_of(tensors);
  std::map<std::string, std::string> file_of;
  if (!fields.error()) {
    JsonCursor cursor(fields.raw("weight_map"));
    cursor.enter_object();
    while (const auto tensor = cursor.next_key()) {
      const std::string file = cursor.text().value_or("");
      // A name, not a way out of the folder.
      if (!file.ends_with(".safetensors") || file.find('/') != std::string::npos) {
        fields.refuse("weight_map", "names \"" + shown_text(file) +
                                        "\", which is no Safetensors file of this folder");
      }
      file_of.emplace(*tensor, file);
    }
    if (!cursor.finish()) fields.keep(cursor.error().during("field \"weight_map\""));
  }
  if (fields.error()) return fields.error()->during(path.string());
  return file_of;
}

/// What to say of a folder without weights that can be read.
Error no_weights(const fs::path& folder) {
  std::error_code failed;
  for (fs::directory_iterator it(folder, failed), end; !failed && it != end; it.increment(failed)) {
    if (is_pickle_name(it->path().filename().string())) return refused_pickle(it->path().string());
  }
  return not_found(folder.string() + " holds neither " + kWeights + " nor " + kIndex);
}

/// The files with weights, sorted by name, and where the index says that tensors lie.
struct WeightFiles {
  std::vector<fs::path> paths;
  std::map<std::string, std::string> file_of;  ///< Empty without an index.
};

Result<WeightFiles> find_weights(const fs::path& folder) {
  if (path_exists(folder / kWeights)) return WeightFiles{{folder / kWeights}, {}};
  if (!path_exists(folder / kIndex)) return no_weights(folder);
  auto file_of = read_index(folder / kIndex);
  if (!file_of) return file_of.error();
  WeightFiles files{{}, *std::move(file_of)};
  std::set<std::string> names;
  for (const auto& [tensor, file] : files.file_of) names.insert(file);
  for (const std::string& name : names) files.paths.push_back(folder / name);
  return files;
}

/// Maps the files and lists their tensors, each once. The tensors borrow from `files`.
Result<std::vector<SafetensorsTensor>> map_weights(const WeightFiles& weights,
                                                   std::vector<MappedFile>& files) {
  std::vector<SafetensorsTensor> all;
  std::set<std::string> seen;
  for (const fs::path& path : weights.paths) {
    auto file = MappedFile::open(path);
    if (!file) return file.error();
    auto tensors = parse_safetensors(file->bytes(), path.string());
    if (!tensors) return tensors.error();
    for (SafetensorsTensor& tensor : *tensors) {
      const auto place = weights.file_of.find(tensor.name);
      const bool is_indexed = weights.file_of.empty() ||
                              (place != weights.file_of.end() && place->second == path.filename());
      if (!is_indexed || !seen.insert(tensor.name).second) {
        return invalid(path.string() + " holds tensor \"" + shown_text(tensor.name) + "\", which " +
                       kIndex + " does not place there");
      }
      all.push_back(std::move(tensor));
    }
    files.push_back(*std::move(file));
  }
  for (const auto& [tensor, file] : weights.file_of) {
    if (!seen.contains(tensor)) {
      return invalid(file + " lacks tensor \"" + shown_text(tensor) + "\", which " + kIndex +
                     " places there");
    }
  }
  return all;
}

/// The text of a token in tokenizer_config.json: a text, or an object that holds it.
std::string token_text(JsonFields& fields, const std::string& key) {
  if (!fields.raw(key).starts_with('{')) return fields.text_or(key, "");
  JsonFields token = fields.object(key);
  std::string text = token.text_or("content", "");
  fields.keep_of(token);
  return text;
}

/// The template of tokenizer_config.json: a text, or the one named "default" of a list.
std::optional<std::string> template_text(JsonFields& fields) {
  constexpr const char* kKey = "chat_template";
  if (!fields.has(kKey)) return std::nullopt;
  if (!fields.raw(kKey).starts_with('[')) return fields.text_or(kKey, "");
  JsonCursor cursor(fields.raw(kKey));
  std::optional<std::string> found;
  cursor.enter_array();
  while (cursor.next_element()) {
    JsonFields entry(cursor.skip(), "chat_template.");
    const std::string name = entry.text_or("name", "");
    if (name == "default") found = entry.text_or("template", "");
    fields.keep_of(entry);
  }
  return found;
}

/// Reads one folder into metadata and tensors.
class FolderReader {
 public:
  explicit FolderReader(fs::path folder) : folder_(std::move(folder)) {}

  Result<GgufFile> read() {
    for (const auto& step :
         {&FolderReader::read_config, &FolderReader::read_tokenizer, &FolderReader::read_roles,
          &FolderReader::read_template, &FolderReader::read_weights}) {
      if (auto done = (this->*step)(); !done) return done.error();
    }
    return GgufFile::assemble(folder_.string(), metadata_, std::move(tensors_));
  }

 private:
  Result<void> read_config() {
    const fs::path path = folder_ / "config.json";
    auto text = read_file(path, kSmallFileBytesMax);
    if (!text) return text.error();
    auto config = read_folder_config(*text, metadata_);
    if (!config) return config.error().during(path.string());
    config_ = *std::move(config);
    return read_token_ids(path, *text);
  }

  /// Keeps the ids under which config.json or generation_config.json know BOS and EOS.
  Result<void> read_token_ids(const fs::path& path, std::string_view text) {
    JsonFields fields(text);
    const auto bos = fields.integers("bos_token_id");
    const auto eos = fields.integers("eos_token_id");
    if (fields.error()) return fields.error()->during(path.string());
    if (bos_ids_.empty()) bos_ids_ = bos;
    eos_ids_.insert(eos_ids_.end(), eos.begin(), eos.end());
    return {};
  }

  Result<void> read_tokenizer() {
    const fs::path path = folder_ / "tokenizer.json";
    auto text = read_file(path, kLargeFileBytesMax);
    if (!text) return text.error();
    auto vocabulary = read_tokenizer_json(*text, config_.vocabulary, metadata_);
    if (!vocabulary) return vocabulary.error().during(path.string());
    vocabulary_ = *std::move(vocabulary);
    return {};
  }

  /// Which tokens begin a text and end a turn. What tokenizer_config.json says comes before
  /// config.json, and that before generation_config.json.
  Result<void> read_roles() {
    const fs::path generation = folder_ / "generation_config.json";
    auto text = read_optional(generation, kSmallFileBytesMax);
    if (!text) return text.error();
    if (auto read = read_token_ids(generation, *text); !read) return read;
    const fs::path path = folder_ / "tokenizer_config.json";
    text = read_optional(path, kLargeFileBytesMax);
    if (!text) return text.error();
    JsonFields fields(*text);
    const auto bos = vocabulary_.id_of(token_text(fields, "bos_token"));
    const auto eos = vocabulary_.id_of(token_text(fields, "eos_token"));
    if (bos) bos_ids_.insert(bos_ids_.begin(), *bos);
    if (eos) eos_ids_.insert(eos_ids_.begin(), *eos);
    const std::optional<TokenId> leading =
        vocabulary_.leading_token ? vocabulary_.id_of(*vocabulary_.leading_token) : std::nullopt;
    const bool has_bos_first = leading && !bos_ids_.empty() && *leading == bos_ids_.front();
    const bool adds_bos = fields.flag_or("add_bos_token", has_bos_first);
    template_ = template_text(fields);
    if (fields.error()) return fields.error()->during(path.string());
    if (!bos_ids_.empty()) metadata_.integer("tokenizer.ggml.bos_token_id", bos_ids_.front());
    if (!eos_ids_.empty()) metadata_.integer("tokenizer.ggml.eos_token_id", eos_ids_.front());
    metadata_.integers("trialwright.turn_end_token_ids", turn_ends());
    metadata_.boolean("tokenizer.ggml.add_bos_token", adds_bos);
    return {};
  }

  [[nodiscard]] std::vector<std::int32_t> turn_ends() const {
    std::set<std::int32_t> ids;
    for (const std::int64_t id : eos_ids_) {
      if (id >= 0 && id < config_.vocabulary) ids.insert(static_cast<std::int32_t>(id));
    }
    return {ids.begin(), ids.end()};
  }

  Result<void> read_template() {
    auto text = read_file(folder_ / "chat_template.jinja", kSmallFileBytesMax);
    if (text) {
      template_ = *std::move(text);
    } else if (text.error().kind != ErrorKind::NotFound) {
      return text.error();
    }
    if (template_) metadata_.text("tokenizer.chat_template", *template_);
    return {};
  }

  Result<void> read_weights() {
    auto weights = find_weights(folder_);
    if (!weights) return weights.error();
    auto found = map_weights(*weights, tensors_.files);
    if (!found) return found.error();
    if (auto added = add_folder_tensors(config_, *found, tensors_); !added) {
      return added.error().during(folder_.string());
    }
    return {};
  }

  fs::path folder_;
  GgufMetadata metadata_;
  ModelTensors tensors_;
  FolderConfig config_;
  FolderVocabulary vocabulary_;
  std::vector<std::int64_t> bos_ids_;
  std::vector<std::int64_t> eos_ids_;
  std::optional<std::string> template_;
};

}  // namespace

bool is_model_folder(const fs::path& path) { return path_exists(path / "config.json"); }

Result<std::vector<fs::path>> model_folder_files(const fs::path& folder) {
  auto weights = find_weights(folder);
  if (!weights) return weights.error();
  std::vector<fs::path> files = std::move(weights->paths);
  files.push_back(folder / "config.json");
  files.push_back(folder / "tokenizer.json");
  if (!weights->file_of.empty()) files.push_back(folder / kIndex);
  for (const char* name : kOptional) {
    if (path_exists(folder / name)) files.push_back(folder / name);
  }
  std::sort(files.begin(), files.end());
  return files;
}

Result<GgufFile> open_model_folder(const fs::path& folder) {
  // Weights that must not be read are named before anything else that may be missing beside them.
  if (auto weights = find_weights(folder); !weights) return weights.error();
  return FolderReader(folder).read();
}

Result<GgufFile> open_model_files(const fs::path& path) {
  std::error_code failed;
  return fs::is_directory(path, failed) ? open_model_folder(path) : GgufFile::open(path);
}

}  // namespace trialwright
