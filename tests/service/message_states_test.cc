// Every message of the schema in every state of a session: who may say it when. The table has a row
// for each member of the union, or does not compile.
#include <gtest/gtest.h>

#include <iterator>
#include <string>

#include "shard_world.h"

namespace ringtalk::service {
namespace {

using wire::Body;
using wire::ErrorCode;

enum class Said : uint8_t { by_server, first, to_log_in, when_online };

struct Message {
  Body body;
  Said said;
  std::span<const std::byte> (*frame)(ShardWorld&);
};

constexpr proto::ConversationId kConversation{5, 6};

constexpr Message kMessages[] = {
    {Body::NONE, Said::by_server, nullptr},
    {Body::Hello, Said::first,
     [](ShardWorld& w) { return w.write.hello(1, "test", 7, wire::DeviceClass::Phone); }},
    {Body::Register, Said::to_log_in,
     [](ShardWorld& w) { return w.write.register_user(1, "anna", "a password"); }},
    {Body::Login, Said::to_log_in,
     [](ShardWorld& w) { return w.write.login(1, "anna", 0, "a password"); }},
    {Body::Resume, Said::to_log_in, [](ShardWorld& w) { return w.write.resume(1, w.token(5)); }},
    {Body::Sync, Said::when_online, [](ShardWorld& w) { return w.write.sync(1, {}); }},
    {Body::Logout, Said::when_online, [](ShardWorld& w) { return w.write.logout(1, false); }},
    {Body::Heartbeat, Said::when_online, [](ShardWorld& w) { return w.write.heartbeat(1, 0); }},
    {Body::Stats, Said::when_online, [](ShardWorld& w) { return w.write.stats(1); }},
    {Body::Welcome, Said::by_server, [](ShardWorld& w) { return w.write.welcome(1, {}); }},
    {Body::Registered, Said::by_server, [](ShardWorld& w) { return w.write.registered(1, 5); }},
    {Body::LoggedIn, Said::by_server,
     [](ShardWorld& w) { return w.write.logged_in(1, 5, w.token(5), 1); }},
    {Body::HeartbeatAck, Said::by_server,
     [](ShardWorld& w) { return w.write.heartbeat_ack(1, 1, 0); }},
    {Body::Goaway, Said::by_server,
     [](ShardWorld& w) { return w.write.goaway(wire::GoawayReason::Busy, 1); }},
    {Body::Kicked, Said::by_server,
     [](ShardWorld& w) { return w.write.kicked(wire::KickReason::LoggedOut); }},
    {Body::Error, Said::by_server,
     [](ShardWorld& w) { return w.write.error(1, ErrorCode::Conflict, "no"); }},
    {Body::Ok, Said::by_server, [](ShardWorld& w) { return w.write.ok(1); }},
    {Body::StatsReply, Said::by_server, [](ShardWorld& w) { return w.write.stats_reply(1, "{}"); }},
    {Body::Users, Said::when_online,
     [](ShardWorld& w) {
       static constexpr proto::UserId kIds[] = {5};
       return w.write.users(1, kIds, {});
     }},
    {Body::UserList, Said::by_server, [](ShardWorld& w) { return w.write.user_list(1, {}, {}); }},
    {Body::Send, Said::when_online,
     [](ShardWorld& w) {
       return w.write.send(1, kConversation, {1, 1}, wire::MessageKind::Text, as_bytes("x"));
     }},
    {Body::Sent, Said::by_server,
     [](ShardWorld& w) { return w.write.sent(1, kConversation, 1, 1, false); }},
    {Body::Message, Said::by_server,
     [](ShardWorld& w) {
       return w.write.message({.conversation = kConversation, .seq = 1, .sender = 6});
     }},
    {Body::Pull, Said::when_online,
     [](ShardWorld& w) { return w.write.pull(1, kConversation, 0, 10); }},
    {Body::Messages, Said::by_server,
     [](ShardWorld& w) { return w.write.messages(1, kConversation, {}, 1, 1, false); }},
    {Body::SyncHint, Said::by_server,
     [](ShardWorld& w) { return w.write.sync_hint(1, kConversation, 1); }},
    {Body::RoomJoin, Said::when_online, [](ShardWorld& w) { return w.write.room_join(1, 9); }},
    {Body::RoomLeave, Said::when_online, [](ShardWorld& w) { return w.write.room_leave(1, 9); }},
    {Body::RoomPublish, Said::when_online,
     [](ShardWorld& w) { return w.write.room_publish(1, 9, as_bytes("x"), true); }},
    {Body::RoomJoined, Said::by_server,
     [](ShardWorld& w) { return w.write.room_joined(1, 9, {}); }},
    {Body::RoomMessage, Said::by_server,
     [](ShardWorld& w) { return w.write.room_message(9, 1, 1, 5, as_bytes("x")); }},
    {Body::RoomGap, Said::by_server, [](ShardWorld& w) { return w.write.room_gap(9, 1, 1, 1); }},
    {Body::Echo, Said::when_online, [](ShardWorld& w) { return w.write.echo(1, as_bytes("x")); }},
    {Body::RoomMessages, Said::by_server,
     [](ShardWorld& w) {
       static constexpr std::byte kBody[8] = {};
       static constexpr proto::Bytes kBodies[] = {kBody};
       return w.write.room_messages(9, 1, 1, 5, kBodies);
     }},
};

consteval bool complete() {
  if (std::size(kMessages) != static_cast<size_t>(Body::MAX) + 1) return false;
  for (size_t i = 0; i < std::size(kMessages); i++) {
    if (kMessages[i].body != static_cast<Body>(i)) return false;
  }
  return true;
}
static_assert(complete());

enum class State : uint8_t { connected, greeted, online };

// What the state of the session alone says to the message; None: it is served.
ErrorCode refusal(Said said, State state) {
  if (said == Said::by_server) return ErrorCode::Unsupported;
  if (said == Said::first) {
    return state == State::connected ? ErrorCode::None : ErrorCode::BadRequest;
  }
  if (state == State::connected) return ErrorCode::HelloExpected;
  if (said == Said::to_log_in) {
    return state == State::online ? ErrorCode::AlreadyLoggedIn : ErrorCode::None;
  }
  return state == State::online ? ErrorCode::None : ErrorCode::NotLoggedIn;
}

bool is_of_state(ErrorCode code) {
  return code == ErrorCode::Unsupported || code == ErrorCode::HelloExpected ||
         code == ErrorCode::NotLoggedIn || code == ErrorCode::AlreadyLoggedIn;
}

class MessageStates : public testing::TestWithParam<Message> {
 protected:
  TestClient& client_in(State state) {
    switch (state) {
      case State::connected:
        return world_.connect();
      case State::greeted:
        return world_.greeted();
      case State::online:
        return world_.online(5);
    }
    return world_.connect();
  }

