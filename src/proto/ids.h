// src/proto/ids.h: public. The names of things: users, devices, conversations, messages.
//
// All ids are 1 .. 2^63-1 and 0 is none (docs/protocol.md). Values without behaviour beyond order.
#pragma once

#include <compare>
#include <cstddef>
#include <cstdint>
#include <functional>

namespace ringtalk::proto {

using UserId = uint64_t;
using DeviceId = uint64_t;
using RoomId = uint64_t;
using GroupId = uint64_t;
using Seq = uint64_t;  // 1, 2, 3 ... without a gap in a conversation

inline constexpr uint64_t kIdMax = (uint64_t{1} << 63) - 1;
// Users from here on are provisioned for load tests: no name, no password, row made at the first
// write.
inline constexpr UserId kLoadUserFirst = uint64_t{1} << 62;

inline constexpr bool is_id(uint64_t id) noexcept {
  return id != 0 && id <= kIdMax;
}
inline constexpr bool is_load_user(UserId user) noexcept {
  return user >= kLoadUserFirst;
}

// One-to-one: {lower user, higher user}. Group: {0, group}.
struct ConversationId {
  uint64_t a = 0;
  uint64_t b = 0;

  auto operator<=>(const ConversationId&) const = default;
  static constexpr ConversationId between(UserId one, UserId other) noexcept {
    return one < other ? ConversationId{one, other} : ConversationId{other, one};
  }
  constexpr bool is_group() const noexcept { return a == 0; }
  constexpr bool is_direct() const noexcept { return a != 0; }
  constexpr bool valid() const noexcept { return is_id(b) && (a == 0 || (is_id(a) && a <= b)); }
  // Of a one-to-one conversation (a == b is a note to oneself).
  constexpr bool has_user(UserId user) const noexcept { return user == a || user == b; }
  constexpr UserId peer_of(UserId user) const noexcept { return user == a ? b : a; }
};

// Made on the device before the first try; its scope is the sender.
struct ClientMessageId {
  uint64_t high = 0;
  uint64_t low = 0;
  auto operator<=>(const ClientMessageId&) const = default;
};

// One user has any number of devices; 0 is a device too (clients that name none share it).
struct UserDevice {
  UserId user = 0;
  DeviceId device = 0;
  auto operator<=>(const UserDevice&) const = default;
};

// A finaliser (splitmix64): spreads ids over shards, writers and hash tables.
inline constexpr uint64_t mix(uint64_t x) noexcept {
  x ^= x >> 30;
  x *= 0xbf58476d1ce4e5b9;
  x ^= x >> 27;
  x *= 0x94d049bb133111eb;
  return x ^ (x >> 31);
}

struct ConversationHash {
  size_t operator()(const ConversationId& c) const noexcept { return mix(c.a ^ mix(c.b)); }
};
struct UserDeviceHash {
  size_t operator()(const UserDevice& d) const noexcept { return mix(d.user ^ mix(d.device)); }
};
struct ClientMessageHash {
  size_t operator()(const ClientMessageId& m) const noexcept { return mix(m.high ^ mix(m.low)); }
};

}  // namespace ringtalk::proto
