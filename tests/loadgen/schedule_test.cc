#include "loadgen/schedule.h"

#include <gtest/gtest.h>

#include <vector>

namespace ringtalk::loadgen {
namespace {

constexpr uint64_t kSecond = 1'000'000'000;

std::vector<uint64_t> all_of(Schedule schedule) {
  std::vector<uint64_t> times;
  while (!schedule.done()) times.push_back(schedule.take());
  return times;
}

TEST(Schedule, ConstantKeepsItsDistanceAndCount) {
  const Schedule schedule(Arrival::constant, 1'000, 5 * kSecond, 7 * kSecond, 0.5, 1);
  const std::vector<uint64_t> times = all_of(schedule);
  ASSERT_EQ(times.size(), 2'000u);
  EXPECT_EQ(schedule.planned(), 2'000u);
  EXPECT_EQ(times.front(), 5 * kSecond + 500'000);
  for (size_t i = 1; i < times.size(); i++) ASSERT_EQ(times[i] - times[i - 1], 1'000'000u);
  EXPECT_LT(times.back(), 7 * kSecond);
}

TEST(Schedule, ARateThatDividesNothingStillSumsUp) {
  EXPECT_EQ(all_of(Schedule(Arrival::constant, 3, 1, 1 + 100 * kSecond, 0, 1)).size(), 300u);
}

TEST(Schedule, PoissonHasTheRateAndRepeatsItself) {
  const Schedule schedule(Arrival::poisson, 1'000, kSecond, 101 * kSecond, 0, 42);
  const std::vector<uint64_t> times = all_of(schedule);
  EXPECT_EQ(times.size(), schedule.planned());
  // 100,000 arrivals have a standard deviation of 316.
  EXPECT_NEAR(static_cast<double>(times.size()), 100'000, 2'000);
  EXPECT_EQ(times, all_of(Schedule(Arrival::poisson, 1'000, kSecond, 101 * kSecond, 0, 42)));
  EXPECT_NE(times, all_of(Schedule(Arrival::poisson, 1'000, kSecond, 101 * kSecond, 0, 43)));
  uint64_t below_half = 0;
  for (size_t i = 1; i < times.size(); i++) {
    ASSERT_GE(times[i], times[i - 1]);
    below_half += times[i] - times[i - 1] < 500'000;
  }
  // Of exponential gaps, 1 - exp(-1/2) = 39.3 % are below half the mean.
  EXPECT_NEAR(static_cast<double>(below_half) / static_cast<double>(times.size()), 0.393, 0.01);
}

TEST(Schedule, WhatIsCutOffIsNoLongerPlanned) {
  for (const Arrival kind : {Arrival::constant, Arrival::poisson}) {
    const Schedule whole(kind, 1'000, kSecond, 11 * kSecond, 0, 5);
    Schedule schedule = whole;
    for (int i = 0; i < 100; i++) schedule.take();
    const uint64_t lost = schedule.cut(2 * kSecond);
    EXPECT_EQ(schedule.planned() + lost, whole.planned());
    std::vector<uint64_t> times = all_of(whole);
    std::erase_if(times, [](uint64_t at) { return at >= 2 * kSecond; });
    EXPECT_EQ(schedule.planned(), times.size());
    EXPECT_EQ(all_of(schedule), std::vector<uint64_t>(times.begin() + 100, times.end()));
    EXPECT_EQ(schedule.cut(3 * kSecond), 0u) << "it has ended before";
    EXPECT_TRUE((schedule.cut(0), schedule.done()));
    EXPECT_EQ(Schedule().cut(0), 0u);
  }
}

TEST(Schedule, IsDueAtItsTimeAndNotBefore) {
  Schedule schedule(Arrival::constant, 10, kSecond, 2 * kSecond, 0, 1);
  EXPECT_FALSE(schedule.due(kSecond - 1));
  EXPECT_TRUE(schedule.due(kSecond));
  EXPECT_EQ(schedule.take(), kSecond);
  EXPECT_FALSE(schedule.due(kSecond));
  EXPECT_EQ(schedule.next_ns(), kSecond + 100'000'000);
  EXPECT_TRUE(Schedule().done());
  EXPECT_EQ(Schedule().next_ns(), UINT64_MAX);
}

}  // namespace
}  // namespace ringtalk::loadgen
