// src/store/store.h: public. What the chat needs from durable storage, and nothing of how it is
// kept.
//
// A shard submits a Request with a Ticket and gets exactly one Reply for it later, in a batch,
// through the ReplySink. No callback, future or coroutine crosses this interface. Ownership:
// requests and replies are moved; a ReplyBatch belongs to whom it was delivered. Thread rule:
// submit from any shard; deliver is called on the store's own threads and must not block.
// Invariants: Sent is answered only after the durable commit; per conversation, replies to appends
// come in seq order; a batch never fails whole for one bad row; every accepted ticket is answered
// once, also when the store stops (StoreError::unavailable).
#pragma once

#include <cstdint>
#include <memory>
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
  uint32_t origin = 0;   // the shard of the session (slot, generation), where it is not `shard`
};

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

// Which login of a device writes. The highest epoch wins; at equal epoch the last claim wins.
struct Holder {
  uint32_t epoch = 0;
  uint16_t node = 0;
  uint32_t boot = 0;
  uint64_t session = 0;
  bool claim = false;  // takes the row: set until an append of this session has been answered
};

struct CreateUser {
  std::string name;
  std::string password_hash;
};
struct FindCredential {
  std::string name;
  proto::UserId user = 0;
};  // by name, or by user when empty
struct RaiseEpoch {
  proto::UserId user;
  proto::DeviceId device;
  uint8_t device_class;
};
// Logout{all_devices}: every epoch of the user rises, tokens below are void.
struct RevokeSessions {
  proto::UserId user;
  uint32_t epoch = 0;  // of the session that asks; it becomes void too
};
struct LoadRevocations {};
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
  // The shard raises its era when it sees an append fail as unavailable. Until then the store fails
  // every append of that shard and era likewise, so that nothing overtakes what is sent again.
  uint32_t era = 0;
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

struct UserCreated {
  proto::UserId user;
};
struct Credential {
  proto::UserId user;
  std::string name;
  std::string password_hash;
};
struct EpochRaised {
  uint32_t epoch;
};
struct Revocation {
  proto::UserId user;
  uint32_t epoch_min;
};
struct Revoked {
  uint32_t epoch_min;
};
struct Revocations {
  std::vector<Revocation> list;
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
};

using Answer = std::variant<Failed, UserCreated, Credential, EpochRaised, Revoked, Revocations,
                            Users, Appended, HeadList, Page, UserCount>;

struct Reply {
  Ticket ticket;
  Answer answer;
};

// All replies of one batch for one shard.
struct ReplyBatch {
  std::vector<Reply> replies;
  ReplyBatch* handoff_next = nullptr;  // base::Handoff
};

class ReplySink {
 public:
  virtual ~ReplySink() = default;
  virtual void deliver(uint32_t shard, std::unique_ptr<ReplyBatch> batch) noexcept = 0;
  // A commit could not be made durable (fsync failed): acknowledging has ended for good. The
  // process stops with `reason`; nothing is delivered afterwards.
  virtual void store_failed(const std::string& reason) noexcept = 0;
};

class Store {
 public:
  virtual ~Store() = default;
  // False: the queue is full, answer "busy". Otherwise exactly one reply follows.
  [[nodiscard]] virtual bool submit(Request&& request, const Ticket& ticket) noexcept = 0;
  // Ends after everything that was accepted has been answered.
  virtual void stop() noexcept = 0;
  // "sqlite:/path" for the ready line.
  virtual std::string describe() const = 0;
};

}  // namespace ringtalk::store
