// src/client/client.h: public. The client as a state machine without I/O.
//
// One ClientSession is one device of one user. It is fed with what happened (connected, bytes,
// disconnected, time) and says through ClientEvents what to do. It logs in, beats, reconnects with
// jitter, sends again in order what was not acknowledged, heals gaps by pulling and shows each
// (conversation, seq) once and in order. loadgen, the command-line client and the simulator drive
// this class and nothing else.
//
//   stopped -start-> connecting -connected-> greeting -login-> ready
//      ^                 ^  \___________________|_____disconnected____\,
//      |                 '-------------tick--------------------- waiting
//      '------ stop(), login refused, kicked ------ closing <- any
//
// Ownership: the caller holds sessions in an array of its own (48 bytes each) and tells each call
// which one it is; durable and room state is made with the first use. Thread rule: one owner.
// Invariant: a session is destroyed in phase stopped or waiting, when it owns no connection.
#pragma once

#include <cstdint>
#include <memory>
#include <utility>
#include <vector>

#include "client/context.h"

namespace ringtalk::client {

struct SessionState;

class ClientSession {
 public:
  enum class Phase : uint8_t { stopped, waiting, connecting, greeting, ready, closing };

  ClientSession() noexcept;
  ~ClientSession();
  ClientSession(const ClientSession&) = delete;
  ClientSession& operator=(const ClientSession&) = delete;

  // ---- what happened
  void start(const ClientRef& at);  // asks for a connection at once
  void start_in(const ClientRef& at, uint32_t delay_ms);
  void connected(const ClientRef& at);
  void received(const ClientRef& at, Bytes bytes);
  // Also the answer to a connect that failed.
  void disconnected(const ClientRef& at);
  // Does what is due; cheap when nothing is. Call it when now_ms() >= due_ms().
  void tick(const ClientRef& at);
  // Ends: stopped with disconnected(), or at once without a connection. What is in the outbox stays
  // there for the next start().
  void stop(const ClientRef& at);

  // When tick() is to be called (context.now_ms()); kNever: not at all.
  uint32_t due_ms() const noexcept;
  Phase phase() const noexcept { return phase_; }
  bool ready() const noexcept { return phase_ == Phase::ready; }
  // Put out by a session of the same device, once; it comes back by itself, and a second time is
  // the end of it.
  bool kicked() const noexcept { return kicked_; }
  proto::UserId user() const noexcept { return user_; }

  // ---- conversations (durable, from any phase)
  // From now on this device catches up by Sync after each login. Implied by the others below.
  void use_conversations(const ClientRef& at);
  // What the device has of a conversation, from an earlier life.
  void set_cursor(const ClientRef& at, const proto::ConversationId& conversation, proto::Seq seq);
  // Everything up to here has been shown.
  proto::Seq cursor(const proto::ConversationId& conversation) const noexcept;
  std::vector<std::pair<proto::ConversationId, proto::Seq>> cursors() const;
  // Accepts a message for delivery (sent() tells the outcome) under a new random id, which is
  // returned; false: the outbox is full.
  bool send(const ClientRef& at, const proto::ConversationId& conversation, wire::MessageKind kind,
            Bytes body, uint64_t tag = 0, proto::Seq reply_to = 0,
            proto::ClientMessageId* id = nullptr);
  uint32_t unacknowledged() const noexcept;
  // Nothing to acknowledge, pull or sync: the settle phase of a run may judge.
  bool settled() const noexcept;

  // ---- rooms (live); membership is renewed after a reconnect
  void join(const ClientRef& at, proto::RoomId room);
  void leave(const ClientRef& at, proto::RoomId room);

  // ---- requests that are lost with the connection; the answer is replied(). Only when ready().
  uint32_t echo(const ClientRef& at, Bytes body);
  uint32_t publish(const ClientRef& at, proto::RoomId room, Bytes body, bool echo);
  uint32_t users(const ClientRef& at, std::span<const proto::UserId> ids,
                 std::span<const std::string_view> names);
  uint32_t stats(const ClientRef& at);
  // Ends this device's tokens, or those of all devices; behind the Ok the server closes.
  uint32_t logout(const ClientRef& at, bool all_devices);
  uint32_t register_user(const ClientRef& at, std::string_view name, std::string_view password);

 private:
  SessionState& state();
  bool logged_in() const noexcept { return phase_ == Phase::ready && !anonymous_; }
  uint64_t application_id() noexcept;
  uint32_t transmit(const ClientRef& at, Bytes frame);
  void beat(const ClientRef& at);
  void went_offline(const ClientRef& at);
  void hang_up(const ClientRef& at, uint32_t delay_ms);
  void end(const ClientRef& at, const Ending& ending);
  uint32_t backoff_ms(const ClientRef& at) noexcept;

  bool dispatch(const ClientRef& at, Bytes bytes);
  void handle(const ClientRef& at, const wire::Frame& frame);
  void handle_welcome(const ClientRef& at, const wire::Welcome& welcome);
  void handle_login(const ClientRef& at, proto::UserId user, Bytes token);
  void handle_kick(const ClientRef& at, wire::KickReason reason);
  void handle_heartbeat(const ClientRef& at, const wire::HeartbeatAck& ack);
  void handle_error(const ClientRef& at, const wire::Frame& frame);
  void handle_session_error(const ClientRef& at, uint64_t id, const wire::Error& error,
                            bool retryable);
  void handle_reply(const ClientRef& at, const wire::Frame& frame);
  void handle_conversation(const ClientRef& at, const wire::Frame& frame);
  void handle_room(const ClientRef& at, const wire::Frame& frame);

  proto::PartialFrame partial_;
  std::unique_ptr<SessionState> state_;  // none for a client that only beats and echoes
  proto::UserId user_ = 0;
  uint32_t due_ms_ = kNever;  // of reconnect, login timeout, heartbeat or end of closing, by phase
  union {
    uint32_t received_ = 0;  // ready: Message pushes of this connection
    uint32_t return_ms_;     // closing: when to reconnect
  };
  uint32_t next_request_ = 0;
  Phase phase_ = Phase::stopped;
  uint8_t attempts_ = 0;        // failed in a row
  uint8_t missed_ = 0;          // heartbeats without an answer
  bool ending_ : 1 = false;     // closing for good
  bool kicked_ : 1 = false;     // once since the last beat was answered
  bool anonymous_ : 1 = false;  // without credentials: no beats, no conversations
};
static_assert(sizeof(ClientSession) == 48);

}  // namespace ringtalk::client
