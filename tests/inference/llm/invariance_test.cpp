// The contract: tokens and log-probabilities are equal bit for bit however they are computed. A set
// of questions is asked one by one of an engine that keeps nothing and runs on one thread; then in
// many other ways; every answer is compared word by word and the differing bits are counted.
//
// Random tiny models of every architecture and weight type always run, the real ones where they
// have been pulled: the smallest with `make test`, all of them and more ways with `make soak`.

#include <gtest/gtest.h>

#include <algorithm>
#include <cstdlib>
#include <filesystem>
#include <tuple>

#include "base/files.h"
#include "tests/inference/llm/ask_in_every_way.h"
#include "tests/support/tiny_model.h"

namespace trialwright {
namespace {

/// Every number of callers, with threads and stretches changing from one to the next, and every
/// state of the cache.
std::vector<Way> ways_for_tiny_models() {
  constexpr int kStretches[] = {1, 2, 7, 15, 16, 17, 31, 32, 33, 48, 64, 65, 100, 128, 256, 512};
  std::vector<Way> ways;
  for (int callers = 1; callers <= 16; ++callers) {
    ways.push_back({.options = {.threads = 1 + callers % 4,
                                .prefill_rows_max = kStretches[(5 * callers) % 16]},
                    .callers = callers,
                    .order = static_cast<std::uint64_t>(callers)});
  }
  // The bounds: nothing is kept, little is (a few hundred tokens), everything is.
  for (const std::size_t bytes : {kNoCache, std::size_t{500'000}, kAmpleCache}) {
    for (const CacheState cache : {CacheState::Used, CacheState::Warm, CacheState::PartlyShared}) {
      if (bytes == kNoCache && cache != CacheState::Used) continue;
      for (const int callers : {1, 5}) {
        ways.push_back({.options = {.threads = 2, .cache_bytes_max = bytes},
                        .callers = callers,
                        .cache = cache,
                        .order = bytes + 1});
      }
    }
  }
  ways.push_back({.options = {.threads = 2}, .callers = 3, .cache = CacheState::Restored});
  for (const double right : {0.0, 0.3, 0.7, 1.0}) {
    for (const int callers : {1, 4}) {
      ways.push_back({.options = {.threads = 2}, .callers = callers, .right = right});
    }
  }
  ways.push_back({.options = {.threads = 2}, .callers = 2, .right = 0.7, .audit = true});
  return ways;
}

std::vector<Way> every_instruction_set() {
  std::vector<Way> ways;
  for (const Isa isa : available_isas()) {
    ways.push_back({.options = {.threads = 2, .isa = isa, .prefill_rows_max = 9}, .callers = 2});
  }
  return ways;
}

struct TinyCase {
  const char* architecture;
  TensorType type;
  bool tied;
};

class InvarianceOfTinyModels : public ::testing::TestWithParam<TinyCase> {};

/// One architecture with every kind of packed weights; the others differ between the products only.
/// F32 is the one that shows the smallest differences: rounding activations to 8 bits hides many.
std::vector<TinyCase> tiny_cases() {
  std::vector<TinyCase> cases;
  for (const TensorType type :
       {TensorType::F32, TensorType::F16, TensorType::Q8_0, TensorType::Q4_1, TensorType::Q5_0,
        TensorType::Q4_K, TensorType::Q6_K}) {
    cases.push_back({"llama", type, cases.size() % 2 == 0});
  }
  for (const char* architecture : {"qwen2", "qwen3", "gemma3"}) {
    for (const TensorType type : {TensorType::F32, TensorType::Q4_K}) {
      cases.push_back({architecture, type, cases.size() % 2 == 0});
    }
  }
  return cases;
}

std::string tiny_test_name(const ::testing::TestParamInfo<TinyCase>& tiny) {
  return std::string(tiny.param.architecture) + "_" +
         std::string(tensor_type_name(tiny.param.type));
}

INSTANTIATE_TEST_SUITE_P(Engine, InvarianceOfTinyModels, ::testing::ValuesIn(tiny_cases()),
                         tiny_test_name);

TEST_P(InvarianceOfTinyModels, AnswersDoNotDependOnHowTheyAreComputed) {
  const auto& [architecture, type, tied] = GetParam();
  const TinyModel model{
      .architecture = architecture, .type = type, .tied = tied, .feed_forward = 256};
  const std::string bytes = tiny_model_bytes(model);
  const auto load = [&](const EngineOptions& options) -> Result<Engine> {
    auto file = GgufFile::parse(as_bytes(bytes), "tiny.gguf");
    if (!file) {
      return file.error();
    }
    return Engine::load(std::move(*file), options);
  };
  const std::string name = std::string(architecture) + " " + std::string(tensor_type_name(type));
  // Around the sizes of pages and tiles, and far beyond them.
  constexpr PromptLength kLengths[] = {{0, 1},  {0, 15},  {16, 1},  {16, 16}, {17, 16},
                                       {31, 1}, {40, 24}, {48, 17}, {64, 64}, {100, 3},
                                       {0, 50}, {64, 1},  {16, 160}};
  compare_ways(name, load, make_questions(kLengths, 40, model.vocabulary), best_isa(),
               ways_for_tiny_models());
  // Plain C++ is slow.
  constexpr PromptLength kFew[] = {{0, 1}, {16, 3}, {16, 17}};
  compare_ways(name + ", instruction sets", load, make_questions(kFew, 20, model.vocabulary),
               best_isa(), every_instruction_set());
}

/// Fewer than for tiny models, which take a thousandth of the time.
std::vector<Way> ways_for_real_models() {
  return {
      {.options = {.threads = 2, .prefill_rows_max = 256}},
      {.options = {.threads = 3, .prefill_rows_max = 17}, .callers = 6, .order = 1},
      {.options = {.threads = 2}, .callers = 3, .cache = CacheState::Warm, .order = 2},
      {.options = {.threads = 2}, .callers = 2, .right = 0.7, .audit = true},
      {.options = {.threads = 4, .cache_bytes_max = 4'000'000},
       .callers = 8,
       .cache = CacheState::PartlyShared,
       .order = 3},
  };
}

/// Every number of callers, with threads, stretches, caches and instruction sets mixed.
std::vector<Way> ways_for_soak() {
  std::vector<Way> ways = ways_for_real_models();
  for (int callers = 1; callers <= 16; ++callers) {
    const auto order = static_cast<std::uint64_t>(callers);
    ways.push_back({.options = {.threads = 1 + callers % 4,
                                .cache_bytes_max = std::size_t{1} << (10 + callers * 5 / 4 % 20),
                                .prefill_rows_max = 1 + callers * callers},
                    .callers = callers,
                    .cache = static_cast<CacheState>(callers % 4),
                    .order = order});
    ways.push_back({.options = {.threads = 1 + callers % 3},
                    .callers = callers,
                    .order = order,
                    .right = callers / 16.0,
                    .audit = callers % 2 == 0});
  }
  for (const Isa isa : available_isas()) {
    if (isa != Isa::Scalar) {
      ways.push_back({.options = {.threads = 2, .isa = isa}, .callers = 5, .order = 17});
    }
  }
  return ways;
}

/// A pulled model, with a part of the context so that large caches fit.
class RealModel {
 public:
  explicit RealModel(const std::string& name)
      : path_(user_cache_folder() / "models" / (name + ".gguf")) {}

  [[nodiscard]] const std::filesystem::path& path() const { return path_; }
  [[nodiscard]] bool is_there() const { return std::filesystem::exists(path_); }

  Result<Engine> operator()(EngineOptions options) const {
    options.context_tokens_max = 2048;
    return Engine::load(path_, options);
  }

  [[nodiscard]] int vocabulary() const {
    auto engine = (*this)({.threads = 1});
    EXPECT_TRUE(engine) << engine.error().message;
    return engine ? engine->vocabulary() : 1;
  }

 private:
  std::filesystem::path path_;
};

#define SKIP_WITHOUT(model)                                                          \
  if (!(model).is_there()) {                                                         \
    GTEST_SKIP() << (model).path() << " is absent: pull the model to run this test"; \
  }

TEST(InvarianceOfTheSmallestModel, AnswersDoNotDependOnHowTheyAreComputed) {
  const RealModel model("smollm2-135m");
  SKIP_WITHOUT(model);
  constexpr PromptLength kLengths[] = {{0, 3}, {16, 1}, {24, 9}, {24, 17}, {40, 1}, {40, 26}};
  compare_ways("smollm2-135m", model, make_questions(kLengths, 20, model.vocabulary()), best_isa(),
               ways_for_real_models());
}

TEST(InvarianceOfTheSmallestModel, PlainAndVectorCodeGiveTheSameBits) {
  const RealModel model("smollm2-135m");
  SKIP_WITHOUT(model);
  constexpr PromptLength kLengths[] = {{0, 1}, {2, 3}};
  compare_ways("smollm2-135m", model, make_questions(kLengths, 8, model.vocabulary()), best_isa(),
               std::vector<Way>{{.options = {.threads = 2, .isa = Isa::Scalar}, .callers = 2}});
}

/// A model and a part of the ways.
using SoakCase = std::tuple<const char*, int>;
constexpr int kParts = 4;

class InvarianceOfRealModels : public ::testing::TestWithParam<SoakCase> {};

std::string soak_test_name(const ::testing::TestParamInfo<SoakCase>& soak) {
  std::string name = std::get<0>(soak.param);
  std::replace_if(
      name.begin(), name.end(), [](char c) { return c == '-' || c == '.'; }, '_');
  return name + "_part_" + std::to_string(std::get<1>(soak.param));
}

INSTANTIATE_TEST_SUITE_P(Engine, InvarianceOfRealModels,
                         ::testing::Combine(::testing::Values("smollm2-135m", "qwen2.5-coder-0.5b",
                                                              "qwen2.5-coder-1.5b", "gemma3-270m"),
                                            ::testing::Range(0, kParts)),
                         soak_test_name);

// Takes minutes.
TEST_P(InvarianceOfRealModels, AnswersDoNotDependOnHowTheyAreComputed) {
  if (std::getenv("TRIALWRIGHT_SOAK") == nullptr) GTEST_SKIP() << "TRIALWRIGHT_SOAK is not set";
  const auto& [name, part] = GetParam();
  const RealModel model(name);
  SKIP_WITHOUT(model);
  const auto all = ways_for_soak();
  std::vector<Way> ways;
  for (std::size_t i = static_cast<std::size_t>(part); i < all.size(); i += kParts) {
    ways.push_back(all[i]);
  }
  constexpr PromptLength kLengths[] = {{0, 1},   {16, 1},  {17, 16}, {31, 1},
                                       {40, 24}, {48, 17}, {64, 64}, {0, 50}};
  compare_ways(name, model, make_questions(kLengths, 40, model.vocabulary()), best_isa(), ways);
}

}  // namespace
}  // namespace trialwright
