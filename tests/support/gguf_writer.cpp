#include "tests/support/gguf_writer.h"

namespace trialwright {
namespace {

void put_text(std::string& out, std::string_view text) {
  put<std::uint64_t>(out, text.size());
  out += text;
}

template <typename T>
std::string one(T value) {
  std::string out;
  put(out, value);
  return out;
}

template <typename T>
std::string array(std::uint32_t element_type, const std::vector<T>& values) {
  std::string out;
  put(out, element_type);
  put<std::uint64_t>(out, values.size());
  for (const T& value : values) {
    put(out, value);
  }
  return out;
}

void pad(std::string& out) { out.resize(padded(out.size()), '\0'); }

}  // namespace

GgufWriter& GgufWriter::raw(std::string_view key, std::uint32_t type, std::string_view value) {
  put_text(keys_, key);
  put(keys_, type);
  keys_ += value;
  ++key_count_;
  return *this;
}

GgufWriter& GgufWriter::text(std::string_view key, std::string_view value) {
  std::string bytes;
  put_text(bytes, value);
  return raw(key, 8, bytes);
}

GgufWriter& GgufWriter::u32(std::string_view key, std::uint32_t value) {
  return raw(key, 4, one(value));
}
GgufWriter& GgufWriter::u64(std::string_view key, std::uint64_t value) {
  return raw(key, 10, one(value));
}
GgufWriter& GgufWriter::f32(std::string_view key, float value) { return raw(key, 6, one(value)); }
GgufWriter& GgufWriter::boolean(std::string_view key, bool value) {
  return raw(key, 7, one<std::uint8_t>(value ? 1 : 0));
}

GgufWriter& GgufWriter::texts(std::string_view key, const std::vector<std::string>& values) {
  std::string bytes = one<std::uint32_t>(8) + one<std::uint64_t>(values.size());
  for (const std::string& value : values) {
    put_text(bytes, value);
  }
  return raw(key, 9, bytes);
}
GgufWriter& GgufWriter::i32s(std::string_view key, const std::vector<std::int32_t>& values) {
  return raw(key, 9, array(5, values));
}
GgufWriter& GgufWriter::f32s(std::string_view key, const std::vector<float>& values) {
  return raw(key, 9, array(6, values));
}

GgufWriter& GgufWriter::tensor(std::string_view name, TensorType type,
                               std::vector<std::int64_t> shape, std::string data) {
  tensors_.push_back({std::string(name), type, std::move(shape), std::move(data)});
  return *this;
}

GgufWriter& GgufWriter::f32_tensor(std::string_view name, std::vector<std::int64_t> shape,
                                   const std::vector<float>& values) {
  std::string data(values.size() * sizeof(float), '\0');
  std::memcpy(data.data(), values.data(), data.size());
  return tensor(name, TensorType::F32, std::move(shape), std::move(data));
}

std::string GgufWriter::bytes() const {
  std::string out = "GGUF";
  put(out, version_);
  put<std::int64_t>(out, static_cast<std::int64_t>(tensors_.size()));
  put(out, key_count_);
  out += keys_;
  std::string data;
  for (const Tensor& tensor : tensors_) {
    put_text(out, tensor.name);
    put(out, static_cast<std::uint32_t>(tensor.shape.size()));
    for (const std::int64_t size : tensor.shape) {
      put(out, size);
    }
    put(out, static_cast<std::uint32_t>(tensor.type));
    put<std::uint64_t>(out, data.size());
    data += tensor.data;
    pad(data);
  }
  if (!tensors_.empty()) {
    pad(out);
    out += data;
  }
  return out;
}

std::span<const std::byte> as_bytes(std::string_view text) {
  return {reinterpret_cast<const std::byte*>(text.data()), text.size()};
}

}  // namespace trialwright
