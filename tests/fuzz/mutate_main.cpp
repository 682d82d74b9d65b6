// Drives a fuzz target without libFuzzer: every seed as it is, then seeded mutations of it, so that
// an ordinary test run on any compiler tries the same inputs every time.

#include <algorithm>
#include <cstdint>
#include <cstdio>
#include <cstdlib>
#include <filesystem>
#include <string>
#include <vector>

#include "base/files.h"
#include "base/random.h"

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size);

namespace {

namespace fs = std::filesystem;
using trialwright::RandomStream;

constexpr std::uint64_t kRoundsByDefault = 3000;
constexpr std::size_t kSizeMax = 1U << 20U;

void try_input(const std::string& input) {
  LLVMFuzzerTestOneInput(reinterpret_cast<const std::uint8_t*>(input.data()), input.size());
}

/// Up to eight changes: flip a bit, set a byte, cut, insert, repeat a stretch, or splice with
/// another seed.
std::string mutated(std::string text, const std::vector<std::string>& seeds, RandomStream& random) {
  const std::uint64_t changes = 1 + random.below(8);
  for (std::uint64_t i = 0; i < changes; ++i) {
    const std::size_t at = text.empty() ? 0 : random.below(text.size());
    const std::uint64_t kind = text.empty() ? 3 : random.below(6);
    if (kind == 0) {
      text[at] = static_cast<char>(text[at] ^ static_cast<char>(1U << random.below(8)));
    } else if (kind == 1) {
      text[at] = static_cast<char>(random.below(256));
    } else if (kind == 2) {
      text.erase(at, 1 + random.below(16));
    } else if (kind == 3) {
      text.insert(at, std::string(1 + random.below(4), static_cast<char>(random.below(256))));
    } else if (kind == 4) {
      text.insert(at, text.substr(random.below(text.size()), 1 + random.below(32)));
    } else {
      const std::string& other = seeds[random.below(seeds.size())];
      text = text.substr(0, at) + (other.empty() ? "" : other.substr(random.below(other.size())));
    }
  }
  if (text.size() > kSizeMax) text.resize(kSizeMax);
  return text;
}

}  // namespace

int main(int argc, char** argv) {
  const std::uint64_t rounds = argc > 1 ? std::strtoull(argv[1], nullptr, 10) : kRoundsByDefault;
  std::vector<fs::path> paths;
  std::error_code ignored;
  for (const auto& entry : fs::directory_iterator(TRIALWRIGHT_SEED_FOLDER, ignored)) {
    paths.push_back(entry.path());
  }
  std::sort(paths.begin(), paths.end());
  std::vector<std::string> seeds = {""};
  for (const fs::path& path : paths) {
    auto content = trialwright::read_file(path);
    if (content) seeds.push_back(*std::move(content));
  }
  if (seeds.size() == 1) {
    std::fprintf(stderr, "there is no seed in %s\n", TRIALWRIGHT_SEED_FOLDER);
    return 1;
  }
  for (const std::string& seed : seeds) try_input(seed);
  RandomStream random(1, 0);
  for (std::uint64_t round = 0; round < rounds; ++round) {
    try_input(mutated(seeds[random.below(seeds.size())], seeds, random));
  }
  std::printf("%zu seeds and %llu mutations, no crash\n", seeds.size(),
              static_cast<unsigned long long>(rounds));
  return 0;
}
