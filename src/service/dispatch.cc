// One frame of a client, and one answer of the store: from the wire's types to the part that serves
// them. The switches that take everything are exhaustive: a new message that is not handled does
// not compile.
#include "base/assert.h"
#include "proto/verifier.h"
#include "service/accounts.h"
#include "service/chat.h"
#include "service/node.h"
#include "service/outgoing.h"
#include "service/shard.h"

namespace ringtalk::service {

bool Shard::frame(uint32_t slot, std::span<const std::byte> bytes) {
  Session& session = sessions_[slot];
  ASSERT(session.phase != Phase::free && session.phase < Phase::ending);
  stats_.frames_in++;
  if (session.phase == Phase::online && !session.has(session_flags::kPaused)) {
    sessions_.missed(slot) = 0;
  }
  const auto verified = proto::verify(bytes, proto::Role::server);
  if (__builtin_expect(!verified, false)) {
    stats_.frames_bad++;
    const bool large = verified.error() == wire::ErrorCode::TooLarge;
    end_with_error(slot, 0, verified.error(),
                   large ? CloseReason::too_large : CloseReason::bad_frame);
    return false;
  }
  dispatch(slot, **verified, static_cast<uint32_t>(bytes.size()));
  return session.phase < Phase::ending;
}

void Shard::dispatch(uint32_t slot, const wire::Frame& frame, uint32_t bytes) {
  const uint64_t id = frame.head()->id();
  if (!proto::body_known(frame)) return unsupported(slot, id);
  switch (frame.body_type()) {
    case wire::Body::Hello:
      return hello(slot, id, *frame.body_as_Hello());
    case wire::Body::Echo:
      if (online(slot, id)) echo(slot, id, *frame.body_as_Echo());
      return;
    case wire::Body::Heartbeat:
      if (online(slot, id)) heartbeat(slot, id);
      return;
    case wire::Body::Stats:
      if (online(slot, id)) question(slot, id);
      return;
    case wire::Body::Register:
      if (greeted(slot, id)) accounts_->register_user(slot, id, *frame.body_as_Register());
      return;
    case wire::Body::Login:
      if (greeted(slot, id)) accounts_->login(slot, id, *frame.body_as_Login());
      return;
    case wire::Body::Resume:
      if (greeted(slot, id)) accounts_->resume(slot, id, *frame.body_as_Resume());
      return;
    case wire::Body::Logout:
      if (online(slot, id)) accounts_->logout(slot, id, bytes, *frame.body_as_Logout());
      return;

    case wire::Body::Sync:
    case wire::Body::Users:
    case wire::Body::Send:
    case wire::Body::Pull:
    case wire::Body::RoomJoin:
    case wire::Body::RoomLeave:
    case wire::Body::RoomPublish:
      if (online(slot, id)) chat_request(slot, id, frame, bytes);
      return;

    // What only a server says.
    case wire::Body::NONE:
    case wire::Body::Welcome:
    case wire::Body::Registered:
    case wire::Body::LoggedIn:
    case wire::Body::HeartbeatAck:
    case wire::Body::Goaway:
    case wire::Body::Kicked:
    case wire::Body::Error:
    case wire::Body::Ok:
    case wire::Body::StatsReply:
    case wire::Body::UserList:
    case wire::Body::Sent:
    case wire::Body::Message:
    case wire::Body::Messages:
    case wire::Body::SyncHint:
    case wire::Body::RoomJoined:
    case wire::Body::RoomMessage:
    case wire::Body::RoomMessages:
    case wire::Body::RoomGap:
      return unsupported(slot, id);
  }
  UNREACHABLE();
}

// What `dispatch` gives to the chat: these cases are those of its list, and each has a test that
// sends it. One that were forgotten here would be refused: no peer stops a server.
void Shard::chat_request(uint32_t slot, uint64_t id, const wire::Frame& frame, uint32_t bytes) {
  switch (frame.body_type()) {
    case wire::Body::Sync:
      return chat_->sync(slot, id, bytes, *frame.body_as_Sync());
    case wire::Body::Users:
      return chat_->users(slot, id, bytes, *frame.body_as_Users());
    case wire::Body::Send:
      return chat_->send(slot, id, bytes, *frame.body_as_Send());
    case wire::Body::Pull:
      return chat_->pull(slot, id, bytes, *frame.body_as_Pull());
    case wire::Body::RoomJoin:
      return chat_->room_join(slot, id, *frame.body_as_RoomJoin());
    case wire::Body::RoomLeave:
      return chat_->room_leave(slot, id, *frame.body_as_RoomLeave());
    case wire::Body::RoomPublish:
      return chat_->room_publish(slot, id, *frame.body_as_RoomPublish());
    default:
      return unsupported(slot, id);
  }
}

// ---- what state a request needs

void Shard::unsupported(uint32_t slot, uint64_t id) {
  stats_.unsupported++;
  reply_error(slot, id, wire::ErrorCode::Unsupported);
}

bool Shard::online(uint32_t slot, uint64_t id) {
  const Phase phase = sessions_[slot].phase;
  if (__builtin_expect(phase == Phase::online, true)) return true;
  stats_.wrong_state++;
  reply_error(
      slot, id,
      phase == Phase::connected ? wire::ErrorCode::HelloExpected : wire::ErrorCode::NotLoggedIn);
  return false;
}

bool Shard::greeted(uint32_t slot, uint64_t id) {
  switch (sessions_[slot].phase) {
    case Phase::greeted:
      return true;
    case Phase::connected:
      reply_error(slot, id, wire::ErrorCode::HelloExpected);
      break;
    case Phase::online:
      reply_error(slot, id, wire::ErrorCode::AlreadyLoggedIn);
      break;
    case Phase::logging_in:
      reply_error(slot, id, wire::ErrorCode::TooManyRequests);
      break;
    case Phase::free:
    case Phase::ending:
    case Phase::closing:
      UNREACHABLE();
  }
  stats_.wrong_state++;
  return false;
}

// ---- the session's own requests

void Shard::hello(uint32_t slot, uint64_t id, const wire::Hello& hello) {
  Session& session = sessions_[slot];
  if (session.phase != Phase::connected) {
    stats_.wrong_state++;
    return reply_error(slot, id, wire::ErrorCode::BadRequest, 0, "Hello was said before");
  }
  if (hello.version() < proto::kVersionMin) {
    return end_with_error(slot, id, wire::ErrorCode::VersionTooOld, CloseReason::version_too_old);
  }
  if (hello.device() > proto::kIdMax) {
    return reply_error(slot, id, wire::ErrorCode::BadRequest, 0, "device is at most 2^63-1");
  }
  stats_.hellos++;
  session.phase = Phase::greeted;
  session.device_class = static_cast<uint8_t>(hello.device_class());
  sessions_.rest(slot).device = hello.device();

  proto::WelcomeFields fields;
  fields.node = node_.identity().node;
  fields.heartbeat_ms = static_cast<uint32_t>(limits_->heartbeat_interval_ms);
  fields.jitter_ms = static_cast<uint32_t>(limits_->reconnect_jitter_ms);
  fields.time_ms = wall_ms_;
  fields.requests_in_flight = limits_->requests_in_flight;
  fields.unacknowledged_bytes = limits_->unacknowledged_bytes;
  reply(slot, frames_.welcome(id, fields));
}

void Shard::echo(uint32_t slot, uint64_t id, const wire::Echo& echo) {
  stats_.echoes++;
  reply(slot, frames_.echo(id, proto::bytes_of(echo.body())));
}

void Shard::heartbeat(uint32_t slot, uint64_t id) {
  stats_.heartbeats++;
  reply(slot, frames_.heartbeat_ack(id, wall_ms_, sessions_[slot].pushed));
}

void Shard::question(uint32_t slot, uint64_t id) {
  const Session& session = sessions_[slot];
  if (!session.has(session_flags::kAdmin)) {
    return reply_error(slot, id, wire::ErrorCode::Forbidden);
  }
  node_.ask_all(index_, slot, session.generation, id);
}

// ---- answers of the store

namespace {

template <class... Handlers>
struct Overloaded : Handlers... {
  using Handlers::operator()...;
};
template <class... Handlers>
Overloaded(Handlers...) -> Overloaded<Handlers...>;

}  // namespace

void Shard::take_own(store::Reply& reply) {
  const store::Ticket& ticket = reply.ticket;
  Session* session = sessions_.find(ticket.slot, ticket.generation);
  if (session == nullptr) stats_.store_stale++;
  const auto to_accounts = [&](auto& answer) { accounts_->take(session, ticket, answer); };
  std::visit(Overloaded{
                 [&](store::UserCreated& answer) { to_accounts(answer); },
                 [&](store::Credential& answer) { to_accounts(answer); },
                 [&](store::EpochRaised& answer) { to_accounts(answer); },
                 [&](store::Revoked& answer) { to_accounts(answer); },
                 [&](store::Failed& answer) { to_accounts(answer); },
                 // Asked for by main alone, before the shards start.
                 [](store::Revocations&) { UNREACHABLE(); },
                 [](store::UserCount&) { UNREACHABLE(); },
                 // Chat's.
                 [](store::Users&) { UNREACHABLE(); },
                 [](store::Appended&) { UNREACHABLE(); },
                 [](store::HeadList&) { UNREACHABLE(); },
                 [](store::Page&) { UNREACHABLE(); },
             },
             reply.answer);
}

}  // namespace ringtalk::service