  ShardWorld world_{{}};
};

TEST_P(MessageStates, IsServedWhereItBelongsAndRefusedElsewhere) {
  const Message& message = GetParam();
  for (const State state : {State::connected, State::greeted, State::online}) {
    SCOPED_TRACE(static_cast<int>(state));
    TestClient& client = client_in(state);
    const uint64_t refused_before = world_.stats().wrong_state + world_.stats().unsupported;
    world_.send(client, message.frame(world_));
    world_.settle();
    const ErrorCode expected = refusal(message.said, state);
    if (expected != ErrorCode::None) {
      EXPECT_EQ(world_.next_error(client), expected);
      EXPECT_EQ(world_.stats().wrong_state + world_.stats().unsupported, refused_before + 1);
      EXPECT_FALSE(client.ended) << "the connection stays";
    } else {
      while (const wire::Frame* frame = world_.next(client)) {
        const wire::Error* error = frame->body_as_Error();
        EXPECT_FALSE(error != nullptr && is_of_state(error->code()))
            << wire::EnumNameErrorCode(error->code());
      }
      EXPECT_EQ(world_.stats().wrong_state + world_.stats().unsupported, refused_before);
    }
    world_.hang_up(client);
    world_.settle();
  }
}

INSTANTIATE_TEST_SUITE_P(Schema, MessageStates,
                         testing::ValuesIn(std::begin(kMessages) + 1, std::end(kMessages)),
                         [](const testing::TestParamInfo<Message>& each) {
                           return std::string(wire::EnumNameBody(each.param.body));
                         });

}  // namespace
}  // namespace ringtalk::service
