// The engine against llama.cpp on tiny models with random weights, which stand for the
// architectures, options and weight types of which there is no real file.
// tests/reference/make_tiny_goldens.py makes the models and records llama.cpp's logits, and how far
// they move when llama.cpp itself computes in another way: in other batches, with half-precision
// keys and values, with flash attention.

#include <gtest/gtest.h>

#include <algorithm>
#include <cmath>
#include <cstring>
#include <filesystem>
#include <string>
#include <vector>

#include "base/files.h"
#include "base/json.h"
#include "inference/llm/engine.h"

namespace trialwright {
namespace {

/// How much further from the reference than llama.cpp's furthest own way the engine may be.
constexpr double kRoom = 1.2;

std::filesystem::path golden(const std::string& name) {
  return std::filesystem::path(TRIALWRIGHT_GOLDEN_FOLDER) / "inference" / "engine" / "tiny" / name;
}

std::vector<std::string> tiny_models() {
  std::vector<std::string> names;
  std::error_code missing;
  for (const auto& entry : std::filesystem::directory_iterator(golden(""), missing)) {
    if (entry.path().extension() == ".json") {
      names.push_back(entry.path().stem().string());
    }
  }
  std::sort(names.begin(), names.end());
  return names;
}

std::vector<float> read_logits(const std::filesystem::path& path) {
  const auto data = read_file(path);
  EXPECT_TRUE(data) << data.error().message;
  std::vector<float> logits(data->size() / sizeof(float));
  std::memcpy(logits.data(), data->data(), logits.size() * sizeof(float));
  return logits;
}

class TinyModels : public ::testing::TestWithParam<std::string> {};

INSTANTIATE_TEST_SUITE_P(OfLlamaCpp, TinyModels, ::testing::ValuesIn(tiny_models()),
                         [](const auto& name) {
                           std::string text = name.param;
                           std::replace(text.begin(), text.end(), '-', '_');
                           return text;
                         });

TEST_P(TinyModels, GiveTheReferencesLogits) {
  const auto text = read_file(golden(GetParam() + ".json"));
  ASSERT_TRUE(text) << text.error().message;
  const auto reference = parse_json(*text);
  ASSERT_TRUE(reference) << reference.error().message;
  const auto expected = read_logits(golden(GetParam() + ".bin"));
  auto engine = Engine::load(golden(GetParam() + ".gguf"), {.threads = 1});
  ASSERT_TRUE(engine) << engine.error().message;

  const auto logits = engine->all_logits(reference->at("ids").get<std::vector<std::int32_t>>());

  ASSERT_TRUE(logits) << logits.error().message;
  ASSERT_EQ(logits->size(), expected.size());
  double squares = 0;
  double largest = 0;
  for (std::size_t i = 0; i < expected.size(); ++i) {
    const double apart = static_cast<double>((*logits)[i]) - expected[i];
    squares += apart * apart;
    largest = std::max(largest, std::abs(apart));
  }
  const double typical = std::sqrt(squares / static_cast<double>(expected.size()));
  double own_largest = 0;
  double own_typical = 0;
  for (const Json& way : reference->at("own")) {
    own_largest = std::max(own_largest, way.at("largest").get<double>());
    own_typical = std::max(own_typical, way.at("typical").get<double>());
  }
  std::printf("%s: typical %.3g, llama.cpp's own %.3g; largest %.3g, own %.3g\n",
              GetParam().c_str(), typical, own_typical, largest, own_largest);
  EXPECT_LE(typical, kRoom * own_typical);
  EXPECT_LE(largest, kRoom * own_largest);
}

TEST(TinyModelsOfLlamaCpp, AreAllThere) { EXPECT_EQ(tiny_models().size(), 20U); }

}  // namespace
}  // namespace trialwright
