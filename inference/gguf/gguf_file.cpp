#include "inference/gguf/gguf_file.h"

#include <algorithm>
#include <cstring>
#include <limits>
#include <optional>
#include <unordered_map>
#include <utility>

#include "inference/gguf/foreign_content.h"
#include "inference/gguf/gguf_reader.h"

namespace trialwright {
namespace {

constexpr std::int64_t kTensorsMax = 1 << 16;
constexpr std::int64_t kKeysMax = 1 << 16;
constexpr std::size_t kDimensionsMax = 4;
constexpr std::uint64_t kAlignmentMax = std::uint64_t{1} << 20U;
constexpr std::uint64_t kKeyBytesMax = 1 << 16;

bool starts_with(std::span<const std::byte> bytes, std::string_view magic) {
  return bytes.size() >= magic.size() && std::memcmp(bytes.data(), magic.data(), magic.size()) == 0;
}

/// What a file that is not GGUF seems to be, as a sentence's end; pickles run code when they are
/// loaded, so they are refused by name.
std::string what_else_it_is(std::span<const std::byte> bytes) {
  if (bytes.empty()) {
    return "is empty, not a GGUF file";
  }
  if (is_pickle_content(bytes)) {
    return "is a Python pickle (PyTorch) file: such files run code when loaded and are refused; "
           "convert the model to Safetensors or GGUF";
  }
  if (is_safetensors_content(bytes)) {
    return "is a Safetensors file, not a GGUF file; name the folder that it lies in, with its "
           "config.json and tokenizer.json";
  }
  if (starts_with(bytes, "FUGG")) {
    return "is a big-endian GGUF file, which is not supported";
  }
  if (bytes.size() < 4 && std::memcmp(bytes.data(), "GGUF", bytes.size()) == 0) {
    return "is truncated: it ends within its first four bytes";
  }
  return "is not a GGUF file";
}

std::optional<std::int64_t> product(std::span<const std::int64_t> shape) {
  std::int64_t all = 1;
  for (const std::int64_t size : shape) {
    if (size <= 0 || __builtin_mul_overflow(all, size, &all)) {
      return std::nullopt;
    }
  }
  return all;
}

}  // namespace

std::string shown_text(std::string_view text) {
  constexpr std::size_t kShownMax = 80;
  std::string shown(text.substr(0, kShownMax));
  std::replace_if(
      shown.begin(), shown.end(), [](char c) { return c < ' ' || c > '~'; }, '?');
  return text.size() > kShownMax ? shown + "..." : shown;
}

struct GgufFile::Content {
  std::string name;
  std::optional<MappedFile> mapping;
  std::span<const std::byte> bytes;
  /// Of an assembled model; `bytes` is its metadata then.
  std::string metadata;
  ModelTensors parts;
  /// Keys in the order of the file; views into `bytes`, like all texts.
  std::vector<std::string_view> keys;
  std::unordered_map<std::string_view, GgufValue> values;
  std::vector<GgufTensor> tensors;
  std::unordered_map<std::string_view, std::size_t> tensor_by_name;

