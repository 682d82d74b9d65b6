#include "inference/kv/cache_file.h"

#include <cstring>
#include <map>
#include <new>
#include <optional>
#include <set>
#include <string_view>
#include <utility>

#include "base/digest.h"
#include "base/files.h"
#include "base/json.h"

namespace trialwright {
namespace {

constexpr std::string_view kMagic = "TWKV0001";
constexpr std::size_t kDigestBytes = 32;
constexpr std::uint32_t kTokensMax = 1U << 24U;

void put_u32(std::string& out, std::uint32_t value) {
  for (unsigned shift = 0; shift < 32; shift += 8) {
    out.push_back(static_cast<char>(value >> shift & 255U));
  }
}

/// Takes pieces off the front of a file's bytes; after the first that is not there, nothing more.
class CacheReader {
 public:
  explicit CacheReader(std::string_view bytes) : bytes_(bytes) {}

  std::string_view take(std::uint64_t count) {
    if (count > bytes_.size()) {
      good_ = false;
      bytes_ = {};
      return {};
    }
    const std::string_view piece = bytes_.substr(0, count);
    bytes_.remove_prefix(count);
    return piece;
  }
  std::uint32_t u32() {
    const std::string_view piece = take(4);
    std::uint32_t value = 0;
    for (std::size_t i = 0; i < piece.size(); ++i) {
      value |= static_cast<std::uint32_t>(static_cast<unsigned char>(piece[i])) << (8 * i);
    }
    return value;
  }
  [[nodiscard]] bool good() const { return good_; }
  [[nodiscard]] bool at_end() const { return good_ && bytes_.empty(); }

