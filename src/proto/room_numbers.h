// src/proto/room_numbers.h: public. Which messages of a room a frame carries.
//
// One for a RoomMessage, a row of them for RoomMessages. Thread rule: a value. Invariant: of a
// frame that verify() let through, `count` is at least 1 and last() does not wrap.
#pragma once

#include <cstdint>
#include <optional>

#include "proto/ids.h"
#include "ringtalk_generated.h"

namespace ringtalk::proto {

struct RoomNumbers {
  RoomId room = 0;
  uint64_t origin = 0;
  uint64_t first = 0;
  uint32_t count = 1;
  uint64_t last() const noexcept { return first + count - 1; }
};

// Nothing: it is another kind of frame.
inline std::optional<RoomNumbers> room_numbers(const wire::Frame& frame) noexcept {
  if (const auto* one = frame.body_as_RoomMessage()) {
    return RoomNumbers{one->room(), one->origin(), one->n()};
  }
  if (const auto* batch = frame.body_as_RoomMessages()) {
    return RoomNumbers{batch->room(), batch->origin(), batch->first_n(), batch->ends()->size()};
  }
  return std::nullopt;
}

}  // namespace ringtalk::proto
