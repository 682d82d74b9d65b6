#pragma once

#include <cstddef>
#include <cstdint>
#include <filesystem>
#include <map>
#include <memory>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "base/files.h"
#include "base/result.h"
#include "inference/gguf/gguf_metadata.h"
#include "inference/gguf/tensor_type.h"

namespace trialwright {

/// A text that comes out of a file as a message may quote it: printable ASCII, and not long.
std::string shown_text(std::string_view text);

/// One tensor of a file. `shape[0]` is the contiguous dimension (GGUF's ne[0]): a matrix that maps
/// n inputs to m outputs has shape {n, m}, and each of its m rows lies in one piece.
struct GgufTensor {
  std::string name;
  TensorType type = TensorType::F32;
  std::vector<std::int64_t> shape;
  std::span<const std::byte> data;
};

/// Tensors that do not come out of a GGUF file, and what their data lies in.
struct ModelTensors {
  std::vector<GgufTensor> tensors;  ///< `data` has the size that type and shape ask for.
  std::vector<MappedFile> files;
  std::vector<std::vector<std::byte>> buffers;  ///< Of tensors that were computed.
};

/// A GGUF file (versions 2 and 3), mapped into memory, or another model in the same terms.
/// Const after opening, so copies share what they hold; spans and views live as long as any of
/// them.
///
/// Every count, length and offset is checked against the file's size on opening, so a truncated or
/// hostile file is an error here and nowhere later.
class GgufFile {
 public:
  /// Errors: NotFound; Invalid, naming the file and what is wrong ("is not a GGUF file", "is
  /// truncated: ..."); Python pickles and safetensors are refused by name.
  static Result<GgufFile> open(const std::filesystem::path& path);
  /// The same for bytes in memory, which must outlive the object. For tests and fuzzing.
  static Result<GgufFile> parse(std::span<const std::byte> bytes, std::string name);

  /// A model from parts that another format was read into: GGUF's names of keys and tensors, their
  /// values and data. `name` stands for it in messages.
  /// Errors: Invalid, if a key or a tensor occurs twice.
  static Result<GgufFile> assemble(std::string name, const GgufMetadata& metadata,
                                   ModelTensors tensors);

  [[nodiscard]] bool has(std::string_view key) const;
  /// Metadata by key. Errors: Invalid, naming file and key, if it is absent or of another type.
  /// Integers of every width and sign are read as one type; so are the two floats.
  [[nodiscard]] Result<std::string> text(std::string_view key) const;
  [[nodiscard]] Result<std::int64_t> integer(std::string_view key) const;
  [[nodiscard]] Result<double> number(std::string_view key) const;
  [[nodiscard]] Result<bool> boolean(std::string_view key) const;
  [[nodiscard]] Result<std::vector<std::string_view>> texts(std::string_view key) const;
  [[nodiscard]] Result<std::vector<std::int64_t>> integers(std::string_view key) const;
  [[nodiscard]] Result<std::vector<float>> numbers(std::string_view key) const;

  /// Null if there is none of this name.
  [[nodiscard]] const GgufTensor* tensor(std::string_view name) const;
  [[nodiscard]] std::span<const GgufTensor> tensors() const;
  [[nodiscard]] std::vector<std::string_view> keys() const;
  /// As given on opening, for messages.
  [[nodiscard]] const std::string& name() const;

 private:
  struct Content;
  explicit GgufFile(std::shared_ptr<const Content> content);
  std::shared_ptr<const Content> content_;
};

}  // namespace trialwright
