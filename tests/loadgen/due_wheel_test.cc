#include "loadgen/due_wheel.h"

#include <gtest/gtest.h>

#include "base/random.h"

namespace ringtalk::loadgen {
namespace {

struct Clients {
  explicit Clients(size_t count) : next(count), place(count), due(count, DueWheel::kNever) {}
  void set(uint32_t client, uint32_t at) {
    due[client] = at;
    wheel.watch(client, at, [this](uint32_t c) { return link(c); });
  }
  // Every client that is due is called once and answers with the next time of `again`.
  template <class Again>
  void advance(uint32_t now, Again&& again) {
    wheel.advance(
        now, [this](uint32_t c) { return link(c); },
        [&](uint32_t c) {
          if (due[c] <= now) due[c] = again(c);
          return due[c];
        });
  }
  DueLink link(uint32_t client) { return {next[client], place[client]}; }
  std::vector<uint32_t> next;
  std::vector<uint16_t> place;
  std::vector<uint32_t> due;
  DueWheel wheel;
};

TEST(DueWheel, CallsEveryoneOnceALapAndNeverLate) {
  const uint64_t seed = 3;
  SCOPED_TRACE(seed);
  base::Random random(seed);
  constexpr uint32_t kInterval = 15'000, kCount = 500;
  Clients clients(kCount);
  std::vector<uint32_t> calls(kCount);
  for (uint32_t c = 0; c < kCount; c++) {
    clients.set(c, static_cast<uint32_t>(random.below(kInterval)));
  }
  for (uint32_t now = 0; now <= 10 * kInterval; now += 8) {
    clients.advance(now, [&](uint32_t c) {
      EXPECT_LE(now - clients.due[c], DueWheel::kBucketMs + 8);
      calls[c]++;
      return clients.due[c] + kInterval;
    });
  }
  for (uint32_t c = 0; c < kCount; c++) {
    EXPECT_GE(calls[c], 9u);
    EXPECT_LE(calls[c], 11u);
  }
}

TEST(DueWheel, WhatIsWantedEarlierThanItsBucketGoesToTheShortList) {
  Clients clients(2);
  clients.advance(1'000, [](uint32_t) { return DueWheel::kNever; });
  clients.set(0, 60'000);
  EXPECT_EQ(clients.wheel.soon(), 0u);
  clients.set(0, 1'100);
  EXPECT_EQ(clients.wheel.soon(), 1u);
  clients.set(0, 1'100);
  EXPECT_EQ(clients.wheel.soon(), 1u) << "once";
  uint32_t called_at = 0;
  for (uint32_t now = 1'001; called_at == 0 && now < 2'000; now++) {
    clients.advance(now, [&](uint32_t) {
      called_at = now;
      return 60'000u;
    });
  }
  EXPECT_GE(called_at, 1'100u);
  EXPECT_LE(called_at, 1'100u + DueWheel::kSoonMs);
  clients.advance(called_at + 300, [](uint32_t) { return 60'000u; });
  EXPECT_EQ(clients.wheel.soon(), 0u);
}

// Once, a client on the short list whose time lay between that and its bucket was put back for
// ever.
TEST(DueWheel, AClientBetweenTheShortListAndItsBucketWaitsForItsTime) {
  Clients clients(1);
  clients.set(0, 60'000);
  clients.set(0, 100);
  uint32_t calls = 0;
  clients.advance(104, [&](uint32_t) { return ++calls, 5'000u; });
  EXPECT_EQ(calls, 1u);
  EXPECT_EQ(clients.wheel.soon(), 1u);
  for (uint32_t now = 104; now < 6'000; now += 8) {
    clients.advance(now, [&](uint32_t) {
      EXPECT_GE(now, 5'000u);
      return ++calls, DueWheel::kNever;
    });
  }
  EXPECT_EQ(calls, 2u);
}

TEST(DueWheel, TimesBeyondTheWheelAreKept) {
  Clients clients(1);
  clients.set(0, 400'000);
  uint32_t calls = 0;
  for (uint32_t now = 0; now < 400'000; now += 50) {
    clients.advance(now, [&](uint32_t) { return ++calls, DueWheel::kNever; });
  }
  EXPECT_EQ(calls, 0u);
  for (uint32_t now = 400'000; now < 401'000; now += 50) {
    clients.advance(now, [&](uint32_t) { return ++calls, DueWheel::kNever; });
  }
  EXPECT_EQ(calls, 1u);
}

}  // namespace
}  // namespace ringtalk::loadgen
