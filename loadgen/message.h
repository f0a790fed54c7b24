// loadgen/message.h: internal to loadgen. What every body of the harness begins with.
//
//   0         8         16            24          32            40
//   | sender  | number  | intended_ns | sent_ns   | check      | filler ...
//
// `number` counts 1, 2, 3 ... in a stream (a client's echoes, its direct messages to its peer, a
// publisher's messages to its room). `check` is a hash of sender, number and intended_ns: whoever
// receives the body knows that it was not made up or mixed. Times are those of this machine's
// monotonic clock. Thread rule: none, values.
#pragma once

#include <cstddef>
#include <cstdint>
#include <cstring>
#include <optional>
#include <span>

#include "proto/ids.h"

namespace ringtalk::loadgen {

struct MessageHead {
  uint64_t sender = 0;
  uint64_t number = 0;
  uint64_t intended_ns = 0;
  uint64_t sent_ns = 0;
  uint64_t check = 0;

  uint64_t hash() const noexcept {
    return proto::mix(sender ^ proto::mix(number ^ proto::mix(intended_ns)));
  }
};

// As intended time: sent to find out what has arrived, not to be measured.
inline constexpr uint64_t kProbe = UINT64_MAX;

inline constexpr size_t kMessageHeadBytes = sizeof(MessageHead);
static_assert(kMessageHeadBytes == 40);

// `body` holds at least the head; what lies behind it stays as it is.
inline void write_head(MessageHead head, std::span<std::byte> body) noexcept {
  head.check = head.hash();
  std::memcpy(body.data(), &head, sizeof head);
}

// Nothing when the body is too short or was not written by write_head.
inline std::optional<MessageHead> read_head(std::span<const std::byte> body) noexcept {
  MessageHead head;
  if (body.size() < sizeof head) return std::nullopt;
  std::memcpy(&head, body.data(), sizeof head);
  if (head.check != head.hash()) return std::nullopt;
  return head;
}

}  // namespace ringtalk::loadgen
