// src/store/request.h: public. What a shard asks of the store.
//
// Plain values; a Request is moved into the store and belongs to it. Ids and texts may come from a
// peer as they are: the store answers bad_request to what its tables do not take.
#pragma once

#include <cstdint>
#include <string>
#include <variant>
#include <vector>

#include "proto/ids.h"

namespace ringtalk::store {

// Whom the reply is for. Opaque to the store.
struct Ticket {
  uint32_t shard = 0;
  uint32_t slot = 0;
  uint32_t generation = 0;
  uint32_t bytes = 0;    // of the request's frame, for the shard's count of what is unanswered
  uint64_t request = 0;  // the frame's id
  uint32_t origin = 0;   // the shard of the session (slot, generation); `shard` gets the reply
};

// Which login of a device writes. The highest epoch wins; at equal epoch the last claim wins.
struct Holder {
  uint32_t epoch = 0;
  uint16_t node = 0;
  uint32_t boot = 0;
  uint64_t session = 0;  // 1 .. 2^63-1
  bool claim = false;    // takes the row: set until an append of this session has been answered
};

struct CreateUser {
  std::string name;
  std::string password_hash;
};
struct FindCredential {
  std::string name;
  proto::UserId user = 0;
};  // by name, or by user when empty
// A login by password, or Logout: what the device's older sessions and tokens could do, ends.
struct RaiseEpoch {
  proto::UserId user;
  proto::DeviceId device;
  uint8_t device_class;
  uint64_t expires_ms = 0;  // of the token that will carry the new epoch; 0: none will (Logout)
};
// Logout{all_devices}: every epoch of the user rises, tokens below are void.
struct RevokeSessions {
  proto::UserId user;
  uint32_t epoch = 0;  // of the session that asks; it becomes void too
};
// Tokens that have expired by `now_ms` are of no interest any more.
struct LoadRevocations {
  uint64_t now_ms = 0;
};
struct FindUsers {
  std::vector<proto::UserId> ids;
  std::vector<std::string> names;
};
struct Append {
  proto::ConversationId conversation;
  proto::UserId sender;
  proto::DeviceId device;
  Holder holder;
  proto::ClientMessageId id;
  uint8_t kind;
  proto::Seq reply_to;
  std::string body;
  bool load_user = false;  // make the sender's row at the first write
};
struct Known {
  proto::ConversationId conversation;
  proto::Seq seq;
};
// Which conversations of the user have more than the device knows (also those that it does not
// know).
struct Heads {
  proto::UserId user;
  std::vector<Known> known;
  uint32_t limit;
};
struct Pull {
  proto::UserId user;
  proto::ConversationId conversation;
  proto::Seq from_seq;  // exclusive; backwards from 0 is from the end
  uint32_t limit;
  uint32_t bytes_max;  // of bodies
  bool backwards;
};
struct CountUsers {};

using Request = std::variant<CreateUser, FindCredential, RaiseEpoch, RevokeSessions,
                             LoadRevocations, FindUsers, Append, Heads, Pull, CountUsers>;

}  // namespace ringtalk::store
