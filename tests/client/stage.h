// tests/client/stage.h: for tests. One client in front of a server that the test plays itself.
#pragma once

#include <gtest/gtest.h>

#include <deque>
#include <string>
#include <vector>

#include "base/clock.h"
#include "client/client.h"
#include "proto/verifier.h"

namespace ringtalk::client {

inline Bytes as_bytes(std::string_view text) {
  return std::as_bytes(std::span(text));
}
inline std::string as_text(Bytes bytes) {
  return {reinterpret_cast<const char*>(bytes.data()), bytes.size()};
}

// A frame that was sent, in memory of its own.
class SentFrame {
 public:
  explicit SentFrame(Bytes bytes) : bytes_(bytes.begin(), bytes.end()) {}
  const wire::Frame& operator*() const {
    const auto frame = proto::verify(bytes_, proto::Role::server);
    EXPECT_TRUE(frame.ok());
    return **frame;
  }
  const wire::Frame* operator->() const { return &**this; }
  uint64_t id() const { return (**this).head()->id(); }
  wire::Body type() const { return (**this).body_type(); }
  Bytes bytes() const { return bytes_; }

 private:
  std::vector<std::byte> bytes_;
};

// Plays the server and records what the application is told, as lines of text.
class Stage : public ClientEvents {
 public:
  explicit Stage(ClientOptions options = {}) : context(options, clock, 42, *this), at{context, 7} {
    who = {.kind = Credentials::Kind::token, .device = 4711, .token = as_bytes(token)};
  }
  ~Stage() override {
    session.stop(at);
    if (session.phase() == ClientSession::Phase::closing) session.disconnected(at);
  }

  // ---- ClientEvents
  void connect(ClientIndex client) override {
    EXPECT_EQ(client, 7u);
    connects++;
  }
  void transmit(ClientIndex, Bytes frame) override {
    SentFrame sent(frame);
    (sent.type() == wire::Body::Heartbeat ? beats : requests).push_back(std::move(sent));
  }
  void close(ClientIndex) override { closes++; }
  Credentials credentials(ClientIndex) override { return who; }
  void ready(ClientIndex, proto::UserId user, Bytes fresh) override {
    note("ready " + std::to_string(user) + " " + as_text(fresh));
  }
  void ended(ClientIndex, const Ending& e) override {
    note(e.why == Ending::Why::kicked ? std::string("kicked ") + wire::EnumNameKickReason(e.kick)
                                      : std::string("refused ") + wire::EnumNameErrorCode(e.code) +
                                            " " + std::string(e.text));
  }
  void turned_away(ClientIndex, wire::ErrorCode code) override {
    note(std::string("turned away ") + wire::EnumNameErrorCode(code));
  }
  void sent(ClientIndex, const SendResult& r) override {
    note("sent " + std::to_string(r.tag) + " " + std::to_string(r.seq) +
         (r.duplicate ? " again" : "") +
         (r.error == wire::ErrorCode::None ? std::string()
                                           : std::string(" ") + wire::EnumNameErrorCode(r.error)));
  }
  void message(ClientIndex, const proto::MessageFields& m) override {
    note("message " + std::to_string(m.seq) + " " + as_text(m.body));
  }
  void history_lost(ClientIndex, const proto::ConversationId&, proto::Seq first) override {
    note("history from " + std::to_string(first));
  }
  void caught_up(ClientIndex) override { note("caught up"); }
  void room_joined(ClientIndex, proto::RoomId room) override {
    note("joined " + std::to_string(room));
  }
  void room_message(ClientIndex, const RoomMessageFields& m) override {
    note("room " + std::to_string(m.room) + " " + std::to_string(m.n) + " " + as_text(m.body) +
         (m.late ? " late" : ""));
  }
  void room_gap(ClientIndex, const RoomGapFields& gap) override {
    note((gap.announced ? "skipped " : "gap ") + std::to_string(gap.room) + " " +
         std::to_string(gap.missed) + " to " + std::to_string(gap.n));
  }
  void replied(ClientIndex, uint32_t request, const wire::Frame& frame) override {
    note("reply " + std::to_string(request) + " " + wire::EnumNameBody(frame.body_type()));
  }

