// Truncated, oversized, random and hostile frames; each gets the documented error or close reason
// and is counted, and neither blocks others nor grows memory.
#include <gtest/gtest.h>

#include <cstring>

#include "base/random.h"
#include "shard_world.h"

namespace ringtalk::service {
namespace {

std::string prefix(uint32_t length) {
  std::string result(4, '\0');
  std::memcpy(result.data(), &length, 4);
  return result;
}

// The error is told, the write side shut down; input is discarded until the peer ends.
void expect_told_and_closed(ShardWorld& world, TestClient& client, wire::ErrorCode code,
                            CloseReason reason) {
  world.settle();
  EXPECT_EQ(world.next_error(client), code);
  EXPECT_TRUE(client.ended);
  world.finish(client);
  world.settle();
  EXPECT_EQ(world.closes(reason), 1u);
  EXPECT_EQ(world.stats().sessions, 0u);
}

TEST(BadInput, APrefixBeyondTheLimitBeforeLogin) {
  ShardWorld world({});
  TestClient& client = world.connect();
  world.send(client, as_bytes(prefix(4'093)));
  expect_told_and_closed(world, client, wire::ErrorCode::TooLarge, CloseReason::too_large);
}

TEST(BadInput, APrefixBeyondTheLimitAfterLogin) {
  ShardWorld world({});
  TestClient& client = world.online(5);
  const std::string body(10'000, 'x');
  world.send(client, world.write.echo(3, as_bytes(body)));  // fine after login
  world.settle();
  EXPECT_NE(world.next_as<wire::Echo>(client), nullptr);
  world.send(client, as_bytes(prefix(64 * 1024)));
  expect_told_and_closed(world, client, wire::ErrorCode::TooLarge, CloseReason::too_large);
}

TEST(BadInput, APrefixThatNoFrameHas) {
  ShardWorld world({});
  TestClient& client = world.connect();
  world.send(client, as_bytes(prefix(3) + "abc"));
  expect_told_and_closed(world, client, wire::ErrorCode::BadFrame, CloseReason::bad_frame);
}

TEST(BadInput, AFrameThatDoesNotVerify) {
  ShardWorld world({});
  TestClient& client = world.online(5);
  std::string frame = as_text(world.write.echo(3, as_bytes("hello")));
  frame[8] ^= 0x40;  // the file identifier
  world.send(client, as_bytes(frame));
  world.send(client, world.write.echo(4, as_bytes("never answered")));
  expect_told_and_closed(world, client, wire::ErrorCode::BadFrame, CloseReason::bad_frame);
  EXPECT_EQ(world.next(client), nullptr);
  EXPECT_EQ(world.stats().frames_bad, 1u);
}

TEST(BadInput, ABodyBeyondItsLimit) {
  ShardWorld world({});
  TestClient& client = world.online(5);
  const std::string body(proto::kBodyBytesMax + 1, 'x');
  world.send(client, world.write.echo(3, as_bytes(body)));
  expect_told_and_closed(world, client, wire::ErrorCode::TooLarge, CloseReason::too_large);
}

TEST(BadInput, ATruncatedFrameAndTheEnd) {
  ShardWorld world({});
  TestClient& client = world.online(5);
  const std::string frame = as_text(world.write.echo(3, as_bytes("hello")));
  world.send(client, as_bytes(frame.substr(0, frame.size() - 1)));
  world.settle();
  world.finish(client);
  world.settle();
  EXPECT_EQ(world.closes(CloseReason::peer_closed), 1u);
}

TEST(BadInput, AnUnknownUnionMemberIsUnsupportedAndTheConnectionStays) {
  ShardWorld world({});
  TestClient& client = world.online(5);
  // An empty table under a type that this version does not know.
  flatbuffers::FlatBufferBuilder builder;
  const auto body = wire::CreateOk(builder).Union();
  const wire::Head head(77);
  builder.FinishSizePrefixed(wire::CreateFrame(builder, &head, static_cast<wire::Body>(200), body),
                             wire::FrameIdentifier());
  std::string frame(reinterpret_cast<const char*>(builder.GetBufferPointer()), builder.GetSize());
  ASSERT_EQ(frame.size() % 8, 0u);
  world.send(client, as_bytes(frame));
  world.settle();
  const wire::Frame* reply = world.next(client);
  ASSERT_NE(reply, nullptr);
  EXPECT_EQ(reply->head()->id(), 77u);
  ASSERT_NE(reply->body_as_Error(), nullptr);
  EXPECT_EQ(reply->body_as_Error()->code(), wire::ErrorCode::Unsupported);
  world.send(client, world.write.echo(4, as_bytes("still here")));
  world.settle();
  EXPECT_NE(world.next_as<wire::Echo>(client), nullptr);
}

TEST(BadInput, OneByteAtATimeIsServedUntilTheLoginTimesOut) {
  ShardWorld world({});
  TestClient& client = world.connect();
  const std::string frame = as_text(world.write.hello(1, "drip", 7, wire::DeviceClass::Phone));
  for (const char c : frame) {
    world.send(client, as_bytes(std::string(1, c)));
    world.settle();
  }
  EXPECT_NE(world.next_as<wire::Welcome>(client), nullptr);
  // A second frame that never ends: silence in the eyes of the login time-out.
  for (int i = 0; i < 11; i++) {
    world.send(client, as_bytes(i < 4 ? prefix(1'000).substr(i, 1) : std::string("x")));
    world.pass_ms(1'000);
  }
  EXPECT_EQ(world.next_error(client), wire::ErrorCode::LoginTimeout);
  EXPECT_EQ(world.closes(CloseReason::login_timeout), 1u);
}

TEST(BadInput, DiscardingEndsAfterItsBytes) {
  ShardWorld::Options options;
  options.limits.discard_bytes = 1'000;
  ShardWorld world(options);
  TestClient& client = world.connect();
  world.send(client, as_bytes(prefix(1)));
  world.settle();
  EXPECT_EQ(world.next_error(client), wire::ErrorCode::BadFrame);
  const std::string junk(900, 'j');
  world.send(client, as_bytes(junk));
  world.settle();
  EXPECT_EQ(world.stats().sessions, 1u);
  world.send(client, as_bytes(junk));
  world.settle();
  EXPECT_EQ(world.stats().sessions, 0u);
  EXPECT_EQ(world.closes(CloseReason::bad_frame), 1u);
}

TEST(BadInput, DiscardingEndsAfterItsTime) {
  ShardWorld world({});
  TestClient& client = world.connect();
  world.send(client, as_bytes(prefix(1)));
  world.settle();
  world.pass_ms(900);
  EXPECT_EQ(world.stats().sessions, 1u);
  world.pass_ms(200);
  EXPECT_EQ(world.stats().sessions, 0u);
}

TEST(BadInput, AClientThatNeverReadsStopsBeingRead) {
  ShardWorld world({});
  TestClient& client = world.online(5);
  TestClient& other = world.online(6);
  // Its replies fill the link's window; from then on only the limit may queue here.
  const std::string body(8'000, 'x');
  world.stop_reading(client);
  for (int i = 0; i < 64; i++) world.send(client, world.write.echo(10 + i, as_bytes(body)));
  world.settle();
  EXPECT_GE(world.stats().reads_paused, 1u);
  EXPECT_LE(world.stats().queued_bytes, 3 * 64 * 1024u);
  // Others do not notice.
  world.send(other, world.write.echo(3, as_bytes("x")));
  world.settle();
  EXPECT_NE(world.next_as<wire::Echo>(other), nullptr);
  // A session that the server itself has paused does not die of silence.
  world.pass_ms(200'000);
  EXPECT_EQ(world.closes(CloseReason::heartbeat_lost), 1u) << "the other one, which was silent";
  world.start_reading(client);
  world.settle();
  int echoes = 0;
  while (world.next_as<wire::Echo>(client) != nullptr) echoes++;
  EXPECT_EQ(echoes, 64);
}

// Once those who hold the budget with frames that never end were paused, and a paused session did
// not die of silence: they held it for ever, and nobody's cut frame was read any more.
TEST(BadInput, HeadsOfFramesThatNeverEndGiveWayToThoseWhoWait) {
  ShardWorld::Options options;
  options.limits.partial_frame_bytes = 100 * 1024;
  ShardWorld world(options);
  const std::string head = prefix(60'000) + std::string(20'000, 'x');
  for (proto::UserId user = 1; user <= 4; user++) {
    world.send(world.online(user), as_bytes(head));
    world.settle();
  }
  world.pass_ms(2'000);
  EXPECT_EQ(world.closes(CloseReason::no_memory), 2u) << "large heads leave room for small ones";
  world.pass_ms(100'000);
  EXPECT_EQ(world.closes(CloseReason::heartbeat_lost), 2u) << "both were read, and said nothing";
  TestClient& client = world.online(5);
  const std::string frame = as_text(world.write.echo(3, as_bytes(std::string(1'000, 'x'))));
  world.send(client, as_bytes(frame.substr(0, 500)));
  world.settle();
  world.send(client, as_bytes(frame.substr(500)));
  world.settle();
  EXPECT_NE(world.next_as<wire::Echo>(client), nullptr);
}

// One user with many devices once spent the budget of a shard, and everybody whose frame came in
// two pieces was neither read nor spared by the sweep.
TEST(BadInput, ManyLargeFramesThatNeverEndHoldUpNobodyElse) {
  ShardWorld::Options options;
  options.limits.partial_frame_bytes = 1'024 * 1024;
  ShardWorld world(options);
  TestClient& victim = world.online(5);
  const std::string head = prefix(65'000) + std::string(60'000, 'x');
  for (proto::DeviceId device = 1; device <= 60; device++) {
    world.send(world.online(6, device), as_bytes(head));
    world.settle();
  }
  const std::string frame = as_text(world.write.echo(3, as_bytes(std::string(3'000, 'x'))));
  const auto say_in_two_pieces = [&] {
    world.send(victim, as_bytes(frame.substr(0, 2'000)));
    world.settle();
    world.send(victim, as_bytes(frame.substr(2'000)));
    world.settle();
    return world.next_as<wire::Echo>(victim) != nullptr;
  };
  EXPECT_TRUE(say_in_two_pieces());
  for (int i = 0; i < 100; i++) {
    world.pass_ms(1'000);
    ASSERT_TRUE(say_in_two_pieces()) << i;
  }
  EXPECT_FALSE(victim.ended);
  EXPECT_GT(world.closes(CloseReason::no_memory), 0u);
  EXPECT_EQ(world.stats().online, 1u) << "the others went with the heartbeat";
}

// Frames as large as those that hold the budget come through, too: who holds it has its time, and
// then those who wait have theirs.
TEST(BadInput, LargeFramesThatNeverEndGiveWayToLargeOnesThatDo) {
  ShardWorld::Options options;
  options.limits.partial_frame_bytes = 256 * 1024;
  ShardWorld world(options);
  const std::string head = prefix(65'000) + std::string(60'000, 'x');
  std::vector<TestClient*> holders;
  for (proto::DeviceId device = 1; device <= 5; device++) {
    holders.push_back(&world.online(6, device));
    world.send(*holders.back(), as_bytes(head));
    world.settle();
  }
  TestClient& client = world.online(5);
  const std::string frame = as_text(world.write.echo(3, as_bytes(std::string(16'000, 'x'))));
  int echoes = 0;
  for (int round = 0; round < 10; round++) {
    world.send(client, as_bytes(frame.substr(0, 9'000)));
    world.settle();
    world.send(client, as_bytes(frame.substr(9'000)));
    for (int i = 0; i < 100; i++) {
      // One byte at a time, so that they are not silent.
      for (TestClient* holder : holders) {
        if (i % 20 == 0 && !holder->ended) world.send(*holder, as_bytes("x"));
      }
      world.pass_ms(500);
      if (world.next_as<wire::Echo>(client) == nullptr) continue;
      echoes++;
      break;
    }
  }
  EXPECT_EQ(echoes, 10);
  EXPECT_FALSE(client.ended);
  EXPECT_GT(world.closes(CloseReason::frame_timeout), 0u);
}

// It was paused for its request in flight. When that was answered the budget happened to be spent,
// and nobody told it when there was room again.
TEST(BadInput, WhoIsPausedWhileTheBudgetIsSpentIsReadOn) {
  ShardWorld::Options options;
  options.limits.partial_frame_bytes = 128 * 1024;
  options.limits.requests_in_flight = 1;
  ShardWorld world(options);
  TestClient& client = world.online(5);
  TestClient& greedy = world.online(6);
  world.store.held = true;
  const std::string pull =
      as_text(world.write.pull(3, proto::ConversationId::between(5, 6), 0, 10));
  const std::string echo = as_text(world.write.echo(4, as_bytes(std::string(16'000, 'x'))));
  world.send(client, as_bytes(pull + echo.substr(0, 9'000)));
  world.settle();
  world.send(client, as_bytes(echo.substr(9'000)));
  world.send(greedy, as_bytes(prefix(60'000) + std::string(20'000, 'x')));
  world.pass_ms(1'000);
  world.store.held = false;
  world.settle();
  EXPECT_NE(world.next_as<wire::Error>(client), nullptr) << "the test's store has no messages";
  EXPECT_EQ(world.next(client), nullptr);
  world.pass_ms(4 * options.limits.frame_timeout_ms);
  EXPECT_NE(world.next_as<wire::Echo>(client), nullptr);
}

// Whatever the bytes are: no assertion fails, the connection ends or stays, and memory comes back.
TEST(BadInput, RandomBytesAndRandomlyDamagedFrames) {
  const uint64_t seed = 20'261'120;
  SCOPED_TRACE("seed " + std::to_string(seed));
  base::Random random(seed);
  ShardWorld world({});
  for (int round = 0; round < 300; round++) {
    const bool logged_in = random.chance(0.5);
    TestClient& client = logged_in ? world.online(5) : world.connect();
    std::string sent;
    for (int i = 0; i < 5; i++) {
      std::string frame = as_text(random.chance(0.5) ? world.write.echo(i, as_bytes("a body"))
                                                     : world.write.login(i, "name", 0, "password"));
      for (uint64_t n = random.below(4); n > 0; n--) {
        frame[random.below(frame.size())] = static_cast<char>(random.next());
      }
      if (random.chance(0.2)) frame.resize(random.below(frame.size()));
      sent += frame;
    }
    world.send(client, as_bytes(sent));
    world.settle();
    world.hang_up(client);
    world.settle();
  }
  EXPECT_EQ(world.stats().sessions, 0u);
  EXPECT_EQ(world.stats().pinned_bytes, 0u);
  EXPECT_EQ(world.node->connections(), 0u);
}

}  // namespace
}  // namespace ringtalk::service
