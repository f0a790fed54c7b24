#include <gtest/gtest.h>

#include <deque>
#include <map>
#include <set>

#include "base/clock.h"
#include "client/client.h"
#include "proto/verifier.h"

namespace ringtalk::client {
namespace {

using Buffer = std::vector<std::byte>;

const proto::ConversationId kConversation{1, 2};

// A server of one conversation between users 1 and 2, as delivery.md describes it, over a network
// that cuts, and with a server that drops, repeats and swaps pushes.
class World : public ClientEvents {
 public:
  explicit World(uint64_t seed)
      : random_(seed), context_({.reconnect_max_ms = 500}, clock_, seed + 1, *this) {
    for (ClientIndex i = 0; i < 2; i++) {
      users_[i].session.use_conversations(at(i));
      users_[i].session.start(at(i));
    }
  }
  ~World() override {
    for (ClientIndex i = 0; i < 2; i++) {
      users_[i].session.stop(at(i));
      if (users_[i].session.phase() == ClientSession::Phase::closing) {
        users_[i].session.disconnected(at(i));
      }
    }
  }

  void run() {
    for (int step = 0; step < 3'000; step++) turn(true);
    healed_ = true;
    for (int step = 0; step < 20'000 && !done(); step++) turn(false);
  }

  void judge() {
    ASSERT_TRUE(done()) << "not settled";
    std::set<uint64_t> bodies;
    uint64_t last_of[3] = {};
    for (const Row& row : log_) {
      EXPECT_TRUE(bodies.insert(row.number).second) << "committed twice";
      EXPECT_LT(last_of[row.sender], row.number) << "sends out of order";
      last_of[row.sender] = row.number;
    }
    EXPECT_EQ(bodies.size(), sent_);
    for (ClientIndex i = 0; i < 2; i++) {
      const User& user = users_[i];
      EXPECT_EQ(user.acknowledged, user.numbers.size());
      EXPECT_EQ(user.session.cursor(kConversation), log_.size());
      size_t theirs = 0;
      for (const Row& row : log_) theirs += row.sender != i + 1;
      EXPECT_EQ(user.shown, theirs);
    }
    EXPECT_GT(log_.size(), 50u);
  }
  const ClientStats& stats() const { return context_.stats; }

  // ---- ClientEvents
  void connect(ClientIndex i) override { users_[i].wants_connection = true; }
  void close(ClientIndex i) override { users_[i].closing = true; }
  void transmit(ClientIndex i, Bytes frame) override {
    users_[i].to_server.emplace_back(frame.begin(), frame.end());
  }
  Credentials credentials(ClientIndex) override {
    return {.kind = Credentials::Kind::token, .device = 1};
  }
  void ready(ClientIndex, proto::UserId, Bytes) override {}
  void ended(ClientIndex, const Ending&) override { ADD_FAILURE(); }
  void sent(ClientIndex i, const SendResult& result) override {
    User& user = users_[i];
    ASSERT_EQ(result.error, wire::ErrorCode::None);
    ASSERT_LE(result.seq, log_.size());
    EXPECT_EQ(log_[result.seq - 1].number, result.tag);
    EXPECT_TRUE(user.numbers.contains(result.tag));
    EXPECT_TRUE(user.acknowledgements.insert(result.tag).second) << "acknowledged twice";
    user.acknowledged++;
  }
  void message(ClientIndex i, const proto::MessageFields& m) override {
    User& user = users_[i];
    EXPECT_NE(m.sender, i + 1) << "its own message is shown by sent()";
    EXPECT_GT(m.seq, user.last_shown) << "not in order";
    // Everything in between is its own.
    for (proto::Seq seq = user.last_shown + 1; seq < m.seq; seq++) {
      EXPECT_EQ(log_[seq - 1].sender, i + 1) << "a message was passed over";
    }
    user.last_shown = m.seq;
    uint64_t number;
    ASSERT_EQ(m.body.size(), sizeof number);
    std::memcpy(&number, m.body.data(), sizeof number);
    EXPECT_EQ(number, log_[m.seq - 1].number);
    user.shown++;
  }
  void history_lost(ClientIndex, const proto::ConversationId&, proto::Seq) override {
    ADD_FAILURE();
  }
  void caught_up(ClientIndex) override {}
  void room_joined(ClientIndex, proto::RoomId) override {}
  void room_message(ClientIndex, const RoomMessageFields&) override {}
  void turned_away(ClientIndex, wire::ErrorCode) override {}
  void room_gap(ClientIndex, const RoomGapFields&) override {}
  void replied(ClientIndex, uint32_t, const wire::Frame&) override {}

 private:
  struct Row {
    uint64_t number;
    proto::UserId sender;
    proto::ClientMessageId id;
  };
  struct User {
    ClientSession session;
    bool wants_connection = false;
    bool closing = false;
    bool online = false;  // as the server sees it
    std::deque<Buffer> to_server;
    std::deque<Buffer> to_client;
    uint64_t pushed = 0;
    proto::ClientMessageId held_for{};  // every other send fails until this one comes again
    bool held = false;
    std::set<uint64_t> numbers;  // sent
    std::set<uint64_t> acknowledgements;
    size_t acknowledged = 0;
    size_t shown = 0;
    proto::Seq last_shown = 0;
  };

  ClientRef at(ClientIndex i) { return {context_, i}; }

  bool done() const {
    for (const User& user : users_) {
      if (!user.session.settled() || !user.to_client.empty() || !user.to_server.empty()) {
        return false;
      }
      if (user.session.cursor(kConversation) != log_.size()) return false;
    }
    return true;
  }

  void turn(bool faults) {
    clock_.advance_ms(5);
    for (ClientIndex i = 0; i < 2; i++) {
      User& user = users_[i];
      if (user.session.phase() == ClientSession::Phase::connecting) {
        if (!user.wants_connection) continue;
        user.wants_connection = false;
        if (faults && random_.chance(0.2)) {
          cut(i);
        } else {
          user.session.connected(at(i));
        }
      } else if (user.closing || (faults && user.session.ready() && random_.chance(0.01))) {
        cut(i);
      }
      if (faults && random_.chance(0.2)) {
        const uint64_t number = ++sent_;
        user.numbers.insert(number);
        if (!user.session.send(at(i), kConversation, wire::MessageKind::Text,
                               std::as_bytes(std::span(&number, 1)), number)) {
          user.numbers.erase(number);
          sent_--;
        }
      }
      serve(i);
      deliver(i);
      if (context_.now_ms() >= user.session.due_ms()) user.session.tick(at(i));
    }
  }

  // Whatever was on its way, in both directions, may be lost.
  void cut(ClientIndex i) {
    User& user = users_[i];
    user.closing = false;
    if (random_.chance(0.5)) serve(i);  // it had arrived, the answers are lost
    user.to_server.clear();
    user.to_client.clear();
    user.online = false;
    user.held = false;
    if (user.session.phase() != ClientSession::Phase::waiting) user.session.disconnected(at(i));
  }

  void reply(ClientIndex i, Bytes frame) {
    users_[i].to_client.emplace_back(frame.begin(), frame.end());
  }

  void push(ClientIndex i, proto::Seq seq) {
    User& user = users_[i];
    if (!user.online) return;
    user.pushed++;
    const Row& row = log_[seq - 1];
    const double fault = healed_ ? 1.0 : random_.unit();
    if (fault < 0.03) return;  // lost inside: the counts of the next beat tell
    reply(i, server_.message({.conversation = kConversation,
                              .seq = seq,
                              .sender = row.sender,
                              .client_msg_id = row.id,
                              .body = std::as_bytes(std::span(&row.number, 1))}));
    if (fault < 0.06) {
      user.to_client.push_back(user.to_client.back());
      user.pushed++;
    } else if (fault < 0.09 && user.to_client.size() >= 2 && both_messages(user)) {
      std::swap(user.to_client.end()[-1], user.to_client.end()[-2]);
    }
  }

  static bool both_messages(const User& user) {
    for (const Buffer* frame : {&user.to_client.end()[-1], &user.to_client.end()[-2]}) {
      const auto decoded = proto::verify(*frame, proto::Role::client);
      if ((*decoded)->body_type() != wire::Body::Message) return false;
    }
    return true;
  }

  void serve(ClientIndex i) {
    User& user = users_[i];
    uint64_t budget = healed_ ? 100 : random_.below(4);
    while (budget-- > 0 && !user.to_server.empty()) {
      const Buffer frame = std::move(user.to_server.front());
      user.to_server.pop_front();
      const auto decoded = proto::verify(frame, proto::Role::server);
      ASSERT_TRUE(decoded.ok());
      answer(i, **decoded);
    }
  }

  void answer(ClientIndex i, const wire::Frame& frame) {
    User& user = users_[i];
    const uint64_t id = frame.head()->id();
    if (frame.body_as_Hello() != nullptr) {
      reply(i, server_.welcome(id, {.heartbeat_ms = 300, .jitter_ms = 50}));
    } else if (frame.body_as_Resume() != nullptr) {
      user.online = true;
      user.pushed = 0;
      reply(i, server_.logged_in(id, i + 1, {}, 1));
    } else if (frame.body_as_Heartbeat() != nullptr) {
      reply(i, server_.heartbeat_ack(id, 1, user.pushed));
    } else if (const auto* send = frame.body_as_Send()) {
      answer_send(i, id, *send);
    } else if (const auto* sync = frame.body_as_Sync()) {
      if (!healed_ && random_.chance(0.2)) {
        return reply(i, server_.error(id, wire::ErrorCode::ServerBusy, "", 50));
      }
      const proto::Seq known = sync->cursors()->size() == 0 ? 0 : sync->cursors()->Get(0)->seq();
      if (known < log_.size()) reply(i, server_.sync_hint(id, kConversation, log_.size()));
      reply(i, server_.ok(id));
    } else if (const auto* pull = frame.body_as_Pull()) {
      answer_pull(i, id, *pull);
    } else {
      ADD_FAILURE() << wire::EnumNameBody(frame.body_type());
    }
  }

  void answer_send(ClientIndex i, uint64_t id, const wire::Send& send) {
    User& user = users_[i];
    const proto::ClientMessageId message{send.client_msg_id()->high(), send.client_msg_id()->low()};
    if (user.held && message == user.held_for) user.held = false;
    if (user.held || (!healed_ && random_.chance(0.05))) {
      if (!user.held) user.held_for = message;
      user.held = true;
      return reply(i, server_.error(id, wire::ErrorCode::StoreUnavailable, "", 50));
    }
    const auto [at, fresh] = committed_.try_emplace(message, log_.size() + 1);
    if (fresh) {
      uint64_t number;
      std::memcpy(&number, send.body()->data(), sizeof number);
      log_.push_back({number, i + 1, message});
      push(1 - i, at->second);
    }
    reply(i, server_.sent(id, kConversation, at->second, 1, !fresh));
  }

  void answer_pull(ClientIndex i, uint64_t id, const wire::Pull& pull) {
    if (!healed_ && random_.chance(0.1)) {
      return reply(i, server_.error(id, wire::ErrorCode::TooManyRequests, "", 50));
    }
    proto::PageBuilder page;
    proto::Seq seq = pull.from_seq() + 1;
    for (; seq <= log_.size() && page.heads().size() < 5; seq++) {
      const Row& row = log_[seq - 1];
      ASSERT_TRUE(page.add({.seq = seq,
                            .sender = row.sender,
                            .client_msg_id = row.id,
                            .body = std::as_bytes(std::span(&row.number, 1))}));
    }
    reply(i, server_.messages(id, kConversation, page, 1, log_.size(), seq <= log_.size()));
  }

  void deliver(ClientIndex i) {
    User& user = users_[i];
    uint64_t budget = healed_ ? 100 : random_.below(5);
    while (budget-- > 0 && !user.to_client.empty()) {
      const Buffer frame = std::move(user.to_client.front());
      user.to_client.pop_front();
      user.session.received(at(i), frame);
    }
  }

  base::ManualClock clock_;
  base::Random random_;
  ClientContext context_;
  proto::FrameWriter server_;
  User users_[2];
  std::vector<Row> log_;
  std::map<proto::ClientMessageId, proto::Seq> committed_;
  uint64_t sent_ = 0;
  bool healed_ = false;
};

TEST(ClientUnderFaults, loses_repeats_and_reorders_nothing) {
  ClientStats seen;
  for (uint64_t seed = 1; seed <= 100; seed++) {
    SCOPED_TRACE(testing::Message() << "seed " << seed);
    World world(seed);
    world.run();
    world.judge();
    if (HasFailure()) return;
    seen.resends += world.stats().resends;
    seen.retries += world.stats().retries;
    seen.wire_duplicates += world.stats().wire_duplicates;
    seen.wire_reordered += world.stats().wire_reordered;
    seen.pulls += world.stats().pulls;
    seen.count_mismatches += world.stats().count_mismatches;
    seen.disconnects += world.stats().disconnects;
  }
  // The faults were there.
  EXPECT_GT(seen.resends, 100u);
  EXPECT_GT(seen.retries, 100u);
  EXPECT_GT(seen.wire_duplicates, 100u);
  EXPECT_GT(seen.wire_reordered, 20u);
  EXPECT_GT(seen.pulls, 100u);
  EXPECT_GT(seen.count_mismatches, 10u);
  EXPECT_GT(seen.disconnects, 100u);
}

}  // namespace
}  // namespace ringtalk::client