 private:
  std::string_view bytes_;
  bool good_ = true;
};

/// What the file says of itself; two files with equal texts are of the same model and layout.
std::string description(const std::string& model_digest, const KvPageLayout& layout) {
  const KvLayer& layer = layout.layers.front();
  return Json{{"model", model_digest},      {"layers", layout.layers.size()},
              {"kv_heads", layer.kv_heads}, {"head_dim", layer.head_dim},
              {"page_tokens", kPageTokens}, {"numbers", "f16"}}
      .dump();
}

/// A sequence as it lies in the file.
struct StoredSequence {
  std::vector<std::int32_t> ids;
  std::vector<std::uint32_t> pages;
};

std::optional<std::vector<StoredSequence>> read_sequences(CacheReader& reader,
                                                          std::uint32_t page_count) {
  std::vector<StoredSequence> sequences;
  const std::uint32_t count = reader.u32();
  for (std::uint32_t i = 0; i < count && reader.good(); ++i) {
    StoredSequence sequence;
    const std::uint32_t tokens = reader.u32();
    if (tokens == 0 || tokens > kTokensMax) {
      return std::nullopt;
    }
    for (std::uint32_t t = 0; t < tokens && reader.good(); ++t) {
      sequence.ids.push_back(static_cast<std::int32_t>(reader.u32()));
    }
    for (int p = 0; p < pages_for(static_cast<int>(tokens)) && reader.good(); ++p) {
      sequence.pages.push_back(reader.u32());
      if (sequence.pages.back() >= page_count) {
        return std::nullopt;
      }
    }
    sequences.push_back(std::move(sequence));
  }
  if (!reader.at_end()) {
    return std::nullopt;
  }
  return sequences;
}

/// The last sequences whose pages are at most so many together.
std::span<const StoredSequence> last_that_fit(std::span<const StoredSequence> sequences,
                                              int pages_max) {
  std::set<std::uint32_t> pages;
  std::size_t first = sequences.size();
  while (first > 0) {
    const auto& more = sequences[first - 1].pages;
    pages.insert(more.begin(), more.end());
    if (pages.size() > static_cast<std::size_t>(pages_max)) {
      break;
    }
    --first;
  }
  return sequences.subspan(first);
}

}  // namespace

namespace {

std::string cache_content(const std::string& model_digest, const KvPageLayout& layout,
                          std::span<const KvSequence> sequences) {
  std::map<const std::uint16_t*, std::uint32_t> numbers;
  std::string content(kMagic);
  const std::string described = description(model_digest, layout);
  put_u32(content, static_cast<std::uint32_t>(described.size()));
  content += described;
  std::vector<const std::uint16_t*> pages;
  for (const KvSequence& sequence : sequences) {
    for (const KvPage& page : sequence.pages()) {
      if (numbers.emplace(page.get(), static_cast<std::uint32_t>(numbers.size())).second) {
        pages.push_back(page.get());
      }
    }
  }
  put_u32(content, static_cast<std::uint32_t>(pages.size()));
  // Most of the file, so that it need not move while it grows.
  content.reserve(content.size() + pages.size() * (layout.bytes() + 16 * kPageTokens));
  for (const std::uint16_t* page : pages) {
    // NOLINTNEXTLINE(cppcoreguidelines-pro-type-reinterpret-cast): halves as bytes
    content.append(reinterpret_cast<const char*>(page), layout.bytes());
  }
  put_u32(content, static_cast<std::uint32_t>(sequences.size()));
  for (const KvSequence& sequence : sequences) {
    put_u32(content, static_cast<std::uint32_t>(sequence.size()));
    for (const std::int32_t id : sequence.ids()) {
      put_u32(content, static_cast<std::uint32_t>(id));
    }
    for (const KvPage& page : sequence.pages()) {
      put_u32(content, numbers.at(page.get()));
    }
  }
  const Digest digest = sha256(content);
  content.append(digest.bytes.begin(), digest.bytes.end());
  return content;
}

}  // namespace

Result<void> write_cache_file(const std::filesystem::path& path, const std::string& model_digest,
                              const KvPageLayout& layout, std::span<const KvSequence> sequences) {
  const std::string step = "writing " + path.string();
  try {
    auto written = write_file_atomically(path, cache_content(model_digest, layout, sequences));
    return written ? Result<void>{} : written.error().during(step);
  } catch (const std::bad_alloc&) {
    return unavailable("out of memory").during(step);
  }
}

Result<std::vector<KvSequence>> read_cache_file(const std::filesystem::path& path,
                                                const std::string& model_digest, KvPagePool& pages,
                                                int pages_max) {
  const auto file = MappedFile::open(path);
  if (!file) {
    return file.error();
  }
  // NOLINTNEXTLINE(cppcoreguidelines-pro-type-reinterpret-cast): bytes as text
  const std::string_view all(reinterpret_cast<const char*>(file->bytes().data()),
                             file->bytes().size());
  if (all.substr(0, kMagic.size()) != kMagic) {
    return invalid(path.string() + " is no file of keys and values");
  }
  const auto damaged = [&] { return integrity(path.string() + " is not as it was written"); };
  if (all.size() < kMagic.size() + kDigestBytes) {
    return damaged();
  }
  const std::string_view content = all.substr(0, all.size() - kDigestBytes);
  const Digest digest = sha256(content);
  if (std::memcmp(digest.bytes.data(), all.data() + content.size(), kDigestBytes) != 0) {
    return damaged();
  }
  CacheReader reader(content.substr(kMagic.size()));
  if (reader.take(reader.u32()) != description(model_digest, pages.layout())) {
    return invalid(path.string() + " holds keys and values of another model");
  }
  const std::size_t page_bytes = pages.layout().bytes();
  const std::uint32_t page_count = reader.u32();
  const std::string_view stored_pages = reader.take(std::uint64_t{page_count} * page_bytes);
  const auto stored = read_sequences(reader, page_count);
  if (!stored) {
    return damaged();
  }
  std::map<std::uint32_t, KvPage> read;
  std::vector<KvSequence> sequences;
  for (const StoredSequence& sequence : last_that_fit(*stored, pages_max)) {
    std::vector<KvPage> held;
    for (const std::uint32_t number : sequence.pages) {
      KvPage& page = read[number];
      if (!page) {
        auto taken = pages.take();
        if (!taken) {
          return taken.error();
        }
        page = std::move(*taken);
        std::memcpy(page.get(), stored_pages.data() + number * page_bytes, page_bytes);
      }
      held.push_back(page);
    }
    sequences.emplace_back(pages, std::move(held), sequence.ids);
  }
  return sequences;
}

}  // namespace trialwright
