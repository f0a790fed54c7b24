// Bad input on real sockets, on each back end: everything gets the documented error or close
// reason, is counted, blocks nobody else and leaves no memory behind.
#include <cstring>
#include <functional>
#include <optional>

#include <gtest/gtest.h>

#include "base/random.h"
#include "tests/e2e/real_server.h"
#include "tests/support/seed.h"

namespace ringtalk::tests {
namespace {

using wire::ErrorCode;

std::string prefix(uint32_t length) {
  std::string bytes(4, '\0');
  std::memcpy(bytes.data(), &length, sizeof length);
  return bytes;
}

// A well-formed frame whose body has a type that no version knows yet.
std::string frame_of_the_future(uint64_t id) {
  flatbuffers::FlatBufferBuilder builder;
  const auto body = wire::CreateStats(builder);
  const wire::Head head(id);
  wire::FrameBuilder frame(builder);
  frame.add_head(&head);
  frame.add_body(body.Union());
  frame.add_body_type(static_cast<wire::Body>(250));
  builder.FinishSizePrefixed(frame.Finish(), wire::FrameIdentifier());
  return {reinterpret_cast<const char*>(builder.GetBufferPointer()), builder.GetSize()};
}

class BadInput : public OnEachBackend {
 protected:
  RawClient connect() { return RawClient(server_->port()); }
  // Whoever behaves is served as before.
  void expect_others_served() {
    RawClient other = connect();
    ASSERT_TRUE(log_in(other, 999));
    other.say(other.write().echo(5, as_bytes("still here")));
    EXPECT_NE(other.hear_a<wire::Echo>(), nullptr);
  }
};

TEST_P(BadInput, MalformedAndOversizedFramesAreToldCountedAndClosed) {
  start();
  Statistics statistics(*server_);
  proto::FrameWriter write;
  std::string wrong_offset(as_text(write.hello(1, "test", 7, wire::DeviceClass::Phone)));
  std::memset(wrong_offset.data() + 4, 0xff, 4);  // the root's offset
  std::string wrong_name(as_text(write.hello(1, "test", 7, wire::DeviceClass::Phone)));
  wrong_name[8] = 'X';  // the file identifier
  std::string no_body(64, '\0');
  std::memcpy(no_body.data(), prefix(60).data(), 4);
  struct Input {
    const char* what;
    bool logged_in;
    std::string bytes;
    ErrorCode code;
  };
  const Input inputs[] = {
      {"a prefix that no frame has", false, prefix(3), ErrorCode::BadFrame},
      {"a prefix of 0", true, prefix(0), ErrorCode::BadFrame},
      {"a request of another protocol", false, "GET / HTTP/1.1\r\n\r\n", ErrorCode::TooLarge},
      {"zeros", false, no_body, ErrorCode::BadFrame},
      {"an offset that leads out", false, wrong_offset, ErrorCode::BadFrame},
      {"another file identifier", true, wrong_name, ErrorCode::BadFrame},
      {"more than 4 KiB before login", false, prefix(4'093), ErrorCode::TooLarge},
      {"more than 64 KiB", true, prefix(65'533), ErrorCode::TooLarge},
      {"4 GiB", true, prefix(UINT32_MAX), ErrorCode::TooLarge},
  };
  uint64_t bad = 0;
  uint64_t large = 0;
  for (const Input& input : inputs) {
    SCOPED_TRACE(input.what);
    RawClient client = connect();
    if (input.logged_in) {
      ASSERT_TRUE(log_in(client, 1));
    }
    client.say(input.bytes);
    EXPECT_EQ(client.hear_error(), input.code);
    EXPECT_TRUE(client.hear_end());
    // What follows is discarded, not read as frames.
    client.say(client.write().hello(2, "test", 7, wire::DeviceClass::Phone));
    client.finish();
    (input.code == ErrorCode::BadFrame ? bad : large)++;
    EXPECT_TRUE(statistics.comes_to("/closes/bad_frame", bad));
    EXPECT_TRUE(statistics.comes_to("/closes/too_large", large));
  }
  EXPECT_EQ(statistics["/frames/bad"], bad + large);
  // A frame that never becomes whole is nothing but a connection that ended.
  {
    RawClient client = connect();
    client.say(as_text(write.hello(1, "test", 7, wire::DeviceClass::Phone)).substr(0, 30));
    client.finish();
    EXPECT_TRUE(client.hear_end());
  }
  EXPECT_TRUE(statistics.comes_to("/closes/peer_closed", 1));
  EXPECT_EQ(statistics["/frames/carried_bytes"], 0u);
  EXPECT_TRUE(statistics.comes_to("/sessions/open", 1));
  expect_others_served();
}

TEST_P(BadInput, WrongStateAndUnknownMembersAreAnsweredAndTheConnectionStays) {
  start();
  Statistics statistics(*server_);
  RawClient client = connect();
  const auto conversation = proto::ConversationId::between(load_user(1), load_user(2));
  const auto send = [&](uint64_t id) {
    client.say(
        client.write().send(id, conversation, {1, id}, wire::MessageKind::Text, as_bytes("hello")));
  };
  send(1);
  EXPECT_EQ(client.hear_error(), ErrorCode::HelloExpected);
  ASSERT_TRUE(client.greet());
  send(2);
  EXPECT_EQ(client.hear_error(), ErrorCode::NotLoggedIn);
  client.say(client.write().echo(3, as_bytes("hello")));
  EXPECT_EQ(client.hear_error(), ErrorCode::NotLoggedIn);
  const proto::TokenBytes token =
      mint(server_->token_key_file(), load_user(1), 7, proto::kTokenLoad);
  proto::TokenBytes forged = token;
  forged[40] ^= std::byte{1};
  client.say(client.write().resume(4, forged));
  EXPECT_EQ(client.hear_error(), ErrorCode::TokenInvalid);
  client.say(client.write().resume(5, token));
  ASSERT_NE(client.hear_a<wire::LoggedIn>(), nullptr);
  client.say(client.write().resume(6, token));
  EXPECT_EQ(client.hear_error(), ErrorCode::AlreadyLoggedIn);
  client.say(client.write().login(7, "name", 0, "password"));
  EXPECT_EQ(client.hear_error(), ErrorCode::AlreadyLoggedIn);
  client.say(client.write().hello(8, "test", 7, wire::DeviceClass::Desktop));
  EXPECT_EQ(client.hear_error(), ErrorCode::BadRequest);
  client.say(client.write().stats(9));
  EXPECT_EQ(client.hear_error(), ErrorCode::Forbidden);
  client.say(frame_of_the_future(10));
  const wire::Frame* answer = client.hear();
  ASSERT_NE(answer, nullptr);
  EXPECT_EQ(answer->head()->id(), 10u);
  ASSERT_NE(answer->body_as_Error(), nullptr);
  EXPECT_EQ(answer->body_as_Error()->code(), ErrorCode::Unsupported);
  // What only a server says.
  client.say(client.write().kicked(wire::KickReason::Revoked));
  EXPECT_EQ(client.hear_error(), ErrorCode::Unsupported);
  send(11);
  const auto* sent = client.hear_a<wire::Sent>();
  ASSERT_NE(sent, nullptr);
  EXPECT_EQ(sent->seq(), 1u) << "none of the refused ones was kept";
  EXPECT_EQ(statistics["/frames/unsupported"], 2u);
  EXPECT_EQ(statistics["/frames/wrong_state"], 6u);
  EXPECT_EQ(statistics["/sessions/open"], 2u);
}

TEST_P(BadInput, OneByteAtATime) {
  start({"--set", "limits.login_timeout=2s"});
  Statistics statistics(*server_);
  RawClient slow = connect();
  ASSERT_TRUE(slow.drip(as_text(slow.write().hello(1, "drip", 7, wire::DeviceClass::Phone))));
  EXPECT_NE(slow.hear_a<wire::Welcome>(), nullptr);
  const proto::TokenBytes token =
      mint(server_->token_key_file(), load_user(1), 7, proto::kTokenLoad);
  ASSERT_TRUE(slow.drip(as_text(slow.write().resume(2, token))));
  EXPECT_NE(slow.hear_a<wire::LoggedIn>(), nullptr);

  RawClient garbage = connect();
  garbage.drip("\xff\xff\xff\xff and so on");
  EXPECT_EQ(garbage.hear_error(), ErrorCode::TooLarge);
  EXPECT_TRUE(garbage.hear_end());

  // Bytes that never become a login are silence.
  RawClient endless = connect();
  ASSERT_TRUE(endless.say(prefix(4'000)));
  uint64_t dripped = 0;
  EXPECT_TRUE(wait_until([&] {
    dripped += endless.push("x");
    return statistics["/closes/login_timeout"] == 1 || dripped > 3'900;
  }));
  EXPECT_EQ(endless.hear_error(), ErrorCode::LoginTimeout);
  endless.finish();
  EXPECT_TRUE(statistics.comes_to("/closes/login_timeout", 1));
  slow.say(slow.write().echo(3, as_bytes("still here")));
  EXPECT_NE(slow.hear_a<wire::Echo>(), nullptr);
}

// Whatever the bytes are, the connection stays or ends in order, and nothing remains of it.
TEST_P(BadInput, RandomBytesAndDamagedFrames) {
  start();
  const uint64_t seed = test_seed(20'261'120);
  SCOPED_TRACE("seed " + std::to_string(seed));
  base::Random random(seed);
  Statistics statistics(*server_);
  for (int round = 0; round < 150; round++) {
    RawClient client = connect();
    proto::FrameWriter& write = client.write();
    if (random.chance(0.5)) {
      ASSERT_TRUE(log_in(client, 1 + random.below(5)));
    }
    std::string bytes;
    if (random.chance(0.3)) {
      bytes.resize(1 + random.below(20'000));
      for (char& each : bytes) each = static_cast<char>(random.next());
    } else {
      const auto conversation = proto::ConversationId::between(load_user(1), load_user(2));
      for (int i = 0; i < 4; i++) {
        const std::function<proto::Bytes()> frames[] = {
            [&] { return write.echo(3, as_bytes("hello")); },
            [&] { return write.room_join(3, 5); },
            [&] { return write.room_publish(3, 5, as_bytes("hello"), true); },
            [&] { return write.pull(3, conversation, 0, 10); },
            [&] { return write.login(3, "name", 0, "password"); },
            [&] {
              return write.send(3, conversation, {1, random.next()}, wire::MessageKind::Text,
                                as_bytes("hello"));
            }};
        std::string frame(as_text(frames[random.below(std::size(frames))]()));
        for (uint64_t n = random.below(4); n > 0; n--) {
          frame[random.below(frame.size())] = static_cast<char>(random.next());
        }
        if (random.chance(0.2)) frame.resize(random.below(frame.size()));
        bytes += frame;
      }
    }
    client.say(bytes);
    if (random.chance(0.3)) {
      client.reset();
      continue;
    }
    client.finish();
    while (client.hear() != nullptr) {
    }
    EXPECT_NE(client.end(), RawClient::End::silent);
    EXPECT_NE(client.end(), RawClient::End::garbled);
  }
  EXPECT_TRUE(statistics.comes_to("/sessions/open", 1));
  EXPECT_EQ(statistics["/frames/carried_bytes"], 0u);
  EXPECT_TRUE(server_->process().running()) << server_->process().errors();
  expect_others_served();
}

TEST_P(BadInput, EachEndIsCountedUnderItsReason) {
  start({"--set", "limits.trusted_addresses=192.0.2.1", "--set", "limits.prelogin_per_address=4",
         "--set", "limits.login_timeout=2s"});
  Statistics statistics(*server_);
  {
    RawClient old = connect();
    old.say(old.write().hello(1, "old", 7, wire::DeviceClass::Phone, 0));
    EXPECT_EQ(old.hear_error(), ErrorCode::VersionTooOld);
  }
  EXPECT_TRUE(statistics.comes_to("/closes/version_too_old", 1));
  {
    RawClient client = connect();
    ASSERT_TRUE(log_in(client, 1));
    RawClient newer = connect();
    ASSERT_TRUE(log_in(newer, 1));
    EXPECT_NE(client.hear_a<wire::Kicked>(), nullptr);
    EXPECT_TRUE(client.hear_end());
    newer.reset();
  }
  EXPECT_TRUE(statistics.comes_to("/closes/kicked", 1));
  EXPECT_TRUE(statistics.comes_to("/closes/peer_reset", 1));
  {
    RawClient client = connect();
    ASSERT_TRUE(log_in(client, 2));
    client.say(client.write().logout(3, false));
    EXPECT_NE(client.hear_a<wire::Ok>(), nullptr);
    EXPECT_TRUE(client.hear_end());
  }
  EXPECT_TRUE(statistics.comes_to("/closes/logged_out", 1));
  {
    std::vector<RawClient> silent;
    for (int i = 0; i < 9; i++) silent.push_back(connect());
    // Each shard counts for itself: at least one of nine is the fifth of its shard.
    EXPECT_TRUE(wait_until([&] { return statistics["/sessions/accepted"] == 14; }));
    uint64_t refused = 0;
    uint64_t timed_out = 0;
    for (RawClient& each : silent) {
      const ErrorCode code = each.hear_error();
      if (code == ErrorCode::TooManyRequests) refused++;
      if (code == ErrorCode::LoginTimeout) timed_out++;
      each.finish();
    }
    EXPECT_GE(refused, 1u);
    EXPECT_GE(timed_out, 4u);
    EXPECT_EQ(refused + timed_out, silent.size());
    EXPECT_TRUE(statistics.comes_to("/closes/address_limit", refused));
    EXPECT_TRUE(statistics.comes_to("/closes/login_timeout", timed_out));
  }
  EXPECT_TRUE(statistics.comes_to("/sessions/open", 1));
}

TEST_P(BadInput, BeyondMaxConnectionsBusyIsToldAndSilenceMakesRoom) {
  start({"--max-connections", "3", "--set", "heartbeat.interval_ms=300", "--set",
         "heartbeat.missed_limit=2"});
  RawClient first = connect();
  RawClient second = connect();
  RawClient third = connect();
  ASSERT_TRUE(log_in(first, 1));
  ASSERT_TRUE(log_in(second, 2));
  ASSERT_TRUE(log_in(third, 3));
  RawClient fourth = connect();
  const auto* busy = fourth.hear_a<wire::Error>();
  ASSERT_NE(busy, nullptr);
  EXPECT_EQ(busy->code(), ErrorCode::ServerBusy);
  EXPECT_GT(busy->retry_after_ms(), 0u);
  EXPECT_TRUE(fourth.hear_end());
  fourth.finish();
  // The three say nothing more.
  for (RawClient* each : {&first, &second, &third}) {
    EXPECT_EQ(each->hear_error(), ErrorCode::HeartbeatLost);
    EXPECT_TRUE(each->hear_end());
    each->finish();
  }
  std::optional<Statistics> statistics;
  ASSERT_TRUE(wait_until([&] {
    RawClient probe = connect();
    return probe.greet();
  }));
  statistics.emplace(*server_);
  EXPECT_TRUE(statistics->comes_to("/closes/heartbeat_lost", 3));
  EXPECT_TRUE(wait_until([&] { return (*statistics)["/closes/server_busy"] >= 1; }));
}

ON_EACH_BACKEND(BadInput);

}  // namespace
}  // namespace ringtalk::tests
