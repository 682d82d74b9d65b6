#include "inference/llm/scheduler.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <atomic>
#include <new>
#include <thread>

#include "inference/llm/read_job.h"

namespace trialwright {
namespace {

using ::testing::ElementsAre;

std::vector<std::int32_t> repeated(std::int32_t id, int count) {
  return std::vector<std::int32_t>(static_cast<std::size_t>(count), id);
}

/// A model of two tokens that computes nothing, and notes what it was asked for.
class SchedulerTest : public ::testing::Test {
 protected:
  struct Seen {
    std::int32_t id;  ///< The first of the segment.
    int ids;
    int before;  ///< Tokens that the sequence held.
  };

  void start(SchedulerLimits limits) {
    scheduler_.emplace(limits, pages_, pool_, [this](std::span<ForwardSegment> segments) {
      std::vector<Seen> step;
      for (ForwardSegment& segment : segments) {
        step.push_back(
            {segment.ids.front(), static_cast<int>(segment.ids.size()), segment.sequence->size()});
        segment.sequence->append(segment.ids);
        segment.logits = std::span(logits_).first(2 * static_cast<std::size_t>(segment.logit_rows));
      }
      steps_.push_back(step);
      if (std::exchange(out_of_memory_, false)) {
        throw std::bad_alloc();
      }
    });
  }

  std::unique_ptr<ReadJob> job(const std::vector<std::int32_t>& ids, std::stop_token stop = {}) {
    const int last = static_cast<int>(ids.size()) - 1;
    return std::make_unique<ReadJob>(
        ids, ReadJob::Options{.first_logits = last, .reusable = last, .stop = stop},
        [this](int, std::span<const float>) { ++visits_; });
  }

  void run(const std::vector<std::unique_ptr<ReadJob>>& jobs) {
    std::vector<Job*> all;
    for (const auto& one : jobs) {
      all.push_back(one.get());
    }
    scheduler_->run(all);
  }

  KvPagePool pages_{KvPageLayout::make(1, 1, 16)};
  ThreadPool pool_{1};
  std::vector<float> logits_ = std::vector<float>(2000, 0.5F);
  std::vector<std::vector<Seen>> steps_;
  std::atomic<int> visits_ = 0;
  bool out_of_memory_ = false;
  std::optional<Scheduler> scheduler_;
};

TEST_F(SchedulerTest, ReadsPromptsTogetherUpToTheBound) {
  start({.rows_max = 120, .pages_max = 100});
  const auto one = repeated(1, 70);
  const auto other = repeated(2, 70);
  std::vector<std::unique_ptr<ReadJob>> jobs;
  jobs.push_back(job(one));
  jobs.push_back(job(other));

  run(jobs);

  ASSERT_EQ(steps_.size(), 2U);
  EXPECT_EQ(steps_[0][0].ids, 70);
  EXPECT_EQ(steps_[0][1].ids, 50);
  EXPECT_EQ(steps_[1][0].ids, 20);
  EXPECT_EQ(visits_, 2);
}

TEST_F(SchedulerTest, WhatTwoPromptsShareIsReadOnce) {
  start({.rows_max = 64, .pages_max = 100});
  std::vector<std::int32_t> one = repeated(1, 100);
  std::vector<std::int32_t> other = one;
  one.push_back(2);
  other.push_back(3);
  std::vector<std::unique_ptr<ReadJob>> jobs;
  jobs.push_back(job(one));
  jobs.push_back(job(other));

  run(jobs);

  int computed = 0;
  for (const auto& step : steps_) {
    for (const Seen& segment : step) {
      computed += segment.ids;
    }
  }
  EXPECT_EQ(computed, 101 + 1);
}

TEST_F(SchedulerTest, APromptThatWasReadBeforeLeavesOneTokenToCompute) {
  start({.rows_max = 64, .pages_max = 100});
  const auto ids = repeated(1, 40);
  for (int i = 0; i < 2; ++i) {
    std::vector<std::unique_ptr<ReadJob>> jobs;
    jobs.push_back(job(ids));
    run(jobs);
  }
  ASSERT_EQ(steps_.size(), 2U);
  EXPECT_EQ(steps_[1][0].before, 39);
}

TEST_F(SchedulerTest, JobsWaitInOrderUntilTheirPagesAreFree) {
  start({.rows_max = 1000, .pages_max = 10});
  const auto large = repeated(1, 140);  // 9 pages
  const auto middle = repeated(2, 80);  // 5 pages
  const auto small = repeated(3, 10);   // 1 page, which would fit beside the first
  std::vector<std::unique_ptr<ReadJob>> jobs;
  jobs.push_back(job(large));
  jobs.push_back(job(middle));
  jobs.push_back(job(small));

  run(jobs);

  ASSERT_EQ(steps_.size(), 2U);
  ASSERT_EQ(steps_[0].size(), 1U);
  ASSERT_EQ(steps_[1].size(), 2U);
  EXPECT_EQ(steps_[1][0].id, 2);
  EXPECT_LE(pages_.in_use(), 10);
}

TEST_F(SchedulerTest, AJobLargerThanAllMemoryIsGrantedItsOwn) {
  start({.rows_max = 64, .pages_max = 2});
  const auto ids = repeated(1, 200);
  std::vector<std::unique_ptr<ReadJob>> jobs;
  jobs.push_back(job(ids));
  run(jobs);
  EXPECT_TRUE(jobs[0]->done());
}

TEST_F(SchedulerTest, TellsEveryJobOfAStepThatRanOutOfMemoryAndGoesOn) {
  start({.rows_max = 100, .pages_max = 100});
  out_of_memory_ = true;
  const auto one = repeated(1, 10);
  const auto other = repeated(2, 10);
  std::vector<std::unique_ptr<ReadJob>> jobs;
  jobs.push_back(job(one));
  jobs.push_back(job(other));
  run(jobs);
  for (const auto& failed : jobs) {
    ASSERT_TRUE(failed->error);
    EXPECT_EQ(failed->error->kind, ErrorKind::Unavailable);
  }

  std::vector<std::unique_ptr<ReadJob>> again;
  again.push_back(job(one));
  run(again);
  EXPECT_FALSE(again[0]->error);
  EXPECT_EQ(steps_[1][0].before, 0) << "what the failed step left is not remembered";
}

TEST_F(SchedulerTest, AStoppedJobEndsWhetherItRunsOrWaits) {
  start({.rows_max = 32, .pages_max = 10});
  std::stop_source source;
  source.request_stop();
  const auto ids = repeated(1, 100);
  std::vector<std::unique_ptr<ReadJob>> jobs;
  jobs.push_back(job(ids, source.get_token()));
  run(jobs);
  EXPECT_FALSE(jobs[0]->done());
  EXPECT_TRUE(steps_.empty());
}

TEST_F(SchedulerTest, ServesCallersOfManyThreads) {
  start({.rows_max = 40, .pages_max = 30});
  std::vector<std::jthread> callers;
  for (std::int32_t caller = 0; caller < 8; ++caller) {
    callers.emplace_back([this, caller] {
      for (int round = 0; round < 20; ++round) {
        const auto ids = repeated(caller, 30 + round);
        std::vector<std::unique_ptr<ReadJob>> jobs;
        jobs.push_back(job(ids));
        run(jobs);
        EXPECT_TRUE(jobs[0]->done());
      }
    });
  }
  callers.clear();
  EXPECT_EQ(visits_, 160);
  EXPECT_LE(pages_.in_use(), 30 + 8);
}

}  // namespace
}  // namespace trialwright
