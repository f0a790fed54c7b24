// src/client/request_id.h: private to src/client. What a request was, told by the id that its
// answer carries back.
//
//   head.id = [ 24 bits 0 | kind 8 bits | number 32 bits ]
//
// So an answer finds its handler without a table of requests, and each handler counts for itself.
#pragma once

#include <cstdint>

namespace ringtalk::client {

enum class RequestKind : uint8_t {
  none = 0,  // a push
  hello = 1,
  login = 2,
  heartbeat = 3,
  sync = 4,
  pull = 5,
  send = 6,
  room = 7,
  application = 8,
};

inline constexpr uint64_t request_id(RequestKind kind, uint32_t number) noexcept {
  return uint64_t{static_cast<uint8_t>(kind)} << 32 | number;
}
inline constexpr RequestKind kind_of(uint64_t id) noexcept {
  return id >> 32 <= 8 ? static_cast<RequestKind>(id >> 32) : RequestKind::none;
}
inline constexpr uint32_t number_of(uint64_t id) noexcept {
  return static_cast<uint32_t>(id);
}

}  // namespace ringtalk::client
