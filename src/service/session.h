// src/service/session.h: internal to the service. What a shard remembers of each connection.
//
// A session lives in the slot of its connection. `Session` is what a frame touches, `SessionRest`
// what login, limits and close need; other parts keep SlotArrays of their own.
//   user memory of an idle session, all in, <= 256 B:
//     proactor 36 | Session 64 | SessionRest 24 | missed beats 1 | outgoing 32 | rooms 4, routes 41
// Ownership: the shard. Thread rule: the shard's thread. Invariants: what outlives a turn holds
// (slot, generation), never a pointer; find() answers null for an old generation; user != 0 exactly
// while phase is online (and after, until the slot is free).
#pragma once

#include <cstdint>

#include "base/assert.h"
#include "base/intrusive_list.h"
#include "proto/frame_reader.h"
#include "proto/ids.h"
#include "ring/proactor.h"
#include "service/close_reason.h"
#include "service/slot_array.h"

namespace ringtalk::service {

enum class Phase : uint8_t {
  free,
  connected,   // accepted, no Hello yet
  greeted,     // Hello was taken
  logging_in,  // a password is being checked
  online,
  ending,   // told why; what is queued leaves, then half-close; input is discarded
  closing,  // proactor.close() was called
};

// Lists of connections with a deadline (admission.h), or that wait for another shard (postbox.h).
enum class WaitList : uint8_t { none, before_login, ending, mailbox };

namespace session_flags {
inline constexpr uint8_t kLoad = 1;         // a provisioned load user: no rate buckets
inline constexpr uint8_t kAdmin = 2;        // may ask Stats
inline constexpr uint8_t kPaused = 4;       // the server itself has stopped reading
inline constexpr uint8_t kInputEnded = 8;   // the peer has shut down its side
inline constexpr uint8_t kWriteEnded = 16;  // we have shut down ours
inline constexpr uint8_t kRouted = 32;      // in the home shard's list: pushes arrive
inline constexpr uint8_t kClaimed = 64;     // its first durable write has been submitted
inline constexpr uint8_t kSending = 128;    // a send of this connection is in flight
}  // namespace session_flags

struct Session {
  uint32_t generation;
  Phase phase;
  uint8_t flags;
  uint8_t device_class;
  CloseReason close_reason;
  proto::UserId user;
  uint64_t number;  // dealt by the shard; unique in this boot of the node
  uint32_t epoch;
  uint32_t unacknowledged_bytes;  // of requests that wait for an answer
  uint16_t requests_in_flight;
  WaitList list;              // which one `SessionRest::waiting` is in
  bool waits_for_budget : 1;  // kPaused until partial frames have room
  bool frame_turn : 1;        // its cut frame has its turn (Shard::look_at_cut_frames)
  uint32_t rooms;             // how many it is in
  uint64_t pushed;            // durable pushes, for HeartbeatAck
  proto::PartialFrame partial;

  bool has(uint8_t flag) const noexcept { return (flags & flag) != 0; }
  void set(uint8_t flag) noexcept { flags = static_cast<uint8_t>(flags | flag); }
  void clear(uint8_t flag) noexcept { flags = static_cast<uint8_t>(flags & ~flag); }
};
static_assert(sizeof(Session) == 64);

struct SessionRest {
  proto::DeviceId device;
  base::ListLinks waiting;  // in the list that Session::list names
  union {
    uint32_t deadline_ms;  // login time-out or end of discarding; low bits of the shard's clock
    uint32_t mailbox;      // of which shard it waits for
  };
  union {
    uint32_t address_key;      // before login: which address counter it is in
    uint32_t discarded_bytes;  // while ending
  };
};
static_assert(sizeof(SessionRest) == 24);

// A byte of kNotSwept is no counter: the slot is free, not logged in, or paused by the server.
inline constexpr uint8_t kNotSwept = 255;

class Sessions {
 public:
  explicit Sessions(uint32_t slots) : hot_(slots), rest_(slots), missed_(slots) {}

  Session& operator[](uint32_t slot) noexcept { return hot_[slot]; }
  SessionRest& rest(uint32_t slot) noexcept { return rest_[slot]; }
  uint8_t& missed(uint32_t slot) noexcept { return missed_[slot]; }
  uint8_t* missed_bytes() noexcept { return missed_.data(); }

  // Null when the slot has another tenant by now.
  Session* find(uint32_t slot, uint32_t generation) noexcept {
    if (slot >= hot_.slots()) return nullptr;
    Session& session = hot_[slot];
    return session.phase != Phase::free && session.generation == generation ? &session : nullptr;
  }
  // The same, and null unless it is online.
  Session* find_online(uint32_t slot, uint32_t generation) noexcept {
    Session* session = find(slot, generation);
    return session != nullptr && session->phase == Phase::online ? session : nullptr;
  }

  Session& open(ring::ConnectionId connection) noexcept;
  void release(uint32_t slot) noexcept;

  uint32_t open_count() const noexcept { return open_; }
  // One above the highest slot ever used: how far a sweep goes.
  uint32_t used_slots() const noexcept { return used_; }
  uint32_t slots() const noexcept { return hot_.slots(); }

 private:
  SlotArray<Session> hot_;
  SlotArray<SessionRest> rest_;
  SlotArray<uint8_t> missed_;
  uint32_t open_ = 0;
  uint32_t used_ = 0;
};

}  // namespace ringtalk::service
