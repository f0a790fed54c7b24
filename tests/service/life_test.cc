// Heartbeats and draining: how sessions end without a word of their own.
#include <gtest/gtest.h>

#include "base/random.h"
#include "service/heartbeat.h"
#include "service/rate_buckets.h"
#include "service/send_buckets.h"
#include "shard_world.h"

namespace ringtalk::service {
namespace {

TEST(Heartbeat, SilenceIsFoundWithinLimitPlusOneIntervals) {
  ShardWorld::Options options;
  options.limits.heartbeat_interval_ms = 1'000;
  options.limits.heartbeat_missed = 3;
  ShardWorld world(options);
  TestClient& silent = world.online(1);
  TestClient& beats = world.online(2);
  for (int i = 0; i < 3; i++) {
    world.pass_ms(1'000);
    world.send(beats, world.write.heartbeat(0, 0));
  }
  EXPECT_FALSE(silent.ended);
  world.pass_ms(1'000);
  EXPECT_EQ(world.next_error(silent), wire::ErrorCode::HeartbeatLost);
  EXPECT_TRUE(silent.ended);
  EXPECT_FALSE(beats.ended);
  world.pass_ms(1'100);
  EXPECT_EQ(world.closes(CloseReason::heartbeat_lost), 1u);
}

TEST(Heartbeat, TheSweepCountsLikeALoopOverEachByte) {
  const uint64_t seed = 7;
  SCOPED_TRACE("seed " + std::to_string(seed));
  base::Random random(seed);
  for (int round = 0; round < 200; round++) {
    const uint32_t slots = static_cast<uint32_t>(random.below(200));
    const uint8_t limit = static_cast<uint8_t>(random.below(kHeartbeatMissedMax + 1));
    std::vector<uint8_t> bytes(slots);
    for (uint8_t& byte : bytes) {
      byte = random.chance(0.3) ? kNotSwept : static_cast<uint8_t>(random.below(limit + 1));
    }
    std::vector<uint8_t> expected = bytes;
    std::vector<uint32_t> expected_dead;
    for (uint32_t i = 0; i < slots; i++) {
      if (expected[i] != kNotSwept && ++expected[i] > limit) expected_dead.push_back(i);
    }
    std::vector<uint32_t> dead;
    sweep_missed(bytes.data(), slots, limit, dead);
    EXPECT_EQ(bytes, expected);
    EXPECT_EQ(dead, expected_dead);
  }
}

TEST(Drain, AtOnceWhenNobodyIsConnected) {
  ShardWorld::Options options;
  options.shards = 2;
  ShardWorld world(options);
  world.node->order_all(orders::kDrain);
  world.settle();
  EXPECT_TRUE(world.node->stopped());
}

TEST(Drain, GoawayIsSpreadThenSessionsEnd) {
  ShardWorld::Options options;
  options.limits.drain_ms = 1'000;
  ShardWorld world(options);
  std::vector<TestClient*> clients;
  for (int i = 0; i < 20; i++) clients.push_back(&world.online(i + 1));
  TestClient& before_login = world.greeted();
  world.node->order_all(orders::kDrain);
  world.pass_ms(500);
  size_t told = 0;
  for (TestClient* client : clients) told += client->frames.empty() ? 0 : 1;
  EXPECT_GT(told, 5u);
  EXPECT_LT(told, 15u);
  EXPECT_FALSE(clients.back()->ended);
  world.pass_ms(1'100);
  for (TestClient* client : clients) {
    EXPECT_NE(world.next_as<wire::Goaway>(*client), nullptr);
    EXPECT_TRUE(client->ended);
  }
  EXPECT_EQ(world.next_error(before_login), wire::ErrorCode::Draining);
  world.pass_ms(1'100);
  EXPECT_TRUE(world.node->stopped());
  EXPECT_EQ(world.closes(CloseReason::draining), 21u);
}

TEST(Drain, ASecondOrderHurries) {
  ShardWorld::Options options;
  options.limits.drain_ms = 60'000;
  ShardWorld world(options);
  TestClient& client = world.online(1);
  world.node->order_all(orders::kDrain);
  world.pass_ms(100);
  EXPECT_FALSE(client.ended);
  world.node->order_all(orders::kHurry);
  world.settle();
  EXPECT_TRUE(client.ended);
  world.finish(client);
  world.settle();
  EXPECT_TRUE(world.node->stopped());
}

TEST(Reload, ShardsTakeNewLimits) {
  ShardWorld world({});
  Limits limits;
  limits.login_timeout_ms = 500;
  world.node->reload(limits);
  world.settle();
  TestClient& client = world.connect();
  world.pass_ms(600);
  EXPECT_EQ(world.next_error(client), wire::ErrorCode::LoginTimeout);
}

TEST(RateBuckets, BurstThenRateAndFullOnesAreForgotten) {
  RateBuckets<uint64_t, UserHash> buckets(10, 5);
  uint64_t now = 1'000'000'000;
  for (int i = 0; i < 5; i++) EXPECT_EQ(buckets.admit(1, now), 0u);
  const uint64_t wait = buckets.admit(1, now);
  EXPECT_EQ(wait, 100'000'000u);
  EXPECT_EQ(buckets.admit(2, now), 0u) << "another key has a bucket of its own";
  now += wait;
  EXPECT_EQ(buckets.admit(1, now), 0u);
  EXPECT_NE(buckets.admit(1, now), 0u);
  for (uint64_t key = 10; key < 5'000; key++) {
    now += 10'000'000;
    EXPECT_EQ(buckets.admit(key, now), 0u);
  }
  EXPECT_LT(buckets.size(), 2'100u);
  buckets.configure(0, 0);
  for (int i = 0; i < 100; i++) EXPECT_EQ(buckets.admit(1, now), 0u);
}

}  // namespace
}  // namespace ringtalk::service
