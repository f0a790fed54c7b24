#include <gtest/gtest.h>

#include "stage.h"

namespace ringtalk::client {
namespace {

using Phase = ClientSession::Phase;

TEST(ClientSession, says_hello_and_resumes_without_waiting) {
  Stage s;
  s.session.start(s.at);
  EXPECT_EQ(s.connects, 1);
  s.session.connected(s.at);
  const SentFrame hello = s.take(wire::Body::Hello);
  EXPECT_EQ(hello->body_as_Hello()->device(), 4711u);
  EXPECT_EQ(hello->body_as_Hello()->version(), proto::kVersion);
  const SentFrame resume = s.take(wire::Body::Resume);
  EXPECT_EQ(as_text(proto::bytes_of(resume->body_as_Resume()->token())), "a token");
  EXPECT_FALSE(s.session.ready());
  s.reply(s.server.welcome(hello.id(), {.heartbeat_ms = 1'000}));
  EXPECT_FALSE(s.session.ready());
  s.reply(s.server.logged_in(resume.id(), 1001, as_bytes("fresh"), 9));
  EXPECT_TRUE(s.session.ready());
  EXPECT_EQ(s.session.user(), 1001u);
  EXPECT_EQ(s.told(), Lines{"ready 1001 fresh"});
}

TEST(ClientSession, logs_in_by_password) {
  Stage s;
  s.who = {.kind = Credentials::Kind::password, .name = "ada", .password = "secret"};
  s.session.start(s.at);
  s.session.connected(s.at);
  s.take(wire::Body::Hello);
  const SentFrame login = s.take(wire::Body::Login);
  EXPECT_EQ(login->body_as_Login()->name()->str(), "ada");
  EXPECT_EQ(login->body_as_Login()->password()->str(), "secret");
}

TEST(ClientSession, is_ready_after_welcome_without_credentials) {
  Stage s;
  s.who = {};
  s.session.start(s.at);
  s.session.connected(s.at);
  const SentFrame hello = s.take(wire::Body::Hello);
  s.reply(s.server.welcome(hello.id(), {.heartbeat_ms = 10}));
  EXPECT_EQ(s.told(), Lines{"ready 0 "});
  const uint32_t request = s.session.register_user(s.at, "ada", "secret");
  const SentFrame sent = s.take(wire::Body::Register);
  s.reply(s.server.registered(sent.id(), 1001));
  EXPECT_EQ(s.told(), Lines{"reply " + std::to_string(request) + " Registered"});
  s.run_ms(1'000);
  EXPECT_TRUE(s.beats.empty());  // it does not beat
}

TEST(ClientSession, ends_when_the_login_is_refused) {
  Stage s;
  s.session.start(s.at);
  s.session.connected(s.at);
  s.take(wire::Body::Hello);
  const SentFrame login = s.take(wire::Body::Resume);
  s.reply(s.server.error(login.id(), wire::ErrorCode::TokenInvalid, "expired"));
  EXPECT_EQ(s.told(), Lines{"refused TokenInvalid expired"});
  EXPECT_EQ(s.closes, 1);
  s.drop();
  EXPECT_EQ(s.session.phase(), Phase::stopped);
  s.run_ms(100'000);
  EXPECT_EQ(s.connects, 1);
}

TEST(ClientSession, comes_back_when_a_busy_server_says) {
  Stage s;
  s.session.start(s.at);
  s.session.connected(s.at);
  s.reply(s.server.error(0, wire::ErrorCode::ServerBusy, "too many users, please wait", 5'000));
  EXPECT_EQ(s.closes, 1);
  s.drop();
  s.run_ms(4'990);
  EXPECT_EQ(s.connects, 1);
  s.run_ms(2'520);
  EXPECT_EQ(s.connects, 2);
  EXPECT_EQ(s.told(), Lines{"turned away ServerBusy"});
}

TEST(ClientSession, comes_back_when_a_leaving_server_says) {
  Stage s;
  s.log_in(1'000);
  s.reply(s.server.goaway(wire::GoawayReason::Draining, 3'000));
  EXPECT_EQ(s.closes, 1);
  s.drop();
  s.run_ms(2'990);
  EXPECT_EQ(s.connects, 1);
  s.run_ms(1'020);
  EXPECT_EQ(s.connects, 2);
}

TEST(ClientSession, stays_away_when_it_was_kicked) {
  Stage s;
  s.log_in();
  s.told();
  s.reply(s.server.kicked(wire::KickReason::LoggedOut));
  EXPECT_EQ(s.told(), Lines{"kicked LoggedOut"});
  s.drop();
  s.run_ms(100'000);
  EXPECT_EQ(s.connects, 1);
  s.session.start(s.at);
  EXPECT_EQ(s.connects, 2);
  s.drop();
}

// Found by the simulation: a connection was given up while its login was still on the way, the next
// one logged in first, and was kicked for good by the late login of the one before.
TEST(ClientSession, comes_back_once_from_a_kick_that_may_be_its_own) {
  Stage s;
  s.log_in();
  s.told();
  s.reply(s.server.kicked(wire::KickReason::LoggedInElsewhere));
  EXPECT_EQ(s.told(), Lines{});
  s.drop();
  s.log_in_again();
  s.told();
  s.reply(s.server.kicked(wire::KickReason::LoggedInElsewhere));
  EXPECT_EQ(s.told(), Lines{"kicked LoggedInElsewhere"});
  s.drop();
  s.run_ms(100'000);
  EXPECT_EQ(s.connects, 2);
}

TEST(ClientSession, reconnects_later_and_later) {
  Stage s({.reconnect_min_ms = 100, .reconnect_max_ms = 3'000});
  s.session.start(s.at);
  uint32_t waited[12];
  for (uint32_t& wait : waited) {
    const int before = s.connects;
    s.drop();
    for (wait = 0; s.connects == before; wait += 10) s.run_ms(10);
  }
  EXPECT_LE(waited[0], 110u);
  EXPECT_GE(waited[2], 200u);
  EXPECT_LE(waited[2], 410u);
  for (int i = 6; i < 12; i++) {
    EXPECT_GE(waited[i], 1'500u);
    EXPECT_LE(waited[i], 3'010u);
  }
  s.log_in();
  const int before = s.connects;
  s.drop();
  s.run_ms(110);
  EXPECT_EQ(s.connects, before + 1);  // after a login it begins anew
  s.drop();
}

TEST(ClientSession, gives_up_a_login_that_takes_too_long) {
  Stage s({.login_timeout_ms = 2'000});
  s.session.start(s.at);
  s.session.connected(s.at);
  s.run_ms(1'990);
  EXPECT_EQ(s.closes, 0);
  s.run_ms(20);
  EXPECT_EQ(s.closes, 1);
  s.drop();
  EXPECT_EQ(s.session.phase(), Phase::waiting);
}

// Found by the simulation: against a half-open peer the queue never left, the connection never
// closed, and due_ms() stood in the past for ever.
TEST(ClientSession, closes_at_once_when_the_rest_cannot_leave) {
  Stage s;
  s.log_in();
  s.session.stop(s.at);
  EXPECT_EQ(s.closes, 1);
  EXPECT_GT(s.session.due_ms(), s.context.now_ms());
  s.run_ms(1'100);
  EXPECT_EQ(s.closes, 2);
  EXPECT_EQ(s.session.due_ms(), kNever);
  s.drop();
  EXPECT_EQ(s.session.phase(), ClientSession::Phase::stopped);
}

TEST(ClientSession, gives_up_a_server_that_breaks_the_protocol) {
  for (const std::string& nonsense : {std::string(64, '\xff'), std::string(64, '\0'),
                                      std::string("\x40\0\0\0", 4) + std::string(64, 'x')}) {
    Stage s;
    s.log_in();
    s.reply(as_bytes(nonsense));
    EXPECT_EQ(s.closes, 1);
    EXPECT_EQ(s.context.stats.bad_frames, 1u);
    s.drop();
    s.log_in_again();
  }
}

TEST(ClientSession, passes_over_what_a_server_does_not_say) {
  Stage s;
  s.log_in();
  s.reply(s.server.room_join(1, 2));
  s.reply(s.server.hello(1, "x", 1, wire::DeviceClass::Bot));
  s.reply(s.server.logged_in(1, 5, as_bytes("again"), 1));
  EXPECT_EQ(s.context.stats.unexpected_frames, 3u);
  EXPECT_TRUE(s.session.ready());
  EXPECT_EQ(s.session.user(), 1001u);
}

TEST(ClientSession, beats_and_counts_the_answers) {
  Stage s;
  s.log_in();
  s.run_ms(10'010);
  const SentFrame first = s.take_beat();
  s.reply(s.server.heartbeat_ack(first.id(), 1, 0));
  s.run_ms(10'000);
  const SentFrame second = s.take_beat();
  s.reply(s.server.heartbeat_ack(second.id(), 1, 0));
  EXPECT_TRUE(s.beats.empty());
  EXPECT_EQ(s.context.stats.heartbeats_sent, 2u);
  EXPECT_EQ(s.context.stats.heartbeats_answered, 2u);
  EXPECT_EQ(s.context.stats.heartbeats_missed, 0u);
}

TEST(ClientSession, gives_up_a_server_that_does_not_answer_beats) {
  Stage s({.heartbeats_missed_max = 2});
  s.log_in();
  s.run_ms(30'010);
  EXPECT_EQ(s.closes, 0);
  EXPECT_EQ(s.beats.size(), 3u);
  for (int i = 0; i < 1'000 && s.closes == 0; i++) s.run_ms(10);
  EXPECT_EQ(s.closes, 1);
  EXPECT_EQ(s.context.stats.heartbeats_too_few, 1u);
  s.drop();
  s.log_in_again();
}

TEST(ClientSession, syncs_when_the_counts_of_pushes_differ) {
  Stage s;
  s.log_in();
  s.push(1, "hello");  // the first conversation: it syncs once
  s.run_ms(20);
  SentFrame sync = s.take(wire::Body::Sync);
  s.reply(s.server.ok(sync.id()));
  const auto beat_acknowledged = [&](uint64_t pushed) {
    while (s.beats.empty()) s.run_ms(10);
    const SentFrame beat = s.take_beat();
    const uint64_t received = beat->body_as_Heartbeat()->received();
    s.reply(s.server.heartbeat_ack(beat.id(), 1, pushed));
    s.run_ms(20);
    return received;
  };
  EXPECT_EQ(beat_acknowledged(1), 1u);
  EXPECT_TRUE(s.requests.empty());
  EXPECT_EQ(beat_acknowledged(3), 1u);
  sync = s.take(wire::Body::Sync);
  EXPECT_EQ(sync->body_as_Sync()->cursors()->Get(0)->seq(), 1u);
  s.reply(s.server.ok(sync.id()));
  EXPECT_EQ(beat_acknowledged(3), 3u);
  EXPECT_TRUE(s.requests.empty());
}

TEST(ClientSession, stops_from_any_phase) {
  {
    Stage s;
    s.session.stop(s.at);
    EXPECT_EQ(s.session.phase(), Phase::stopped);
    s.session.start_in(s.at, 500);
    s.session.stop(s.at);
    s.run_ms(1'000);
    EXPECT_EQ(s.connects, 0);
    s.session.start(s.at);
    s.session.stop(s.at);
    EXPECT_EQ(s.closes, 1);
    s.session.connected(s.at);  // it was on its way
    EXPECT_TRUE(s.requests.empty());
    s.drop();
    EXPECT_EQ(s.session.phase(), Phase::stopped);
  }
  Stage s;
  s.log_in();
  s.session.stop(s.at);
  EXPECT_EQ(s.closes, 1);
  s.push(1, "too late");
  s.drop();
  EXPECT_EQ(s.told(), Lines{"ready 1001 fresh"});
  s.run_ms(100'000);
  EXPECT_EQ(s.connects, 1);
}

TEST(ClientSession, logs_out_and_hears_that_it_has) {
  Stage s;
  s.log_in();
  s.told();
  const uint32_t request = s.session.logout(s.at, true);
  const SentFrame logout = s.take(wire::Body::Logout);
  EXPECT_TRUE(logout->body_as_Logout()->all_devices());
  s.reply(s.server.ok(logout.id()));
  EXPECT_EQ(s.told(), Lines{"reply " + std::to_string(request) + " Ok"});
}

TEST(ClientSession, tells_replies_to_requests) {
  Stage s;
  s.log_in();
  s.told();
  const uint32_t echo = s.session.echo(s.at, as_bytes("ping"));
  const uint32_t publish = s.session.publish(s.at, 5, as_bytes("x"), false);
  EXPECT_NE(echo, publish);
  const SentFrame first = s.take(wire::Body::Echo);
  const SentFrame second = s.take(wire::Body::RoomPublish);
  s.reply(s.server.error(second.id(), wire::ErrorCode::NotMember, "join it first"));
  s.reply(s.server.echo(first.id(), as_bytes("ping")));
  EXPECT_EQ(s.told(), (Lines{"reply " + std::to_string(publish) + " Error",
                             "reply " + std::to_string(echo) + " Echo"}));
}

TEST(ClientSession, joins_its_rooms_and_again_after_a_reconnect) {
  Stage s;
  s.session.join(s.at, 5);
  s.log_in();
  s.told();
  const SentFrame join = s.take(wire::Body::RoomJoin);
  const wire::RoomHead heads[] = {{77, 10}};
  s.reply(s.server.room_message(5, 77, 10, 1, as_bytes("before")));
  s.reply(s.server.room_joined(join.id(), 5, heads));
  s.reply(s.server.room_message(5, 77, 11, 1, as_bytes("a")));
  s.reply(s.server.room_message(5, 77, 11, 1, as_bytes("a")));
  s.reply(s.server.room_message(5, 77, 14, 1, as_bytes("d")));
  s.reply(s.server.room_message(5, 77, 13, 1, as_bytes("c")));
  s.reply(s.server.room_message(5, 77, 13, 1, as_bytes("c")));
  s.reply(s.server.room_message(5, 78, 1, 1, as_bytes("new origin")));
  s.reply(s.server.room_message(6, 77, 15, 1, as_bytes("another room")));
  EXPECT_EQ(s.told(), (Lines{"joined 5", "room 5 11 a", "gap 5 2 to 13", "room 5 14 d",
                             "room 5 13 c late", "room 5 1 new origin"}));
  EXPECT_EQ(s.context.stats.wire_duplicates, 2u);
  EXPECT_EQ(s.context.stats.wire_reordered, 1u);

  s.reply(s.server.room_gap(5, 77, 20, 6));
  s.reply(s.server.room_message(5, 77, 21, 1, as_bytes("u")));
  EXPECT_EQ(s.told(), (Lines{"skipped 5 6 to 20", "room 5 21 u"}));
  // What was already seen is not skipped; an own message without echo is nothing missed.
  s.reply(s.server.room_gap(5, 77, 23, 6));
  s.reply(s.server.room_gap(5, 77, 23, 6));
  s.reply(s.server.room_gap(5, 77, 24, 0));
  s.reply(s.server.room_message(5, 77, 25, 1, as_bytes("y")));
  EXPECT_EQ(s.told(), (Lines{"skipped 5 2 to 23", "room 5 25 y"}));

  s.drop();
  s.log_in_again();
  s.told();
  const SentFrame again = s.take(wire::Body::RoomJoin);
  const wire::RoomHead later[] = {{77, 90}};
  s.reply(s.server.room_joined(again.id(), 5, later));
  s.reply(s.server.room_message(5, 77, 91, 1, as_bytes("z")));
  EXPECT_EQ(s.told(), (Lines{"joined 5", "room 5 91 z"}));
  s.session.leave(s.at, 5);
  EXPECT_EQ(s.take(wire::Body::RoomLeave)->body_as_RoomLeave()->room(), 5u);
  s.reply(s.server.room_message(5, 77, 92, 1, as_bytes("after")));
  EXPECT_EQ(s.told(), Lines{});
}

TEST(ClientSession, shows_each_message_of_a_row_and_the_gap_before_it) {
  Stage s;
  s.session.join(s.at, 5);
  s.log_in();
  s.told();
  const wire::RoomHead heads[] = {{77, 10}};
  s.reply(s.server.room_joined(s.take(wire::Body::RoomJoin).id(), 5, heads));
  const Bytes row[] = {as_bytes("a"), as_bytes(""), as_bytes("ccc")};
  s.reply(s.server.room_messages(5, 77, 11, 1, row));
  EXPECT_EQ(s.told(), (Lines{"joined 5", "room 5 11 a", "room 5 12 ", "room 5 13 ccc"}));
  s.reply(s.server.room_messages(5, 77, 16, 1, row));
  EXPECT_EQ(s.told(), (Lines{"gap 5 2 to 15", "room 5 16 a", "room 5 17 ", "room 5 18 ccc"}));
  // One of them again, and what is left of it.
  s.reply(s.server.room_messages(5, 77, 18, 1, row));
  EXPECT_EQ(s.told(), (Lines{"room 5 19 ", "room 5 20 ccc"}));
  EXPECT_EQ(s.context.stats.wire_duplicates, 1u);
  s.reply(s.server.room_gap(5, 77, 23, 3));
  s.reply(s.server.room_messages(5, 77, 24, 1, row));
  EXPECT_EQ(s.told(), (Lines{"skipped 5 3 to 23", "room 5 24 a", "room 5 25 ", "room 5 26 ccc"}));
  s.reply(s.server.room_messages(6, 77, 27, 1, row));
  EXPECT_EQ(s.told(), Lines{});
}

TEST(ClientSession, asks_again_for_a_room_that_is_not_to_be_had_now) {
  Stage s;
  s.log_in();
  s.session.join(s.at, 5);
  s.told();
  SentFrame join = s.take(wire::Body::RoomJoin);
  s.reply(s.server.error(join.id(), wire::ErrorCode::TooManyRequests, "later", 1'000));
  s.run_ms(990);
  EXPECT_TRUE(s.requests.empty());
  s.run_ms(520);
  join = s.take(wire::Body::RoomJoin);
  s.reply(s.server.error(join.id(), wire::ErrorCode::Forbidden, "no"));
  EXPECT_EQ(s.told(), Lines{"reply 0 Error"});
  s.run_ms(5'000);
  EXPECT_TRUE(s.requests.empty());
}

}  // namespace
}  // namespace ringtalk::client
