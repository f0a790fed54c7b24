// Who may connect, and for how long without a login.
#include <gtest/gtest.h>

#include "service/admission.h"
#include "shard_world.h"

namespace ringtalk::service {
namespace {

TEST(Admission, BeyondMaxConnectionsServerBusyThenClosed) {
  ShardWorld::Options options;
  options.connections_max = 3;
  options.slots = 8;
  ShardWorld world(options);
  std::vector<TestClient*> inside;
  for (int i = 0; i < 3; i++) inside.push_back(&world.online(i + 1));
  TestClient& refused = world.connect();
  const auto* error = world.next_as<wire::Error>(refused);
  ASSERT_NE(error, nullptr);
  EXPECT_EQ(error->code(), wire::ErrorCode::ServerBusy);
  EXPECT_GT(error->retry_after_ms(), 0u);
  EXPECT_TRUE(refused.ended);
  world.pass_ms(1'100);
  EXPECT_EQ(world.closes(CloseReason::server_busy), 1u);
  EXPECT_EQ(world.stats().refused_busy, 1u);
  EXPECT_EQ(world.node->connections(), 3u);
  // A place that is given back is dealt again.
  world.hang_up(*inside[0]);
  world.settle();
  world.online(9);
  EXPECT_EQ(world.stats().online, 3u);
}

TEST(Admission, TheOldestSilentOneMakesRoomNeverTheNewcomer) {
  ShardWorld::Options options;
  options.limits.prelogin_sockets = 3;
  ShardWorld world(options);
  TestClient& spoke = world.greeted();
  TestClient& silent = world.connect();
  TestClient& later = world.connect();
  TestClient& newcomer = world.greeted();
  EXPECT_EQ(world.next_error(silent), wire::ErrorCode::PreLoginEvicted);
  EXPECT_TRUE(silent.ended);
  EXPECT_FALSE(spoke.ended);
  EXPECT_FALSE(later.ended);
  EXPECT_FALSE(newcomer.ended);
  world.pass_ms(1'100);
  EXPECT_EQ(world.closes(CloseReason::prelogin_evicted), 1u);
}

TEST(Admission, SilentSocketsDoNotKeepOthersFromLoggingIn) {
  ShardWorld::Options options;
  options.limits.prelogin_sockets = 20;
  options.connections_max = 1'000;
  options.slots = 1'010;
  ShardWorld world(options);
  for (int i = 0; i < 300; i++) {
    world.connect();
    if (i % 10 == 0) world.online(i + 1);
  }
  EXPECT_EQ(world.stats().online, 30u);
  EXPECT_LE(world.stats().prelogin, 20u);
}

TEST(Admission, LoginTimesOut) {
  ShardWorld world({});
  TestClient& silent = world.connect();
  TestClient& spoke = world.greeted();
  TestClient& in = world.online(5);
  world.pass_ms(9'900);
  EXPECT_FALSE(silent.ended);
  world.pass_ms(200);
  EXPECT_EQ(world.next_error(silent), wire::ErrorCode::LoginTimeout);
  EXPECT_EQ(world.next_error(spoke), wire::ErrorCode::LoginTimeout);
  EXPECT_FALSE(in.ended);
  world.pass_ms(1'100);
  EXPECT_EQ(world.closes(CloseReason::login_timeout), 2u);
}

// Clients of the simulated network come from loopback, which is trusted unless it is said
// otherwise.
TEST(Admission, OnlySoManyOfOneAddressBeforeLogin) {
  ShardWorld::Options options;
  options.limits.prelogin_per_address = 2;
  options.limits.trusted_addresses = {};
  ShardWorld world(options);
  TestClient& one = world.greeted();
  world.connect();
  TestClient& third = world.connect();
  EXPECT_EQ(world.next_error(third), wire::ErrorCode::TooManyRequests);
  world.pass_ms(1'100);
  EXPECT_EQ(world.closes(CloseReason::address_limit), 1u);
  // A login takes the connection out of the count.
  world.send(one, world.write.resume(2, world.token(5)));
  world.settle();
  TestClient& next = world.greeted();
  EXPECT_FALSE(next.ended);
}

// It once was as many on each shard.
TEST(Admission, OnlySoManyOfOneAddressOnAllShardsTogether) {
  ShardWorld::Options options;
  options.shards = 3;
  options.limits.prelogin_per_address = 4;
  options.limits.trusted_addresses = {};
  ShardWorld world(options);
  std::vector<TestClient*> clients;
  for (int i = 0; i < 12; i++) clients.push_back(&world.connect());
  EXPECT_EQ(world.stats().prelogin, 4u);
  world.pass_ms(1'100);
  EXPECT_EQ(world.closes(CloseReason::address_limit), 8u);
  for (TestClient* client : clients) world.hang_up(*client);
  world.settle();
  EXPECT_EQ(world.stats().sessions, 0u);
  for (int i = 0; i < 4; i++) EXPECT_FALSE(world.greeted().ended) << "the count went down again";
}

TEST(Admission, TrustedAddressesAreAddressesWithoutPorts) {
  ring::Address address;
  EXPECT_TRUE(parse_trusted("192.0.2.7", address));
  EXPECT_TRUE(parse_trusted("2001:db8::7", address));
  EXPECT_FALSE(parse_trusted("192.0.2.7:80", address));
  EXPECT_FALSE(parse_trusted("example.org", address));
}

}  // namespace
}  // namespace ringtalk::service
