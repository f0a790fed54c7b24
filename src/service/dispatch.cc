// One frame of a client, and one answer of the store: from the wire's types to the part that serves
// them. The table of messages and the visit of answers are complete: what is new and not handled
// does not compile.
#include <iterator>

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
  session.frame_turn = false;
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

// What the server does with each message, in the order of the union. A message of the schema
// without a row does not compile; the tests send each of them in each state.
struct Shard::Requests {
  struct Request {
    uint32_t slot;
    uint64_t id;
    const wire::Frame& frame;
    uint32_t bytes;
  };
  enum class State : uint8_t {
    connected,
    greeted,  // and not logged in
    online,
  };
  // Without `serve`: only a server says it.
  struct Row {
    wire::Body body;
    State state;
    void (*serve)(Shard&, const Request&);
  };

  // A method of the part that serves a message takes its table, after what it needs of the rest.
  template <class Part, class Message>
  static void call(Part& part, void (Part::*serve)(uint32_t, uint64_t, uint32_t, const Message&),
                   const Request& r) {
    (part.*serve)(r.slot, r.id, r.bytes, *r.frame.body_as<Message>());
  }
  template <class Part, class Message>
  static void call(Part& part, void (Part::*serve)(uint32_t, uint64_t, const Message&),
                   const Request& r) {
    (part.*serve)(r.slot, r.id, *r.frame.body_as<Message>());
  }
  static void call(Shard& shard, void (Shard::*serve)(uint32_t, uint64_t), const Request& r) {
    (shard.*serve)(r.slot, r.id);
  }
  template <auto Serve>
  static void shard(Shard& at, const Request& r) {
    call(at, Serve, r);
  }
  template <auto Serve>
  static void accounts(Shard& at, const Request& r) {
    call(*at.accounts_, Serve, r);
  }
  template <auto Serve>
  static void chat(Shard& at, const Request& r) {
    call(*at.chat_, Serve, r);
  }

  using Body = wire::Body;
  static constexpr Row kRows[] = {
      {Body::NONE},
      {Body::Hello, State::connected, shard<&Shard::hello>},
      {Body::Register, State::greeted, accounts<&Accounts::register_user>},
      {Body::Login, State::greeted, accounts<&Accounts::login>},
      {Body::Resume, State::greeted, accounts<&Accounts::resume>},
      {Body::Sync, State::online, chat<&Chat::sync>},
      {Body::Logout, State::online, accounts<&Accounts::logout>},
      {Body::Heartbeat, State::online, shard<&Shard::heartbeat>},
      {Body::Stats, State::online, shard<&Shard::question>},
      {Body::Welcome},
      {Body::Registered},
      {Body::LoggedIn},
      {Body::HeartbeatAck},
      {Body::Goaway},
      {Body::Kicked},
      {Body::Error},
      {Body::Ok},
      {Body::StatsReply},
      {Body::Users, State::online, chat<&Chat::users>},
      {Body::UserList},
      {Body::Send, State::online, chat<&Chat::send>},
      {Body::Sent},
      {Body::Message},
      {Body::Pull, State::online, chat<&Chat::pull>},
      {Body::Messages},
      {Body::SyncHint},
      {Body::RoomJoin, State::online, chat<&Chat::room_join>},
      {Body::RoomLeave, State::online, chat<&Chat::room_leave>},
      {Body::RoomPublish, State::online, chat<&Chat::room_publish>},
      {Body::RoomJoined},
      {Body::RoomMessage},
      {Body::RoomGap},
      {Body::Echo, State::online, shard<&Shard::echo>},
      {Body::RoomMessages},
  };

  static consteval bool complete() {
    if (std::size(kRows) != static_cast<size_t>(wire::Body::MAX) + 1) return false;
    for (size_t i = 0; i < std::size(kRows); i++) {
      if (kRows[i].body != static_cast<wire::Body>(i)) return false;
    }
    return true;
  }
};

void Shard::dispatch(uint32_t slot, const wire::Frame& frame, uint32_t bytes) {
  static_assert(Requests::complete());
  using State = Requests::State;
  const uint64_t id = frame.head()->id();
  if (!proto::body_known(frame)) return unsupported(slot, id);
  const Requests::Row& row = Requests::kRows[static_cast<size_t>(frame.body_type())];
  if (row.serve == nullptr) return unsupported(slot, id);
  if (row.state == State::online && !online(slot, id)) return;
  if (row.state == State::greeted && !greeted(slot, id)) return;
  row.serve(*this, {slot, id, frame, bytes});
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
