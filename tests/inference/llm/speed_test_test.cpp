#include "inference/llm/speed_test.h"

#include <gtest/gtest.h>

#include <span>

#include "tests/support/fake_clock.h"
#include "tests/support/tiny_model.h"

namespace trialwright {
namespace {

using std::chrono::milliseconds;
using std::chrono::nanoseconds;

GgufFile parse(const std::string& bytes) {
  auto file = GgufFile::parse(std::as_bytes(std::span(bytes)), "tiny.gguf");
  EXPECT_TRUE(file);
  return *std::move(file);
}

TEST(SpeedTest, IsNamedAsLlamaBenchNamesIt) {
  EXPECT_EQ((SpeedTest{512, 0, 1}).name(), "pp512");
  EXPECT_EQ((SpeedTest{0, 128, 1}).name(), "tg128");
  EXPECT_EQ((SpeedTest{0, 64, 8}).name(), "tg64@8");
}

TEST(SpeedTest, SumsUpItsRepetitions) {
  const SpeedTest test{0, 100, 2};

  const SpeedSummary summary = summarize(test, {milliseconds(1000), milliseconds(500)});

  EXPECT_EQ(summary.tokens_per_second, (std::vector<double>{200, 400}));
  EXPECT_DOUBLE_EQ(summary.mean, 300);
  EXPECT_NEAR(summary.deviation, 141.4213562, 1e-6);  // Of a sample: 100 × sqrt(2).
  EXPECT_DOUBLE_EQ(summary.mean_nanoseconds, 750e6);
  EXPECT_EQ(summarize(test, {milliseconds(1000)}).deviation, 0);
  // A clock too coarse to see anything makes no division by zero.
  EXPECT_GT(summarize(test, {nanoseconds(0)}).mean, 0);
}

TEST(SpeedTest, CountsWhatATokenReadsAndMultiplies) {
  for (const bool tied : {true, false}) {
    const TinyModel model{.type = TensorType::Q8_0, .tied = tied, .layers = 1};
    const std::string bytes = tiny_model_bytes(model);
    const GgufFile file = parse(bytes);

    const ModelWork work = work_of(file);

    // Queries and output, keys and values, gate, up and down.
    const std::uint64_t below_head = 256 * 256 * 2 + 256 * 128 * 2 + 256 * 512 * 3;
    const std::uint64_t head = 256 * 300;
    EXPECT_EQ(work.operations_per_token, 2 * below_head);
    EXPECT_EQ(work.operations_of_logits, 2 * head);
    // Q8_0 takes 34 bytes for 32 numbers. An embedding beside a head is looked up, not read.
    EXPECT_EQ(work.bytes_per_step, (below_head + head) / 32 * 34);
    EXPECT_EQ(work.type, "llama Q8_0");
    EXPECT_GT(work.parameters, below_head + head * (tied ? 1 : 2));
  }
}

TEST(SpeedTest, ReadsWeightsOnceForAllConversations) {
  ModelWork work;
  work.bytes_per_step = 100;
  work.operations_per_token = 1000;
  work.operations_of_logits = 500;

  EXPECT_DOUBLE_EQ(achieved(work, {0, 64, 1}, 10).read_bytes_per_second, 1000);
  EXPECT_DOUBLE_EQ(achieved(work, {0, 64, 8}, 80).read_bytes_per_second, 1000);
  EXPECT_DOUBLE_EQ(achieved(work, {0, 64, 8}, 80).operations_per_second, 80 * 1500);
  // Of a prompt only the last token's logits are wanted.
  EXPECT_DOUBLE_EQ(achieved(work, {500, 0, 1}, 1000).operations_per_second, 1001 * 1000);
}

TEST(SpeedTest, RunsAsOftenAsItIsAskedTo) {
  const std::string bytes = tiny_model_bytes({});
  auto engine = Engine::load(parse(bytes), {.threads = 1});
  ASSERT_TRUE(engine) << engine.error().message;
  FakeClock clock;

  for (const SpeedTest& test : {SpeedTest{20, 0, 1}, SpeedTest{0, 5, 1}, SpeedTest{0, 5, 3}}) {
    auto times = run_speed_test(*engine, test, 4, clock, {});

    ASSERT_TRUE(times) << times.error().message;
    // Nobody moved the clock.
    EXPECT_EQ(*times, std::vector<nanoseconds>(4, nanoseconds(0))) << test.name();
  }
}

TEST(SpeedTest, EndsWhenItIsAskedTo) {
  const std::string bytes = tiny_model_bytes({});
  auto engine = Engine::load(parse(bytes), {.threads = 1});
  ASSERT_TRUE(engine);
  std::stop_source stop;
  stop.request_stop();

  auto times = run_speed_test(*engine, {0, 5, 2}, 3, FakeClock(), stop.get_token());

  ASSERT_FALSE(times);
  EXPECT_EQ(times.error().kind, ErrorKind::Cancelled);
}

}  // namespace
}  // namespace trialwright
