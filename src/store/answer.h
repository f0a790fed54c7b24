// src/store/answer.h: public. What the store answers to a request.
//
// Plain values; they belong to whom they were delivered. Each request has one good answer, and
// Failed.
#pragma once

#include <cstdint>
#include <string>
#include <variant>
#include <vector>

#include "proto/ids.h"
#include "store/request.h"

namespace ringtalk::store {

enum class StoreError : uint8_t {
  none,
  name_taken,
  not_found,
  conflict,  // this client_msg_id was used for another message
  fenced,    // a newer login of this user and device holds the session
  not_member,
  unavailable,  // nothing was committed; try again later
  bad_request,
};
const char* to_string(StoreError) noexcept;

struct UserCreated {
  proto::UserId user;
};
struct Credential {
  proto::UserId user;
  std::string name;
  std::string password_hash;
};
// Tokens of the device below `epoch_min` are void. All of them expire by `until_ms`.
struct DeviceRevocation {
  proto::UserDevice device;
  uint32_t epoch_min;
  uint64_t until_ms;
};
struct EpochRaised {
  uint32_t epoch;
  uint64_t expires_ms;     // as in the request
  DeviceRevocation older;  // until_ms 0: there never was an older token
};
struct Revocation {
  proto::UserId user;
  uint32_t epoch_min;
};
struct Revoked {
  uint32_t epoch_min;
};
struct Revocations {
  std::vector<Revocation> users;
  std::vector<DeviceRevocation> devices;
};
struct User {
  proto::UserId id;
  std::string name;
};
struct Users {
  std::vector<User> list;
};
// The whole message comes back, so that fan-out needs no second look-up.
struct Appended {
  proto::Seq seq;
  uint64_t server_ms;
  bool duplicate;
  Append message;
};
struct HeadList {
  std::vector<Known> list;
  bool more;
};
struct StoredMessage {
  proto::Seq seq;
  proto::UserId sender;
  proto::ClientMessageId id;
  uint64_t server_ms;
  proto::Seq reply_to;
  uint8_t kind;
  std::string body;
};
struct Page {
  proto::ConversationId conversation;
  std::vector<StoredMessage> messages;  // in seq order, also backwards
  proto::Seq first_available;
  proto::Seq last_seq;
  bool more;
};
struct UserCount {
  uint64_t users;
};
// `retry_after_ms` is 0 for final errors. `request_kind` is the index of the request in Request.
struct Failed {
  StoreError error;
  uint32_t retry_after_ms;
  uint8_t request_kind;
  proto::ConversationId conversation;
  proto::ClientMessageId message;  // of an Append
};

using Answer = std::variant<Failed, UserCreated, Credential, EpochRaised, Revoked, Revocations,
                            Users, Appended, HeadList, Page, UserCount>;

}  // namespace ringtalk::store
