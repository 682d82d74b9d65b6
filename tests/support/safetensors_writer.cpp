#include "tests/support/safetensors_writer.h"

#include "base/json.h"
#include "tests/support/gguf_writer.h"

namespace trialwright {

SafetensorsWriter& SafetensorsWriter::tensor(std::string_view name, std::string_view dtype,
                                             const std::vector<std::int64_t>& shape,
                                             std::string_view data) {
  const Json description = {{"dtype", std::string(dtype)},
                            {"shape", shape},
                            {"data_offsets", {data_.size(), data_.size() + data.size()}}};
  members_ +=
      (members_.empty() ? "" : ",") + to_text(Json(std::string(name))) + ":" + to_text(description);
  data_ += data;
  return *this;
}

std::string SafetensorsWriter::bytes(std::size_t header_alignment) const {
  std::string header = "{" + members_ + "}";
  header.resize((header.size() + header_alignment - 1) / header_alignment * header_alignment, ' ');
  return safetensors_bytes(header, data_);
}

std::string safetensors_bytes(std::string_view header, std::string_view data) {
  std::string bytes;
  put<std::uint64_t>(bytes, header.size());
  bytes += header;
  bytes += data;
  return bytes;
}

}  // namespace trialwright
