#include "inference/models/fair_queue.h"

#include <gtest/gtest.h>

#include <atomic>
#include <thread>
#include <vector>

namespace trialwright {
namespace {

using Outcome = FairQueue::Outcome;

TEST(FairQueue, NoMoreCallersAreInsideThanThereArePlaces) {
  for (const int places : {1, 3}) {
    FairQueue queue(places);
    std::atomic<int> inside = 0;
    std::atomic<int> most = 0;
    std::atomic<int> served = 0;
    std::vector<std::jthread> callers;
    for (int i = 0; i < 8; ++i) {
      callers.emplace_back([&] {
        for (int round = 0; round < 100; ++round) {
          EXPECT_EQ(queue.enter(std::nullopt, {}), Outcome::Entered);
          const FairTurn turn(queue);
          const int now = ++inside;
          for (int seen = most; now > seen && !most.compare_exchange_weak(seen, now);) {
          }
          ++served;
          --inside;
        }
      });
    }
    callers.clear();
    EXPECT_LE(most, places);
    EXPECT_EQ(served, 800);
  }
}

TEST(FairQueue, FillsItsPlacesWithoutWaiting) {
  FairQueue queue(2);
  EXPECT_EQ(queue.enter(std::nullopt, {}), Outcome::Entered);
  EXPECT_EQ(queue.enter(std::nullopt, {}), Outcome::Entered);
  EXPECT_EQ(queue.enter(std::chrono::steady_clock::now(), {}), Outcome::Deadline);
}

TEST(FairQueue, WhoGivesUpLeavesTheOthersTheirTurn) {
  FairQueue queue(1);
  ASSERT_EQ(queue.enter(std::nullopt, {}), Outcome::Entered);
  EXPECT_EQ(queue.enter(std::chrono::steady_clock::now(), {}), Outcome::Deadline);
  std::stop_source stopped;
  stopped.request_stop();
  EXPECT_EQ(queue.enter(std::nullopt, stopped.get_token()), Outcome::Cancelled);
  queue.leave();
  EXPECT_EQ(queue.enter(std::nullopt, {}), Outcome::Entered);
  queue.leave();
}

TEST(FairQueue, ServesInTheOrderOfArrival) {
  FairQueue queue(1);
  ASSERT_EQ(queue.enter(std::nullopt, {}), Outcome::Entered);
  std::vector<int> order;
  std::vector<std::jthread> callers;
  for (int i = 0; i < 5; ++i) {
    callers.emplace_back([&, i] {
      ASSERT_EQ(queue.enter(std::nullopt, {}), Outcome::Entered);
      order.push_back(i);
      queue.leave();
    });
    while (queue.waiting() < static_cast<std::size_t>(i) + 1) {
      std::this_thread::yield();
    }
  }
  queue.leave();
  callers.clear();
  EXPECT_EQ(order, (std::vector<int>{0, 1, 2, 3, 4}));
}

}  // namespace
}  // namespace trialwright
