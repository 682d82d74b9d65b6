#include "inference/llm/engine.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <cmath>
#include <fstream>
#include <optional>
#include <thread>

#include "base/files.h"
#include "base/random.h"
#include "inference/llm/sampler.h"
#include "tests/support/plain_transformer.h"
#include "tests/support/tiny_model.h"

namespace trialwright {
namespace {

using ::testing::HasSubstr;

std::vector<std::int32_t> random_ids(std::size_t count, std::uint64_t seed = 3) {
  RandomStream random(seed, 1);
  std::vector<std::int32_t> ids(count);
  for (auto& id : ids) {
    id = static_cast<std::int32_t>(random.below(300));
  }
  return ids;
}

/// An engine and the bytes that it reads embeddings from.
struct Loaded {
  std::unique_ptr<std::string> bytes;
  Engine engine;
};

Result<Engine> try_load(const std::string& bytes, const EngineOptions& options) {
  auto file = GgufFile::parse(as_bytes(bytes), "tiny.gguf");
  if (!file) {
    return file.error();
  }
  return Engine::load(std::move(*file), options);
}

std::unique_ptr<Loaded> load(const TinyModel& model, EngineOptions options = {.threads = 1}) {
  auto bytes = std::make_unique<std::string>(tiny_model_bytes(model));
  auto file = GgufFile::parse(as_bytes(*bytes), "tiny.gguf");
  EXPECT_TRUE(file);
  auto engine = Engine::load(std::move(*file), options);
  EXPECT_TRUE(engine) << engine.error().message;
  return std::make_unique<Loaded>(Loaded{std::move(bytes), std::move(*engine)});
}

std::string load_error(const std::string& bytes, const EngineOptions& options = {.threads = 1}) {
  auto engine = try_load(bytes, options);
  return engine ? "no error" : engine.error().message;
}

class EveryArchitecture : public ::testing::TestWithParam<const char*> {};
INSTANTIATE_TEST_SUITE_P(Engine, EveryArchitecture,
                         ::testing::Values("llama", "qwen2", "qwen3", "gemma3"));

TEST_P(EveryArchitecture, AgreesWithThePlainDefinition) {
  for (const bool tied : {true, false}) {
    // Heads that are not embedding / heads wide, where the architecture's files name their size.
    const bool wide = GetParam() != std::string("llama") && tied;
    const TinyModel model{.architecture = GetParam(), .tied = tied, .head_dim = wide ? 128 : 0};
    const auto ids = random_ids(20);
    const std::string bytes = tiny_model_bytes(model);
    auto file = GgufFile::parse(as_bytes(bytes), "tiny.gguf");
    ASSERT_TRUE(file);
    const auto expected = plain_logits(*file, ids);

    const auto logits = load(model)->engine.all_logits(ids);

    ASSERT_TRUE(logits) << logits.error().message;
    ASSERT_EQ(logits->size(), expected.size());
    double spread = 0;
    double worst = 0;
    for (std::size_t i = 0; i < expected.size(); ++i) {
      spread = std::max(spread, std::abs(expected[i]));
      worst = std::max(worst, std::abs(static_cast<double>((*logits)[i]) - expected[i]));
    }
    // Keys and values are kept in half precision, 11 bits.
    EXPECT_LT(worst, spread * 2e-3);
    EXPECT_GT(spread, 1);
  }
}

TEST_P(EveryArchitecture, GivesTheSameBitsForAnyThreadsAndBatches) {
  const auto ids = random_ids(150);
  for (const TensorType type :
       {TensorType::F32, TensorType::F16, TensorType::BF16, TensorType::Q8_0, TensorType::Q4_0,
        TensorType::Q4_1, TensorType::Q5_0, TensorType::Q5_1, TensorType::Q4_K, TensorType::Q5_K,
        TensorType::Q6_K}) {
    // Windows that begin in every place of a tile, and leave a whole tile behind.
    const TinyModel model{.architecture = GetParam(), .type = type, .window = 70};
    const auto expected = load(model)->engine.all_logits(ids);
    ASSERT_TRUE(expected);
    ASSERT_TRUE(std::isfinite(log_sum_exp(*expected)));
    for (const auto& [threads, rows] : {std::pair{1, 1}, {2, 7}, {3, 64}, {2, 256}}) {
      const auto logits =
          load(model, {.threads = threads, .prefill_rows_max = rows})->engine.all_logits(ids);
      EXPECT_TRUE(*logits == *expected)
          << tensor_type_name(type) << " threads " << threads << " rows " << rows;
    }
  }
}

TEST_P(EveryArchitecture, GivesTheSameBitsWhateverIsInTheCache) {
  const TinyModel model{.architecture = GetParam(), .type = TensorType::Q4_1};
  GenerateRequest request{.ids = random_ids(40), .tokens_max = 12, .alternatives = 3};
  request.sampling = {.temperature = 0.8, .top_k = 20, .seed = 5};
  const auto fresh = load(model)->engine.generate(request, {});
  ASSERT_TRUE(fresh);
  EXPECT_EQ(fresh->cached_tokens, 0);

  auto used = load(model);
  GenerateRequest other = request;
  other.ids.resize(25);
  other.ids.push_back(7);
  ASSERT_TRUE(used->engine.generate(other, {}));
  const auto reused = used->engine.generate(request, {});
  const auto again = used->engine.generate(request, {});

  EXPECT_EQ(reused->cached_tokens, 25);
  EXPECT_EQ(again->cached_tokens, 39);
  for (const auto* generation : {&*reused, &*again}) {
    ASSERT_EQ(generation->tokens.size(), fresh->tokens.size());
    for (std::size_t i = 0; i < fresh->tokens.size(); ++i) {
      EXPECT_EQ(generation->tokens[i].chosen.id, fresh->tokens[i].chosen.id);
      EXPECT_EQ(generation->tokens[i].chosen.logprob, fresh->tokens[i].chosen.logprob);
      EXPECT_EQ(generation->tokens[i].alternatives[2].logprob,
                fresh->tokens[i].alternatives[2].logprob);
    }
  }
}

TEST_P(EveryArchitecture, GivesTheSameBitsWhateverIsComputedBeside) {
  const TinyModel model{.architecture = GetParam(), .type = TensorType::Q4_K};
  constexpr int kRequests = 6;
  std::vector<GenerateRequest> requests;
  for (int i = 0; i < kRequests; ++i) {
    GenerateRequest request{.ids = random_ids(static_cast<std::size_t>(10 + 30 * i), 3),
                            .tokens_max = 40 - 5 * i};
    request.sampling = {.temperature = 0.8, .seed = 5};
    request.stream = static_cast<std::uint64_t>(i);
    requests.push_back(request);
  }
  const std::vector<std::vector<std::int32_t>> continuations = {{5, 6, 7}, random_ids(40, 9)};
  auto alone = load(model);
  const auto together = load(model, {.threads = 2, .prefill_rows_max = 64});
  const auto scores_alone = alone->engine.score(requests[1].ids, continuations, {});

  std::vector<std::optional<Generation>> generations(kRequests);
  std::vector<double> scores;
  {
    std::vector<std::jthread> callers;
    for (std::size_t i = 0; i < kRequests; ++i) {
      callers.emplace_back([&, i] {
        if (auto generation = together->engine.generate(requests[i], {})) {
          generations[i] = std::move(*generation);
        }
      });
    }
    callers.emplace_back([&] {
      if (auto scored = together->engine.score(requests[1].ids, continuations, {})) {
        scores = *scored;
      }
    });
  }

  EXPECT_EQ(scores, *scores_alone);
  for (std::size_t i = 0; i < kRequests; ++i) {
    const auto expected = alone->engine.generate(requests[i], {});
    ASSERT_TRUE(expected && generations[i]);
    ASSERT_EQ(generations[i]->tokens.size(), expected->tokens.size());
    for (std::size_t t = 0; t < expected->tokens.size(); ++t) {
      EXPECT_EQ(generations[i]->tokens[t].chosen.id, expected->tokens[t].chosen.id);
      EXPECT_EQ(generations[i]->tokens[t].chosen.logprob, expected->tokens[t].chosen.logprob);
    }
  }
}

TEST(Engine, GreedyGenerationTakesTheBestOfTheLogits) {
  auto loaded = load({});
  auto ids = random_ids(10);
  const auto generation = loaded->engine.generate({.ids = ids, .tokens_max = 8}, {});
  ASSERT_TRUE(generation);
  EXPECT_EQ(generation->finish, FinishReason::Length);
  ASSERT_EQ(generation->tokens.size(), 8U);

  for (const GeneratedToken& token : generation->tokens) {
    const auto logits = loaded->engine.all_logits(ids);
    const auto last = std::span(*logits).last(300);
    EXPECT_EQ(token.chosen.id, std::max_element(last.begin(), last.end()) - last.begin());
    ids.push_back(token.chosen.id);
  }
}

TEST(Engine, ScoresContinuationsAsTheirTokensAreWeighed) {
  auto loaded = load({.architecture = "qwen2", .tied = false});
  const auto prefix = random_ids(30);
  const std::vector<std::vector<std::int32_t>> continuations = {
      {5}, {5, 6, 7}, random_ids(40, 9), {299}};

  const auto scores = loaded->engine.score(prefix, continuations, {});

  ASSERT_TRUE(scores) << scores.error().message;
  for (std::size_t c = 0; c < continuations.size(); ++c) {
    auto all = prefix;
    all.insert(all.end(), continuations[c].begin(), continuations[c].end());
    const auto logits = loaded->engine.all_logits(all);
    double sum = 0;
    for (std::size_t i = 0; i < continuations[c].size(); ++i) {
      const auto row = std::span(*logits).subspan((prefix.size() - 1 + i) * 300, 300);
      sum += static_cast<double>(row[static_cast<std::size_t>(continuations[c][i])]) -
             log_sum_exp(row);
    }
    EXPECT_EQ((*scores)[c], sum);
  }
  const auto generation = loaded->engine.generate({.ids = prefix, .tokens_max = 1}, {});
  EXPECT_EQ(generation->cached_tokens, 29);
}

TEST(Engine, StopsWhenItsCallerSaysSo) {
  auto loaded = load({});
  GenerateRequest request{.ids = random_ids(5), .tokens_max = 20};
  int calls = 0;
  request.on_token = [&](const GeneratedToken&) { return ++calls < 3; };
  const auto generation = loaded->engine.generate(request, {});
  EXPECT_EQ(generation->finish, FinishReason::Stop);
  EXPECT_EQ(generation->tokens.size(), 3U);
}

TEST(Engine, ADeadlineOrAStopEndsItWithWhatThereIs) {
  auto loaded = load({});
  GenerateRequest request{.ids = random_ids(5), .tokens_max = 20};
  std::stop_source source;
  request.on_token = [&](const GeneratedToken&) { return !source.request_stop() || true; };
  const auto stopped = loaded->engine.generate(request, source.get_token());
  EXPECT_EQ(stopped->finish, FinishReason::Cancelled);
  EXPECT_EQ(stopped->tokens.size(), 1U);

  request.deadline = std::chrono::steady_clock::now();
  const auto late = loaded->engine.generate(request, {});
  EXPECT_EQ(late->finish, FinishReason::Deadline);
  EXPECT_TRUE(late->tokens.empty());

  EXPECT_EQ(loaded->engine
                .score(random_ids(5), std::vector<std::vector<std::int32_t>>{random_ids(1)},
                       source.get_token())
                .error()
                .kind,
            ErrorKind::Cancelled);
}

TEST(Engine, TheContextBoundsPromptAndCompletion) {
  auto loaded = load({}, {.threads = 1, .context_tokens_max = 32});
  EXPECT_EQ(loaded->engine.context_tokens_max(), 32);
  const auto generation = loaded->engine.generate({.ids = random_ids(30), .tokens_max = 20}, {});
  EXPECT_EQ(generation->tokens.size(), 2U);
  EXPECT_EQ(generation->finish, FinishReason::Length);
  EXPECT_EQ(loaded->engine.generate({.ids = random_ids(32)}, {}).error().message,
            "the prompt has 32 tokens, but the context of tiny.gguf holds 32");
  EXPECT_THAT(loaded->engine
                  .score(random_ids(30), std::vector<std::vector<std::int32_t>>{random_ids(3)}, {})
                  .error()
                  .message,
              HasSubstr("is to go on for 3"));
}

TEST(Engine, RefusesIdsThatAreNoTokens) {
  auto loaded = load({});
  EXPECT_THAT(loaded->engine.generate({.ids = {1, 300}}, {}).error().message,
              HasSubstr("token id 300"));
  EXPECT_THAT(loaded->engine.generate({.ids = {-1}}, {}).error().message, HasSubstr("token id -1"));
  EXPECT_THAT(loaded->engine.generate({.ids = {}}, {}).error().message, HasSubstr("no tokens"));
  EXPECT_THAT(loaded->engine.score(random_ids(3), std::vector<std::vector<std::int32_t>>{{}}, {})
                  .error()
                  .message,
              HasSubstr("no tokens"));
}

TEST(Engine, NamesWhatItCannotLoad) {
  EXPECT_THAT(load_error(GgufWriter().text("general.architecture", "llama").bytes()),
              HasSubstr("holds a vocabulary only"));
  EXPECT_EQ(parse_device("cuda").error().message, "must be cpu, not \"cuda\"");
  EXPECT_THAT(load_error(tiny_model_bytes({}), {.context_tokens_max = 1000}),
              HasSubstr("was made for 512"));
  EXPECT_EQ(load_error(tiny_model_bytes({.architecture = "rwkv"})),
            "tiny.gguf: the architecture \"rwkv\" is not supported; llama, qwen2, qwen3 and gemma3 "
            "are");
  EXPECT_THAT(load_error(tiny_model_writer({}).text("llama.rope.scaling.type", "longrope").bytes()),
              HasSubstr("\"longrope\""));
  EXPECT_THAT(load_error(tiny_model_bytes({.kv_heads = 3})), HasSubstr("head_count_kv"));
}

TEST(Engine, RefusesTensorsThatItWouldLeaveOut) {
  // A bias of a llama file, for one, changes every number.
  for (const std::string name :
       {"blk.0.attn_q.bias", "blk.1.ffn_down.bias", "blk.2.attn_norm.weight", "output.bias",
        "token_embd_norm.weight", "rope_factors_long.weight"}) {
    auto writer = tiny_model_writer({});
    EXPECT_EQ(load_error(writer.f32_tensor(name, {1}, {1}).bytes()),
              "tiny.gguf: tensor \"" + name +
                  "\" is not one that this architecture is computed with here");
  }
  auto old = tiny_model_writer({});
  EXPECT_EQ(load_error(old.f32_tensor("blk.0.attn_rot_embd", {1}, {1}).bytes()), "no error");
}

TEST(Engine, ReadsTheScaleOfPositionsUnderEachOfItsNames) {
  const auto scale_of = [](GgufWriter writer) {
    const std::string bytes = writer.bytes();
    auto file = GgufFile::parse(as_bytes(bytes), "tiny.gguf");
    CHECK(file, "the writer writes GGUF");
    auto config = read_model_config(*file);
    return config ? config->rope.scale : -1;
  };
  EXPECT_EQ(scale_of(tiny_model_writer({})), 1);
  EXPECT_EQ(scale_of(tiny_model_writer({}).f32("llama.rope.scale_linear", 4)), 0.25F);
  EXPECT_EQ(scale_of(tiny_model_writer({}).f32("llama.rope.scaling.factor", 2)), 0.5F);
  EXPECT_EQ(scale_of(tiny_model_writer({})
                         .text("llama.rope.scaling.type", "linear")
                         .f32("llama.rope.scaling.factor", 2)
                         .f32("llama.rope.scale_linear", 4)),
            0.5F);
  EXPECT_EQ(scale_of(tiny_model_writer({})
                         .text("llama.rope.scaling.type", "none")
                         .f32("llama.rope.scaling.factor", 2)),
            1);
}

/// The configuration that a file's metadata gives. The file must be right.
ModelConfig config_of(GgufWriter writer) {
  const std::string bytes = writer.bytes();
  auto file = GgufFile::parse(as_bytes(bytes), "tiny.gguf");
  CHECK(file, "the writer writes GGUF");
  auto config = read_model_config(*file);
  CHECK(config, "the test asks for a model that there is");
  return *config;
}

TEST(Engine, GivesWindowsToAllLayersOfAGemmaButEverySixth) {
  GgufWriter writer;
  writer.text("general.architecture", "gemma3");
  const std::pair<const char*, std::uint32_t> sizes[] = {{"block_count", 13},
                                                         {"context_length", 512},
                                                         {"embedding_length", 640},
                                                         {"feed_forward_length", 2048},
                                                         {"attention.head_count", 4},
                                                         {"attention.key_length", 256},
                                                         {"attention.value_length", 256}};
  for (const auto& [key, value] : sizes) {
    writer.u32(std::string("gemma3.") + key, value);
  }
  writer.f32("gemma3.attention.layer_norm_rms_epsilon", 1e-6F).f32("gemma3.rope.freq_base", 1e6F);
  writer.f32("gemma3.rope.scaling.factor", 8);

  const ModelConfig all = config_of(writer);
  const ModelConfig off = config_of(GgufWriter(writer).u32("gemma3.attention.sliding_window", 0));
  const ModelConfig some =
      config_of(GgufWriter(writer).u32("gemma3.attention.sliding_window", 512));

  EXPECT_EQ(all.windows, std::vector<int>(13, 0));
  EXPECT_EQ(off.windows, all.windows);
  std::vector<int> expected(13, 512);
  expected[5] = expected[11] = 0;
  EXPECT_EQ(some.windows, expected);
  // What stretches the far view leaves the near one alone.
  EXPECT_EQ(some.rope, (RopeScaling{.base = 1e6F, .scale = 0.125F}));
  EXPECT_EQ(some.window_rope, RopeScaling());
  EXPECT_EQ(some.attention_scale, 1.0F / 16);
  EXPECT_FLOAT_EQ(some.embedding_scale, std::sqrt(640.0F));
  EXPECT_EQ(some.logit_softcap, 0);
}

TEST(Engine, CapsScoresAndLogitsWhereTheMetadataSaysSo) {
  const auto ids = random_ids(20);
  const std::string bytes = tiny_model_writer({.architecture = "gemma3"})
                                .f32("gemma3.final_logit_softcapping", 5)
                                .f32("gemma3.attn_logit_softcapping", 0.5F)
                                .bytes();
  auto file = GgufFile::parse(as_bytes(bytes), "tiny.gguf");
  ASSERT_TRUE(file);
  const auto expected = plain_logits(*file, ids);
  auto engine = try_load(bytes, {.threads = 1});
  ASSERT_TRUE(engine) << engine.error().message;

  const auto logits = engine->all_logits(ids);

  ASSERT_TRUE(logits) << logits.error().message;
  for (std::size_t i = 0; i < expected.size(); ++i) {
    ASSERT_NEAR((*logits)[i], expected[i], 0.02);
    ASSERT_LE(std::abs((*logits)[i]), 5);
  }
  const auto uncapped = load({.architecture = "gemma3"})->engine.all_logits(ids);
  EXPECT_GT(*std::max_element(uncapped->begin(), uncapped->end()), 5);
}

TEST(Engine, RefusesShapesOfHeadsThatDoNotFit) {
  const auto error_of = [](const char* key, std::uint32_t value) {
    return load_error(tiny_model_writer({}).u32(key, value).bytes());
  };
  EXPECT_THAT(error_of("llama.rope.dimension_count", 63), HasSubstr("rope.dimension_count"));
  EXPECT_THAT(error_of("llama.rope.dimension_count", 128), HasSubstr("rope.dimension_count"));
  EXPECT_THAT(error_of("llama.rope.dimension_count", 0), HasSubstr("rope.dimension_count"));
  EXPECT_THAT(error_of("llama.attention.key_length", 72), HasSubstr("heads of 72 numbers"));
  EXPECT_THAT(error_of("llama.attention.key_length", 1U << 20U),
              HasSubstr("heads of 1048576 numbers"));
  EXPECT_THAT(error_of("llama.attention.key_length", 0xffffffffU), HasSubstr("key_length"));
  EXPECT_NE(load_error(tiny_model_bytes({.embedding = 2, .heads = 4})), "no error");
}

TEST(Engine, NamesTheTensorThatIsMissingOrMisshapen) {
  const auto with_layers = [](int layers) {
    GgufWriter writer = tiny_model_writer({.layers = 1});
    std::string bytes = writer.bytes();
    const std::size_t at = bytes.find("block_count") + 11 + 4;
    bytes[at] = static_cast<char>(layers);
    return bytes;
  };
  EXPECT_THAT(load_error(with_layers(1)), "no error");
  EXPECT_EQ(load_error(with_layers(2)), "tiny.gguf: tensor \"blk.1.attn_norm.weight\" is missing");
  std::string bytes = tiny_model_bytes({});
  bytes[bytes.find("feed_forward_length") + 19 + 5] = 1;  // 512 becomes 256.
  EXPECT_EQ(load_error(bytes),
            "tiny.gguf: tensor \"blk.0.ffn_gate.weight\" has shape 256 x 512, but the metadata "
            "asks for 256 x 256");
}

TEST(Engine, WeightsThatAreNotNumbersAreAnIntegrityError) {
  auto writer = tiny_model_writer({.layers = 1});
  std::string bytes = writer.bytes();
  const std::size_t size = bytes.size();
  // The last tensor is the output norm: make one of its weights a NaN.
  for (std::size_t i = size - 4; i < size; ++i) {
    bytes[i] = '\x7f';
  }
  auto engine = try_load(bytes, {.threads = 1});
  ASSERT_TRUE(engine);
  const auto generation = engine->generate({.ids = random_ids(3)}, {});
  ASSERT_FALSE(generation);
  EXPECT_EQ(generation.error().kind, ErrorKind::Integrity);
}

TEST(Engine, LooksAtTheMemoryBeforeItLoads) {
  // A sparse file with four terabytes of weights.
  const std::string header =
      tiny_model_writer({}).tensor("giant", TensorType::F32, {64, 1LL << 34U}, "").bytes();
  auto folder = TemporaryFolder::make();
  ASSERT_TRUE(folder);
  const auto path = folder->path() / "giant.gguf";
  std::ofstream(path, std::ios::binary) << header;
  std::error_code failed;
  std::filesystem::resize_file(path, 1ULL << 43U, failed);
  if (failed) {
    GTEST_SKIP() << "the file system makes no sparse file of 8 TB";
  }
  const auto engine = Engine::load(path, {.threads = 1});
  ASSERT_FALSE(engine);
  EXPECT_EQ(engine.error().kind, ErrorKind::Unavailable);
  EXPECT_THAT(engine.error().message, HasSubstr("of memory, but only"));
}

TEST(Engine, AForkOfAConversationIsNotReadAgain) {
  auto loaded = load({.architecture = "qwen2", .type = TensorType::Q4_1});
  const auto common = random_ids(100);
  const auto held = loaded->engine.hold(common, {});
  ASSERT_TRUE(held);
  EXPECT_EQ(held->tokens(), 100);
  for (const std::int32_t branch : {7, 8, 9}) {
    auto ids = common;
    ids.push_back(branch);
    const auto generation = loaded->engine.generate({.ids = ids, .tokens_max = 4}, {});
    ASSERT_TRUE(generation);
    EXPECT_EQ(generation->cached_tokens, 100);
    const auto fresh = load({.architecture = "qwen2", .type = TensorType::Q4_1})
                           ->engine.generate({.ids = ids, .tokens_max = 4}, {});
    for (std::size_t i = 0; i < 4; ++i) {
      EXPECT_EQ(generation->tokens[i].chosen.logprob, fresh->tokens[i].chosen.logprob);
    }
  }
}

TEST(Engine, WhatIsHeldIsNotForgottenForOthers) {
  const TinyModel model{};
  const KvPageLayout layout = KvPageLayout::make(2, 2, 64);
  auto loaded = load(model, {.threads = 1, .cache_bytes_max = 12 * layout.bytes()});
  const auto common = random_ids(64, 1);
  {
    const auto held = loaded->engine.hold(common, {});
    ASSERT_TRUE(held);
    for (std::uint64_t other = 2; other < 8; ++other) {
      ASSERT_TRUE(loaded->engine.generate({.ids = random_ids(90, other), .tokens_max = 2}, {}));
    }
    const auto again = loaded->engine.generate({.ids = common, .tokens_max = 1}, {});
    EXPECT_EQ(again->cached_tokens, 63);
  }
  for (std::uint64_t other = 10; other < 16; ++other) {
    ASSERT_TRUE(loaded->engine.generate({.ids = random_ids(90, other), .tokens_max = 2}, {}));
  }
  EXPECT_EQ(loaded->engine.generate({.ids = common, .tokens_max = 1}, {})->cached_tokens, 0);
}

TEST(Engine, GoesOnFromAFileOfKeysAndValues) {
  auto folder = TemporaryFolder::make();
  ASSERT_TRUE(folder);
  const auto path = folder->path() / "cache.twkv";
  const auto ids = random_ids(50);
  auto first = load({});
  const auto expected = first->engine.generate({.ids = ids, .tokens_max = 5}, {});
  ASSERT_TRUE(first->engine.save_cache(path, "weights"));

  auto second = load({});
  ASSERT_FALSE(second->engine.restore_cache(path, "other weights"));
  ASSERT_TRUE(second->engine.restore_cache(path, "weights"));
  const auto generation = second->engine.generate({.ids = ids, .tokens_max = 5}, {});

  EXPECT_EQ(generation->cached_tokens, 49);
  for (std::size_t i = 0; i < 5; ++i) {
    EXPECT_EQ(generation->tokens[i].chosen.id, expected->tokens[i].chosen.id);
    EXPECT_EQ(generation->tokens[i].chosen.logprob, expected->tokens[i].chosen.logprob);
  }
}

TEST(Engine, TellsAPromptsLogProbabilitiesAsScoringDoes) {
  auto loaded = load({.architecture = "qwen2"});
  const auto ids = random_ids(30);
  const auto tokens = loaded->engine.prompt_logprobs(ids, 2, {});
  ASSERT_TRUE(tokens);
  ASSERT_EQ(tokens->size(), 30U);
  EXPECT_EQ((*tokens)[0].chosen.logprob, 0);
  EXPECT_TRUE((*tokens)[0].alternatives.empty());
  for (const std::size_t place : {std::size_t{1}, std::size_t{12}, std::size_t{29}}) {
    const auto score = loaded->engine.score(
        std::span(ids).first(place), std::vector<std::vector<std::int32_t>>{{ids[place]}}, {});
    EXPECT_EQ((*tokens)[place].chosen.logprob, (*score)[0]);
    EXPECT_EQ((*tokens)[place].alternatives.size(), 2U);
  }
}

TEST(Engine, PlansItsMemoryItemByItem) {
  const std::string bytes = tiny_model_bytes({});
  auto file = GgufFile::parse(as_bytes(bytes), "tiny.gguf");
  ASSERT_TRUE(file);
  const auto plan = Engine::plan(*file, {});
  ASSERT_TRUE(plan);
  std::uint64_t sum = 0;
  for (const MemoryPlan::Item& item : plan->items) {
    EXPECT_GT(item.bytes, 0U) << item.what;
    sum += item.bytes;
  }
  EXPECT_EQ(plan->needed(), sum);
  MemoryPlan tight = *plan;
  tight.available = sum;
  EXPECT_TRUE(tight.fits());
  tight.available = sum - 1;
  EXPECT_FALSE(tight.fits());
  EXPECT_THAT(plan->text(), HasSubstr("needed, in bytes"));
}

}  // namespace
}  // namespace trialwright
