// src/service/mail.h: internal to the service. What one shard tells another.
//
// Entries of 32 bytes, copied by value into the target's Inbox. What does not fit goes by pointer
// to something reference-counted (a segment) or is looked up on arrival by (slot, generation).
// Thread rule: a value. Invariant: FIFO for each (sender, target): durable pushes rely on it.
#pragma once

#include <cstdint>
#include <type_traits>

namespace ringtalk::service {

enum class MailKind : uint8_t {
  none,
  // Routes, rooms and pushes add their kinds here; Shard::take(const Mail&) is the one switch.
};

struct Mail {
  MailKind kind = MailKind::none;
  uint8_t byte = 0;   // by kind
  uint16_t from = 0;  // index of the sending shard
  uint32_t slot = 0;  // with `generation`: a session, of the sender or of the target, by kind
  uint32_t generation = 0;
  uint32_t number = 0;  // by kind
  uint64_t a = 0;
  uint64_t b = 0;
};
static_assert(sizeof(Mail) == 32 && std::is_trivially_copyable_v<Mail>);

inline constexpr uint32_t kMailboxEntries = 4'096;

}  // namespace ringtalk::service
