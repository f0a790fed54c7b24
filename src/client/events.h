// src/client/events.h: public. What a client asks of its transport and tells its application.
//
// One ClientEvents serves all clients of a thread; `client` says which one speaks. Ownership: spans
// and frames are valid only during the call. Thread rule: called by the owner of the context, from
// inside the session's methods; it may call methods of the session in turn, but not destroy it.
// Invariant: what message() shows advances by one within each conversation, without gap or repeat,
// but for the client's own messages: those are shown by sent() (delivery.md).
#pragma once

#include <cstddef>
#include <cstdint>
#include <span>
#include <string_view>

#include "proto/frame_writer.h"
#include "proto/ids.h"

namespace ringtalk::client {

using ClientIndex = uint32_t;
using proto::Bytes;

// Asked for at every connect, so that a million clients need not keep their tokens.
struct Credentials {
  enum class Kind : uint8_t { none, token, password };
  Kind kind = Kind::none;
  proto::DeviceId device = 0;
  wire::DeviceClass device_class = wire::DeviceClass::Bot;
  Bytes token{};
  std::string_view name{};  // or `user`, where empty
  proto::UserId user = 0;
  std::string_view password{};
};

// Why a client has ended for good, other than by stop(); only start() brings it back. Its
// connection is closed after this.
struct Ending {
  enum class Why : uint8_t {
    refused,  // the login, with `code` and the server's `text`
    kicked,   // with `kick`
  };
  Why why;
  wire::ErrorCode code = wire::ErrorCode::None;
  wire::KickReason kick{};
  std::string_view text{};
};

// The final answer to a send.
struct SendResult {
  proto::ConversationId conversation;
  proto::ClientMessageId id;
  uint64_t tag = 0;  // as given to send()
  wire::ErrorCode error = wire::ErrorCode::None;
  proto::Seq seq = 0;  // 0 when rejected
  uint64_t time_ms = 0;
  bool duplicate = false;  // an earlier try had been committed
};

// Why messages of a room do not come. A gap that nobody announced shows with the message behind it.
struct RoomGapFields {
  proto::RoomId room = 0;
  uint64_t origin = 0;
  uint64_t n = 0;  // none of the numbers up to here comes any more (unless late)
  uint64_t missed = 0;
  bool announced = false;  // by the server, which skipped them; otherwise they were lost in silence
};

struct RoomMessageFields {
  proto::RoomId room = 0;
  uint64_t origin = 0;
  uint64_t n = 0;  // rises by one within an origin
  proto::UserId sender = 0;
  bool late = false;  // came behind a higher n; room_gap() had counted it as missed
  Bytes body;
};

class ClientEvents {
 public:
  virtual ~ClientEvents() = default;

  // ---- to the transport
  // Answered by connected() or disconnected(), not from inside this call.
  virtual void connect(ClientIndex client) = 0;
  // Append these bytes to what is to be sent, in order. Calls nothing of the session.
  virtual void transmit(ClientIndex client, Bytes frame) = 0;
  // Close the connection once what was transmitted has left; a second call says: at once, the peer
  // takes nothing any more. Answered by one disconnected(), not from inside this call.
  virtual void close(ClientIndex client) = 0;
  // Must live until this session method returns.
  virtual Credentials credentials(ClientIndex client) = 0;

  // ---- to the application
  // Ready for requests: after Welcome without credentials (user 0, no token), else after the login.
  virtual void ready(ClientIndex client, proto::UserId user, Bytes token) = 0;
  virtual void ended(ClientIndex client, const Ending& ending) = 0;
  // The login was put off (ServerBusy, Draining ...): the client comes back by itself, later.
  virtual void turned_away(ClientIndex client, wire::ErrorCode code) = 0;
  virtual void sent(ClientIndex client, const SendResult& result) = 0;
  virtual void message(ClientIndex client, const proto::MessageFields& message) = 0;
  // Retention has dropped everything below `first_available`; the next message shown is that one.
  virtual void history_lost(ClientIndex client, const proto::ConversationId& conversation,
                            proto::Seq first_available) = 0;
  // The first catch-up after a login has ended: what follows is live.
  virtual void caught_up(ClientIndex client) = 0;
  virtual void room_joined(ClientIndex client, proto::RoomId room) = 0;
  virtual void room_message(ClientIndex client, const RoomMessageFields& message) = 0;
  virtual void room_gap(ClientIndex client, const RoomGapFields& gap) = 0;
  // The answer to a request of the application (echo, publish, users, stats ...), also an Error;
  // and the error of a room that cannot be joined (request 0).
  virtual void replied(ClientIndex client, uint32_t request, const wire::Frame& frame) = 0;
};

}  // namespace ringtalk::client
