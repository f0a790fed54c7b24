// A shard whose neighbour takes no turns: its clients wait, and nothing of theirs is lost.
#include <gtest/gtest.h>

#include "service/chat.h"
#include "shard_world.h"

namespace ringtalk::service {
namespace {

constexpr uint32_t kOurs = 0;
constexpr uint32_t kNeighbour = 1;

ShardWorld::Options two_shards() {
  ShardWorld::Options options;
  options.shards = 2;
  options.mailbox_entries = 2;
  options.limits.mail_overflow = 4'096;
  return options;
}

// A user whose session and home are ours.
TestClient& client_of_ours(ShardWorld& world, proto::UserId& user) {
  for (;;) {
    for (user++; world.node->home_of_user(user) != kOurs;) user++;
    const uint32_t before = world.node->shard(kOurs).sessions().open_count();
    TestClient& client = world.online(user);
    if (world.node->shard(kOurs).sessions().open_count() > before) return client;
    world.hang_up(client);
    world.settle();
  }
}

proto::RoomId room_of_neighbour(ShardWorld& world) {
  proto::RoomId room = 1;
  while (world.node->home_of_room(room) != kNeighbour) room++;
  return room;
}

void publish_many(ShardWorld& world, TestClient& client, proto::RoomId room, uint64_t count) {
  std::string all;
  for (uint64_t i = 1; i <= count; i++) {
    all += as_text(world.write.room_publish(i, room, as_bytes(std::string("x")), false));
  }
  world.send(client, as_bytes(all));
}

// Counts the Oks of the requests 1, 2, 3 ..., which must come in that order.
uint64_t answered_in_order(ShardWorld& world, TestClient& client) {
  uint64_t answered = 0;
  while (const wire::Frame* frame = world.next(client)) {
    if (frame->body_as_Ok() != nullptr) {
      EXPECT_EQ(frame->head()->id(), ++answered);
    } else {
      EXPECT_EQ(frame->body_as_Error(), nullptr);  // but messages of the room, and gaps
    }
  }
  return answered;
}

TEST(SlowNeighbour, ItsFeedersAreNotReadAndLoseNothing) {
  ShardWorld world(two_shards());
  const proto::RoomId room = room_of_neighbour(world);
  proto::UserId user = 0;
  TestClient& feeder = client_of_ours(world, user);
  TestClient& second = client_of_ours(world, user);
  TestClient& other = client_of_ours(world, user);
  TestClient& silent = client_of_ours(world, user);
  for (TestClient* each : {&feeder, &second}) {
    world.send(*each, world.write.room_join(1, room));
    world.settle();
    ASSERT_NE(world.next_as<wire::RoomJoined>(*each), nullptr);
  }
  world.stalled = kNeighbour;
  constexpr uint64_t kMany = 2'000;
  publish_many(world, feeder, room, kMany);
  world.settle();
  publish_many(world, second, room, kMany);
  world.settle();
  EXPECT_EQ(world.stats().mail_paused, 2u);
  // The low mark, and what had been received for each when it was passed.
  EXPECT_GT(world.stats().mail_kept, 256u);
  EXPECT_LT(world.stats().mail_kept, kMany);
  EXPECT_EQ(world.next(feeder), nullptr);
  // Who asks nothing of the neighbour is served.
  world.send(other, world.write.echo(3, as_bytes("x")));
  world.settle();
  EXPECT_NE(world.next_as<wire::Echo>(other), nullptr);
  // The feeders cannot be heard, so that their silence says nothing.
  world.pass_ms(200'000);
  EXPECT_EQ(world.next_error(silent), wire::ErrorCode::HeartbeatLost);
  EXPECT_EQ(world.closes(CloseReason::heartbeat_lost), 2u) << "silent, and other";
  EXPECT_FALSE(feeder.ended || second.ended);

  world.stalled = UINT32_MAX;
  world.settle();
  EXPECT_EQ(answered_in_order(world, feeder), kMany);
  EXPECT_EQ(answered_in_order(world, second), kMany);
  EXPECT_EQ(world.stats().mail_kept, 0u);
  EXPECT_EQ(world.stats().mail_refused, 0u);
  EXPECT_EQ(world.stats().room_published, 2 * kMany);
  // They are swept again.
  world.pass_ms(200'000);
  EXPECT_TRUE(feeder.ended && second.ended);
}

TEST(SlowNeighbour, PausedSessionsCloseLikeOthers) {
  ShardWorld world(two_shards());
  const proto::RoomId room = room_of_neighbour(world);
  proto::UserId user = 0;
  TestClient& feeder = client_of_ours(world, user);
  TestClient& revoked = client_of_ours(world, user);
  for (TestClient* each : {&feeder, &revoked}) {
    world.send(*each, world.write.room_join(1, room));
    world.settle();
    ASSERT_NE(world.next_as<wire::RoomJoined>(*each), nullptr);
  }
  world.stalled = kNeighbour;
  for (TestClient* each : {&feeder, &revoked}) publish_many(world, *each, room, 2'000);
  world.settle();
  ASSERT_EQ(world.stats().mail_paused, 2u);
  world.node->shard(kOurs).chat().kick_user(user, 2, wire::KickReason::LoggedOut);
  world.settle();
  EXPECT_NE(world.next_as<wire::Kicked>(revoked), nullptr);
  world.pass_ms(2'000);
  EXPECT_EQ(world.closes(CloseReason::kicked), 1u);
  world.stalled = UINT32_MAX;
  world.settle();
  EXPECT_EQ(answered_in_order(world, feeder), 2'000u);
  EXPECT_EQ(world.stats().mail_kept, 0u);
}

// A login whose open waits for its home, and a revocation that overtakes it.
TEST(SlowNeighbour, RevokedWhileItsLoginWaitedIsKicked) {
  ShardWorld world(two_shards());
  proto::UserId user = 1;
  while (world.node->home_of_user(user) != kNeighbour) user++;
  TestClient* client = &world.greeted();
  while (world.node->shard(kOurs).sessions().open_count() == 0) client = &world.greeted();
  world.stalled = kNeighbour;
  world.send(*client, world.write.resume(2, world.token(user)));
  world.settle();
  EXPECT_EQ(world.next(*client), nullptr);
  world.node->revocations().revoke_user(user, 2);
  world.stalled = UINT32_MAX;
  world.settle();
  EXPECT_NE(world.next_as<wire::Kicked>(*client), nullptr);
}

}  // namespace
}  // namespace ringtalk::service