  // ---- what happens
  void reply(Bytes frame) {
    const std::vector<std::byte> copy(frame.begin(), frame.end());
    session.received(at, copy);
  }
  void drop() { session.disconnected(at); }
  // Advances the clock in steps of 10 ms, ticking as a caller would.
  void run_ms(uint32_t ms) {
    for (uint32_t done = 0; done < ms; done += 10) {
      clock.advance_ms(10);
      if (context.now_ms() >= session.due_ms()) session.tick(at);
    }
  }
  // Connects and logs in as user 1001, without a jitter.
  void log_in(uint32_t jitter_ms = 0) {
    if (session.phase() == ClientSession::Phase::stopped) session.start(at);
    session.connected(at);
    const SentFrame hello = take(wire::Body::Hello);
    const SentFrame login = take(wire::Body::Resume);
    reply(server.welcome(hello.id(), {.heartbeat_ms = 10'000, .jitter_ms = jitter_ms}));
    reply(server.logged_in(login.id(), 1001, as_bytes("fresh"), 1));
    ASSERT_TRUE(session.ready());
  }
  // Waits until the client wants a connection again, and gives it one.
  void log_in_again() {
    const int before = connects;
    for (int i = 0; i < 10'000 && connects == before; i++) run_ms(10);
    ASSERT_EQ(connects, before + 1);
    log_in();
  }

  // The next request, which must be of this type.
  SentFrame take(wire::Body type) {
    if (requests.empty()) {
      ADD_FAILURE() << "no request, expected " << wire::EnumNameBody(type);
      return SentFrame(server.stats(0));
    }
    SentFrame frame = requests.front();
    requests.pop_front();
    EXPECT_EQ(frame.type(), type) << wire::EnumNameBody(frame.type());
    return frame;
  }
  SentFrame take_beat() {
    if (beats.empty()) {
      ADD_FAILURE() << "no heartbeat";
      return SentFrame(server.heartbeat(0, 0));
    }
    SentFrame beat = beats.front();
    beats.pop_front();
    return beat;
  }
  // What the application was told since the last call.
  std::vector<std::string> told() { return std::exchange(told_, {}); }
  void note(std::string line) { told_.push_back(std::move(line)); }

  void push(proto::Seq seq, std::string_view body, proto::UserId sender = 1002) {
    reply(server.message({.conversation = conversation,
                          .seq = seq,
                          .sender = sender,
                          .client_msg_id = {seq, sender},
                          .body = as_bytes(body)}));
  }
  void page(uint64_t id, proto::Seq from, proto::Seq to, proto::Seq last, bool more,
            proto::Seq first_available = 1) {
    proto::PageBuilder builder;
    for (proto::Seq seq = from; seq <= to; seq++) {
      const std::string body = "m" + std::to_string(seq);
      ASSERT_TRUE(builder.add({.seq = seq, .sender = 1002, .body = as_bytes(body)}));
    }
    reply(server.messages(id, conversation, builder, first_available, last, more));
  }
  bool send(std::string_view body, uint64_t tag) {
    return session.send(at, conversation, wire::MessageKind::Text, as_bytes(body), tag);
  }

  base::ManualClock clock;
  ClientContext context;
  ClientRef at;
  ClientSession session;
  proto::FrameWriter server;
  std::string token = "a token";
  Credentials who;
  const proto::ConversationId conversation{1001, 1002};
  std::deque<SentFrame> requests;
  std::deque<SentFrame> beats;
  int connects = 0;
  int closes = 0;

 private:
  std::vector<std::string> told_;
};

using Lines = std::vector<std::string>;

}  // namespace ringtalk::client
