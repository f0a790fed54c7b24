// What the server says: from a verified frame to its handler.

#include <algorithm>

#include "base/assert.h"
#include "client/client.h"
#include "client/request_id.h"
#include "client/session_state.h"
#include "proto/verifier.h"

namespace ringtalk::client {

// False: the connection is being given up, the rest of the bytes is of no interest.
bool ClientSession::dispatch(const ClientRef& at, Bytes bytes) {
  const auto frame = proto::verify(bytes, proto::Role::client);
  if (!frame.ok()) {
    at.context.stats.bad_frames++;
    hang_up(at, backoff_ms(at));
    return false;
  }
  at.context.stats.frames_received++;
  handle(at, **frame);
  return phase_ == Phase::greeting || phase_ == Phase::ready;
}

void ClientSession::handle(const ClientRef& at, const wire::Frame& frame) {
  const uint64_t id = frame.head()->id();
  switch (frame.body_type()) {
    case wire::Body::Welcome:
      return handle_welcome(at, *frame.body_as_Welcome());
    case wire::Body::LoggedIn: {
      const wire::LoggedIn& login = *frame.body_as_LoggedIn();
      return handle_login(at, login.user(), proto::bytes_of(login.token()));
    }
    case wire::Body::HeartbeatAck:
      return handle_heartbeat(at, *frame.body_as_HeartbeatAck());
    case wire::Body::Goaway: {
      const uint32_t wait = frame.body_as_Goaway()->reconnect_after_ms();
      return hang_up(at, at.context.between_ms(wait, wait + at.context.jitter_ms()));
    }
    case wire::Body::Kicked:
      return handle_kick(at, frame.body_as_Kicked()->reason());
    case wire::Body::Error:
      return handle_error(at, frame);
    case wire::Body::Ok:
      if (kind_of(id) == RequestKind::sync) {
        if (state_ != nullptr) state_->conversations.sync_done(at, frame.body_as_Ok()->more());
        return;
      }
      return handle_reply(at, frame);
    case wire::Body::Registered:
    case wire::Body::StatsReply:
    case wire::Body::UserList:
    case wire::Body::Echo:
      return handle_reply(at, frame);
    case wire::Body::Message:
    case wire::Body::Sent:
    case wire::Body::Messages:
    case wire::Body::SyncHint:
      return handle_conversation(at, frame);
    case wire::Body::RoomJoined:
    case wire::Body::RoomMessage:
    case wire::Body::RoomMessages:
    case wire::Body::RoomGap:
      return handle_room(at, frame);
    // A client's own words, or those of a later version.
    case wire::Body::NONE:
    case wire::Body::Hello:
    case wire::Body::Register:
    case wire::Body::Login:
    case wire::Body::Resume:
    case wire::Body::Sync:
    case wire::Body::Logout:
    case wire::Body::Heartbeat:
    case wire::Body::Stats:
    case wire::Body::Users:
    case wire::Body::Send:
    case wire::Body::Pull:
    case wire::Body::RoomJoin:
    case wire::Body::RoomLeave:
    case wire::Body::RoomPublish:
      break;
  }
  at.context.stats.unexpected_frames++;
}

// ---- session

void ClientSession::handle_welcome(const ClientRef& at, const wire::Welcome& welcome) {
  at.context.welcome(welcome);
  if (phase_ != Phase::greeting || !anonymous_) return;
  phase_ = Phase::ready;
  due_ms_ = kNever;
  attempts_ = 0;
  user_ = 0;
  at.context.events.ready(at.index, 0, {});
}

void ClientSession::handle_login(const ClientRef& at, proto::UserId user, Bytes token) {
  if (phase_ != Phase::greeting || anonymous_) {
    at.context.stats.unexpected_frames++;
    return;
  }
  phase_ = Phase::ready;
  attempts_ = 0;
  user_ = user;
  at.context.stats.logins++;
  // The first beat anywhere in the interval, so that a million logins do not beat as one.
  due_ms_ = at.context.now_ms() + at.context.between_ms(1, at.context.heartbeat_ms());
  if (state_ != nullptr) {
    if (state_->uses_conversations) state_->conversations.online(at, user);
    state_->rooms.online(at);
  }
  at.context.events.ready(at.index, user, token);
}

// A token's kick may be the work of this device's own earlier connection, whose login reached the
// server behind that of the present one. So the first one is no end: where somebody else did log
// in, with a password, the token is refused; where two devices share it, the next kick ends one.
void ClientSession::handle_kick(const ClientRef& at, wire::KickReason reason) {
  const bool by_token = at.context.events.credentials(at.index).kind == Credentials::Kind::token;
  if (reason == wire::KickReason::LoggedInElsewhere && by_token && !kicked_) {
    kicked_ = true;
    return hang_up(at, backoff_ms(at));
  }
  end(at, {.why = Ending::Why::kicked, .kick = reason});
}

void ClientSession::handle_heartbeat(const ClientRef& at, const wire::HeartbeatAck& ack) {
  at.context.stats.heartbeats_answered++;
  missed_ = 0;
  kicked_ = false;
  // Everything that was pushed before this answer is here: one stream, in order.
  if (static_cast<uint32_t>(ack.pushed()) == received_) return;
  at.context.stats.count_mismatches++;
  received_ = static_cast<uint32_t>(ack.pushed());
  use_conversations(at);
  state_->conversations.sync_soon(at);
}

void ClientSession::handle_error(const ClientRef& at, const wire::Frame& frame) {
  const wire::Error& error = *frame.body_as_Error();
  const uint64_t id = frame.head()->id();
  const bool retryable = is_retryable(error.code());
  switch (kind_of(id)) {
    case RequestKind::hello:
    case RequestKind::login:
    case RequestKind::none:
      return handle_session_error(at, id, error, retryable);
    case RequestKind::heartbeat:
      return;
    case RequestKind::sync:
      if (state_ != nullptr) state_->conversations.sync_failed(at, error, retryable);
      return;
    case RequestKind::pull:
      if (state_ != nullptr) {
        state_->conversations.pull_failed(at, number_of(id), error, retryable);
      }
      return;
    case RequestKind::send:
      if (state_ != nullptr) {
        state_->conversations.send_failed(at, number_of(id), error, retryable);
      }
      return;
    case RequestKind::room:
      if (state_ != nullptr && state_->rooms.join_failed(at, number_of(id), error, retryable)) {
        at.context.events.replied(at.index, 0, frame);
      }
      return;
    case RequestKind::application:
      return handle_reply(at, frame);
  }
}

// Of the login, or of the connection as a whole: the server closes after most of these.
void ClientSession::handle_session_error(const ClientRef& at, uint64_t id, const wire::Error& error,
                                         bool retryable) {
  if (retryable) {
    if (phase_ == Phase::greeting) at.context.events.turned_away(at.index, error.code());
    const uint32_t wait = std::max(error.retry_after_ms(), backoff_ms(at));
    return hang_up(at, at.context.between_ms(wait, wait + wait / 2));
  }
  const bool of_login = kind_of(id) != RequestKind::none;
  if (of_login && phase_ == Phase::greeting) {
    const auto* text = error.text();
    return end(at, {.why = Ending::Why::refused,
                    .code = error.code(),
                    .text = text == nullptr ? std::string_view() : text->string_view()});
  }
  // For instance HeartbeatLost or SlowReader: the close that follows brings the client back.
}

void ClientSession::handle_reply(const ClientRef& at, const wire::Frame& frame) {
  const uint64_t id = frame.head()->id();
  if (kind_of(id) != RequestKind::application) return;
  at.context.events.replied(at.index, number_of(id), frame);
}

// ---- conversations and rooms

void ClientSession::handle_conversation(const ClientRef& at, const wire::Frame& frame) {
  if (!logged_in()) {
    at.context.stats.unexpected_frames++;
    return;
  }
  use_conversations(at);
  Conversations& conversations = state_->conversations;
  const uint32_t number = number_of(frame.head()->id());
  if (const auto* message = frame.body_as_Message()) {
    received_++;
    return conversations.message(at, *message);
  }
  if (const auto* sent = frame.body_as_Sent()) return conversations.sent(at, number, *sent);
  if (const auto* page = frame.body_as_Messages()) return conversations.page(at, number, *page);
  conversations.hint(at, *frame.body_as_SyncHint());
}

void ClientSession::handle_room(const ClientRef& at, const wire::Frame& frame) {
  if (state_ == nullptr) return;  // left, and nothing else was ever used
  Rooms& rooms = state_->rooms;
  if (const auto* message = frame.body_as_RoomMessage()) return rooms.message(at, *message);
  if (const auto* batch = frame.body_as_RoomMessages()) return rooms.messages(at, *batch);
  if (const auto* gap = frame.body_as_RoomGap()) return rooms.gap(at, *gap);
  rooms.joined(at, *frame.body_as_RoomJoined());
}

}  // namespace ringtalk::client
