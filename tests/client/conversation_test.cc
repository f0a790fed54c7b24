#include <gtest/gtest.h>

#include "base/counts.h"
#include "stage.h"

namespace ringtalk::client {
namespace {

// Logs in a device that uses conversations and has nothing to catch up with.
void log_in_in_step(Stage& s) {
  s.session.use_conversations(s.at);
  s.log_in();
  s.run_ms(10);
  s.reply(s.server.ok(s.take(wire::Body::Sync).id()));
  ASSERT_EQ(s.told(), (Lines{"ready 1001 fresh", "caught up"}));
}

void acknowledge(Stage& s, const SentFrame& send, proto::Seq seq, bool duplicate = false) {
  s.reply(s.server.sent(send.id(), s.conversation, seq, 1, duplicate));
}

std::string body_of(const SentFrame& send) {
  return as_text(proto::bytes_of(send->body_as_Send()->body()));
}

TEST(ClientConversation, sends_and_tells_the_outcome) {
  Stage s;
  log_in_in_step(s);
  EXPECT_TRUE(s.session.settled());
  ASSERT_TRUE(s.send("one", 1));
  ASSERT_TRUE(s.send("two", 2));
  EXPECT_EQ(s.session.unacknowledged(), 2u);
  EXPECT_FALSE(s.session.settled());
  const SentFrame one = s.take(wire::Body::Send);
  const SentFrame two = s.take(wire::Body::Send);
  EXPECT_EQ(body_of(one), "one");
  EXPECT_NE(one->body_as_Send()->client_msg_id()->low(),
            two->body_as_Send()->client_msg_id()->low());
  acknowledge(s, one, 1);
  s.reply(s.server.error(two.id(), wire::ErrorCode::Blocked, "no"));
  EXPECT_EQ(s.told(), (Lines{"sent 1 1", "sent 2 0 Blocked"}));
  EXPECT_TRUE(s.session.settled());
  EXPECT_EQ(s.session.cursor(s.conversation), 1u);
}

TEST(ClientConversation, accepts_sends_before_the_login) {
  Stage s;
  ASSERT_TRUE(s.send("early", 1));
  s.log_in();
  EXPECT_EQ(body_of(s.take(wire::Body::Send)), "early");
}

TEST(ClientConversation, sends_again_in_order_after_a_reconnect) {
  Stage s;
  log_in_in_step(s);
  for (uint64_t tag = 1; tag <= 4; tag++) ASSERT_TRUE(s.send("m" + std::to_string(tag), tag));
  std::vector<SentFrame> first;
  for (int i = 0; i < 4; i++) first.push_back(s.take(wire::Body::Send));
  acknowledge(s, first[0], 1);
  // The Sent of the second is lost with the connection; the others were never committed.
  s.drop();
  ASSERT_TRUE(s.send("m5", 5));
  s.told();
  s.log_in_again();
  std::vector<SentFrame> again;
  for (int i = 0; i < 4; i++) again.push_back(s.take(wire::Body::Send));
  for (int i = 0; i < 3; i++) {
    EXPECT_EQ(body_of(again[i]), "m" + std::to_string(i + 2));
    EXPECT_EQ(again[i]->body_as_Send()->client_msg_id()->high(),
              first[i + 1]->body_as_Send()->client_msg_id()->high());
  }
  EXPECT_EQ(body_of(again[3]), "m5");
  acknowledge(s, again[0], 2, true);
  for (int i = 1; i < 4; i++) acknowledge(s, again[i], i + 2);
  acknowledge(s, again[3], 5);  // the server says it twice
  EXPECT_EQ(s.told(),
            (Lines{"ready 1001 fresh", "sent 2 2 again", "sent 3 3", "sent 4 4", "sent 5 5"}));
  EXPECT_EQ(s.context.stats.resends, 3u);
}

TEST(ClientConversation, keeps_the_order_through_a_retryable_error) {
  Stage s;
  log_in_in_step(s);
  for (uint64_t tag = 1; tag <= 3; tag++) ASSERT_TRUE(s.send("m" + std::to_string(tag), tag));
  std::vector<SentFrame> first;
  for (int i = 0; i < 3; i++) first.push_back(s.take(wire::Body::Send));
  s.reply(s.server.error(first[0].id(), wire::ErrorCode::StoreUnavailable, "", 1'000));
  ASSERT_TRUE(s.send("m4", 4));  // must not overtake
  s.reply(s.server.error(first[1].id(), wire::ErrorCode::StoreUnavailable, "", 1'000));
  s.run_ms(5'000);
  EXPECT_TRUE(s.requests.empty());  // one answer is missing
  // Another conversation is not held back.
  ASSERT_TRUE(s.session.send(s.at, {1, 1001}, wire::MessageKind::Text, as_bytes("other"), 9));
  EXPECT_EQ(body_of(s.take(wire::Body::Send)), "other");
  s.reply(s.server.error(first[2].id(), wire::ErrorCode::StoreUnavailable, "", 1'000));
  s.run_ms(1'600);
  for (uint64_t tag = 1; tag <= 4; tag++) {
    const SentFrame send = s.take(wire::Body::Send);
    EXPECT_EQ(body_of(send), "m" + std::to_string(tag));
    acknowledge(s, send, tag);
  }
  EXPECT_EQ(s.told(), (Lines{"sent 1 1", "sent 2 2", "sent 3 3", "sent 4 4"}));
}

TEST(ClientConversation, keeps_within_its_windows) {
  Stage s({.outbox_messages = 5, .sends_in_flight = 2});
  log_in_in_step(s);
  for (uint64_t tag = 1; tag <= 5; tag++) EXPECT_TRUE(s.send("x", tag));
  EXPECT_FALSE(s.send("x", 6));
  EXPECT_EQ(s.requests.size(), 2u);
  for (proto::Seq seq = 1; seq <= 5; seq++) acknowledge(s, s.take(wire::Body::Send), seq);
  EXPECT_EQ(s.told().back(), "sent 5 5");
  EXPECT_EQ(s.session.unacknowledged(), 0u);
  EXPECT_TRUE(s.send("x", 6));

  Stage bytes({.sends_in_flight_bytes = 100});
  log_in_in_step(bytes);
  EXPECT_TRUE(bytes.send(std::string(200, 'x'), 1));  // one alone goes always
  EXPECT_TRUE(bytes.send(std::string(20, 'x'), 2));
  EXPECT_EQ(bytes.requests.size(), 1u);
}

TEST(ClientConversation, shows_each_message_once_and_in_order) {
  Stage s;
  log_in_in_step(s);
  s.push(1, "a");
  s.push(1, "a");
  s.push(3, "c");
  s.push(4, "d");
  s.push(3, "c");
  s.push(2, "b");
  s.push(2, "b");
  s.push(5, "e");
  EXPECT_EQ(s.told(),
            (Lines{"message 1 a", "message 2 b", "message 3 c", "message 4 d", "message 5 e"}));
  EXPECT_EQ(s.context.stats.wire_duplicates, 3u);
  EXPECT_EQ(s.context.stats.wire_reordered, 1u);
  EXPECT_EQ(s.context.stats.gaps, 1u);
  s.run_ms(5'000);
  EXPECT_EQ(s.context.stats.pulls, 0u);  // it healed by itself
}

TEST(ClientConversation, counts_its_own_messages_into_the_order) {
  Stage s;
  log_in_in_step(s);
  ASSERT_TRUE(s.send("mine", 1));
  const SentFrame mine = s.take(wire::Body::Send);
  s.push(1, "a");
  acknowledge(s, mine, 2);
  s.push(3, "c");
  EXPECT_EQ(s.told(), (Lines{"message 1 a", "sent 1 2", "message 3 c"}));
  // Early, too: the acknowledgement is told at once, the others wait for what is missing.
  ASSERT_TRUE(s.send("mine", 2));
  acknowledge(s, s.take(wire::Body::Send), 5);
  s.push(6, "f");
  EXPECT_EQ(s.told(), Lines{"sent 2 5"});
  s.push(4, "d");
  EXPECT_EQ(s.told(), (Lines{"message 4 d", "message 6 f"}));
}

// Found by the simulation: a send is committed and its Sent lost with the connection. To the next
// one the server pushes it like any other message, behind a gap; then the send is repeated and its
// Sent comes. The held push was shown as well when the gap closed.
TEST(ClientConversation, shows_its_own_held_message_once) {
  Stage s;
  log_in_in_step(s);
  ASSERT_TRUE(s.send("mine", 1));
  const SentFrame mine = s.take(wire::Body::Send);
  const wire::MessageId* id = mine->body_as_Send()->client_msg_id();
  s.reply(s.server.message({.conversation = s.conversation,
                            .seq = 2,
                            .sender = 1001,
                            .client_msg_id = {id->high(), id->low()},
                            .body = as_bytes(std::string_view("mine"))}));
  acknowledge(s, mine, 2, true);
  s.push(1, "a");
  EXPECT_EQ(s.told(), (Lines{"sent 1 2 again", "message 1 a"}));
}

TEST(ClientConversation, pulls_a_gap_that_does_not_close) {
  Stage s;
  log_in_in_step(s);
  s.push(1, "m1");
  s.push(4, "m4");
  s.run_ms(290);
  EXPECT_TRUE(s.requests.empty());
  s.run_ms(730);
  const SentFrame pull = s.take(wire::Body::Pull);
  EXPECT_EQ(pull->body_as_Pull()->from_seq(), 1u);
  s.page(pull.id(), 2, 3, 4, false);
  EXPECT_EQ(s.told(), (Lines{"message 1 m1", "message 2 m2", "message 3 m3", "message 4 m4"}));
  s.run_ms(3'000);
  EXPECT_TRUE(s.requests.empty());
}

TEST(ClientConversation, catches_up_page_by_page_after_the_jitter) {
  Stage s;
  s.session.set_cursor(s.at, s.conversation, 10);
  s.log_in(2'000);
  s.told();
  s.run_ms(2'010);
  const SentFrame sync = s.take(wire::Body::Sync);
  ASSERT_EQ(sync->body_as_Sync()->cursors()->size(), 1u);
  EXPECT_EQ(sync->body_as_Sync()->cursors()->Get(0)->seq(), 10u);
  s.reply(s.server.sync_hint(sync.id(), s.conversation, 15));
  SentFrame pull = s.take(wire::Body::Pull);
  s.reply(s.server.ok(sync.id()));
  EXPECT_EQ(pull->body_as_Pull()->from_seq(), 10u);
  s.page(pull.id(), 11, 13, 16, true);
  s.push(16, "m16");  // live, in between
  pull = s.take(wire::Body::Pull);
  EXPECT_EQ(pull->body_as_Pull()->from_seq(), 13u);
  EXPECT_FALSE(s.session.settled());
  s.page(pull.id(), 14, 16, 16, false);
  EXPECT_EQ(s.told(), (Lines{"message 11 m11", "message 12 m12", "message 13 m13", "message 14 m14",
                             "message 15 m15", "message 16 m16", "caught up"}));
  EXPECT_TRUE(s.session.settled());
  s.run_ms(2'000);
  EXPECT_TRUE(s.requests.empty());
}

TEST(ClientConversation, syncs_again_when_there_was_more) {
  Stage s;
  s.session.use_conversations(s.at);
  s.log_in();
  s.told();
  s.run_ms(10);
  SentFrame sync = s.take(wire::Body::Sync);
  s.reply(s.server.sync_hint(sync.id(), s.conversation, 1));
  s.reply(s.server.ok(sync.id(), true));
  s.page(s.take(wire::Body::Pull).id(), 1, 1, 1, false);
  sync = s.take(wire::Body::Sync);
  EXPECT_EQ(sync->body_as_Sync()->cursors()->Get(0)->seq(), 1u);
  s.reply(s.server.ok(sync.id()));
  EXPECT_EQ(s.told(), (Lines{"message 1 m1", "caught up"}));
}

TEST(ClientConversation, pulls_a_few_at_a_time) {
  Stage s({.pulls_in_flight = 2});
  s.session.use_conversations(s.at);
  s.log_in();
  s.run_ms(10);
  const SentFrame sync = s.take(wire::Body::Sync);
  for (uint64_t peer = 1; peer <= 5; peer++) {
    s.reply(s.server.sync_hint(sync.id(), {peer, 1001}, 1));
  }
  s.reply(s.server.ok(sync.id()));
  int pulls = 0;
  while (!s.requests.empty()) {
    EXPECT_LE(s.requests.size(), 2u);
    const SentFrame pull = s.take(wire::Body::Pull);
    const wire::Conv* conv = pull->body_as_Pull()->conv();
    proto::PageBuilder page;
    ASSERT_TRUE(page.add({.seq = 1, .sender = conv->a(), .body = as_bytes("x")}));
    s.reply(s.server.messages(pull.id(), {conv->a(), conv->b()}, page, 1, 1, false));
    pulls++;
  }
  EXPECT_EQ(pulls, 5);
  EXPECT_EQ(s.told().back(), "caught up");
}

TEST(ClientConversation, starts_from_now_where_no_history_is_wanted) {
  Stage s({.whole_history = false});
  s.session.use_conversations(s.at);
  s.log_in(1'000);
  s.told();
  s.push(57, "live");  // before the first sync
  s.run_ms(1'010);
  const SentFrame sync = s.take(wire::Body::Sync);
  s.reply(s.server.sync_hint(sync.id(), {1, 1001}, 33));
  s.reply(s.server.ok(sync.id()));
  EXPECT_EQ(s.told(), (Lines{"message 57 live", "caught up"}));
  EXPECT_EQ(s.session.cursor({1, 1001}), 33u);
  EXPECT_TRUE(s.requests.empty());
  // From then on nothing is passed over.
  s.push(59, "later");
  s.run_ms(1'010);
  EXPECT_EQ(s.take(wire::Body::Pull)->body_as_Pull()->from_seq(), 57u);
}

TEST(ClientConversation, says_what_retention_took) {
  Stage s;
  log_in_in_step(s);
  s.push(100, "m100");
  s.run_ms(1'010);
  s.page(s.take(wire::Body::Pull).id(), 98, 100, 100, false, 98);
  EXPECT_EQ(s.told(),
            (Lines{"history from 98", "message 98 m98", "message 99 m99", "message 100 m100"}));
}

TEST(ClientConversation, tries_a_pull_again_and_gives_up_what_is_not_its_own) {
  Stage s;
  log_in_in_step(s);
  s.push(3, "m3");
  s.run_ms(1'010);
  s.reply(s.server.error(s.take(wire::Body::Pull).id(), wire::ErrorCode::ServerBusy, "", 500));
  s.run_ms(490);
  EXPECT_TRUE(s.requests.empty());
  s.run_ms(270);
  s.reply(s.server.error(s.take(wire::Body::Pull).id(), wire::ErrorCode::NotMember, ""));
  s.run_ms(10'000);
  EXPECT_TRUE(s.requests.empty());
}

TEST(ClientConversation, survives_pages_that_contradict_themselves) {
  Stage s;
  log_in_in_step(s);
  s.push(9, "m9");
  for (int i = 0; i < 5; i++) {
    s.run_ms(1'010);
    const SentFrame pull = s.take(wire::Body::Pull);
    flatbuffers::FlatBufferBuilder b;
    const wire::Conv conv(1001, 1002);
    const wire::MessageId id(1, 1);
    // A body's end beyond the bodies; a hole; ends that fall.
    const std::vector<wire::MessageHead> heads[] = {
        {{1, 2, id, 0, 0, 500, wire::MessageKind::Text}},
        {{5, 2, id, 0, 0, 1, wire::MessageKind::Text}},
        {{1, 2, id, 0, 0, 3, wire::MessageKind::Text},
         {2, 2, id, 0, 0, 1, wire::MessageKind::Text}},
        {},
        {{1, 2, id, 0, 0, 1, wire::MessageKind::Text}}};
    const auto heads_at = b.CreateVectorOfStructs(heads[i]);
    const auto bodies_at = b.CreateVector(std::vector<uint8_t>{'x', 'y', 'z'});
    const auto page = wire::CreateMessages(b, &conv, heads_at, bodies_at, 1, 9, true);
    const wire::Head head(pull.id());
    wire::FinishSizePrefixedFrameBuffer(
        b, wire::CreateFrame(b, &head, wire::Body::Messages, page.Union()));
    s.reply(Bytes(reinterpret_cast<const std::byte*>(b.GetBufferPointer()), b.GetSize()));
  }
  EXPECT_EQ(s.context.stats.bad_frames, 3u);
  EXPECT_EQ(s.told(), Lines{"message 1 xyz"});
}

TEST(ClientConversation, costs_an_idle_client_no_memory) {
  Stage s;
  s.log_in();
  s.clock.advance_ms(11'000);
  proto::FrameWriter server;
  const std::vector<std::byte> ack = [&] {
    const Bytes frame = server.heartbeat_ack(uint64_t{3} << 32 | 1, 1, 0);
    return std::vector<std::byte>(frame.begin(), frame.end());
  }();
  for (int i = 0; i < 100; i++) {
    s.beats.clear();
    s.session.tick(s.at);
    ASSERT_EQ(s.beats.size(), 1u);
    const uint64_t before = base::thread_counts().allocations;
    s.session.received(s.at, ack);
    EXPECT_EQ(base::thread_counts().allocations, before);
    s.clock.advance_ms(10'000);
  }
}

}  // namespace
}  // namespace ringtalk::client
