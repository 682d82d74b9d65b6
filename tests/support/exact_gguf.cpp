#include "tests/support/exact_gguf.h"

#include <fstream>
#include <numeric>
#include <string>
#include <vector>

#include "base/files.h"
#include "inference/cpu/quant.h"
#include "inference/gguf/gguf_file.h"
#include "inference/gguf/gguf_reader.h"
#include "tests/support/gguf_writer.h"

namespace trialwright {
namespace {

/// Where the metadata ends and the tensors' descriptions begin.
std::size_t metadata_end(std::span<const std::byte> bytes) {
  GgufReader reader(bytes, 16);  // Behind the magic, the version and the number of tensors.
  const auto keys = reader.number<std::int64_t>();
  for (std::int64_t i = 0; i < keys; ++i) {
    reader.text();
    GgufValue value;
    reader.value(value);
  }
  return reader.position();
}

std::size_t elements(const GgufTensor& tensor) {
  return static_cast<std::size_t>(std::accumulate(tensor.shape.begin(), tensor.shape.end(),
                                                  std::int64_t{1}, std::multiplies<>()));
}

std::string descriptions(const GgufFile& file) {
  std::string out;
  std::uint64_t offset = 0;
  for (const GgufTensor& tensor : file.tensors()) {
    put<std::uint64_t>(out, tensor.name.size());
    out += tensor.name;
    put(out, static_cast<std::uint32_t>(tensor.shape.size()));
    for (const std::int64_t size : tensor.shape) {
      put(out, size);
    }
    put(out, static_cast<std::uint32_t>(TensorType::F32));
    put(out, offset);
    offset += padded(elements(tensor) * sizeof(float));
  }
  return out;
}

}  // namespace

Result<void> write_exact_gguf(const std::filesystem::path& source,
                              const std::filesystem::path& target) {
  auto file = GgufFile::open(source);
  if (!file) {
    return file.error();
  }
  auto mapped = MappedFile::open(source);
  if (!mapped) {
    return mapped.error();
  }
  // The file opened as GGUF, so its metadata can be walked through once more.
  const auto metadata = mapped->bytes().first(metadata_end(mapped->bytes()));
  std::ofstream out(target, std::ios::binary);
  const auto write = [&out](const void* data, std::size_t size) {
    out.write(static_cast<const char*>(data), static_cast<std::streamsize>(size));
  };
  write(metadata.data(), metadata.size());
  std::string header = descriptions(*file);
  header.resize(padded(metadata.size() + header.size()) - metadata.size(), '\0');
  write(header.data(), header.size());

  std::vector<float> row;
  const std::string zeros(kGgufAlignment, '\0');
  for (const GgufTensor& tensor : file->tensors()) {
    row.resize(static_cast<std::size_t>(tensor.shape[0]));
    const auto row_bytes = tensor_row_bytes(tensor.type, tensor.shape[0]);
    if (!row_bytes) {
      return invalid(source.string() + ": tensor \"" + tensor.name + "\" has an unknown type");
    }
    for (std::size_t at = 0; at < tensor.data.size(); at += *row_bytes) {
      dequantize_row(tensor.type, tensor.data.subspan(at, *row_bytes), row);
      write(row.data(), row.size() * sizeof(float));
    }
    const std::size_t bytes = elements(tensor) * sizeof(float);
    write(zeros.data(), padded(bytes) - bytes);
  }
  out.close();
  if (!out) {
    return unavailable("cannot write " + target.string());
  }
  return {};
}

}  // namespace trialwright
