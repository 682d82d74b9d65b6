#include "inference/llm/step_batch.h"

#include <gtest/gtest.h>

#include <new>
#include <thread>

namespace trialwright {
namespace {

TEST(StepBatch, TellsEveryMemberOfAStepThatRanOutOfMemory) {
  ModelConfig config;
  config.layers = 1;
  config.heads = config.kv_heads = 1;
  config.head_dim = 16;
  int steps = 0;
  StepBatch batch([&](std::span<ForwardSegment>) {
    if (++steps == 1) throw std::bad_alloc();
  });
  const std::vector<std::int32_t> ids = {1};
  StepBatch::Member first(batch);
  StepBatch::Member second(batch);
  auto one = KvSequence::make(config, 16);
  auto other = KvSequence::make(config, 16);
  ASSERT_TRUE(one && other);

  bool other_succeeded = true;
  std::thread beside([&] { other_succeeded = bool(second.run(ids, *other, 0)); });
  const auto logits = first.run(ids, *one, 0);
  beside.join();

  ASSERT_FALSE(logits);
  EXPECT_EQ(logits.error().kind, ErrorKind::Unavailable);
  EXPECT_FALSE(other_succeeded);
  // The batch goes on.
  std::thread again([&] { other_succeeded = bool(second.run(ids, *other, 0)); });
  EXPECT_TRUE(first.run(ids, *one, 0));
  again.join();
  EXPECT_TRUE(other_succeeded);
}

}  // namespace
}  // namespace trialwright
