// src/ring/token.h: internal to src/ring. What the kernel hands back to name an operation.
//
// Layout of the 64 bits (sqe.user_data, epoll_event.data):
//
//   63        56 55                32 31                 0
//   [ operation ][        slot       ][    generation    ]
//
// Thread rule: none, a value. Invariant: a token whose generation is not its slot's present one is
// stale and must be dropped. What `operation` numbers mean is the back end's own business.
#pragma once

#include <cstdint>

#include "base/assert.h"

namespace ringtalk::ring {

inline constexpr uint32_t kSlotsMax = 1U << 24;

struct Token {
  uint8_t operation;
  uint32_t slot;
  uint32_t generation;

  uint64_t pack() const {
    ASSERT(slot < kSlotsMax);
    return uint64_t{operation} << 56 | uint64_t{slot} << 32 | generation;
  }
  static Token unpack(uint64_t bits) noexcept {
    return {static_cast<uint8_t>(bits >> 56), static_cast<uint32_t>(bits >> 32) & (kSlotsMax - 1),
            static_cast<uint32_t>(bits)};
  }
};

}  // namespace ringtalk::ring
