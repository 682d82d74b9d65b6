#include "inference/safetensors/safetensors_file.h"

#include <algorithm>
#include <cstring>
#include <numeric>
#include <optional>
#include <set>

#include "base/json_cursor.h"
#include "inference/gguf/foreign_content.h"
#include "inference/gguf/gguf_file.h"

namespace trialwright {
namespace {

/// The reference implementation reads no longer header either.
constexpr std::uint64_t kHeaderBytesMax = 100'000'000;
constexpr std::size_t kDimensionsMax = 8;

/// One tensor as the header describes it.
struct Description {
  std::string name;
  std::string dtype;
  std::vector<std::int64_t> shape;
  std::int64_t begin = -1;  ///< Offsets in the data; -1 where the header names none.
  std::int64_t end = -1;
};

std::optional<TensorType> type_of(std::string_view dtype) {
  if (dtype == "F32") return TensorType::F32;
  if (dtype == "F16") return TensorType::F16;
  if (dtype == "BF16") return TensorType::BF16;
  return std::nullopt;
}

std::string tensor_text(std::string_view name) { return "tensor \"" + shown_text(name) + "\""; }

std::vector<std::int64_t> read_integers(JsonCursor& cursor, std::size_t count_max) {
  std::vector<std::int64_t> values;
  cursor.enter_array();
  while (!cursor.failed() && cursor.next_element()) {
    const auto value = cursor.integer();
    if (!value) break;
    if (*value < 0 || values.size() == count_max) {
      cursor.fail("another list of sizes was expected");
      break;
    }
    values.push_back(*value);
  }
  return values;
}

Description read_description(JsonCursor& cursor, std::string name) {
  Description tensor;
  tensor.name = std::move(name);
  std::set<std::string> seen;
  cursor.enter_object();
  while (!cursor.failed()) {
    const auto key = cursor.next_key();
    if (!key) break;
    if (!seen.insert(*key).second) {
      cursor.fail("a field that occurs twice begins");
    } else if (*key == "dtype") {
      tensor.dtype = cursor.text().value_or("");
    } else if (*key == "shape") {
      tensor.shape = read_integers(cursor, kDimensionsMax);
    } else if (*key == "data_offsets") {
      const auto offsets = read_integers(cursor, 2);
      if (offsets.size() != 2) {
        cursor.fail("two offsets were expected");
        break;
      }
      tensor.begin = offsets[0];
      tensor.end = offsets[1];
    } else {
      cursor.fail("an unknown field \"" + shown_text(*key) + "\" begins");
    }
  }
  for (const char* field : {"dtype", "shape", "data_offsets"}) {
    if (!seen.contains(field)) {
      cursor.fail(tensor_text(tensor.name) + " without the field \"" + field + "\" ends");
    }
  }
  return tensor;
}

/// The tensors that the header names. Errors: Invalid, without the file's name.
Result<std::vector<Description>> read_header(std::string_view header) {
  JsonCursor cursor(header);
  std::vector<Description> tensors;
  std::set<std::string> names;
  cursor.enter_object();
  while (!cursor.failed()) {
    const auto key = cursor.next_key();
    if (!key) break;
    if (!names.insert(*key).second) {
      cursor.fail(tensor_text(*key) + " occurs a second time");
    } else if (*key == "__metadata__") {
      cursor.skip();
    } else {
      tensors.push_back(read_description(cursor, *key));
    }
  }
  if (!cursor.finish()) return cursor.error();
  return tensors;
}

/// The bytes of a tensor by its type and shape; nothing if that is no number.
std::optional<std::int64_t> bytes_of(TensorType type, const std::vector<std::int64_t>& shape) {
  std::int64_t bytes = tensor_type_traits(type)->block_bytes;
  for (const std::int64_t size : shape) {
    if (__builtin_mul_overflow(bytes, size, &bytes)) return std::nullopt;
  }
  return bytes;
}

/// Checks that the tensors' data follow each other from the first byte to the last. No byte may
/// belong to two tensors or to none, so that a file cannot hold something else beside them.
Result<void> check_places(const std::vector<Description>& tensors, std::size_t data_bytes) {
  std::vector<std::size_t> order(tensors.size());
  std::iota(order.begin(), order.end(), std::size_t{0});
  std::sort(order.begin(), order.end(), [&](std::size_t a, std::size_t b) {
    return std::pair(tensors[a].begin, tensors[a].end) <
           std::pair(tensors[b].begin, tensors[b].end);
  });
  std::int64_t next = 0;
  for (const std::size_t i : order) {
    const Description& tensor = tensors[i];
    if (tensor.begin != next || tensor.end < tensor.begin) {
      return invalid("is damaged: " + tensor_text(tensor.name) + " lies at bytes " +
                     std::to_string(tensor.begin) + " to " + std::to_string(tensor.end) +
                     " of the data, not right behind the one before it, which ends at " +
                     std::to_string(next));
    }
    next = tensor.end;
  }
  if (static_cast<std::uint64_t>(next) != data_bytes) {
    return invalid((static_cast<std::uint64_t>(next) > data_bytes ? "is truncated" : "is damaged") +
                   std::string(": its tensors take ") + std::to_string(next) +
                   " bytes, but it holds " + std::to_string(data_bytes));
  }
  return {};
}

Result<SafetensorsTensor> place(Description tensor, std::span<const std::byte> data) {
  const auto type = type_of(tensor.dtype);
  if (!type) {
    return invalid("holds " + tensor_text(tensor.name) + " of type \"" + shown_text(tensor.dtype) +
                   "\"; F32, F16 and BF16 are supported");
  }
  const auto bytes = bytes_of(*type, tensor.shape);
  if (!bytes || *bytes != tensor.end - tensor.begin) {
    return invalid("is damaged: " + tensor_text(tensor.name) + " takes " +
                   std::to_string(tensor.end - tensor.begin) +
                   " bytes, which do not fit its type and shape");
  }
  return SafetensorsTensor{
      std::move(tensor.name), *type, std::move(tensor.shape),
      data.subspan(static_cast<std::size_t>(tensor.begin), static_cast<std::size_t>(*bytes))};
}

Result<std::vector<SafetensorsTensor>> parse(std::span<const std::byte> bytes) {
  if (is_pickle_content(bytes)) {
    return invalid(
        "is a Python pickle (PyTorch) file: such files run code when loaded and are refused; "
        "convert the model to Safetensors or GGUF");
  }
  std::uint64_t header_bytes = 0;
  if (bytes.size() < sizeof(header_bytes)) {
    return invalid("is truncated: it ends within its first eight bytes");
  }
  std::memcpy(&header_bytes, bytes.data(), sizeof(header_bytes));
  bytes = bytes.subspan(sizeof(header_bytes));
  if (header_bytes > kHeaderBytesMax) {
    return invalid("is not a Safetensors file: its header would be " +
                   std::to_string(header_bytes) + " bytes long");
  }
  if (header_bytes > bytes.size()) {
    return invalid("is truncated: it ends within its header of " + std::to_string(header_bytes) +
                   " bytes");
  }
  const std::string_view header(reinterpret_cast<const char*>(bytes.data()), header_bytes);
  if (!header.starts_with('{')) {
    return invalid("is not a Safetensors file: its header does not begin with '{'");
  }
  auto described = read_header(header);
  if (!described) return described.error().during("has a wrong header");
  const std::span<const std::byte> data = bytes.subspan(header_bytes);
  if (auto checked = check_places(*described, data.size()); !checked) return checked.error();
  std::vector<SafetensorsTensor> tensors;
  for (Description& tensor : *described) {
    auto placed = place(std::move(tensor), data);
    if (!placed) return placed.error();
    tensors.push_back(*std::move(placed));
  }
  return tensors;
}

}  // namespace

Result<std::vector<SafetensorsTensor>> parse_safetensors(std::span<const std::byte> bytes,
                                                         const std::string& name) {
  auto tensors = parse(bytes);
  if (!tensors) return Error{tensors.error().kind, name + " " + tensors.error().message};
  return tensors;
}

}  // namespace trialwright
