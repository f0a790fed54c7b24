// The life of a session: hello, resume, echo, heartbeat, and what each state refuses.
#include <gtest/gtest.h>

#include "shard_world.h"

namespace ringtalk::service {
namespace {

TEST(Session, HelloResumeEchoHeartbeat) {
  ShardWorld world({});
  TestClient& client = world.connect();
  world.send(client, world.write.hello(11, "test", 7, wire::DeviceClass::Phone));
  world.settle();
  const wire::Frame* frame = world.next(client);
  ASSERT_NE(frame, nullptr);
  EXPECT_EQ(frame->head()->id(), 11u);
  const auto* welcome = frame->body_as_Welcome();
  ASSERT_NE(welcome, nullptr);
  EXPECT_EQ(welcome->heartbeat_ms(), 15'000u);
  EXPECT_EQ(welcome->limits()->requests_in_flight(), 256u);

  const proto::TokenBytes token = world.token(5);
  world.send(client, world.write.resume(12, token));
  world.settle();
  frame = world.next(client);
  ASSERT_NE(frame, nullptr);
  EXPECT_EQ(frame->head()->id(), 12u);
  const auto* in = frame->body_as_LoggedIn();
  ASSERT_NE(in, nullptr);
  EXPECT_EQ(in->user(), 5u);
  EXPECT_NE(in->session(), 0u);
  EXPECT_TRUE(std::ranges::equal(proto::bytes_of(in->token()), token));
  EXPECT_EQ(world.store.submitted, 0u) << "a resume touches no store";

  world.send(client, world.write.echo(13, as_bytes("round trip")));
  world.send(client, world.write.heartbeat(14, 0));
  world.settle();
  frame = world.next(client);
  ASSERT_NE(frame, nullptr);
  EXPECT_EQ(frame->head()->id(), 13u);
  ASSERT_NE(frame->body_as_Echo(), nullptr);
  EXPECT_TRUE(
      std::ranges::equal(proto::bytes_of(frame->body_as_Echo()->body()), as_bytes("round trip")));
  const auto* ack = world.next_as<wire::HeartbeatAck>(client);
  ASSERT_NE(ack, nullptr);
  EXPECT_EQ(ack->pushed(), 0u);
  EXPECT_GE(world.clock.wall_ms(), ack->time_ms());

  world.finish(client);
  world.settle();
  EXPECT_TRUE(client.ended);
  EXPECT_EQ(world.closes(CloseReason::peer_closed), 1u);
  EXPECT_EQ(world.stats().sessions, 0u);
  EXPECT_EQ(world.node->connections(), 0u);
}

TEST(Session, WhatFollowsHelloMayBePipelined) {
  ShardWorld world({});
  TestClient& client = world.connect();
  std::string all;
  const auto add = [&all](std::span<const std::byte> frame) {
    all.append(reinterpret_cast<const char*>(frame.data()), frame.size());
  };
  add(world.write.hello(1, "test", 7, wire::DeviceClass::Phone));
  add(world.write.resume(2, world.token(5)));
  add(world.write.echo(3, as_bytes("x")));
  world.send(client, as_bytes(all));
  world.settle();
  EXPECT_NE(world.next_as<wire::Welcome>(client), nullptr);
  EXPECT_NE(world.next_as<wire::LoggedIn>(client), nullptr);
  EXPECT_NE(world.next_as<wire::Echo>(client), nullptr);
}

TEST(Session, WrongStateGetsTheDocumentedCodeAndTheConnectionStays) {
  ShardWorld world({});
  TestClient& client = world.connect();
  world.send(client, world.write.echo(1, as_bytes("x")));
  world.send(client, world.write.resume(2, world.token(5)));
  world.settle();
  EXPECT_EQ(world.next_error(client), wire::ErrorCode::HelloExpected);
  EXPECT_EQ(world.next_error(client), wire::ErrorCode::HelloExpected);

  world.send(client, world.write.hello(3, "test", 7, wire::DeviceClass::Phone));
  world.send(client, world.write.echo(4, as_bytes("x")));
  world.send(client, world.write.room_join(5, 9));
  world.send(client, world.write.hello(6, "test", 7, wire::DeviceClass::Phone));
  world.settle();
  EXPECT_NE(world.next_as<wire::Welcome>(client), nullptr);
  EXPECT_EQ(world.next_error(client), wire::ErrorCode::NotLoggedIn);
  EXPECT_EQ(world.next_error(client), wire::ErrorCode::NotLoggedIn);
  EXPECT_EQ(world.next_error(client), wire::ErrorCode::BadRequest);

  world.send(client, world.write.resume(7, world.token(5)));
  world.send(client, world.write.resume(8, world.token(5)));
  world.send(client, world.write.login(9, "name", 0, "password"));
  world.settle();
  EXPECT_NE(world.next_as<wire::LoggedIn>(client), nullptr);
  EXPECT_EQ(world.next_error(client), wire::ErrorCode::AlreadyLoggedIn);
  EXPECT_EQ(world.next_error(client), wire::ErrorCode::AlreadyLoggedIn);
  world.send(client, world.write.ok(10));  // what only a server says
  world.settle();
  EXPECT_EQ(world.next_error(client), wire::ErrorCode::Unsupported);
  EXPECT_FALSE(client.ended);
  EXPECT_EQ(world.stats().online, 1u);
}

TEST(Session, AnOldVersionIsToldAndClosed) {
  ShardWorld world({});
  TestClient& client = world.connect();
  world.send(client, world.write.hello(1, "test", 7, wire::DeviceClass::Phone, 0));
  world.settle();
  EXPECT_EQ(world.next_error(client), wire::ErrorCode::VersionTooOld);
  EXPECT_TRUE(client.ended);
  EXPECT_EQ(world.closes(CloseReason::version_too_old), 0u) << "the peer has its say first";
  world.finish(client);
  world.settle();
  EXPECT_EQ(world.closes(CloseReason::version_too_old), 1u);
}

TEST(Session, TokensThatAreNoGood) {
  ShardWorld::Options options;
  options.load_users = false;
  ShardWorld world(options);
  TestClient& client = world.greeted();
  proto::TokenBytes forged = world.token(5);
  forged[10] ^= std::byte{1};
  world.send(client, world.write.resume(2, forged));
  world.send(client, world.write.resume(3, std::span(forged).first(40)));
  // A load user where no key was given, a load user without the flag, a flag on an ordinary one.
  world.send(client,
             world.write.resume(4, world.token(proto::kLoadUserFirst, 1, proto::kTokenLoad)));
  world.send(client, world.write.resume(5, world.token(proto::kLoadUserFirst)));
  world.send(client, world.write.resume(6, world.token(5, 7, proto::kTokenLoad)));
  world.settle();
  for (int i = 0; i < 5; i++) EXPECT_EQ(world.next_error(client), wire::ErrorCode::TokenInvalid);
  const proto::TokenBytes old = world.token(5);
  world.clock.advance_ms(86'400'001);
  TestClient& later = world.greeted();
  world.send(later, world.write.resume(7, old));
  world.settle();
  EXPECT_EQ(world.next_error(later), wire::ErrorCode::TokenInvalid);
}

TEST(Session, StatsIsForTheAdministratorAlone) {
  ShardWorld::Options options;
  options.shards = 3;
  ShardWorld world(options);
  TestClient& anyone = world.online(5);
  TestClient& admin = world.online(6, 7, proto::kTokenAdmin);
  world.send(anyone, world.write.stats(3));
  world.send(admin, world.write.stats(4));
  world.settle();
  EXPECT_EQ(world.next_error(anyone), wire::ErrorCode::Forbidden);
  const auto* reply = world.next_as<wire::StatsReply>(admin);
  ASSERT_NE(reply, nullptr);
  EXPECT_NE(reply->json()->str().find("\"shards\":3"), std::string::npos);
  EXPECT_NE(reply->json()->str().find("\"online\":2"), std::string::npos);
}

}  // namespace
}  // namespace ringtalk::service