  [[nodiscard]] Error wrong(const std::string& what) const { return invalid(name + " " + what); }
  [[nodiscard]] Error wrong_key(std::string_view key, const std::string& what) const {
    return invalid(name + ": metadata key \"" + shown_text(key) + "\" " + what);
  }
  Result<void> read();
  Result<void> read_keys(GgufReader& reader, std::int64_t count);
  Result<void> read_tensors(GgufReader& reader, std::int64_t count);
  Result<void> read_tensor(GgufReader& reader, std::uint64_t& offset);
  Result<void> name_tensors();
  Result<void> place_tensors(std::size_t header_end, const std::vector<std::uint64_t>& offsets);
  [[nodiscard]] const GgufValue* find(std::string_view key) const {
    const auto found = values.find(key);
    return found == values.end() ? nullptr : &found->second;
  }
};

Result<void> GgufFile::Content::read() {
  if (!starts_with(bytes, "GGUF")) {
    return wrong(what_else_it_is(bytes));
  }
  GgufReader reader(bytes, 4);
  const auto version = reader.number<std::uint32_t>();
  if (reader.failed()) {
    return wrong("is truncated: it ends within the header");
  }
  if (version != 2 && version != 3) {
    return wrong("has GGUF version " + std::to_string(version) + "; 2 and 3 can be read");
  }
  const auto tensor_count = reader.number<std::int64_t>();
  const auto key_count = reader.number<std::int64_t>();
  if (reader.failed()) {
    return wrong("is truncated: it ends within the header");
  }
  if (tensor_count < 0 || tensor_count > kTensorsMax || key_count < 0 || key_count > kKeysMax) {
    return wrong("is damaged: its header claims " + std::to_string(tensor_count) + " tensors and " +
                 std::to_string(key_count) + " metadata keys");
  }
  if (auto read = read_keys(reader, key_count); !read) {
    return read;
  }
  return read_tensors(reader, tensor_count);
}

Result<void> GgufFile::Content::read_keys(GgufReader& reader, std::int64_t count) {
  for (std::int64_t i = 0; i < count; ++i) {
    const std::string_view key = reader.text();
    GgufValue value;
    const bool known = !reader.failed() && reader.value(value);
    if (reader.failed()) {
      return wrong("is truncated or damaged: metadata key " + std::to_string(i + 1) + " of " +
                   std::to_string(count) + " runs past the end of the file");
    }
    if (key.empty() || key.size() > kKeyBytesMax) {
      return wrong("is damaged: metadata key " + std::to_string(i + 1) + " has a name of " +
                   std::to_string(key.size()) + " bytes");
    }
    if (!known) {
      return wrong_key(key, "has a type that GGUF does not have");
    }
    if (!values.emplace(key, value).second) {
      return wrong_key(key, "occurs twice");
    }
    keys.push_back(key);
  }
  return {};
}

Result<void> GgufFile::Content::read_tensor(GgufReader& reader, std::uint64_t& offset) {
  const std::string at = "tensor " + std::to_string(tensors.size() + 1);
  GgufTensor tensor;
  tensor.name = std::string(reader.text());
  const auto dimensions = reader.number<std::uint32_t>();
  if (!reader.failed() && (dimensions == 0 || dimensions > kDimensionsMax)) {
    return wrong("is damaged: " + at + " has " + std::to_string(dimensions) + " dimensions");
  }
  for (std::uint32_t i = 0; i < dimensions && !reader.failed(); ++i) {
    tensor.shape.push_back(reader.number<std::int64_t>());
  }
  tensor.type = static_cast<TensorType>(reader.number<std::uint32_t>());
  offset = reader.number<std::uint64_t>();
  if (reader.failed()) {
    return wrong("is truncated: it ends within the description of " + at);
  }
  if (tensor.name.empty() || tensor.name.size() > kKeyBytesMax) {
    return wrong("is damaged: " + at + " has a name of " + std::to_string(tensor.name.size()) +
                 " bytes");
  }
  tensors.push_back(std::move(tensor));
  return {};
}

Result<void> GgufFile::Content::read_tensors(GgufReader& reader, std::int64_t count) {
  std::vector<std::uint64_t> offsets;
  for (std::int64_t i = 0; i < count; ++i) {
    offsets.push_back(0);
    if (auto read = read_tensor(reader, offsets.back()); !read) {
      return read;
    }
  }
  if (auto named = name_tensors(); !named) {
    return named;
  }
  return place_tensors(reader.position(), offsets);
}

Result<void> GgufFile::Content::name_tensors() {
  for (std::size_t i = 0; i < tensors.size(); ++i) {
    if (!tensor_by_name.emplace(tensors[i].name, i).second) {
      return wrong("is damaged: tensor \"" + shown_text(tensors[i].name) + "\" occurs twice");
    }
  }
  return {};
}

Result<void> GgufFile::Content::place_tensors(std::size_t header_end,
                                              const std::vector<std::uint64_t>& offsets) {
  std::uint64_t alignment = 32;
  if (const GgufValue* value = find("general.alignment")) {
    const auto given = value->integer();
    if (!given || *given <= 0 || static_cast<std::uint64_t>(*given) > kAlignmentMax ||
        (*given & (*given - 1)) != 0) {
      return wrong_key("general.alignment", "must be a power of two up to 1048576");
    }
    alignment = static_cast<std::uint64_t>(*given);
  }
  const std::uint64_t start = (header_end + alignment - 1) / alignment * alignment;
  for (std::size_t i = 0; i < tensors.size(); ++i) {
    GgufTensor& tensor = tensors[i];
    const std::string at = "tensor \"" + shown_text(tensor.name) + "\"";
    const auto count = product(tensor.shape);
    if (!count) {
      return wrong("is damaged: " + at + " has an impossible shape");
    }
    if (offsets[i] % alignment != 0) {
      return wrong("is damaged: " + at + " is not aligned to " + std::to_string(alignment) +
                   " bytes");
    }
    const auto traits = tensor_type_traits(tensor.type);
    if (!traits) {
      continue;  // Its size is unknown; who wants to compute with it names the type.
    }
    if (tensor.shape[0] % traits->block_elements != 0) {
      return wrong("is damaged: " + at + " of type " + traits->name + " has rows of " +
                   std::to_string(tensor.shape[0]) + " numbers, not a multiple of " +
                   std::to_string(traits->block_elements));
    }
    std::uint64_t size = 0;
    std::uint64_t end = 0;
    if (__builtin_mul_overflow(static_cast<std::uint64_t>(*count / traits->block_elements),
                               static_cast<std::uint64_t>(traits->block_bytes), &size) ||
        __builtin_add_overflow(start, offsets[i], &end) ||
        __builtin_add_overflow(end, size, &end)) {
      return wrong("is damaged: " + at + " has an impossible size");
    }
    if (end > bytes.size()) {
      return wrong("is truncated: " + at + " ends at byte " + std::to_string(end) +
                   ", the file at byte " + std::to_string(bytes.size()));
    }
    tensor.data = bytes.subspan(end - size, size);
  }
  return {};
}

GgufFile::GgufFile(std::shared_ptr<const Content> content) : content_(std::move(content)) {}

Result<GgufFile> GgufFile::open(const std::filesystem::path& path) {
  auto mapping = MappedFile::open(path);
  if (!mapping) {
    return mapping.error();
  }
  auto content = std::make_unique<Content>();
  content->name = path.string();
  content->mapping = std::move(*mapping);
  content->bytes = content->mapping->bytes();
  if (auto read = content->read(); !read) {
    return read.error();
  }
  return GgufFile(std::move(content));
}

Result<GgufFile> GgufFile::parse(std::span<const std::byte> bytes, std::string name) {
  auto content = std::make_unique<Content>();
  content->name = std::move(name);
  content->bytes = bytes;
  if (auto read = content->read(); !read) {
    return read.error();
  }
  return GgufFile(std::move(content));
}

Result<GgufFile> GgufFile::assemble(std::string name, const GgufMetadata& metadata,
                                    ModelTensors tensors) {
  auto content = std::make_unique<Content>();
  content->name = std::move(name);
  content->metadata = metadata.bytes();
  content->bytes = std::as_bytes(std::span(content->metadata));
  GgufReader reader(content->bytes, 0);
  if (auto read = content->read_keys(reader, metadata.count()); !read) {
    return read.error();
  }
  content->parts = std::move(tensors);
  content->tensors = std::move(content->parts.tensors);
  if (auto named = content->name_tensors(); !named) {
    return named.error();
  }
  return GgufFile(std::move(content));
}

bool GgufFile::has(std::string_view key) const { return content_->find(key) != nullptr; }

namespace {

template <typename T, typename Content, typename Read>
Result<T> value_at(const Content& content, std::string_view key, const char* kind, Read read) {
  const GgufValue* value = content.find(key);
  if (value == nullptr) {
    return content.wrong_key(key, "is missing");
  }
  auto result = read(*value);
  if (!result) {
    return content.wrong_key(key, std::string("must be ") + kind);
  }
  return std::move(*result);
}

}  // namespace

Result<std::string> GgufFile::text(std::string_view key) const {
  return value_at<std::string>(*content_, key, "a text",
                               [](const GgufValue& value) { return value.text(); });
}

Result<std::int64_t> GgufFile::integer(std::string_view key) const {
  return value_at<std::int64_t>(*content_, key, "an integer",
                                [](const GgufValue& value) { return value.integer(); });
}

Result<double> GgufFile::number(std::string_view key) const {
  return value_at<double>(*content_, key, "a number",
                          [](const GgufValue& value) { return value.number(); });
}

Result<bool> GgufFile::boolean(std::string_view key) const {
  return value_at<bool>(*content_, key, "true or false",
                        [](const GgufValue& value) { return value.boolean(); });
}

Result<std::vector<std::string_view>> GgufFile::texts(std::string_view key) const {
  return value_at<std::vector<std::string_view>>(
      *content_, key, "a list of texts", [](const GgufValue& value) { return value.texts(); });
}

Result<std::vector<std::int64_t>> GgufFile::integers(std::string_view key) const {
  return value_at<std::vector<std::int64_t>>(
      *content_, key, "a list of integers",
      [](const GgufValue& value) { return value.integers(); });
}

Result<std::vector<float>> GgufFile::numbers(std::string_view key) const {
  return value_at<std::vector<float>>(*content_, key, "a list of numbers",
                                      [](const GgufValue& value) { return value.numbers(); });
}

const GgufTensor* GgufFile::tensor(std::string_view name) const {
  const auto found = content_->tensor_by_name.find(name);
  return found == content_->tensor_by_name.end() ? nullptr : &content_->tensors[found->second];
}

std::span<const GgufTensor> GgufFile::tensors() const { return content_->tensors; }
std::vector<std::string_view> GgufFile::keys() const { return content_->keys; }
const std::string& GgufFile::name() const { return content_->name; }

}  // namespace trialwright
