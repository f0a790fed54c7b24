// src/service/mail.h: internal to the service. What one shard tells another.
//
// Entries of 32 bytes, copied by value into the target's Inbox. What does not fit goes by pointer
// to something reference-counted (a segment) or is looked up on arrival by (slot, generation).
// Thread rule: a value. Invariant: FIFO for each (sender, target): durable pushes rely on it.
#pragma once

#include <cstdint>
#include <type_traits>

#include "base/assert.h"
#include "proto/segment.h"

namespace ringtalk::service {

enum class MailKind : uint8_t {
  none,

  // ---- rooms, to the room's home
  room_join,     // slot, generation: who joins; a: room; b: the request's id
  room_leave,    // a: room: the sending shard has no member left
  room_publish,  // slot, generation: who publishes; b: its user; range: its RoomPublish frame
  room_relayed,  // range: a RoomMessage or RoomMessages frame of another node, not verified
  // ---- rooms, from the home to the shards that have members
  room_joined,    // slot, generation: who joined; range: its RoomJoined frame
  room_messages,  // range; b: frames, messages << 16, shard << 32 of who gets none (slot,
                  // generation)
  room_gap,       // a: room; slot, generation: origin; b: n; number: missed

  // ---- routes, to the user's home
  route_open,   // slot, generation; a: user; b: device; number: epoch
  route_close,  // slot, generation; a: user
  kick_user,    // a: user; number: sessions of lower epochs; byte: wire::KickReason
  kick_device,  // the same of one device, b
  // ---- routes, from the user's home to the session's shard
  route_opened,  // slot, generation
  kick_session,  // slot, generation; byte: wire::KickReason
  end_session,   // slot, generation: too much is owed to it

  // ---- conversations, from the conversation's home to the user's home
  push,      // byte: PushSide; range: a Message frame; slot, generation, b (shard): who sent it
  advanced,  // byte: PushSide; a, b: conversation; slot, generation: seq
  sent,  // slot, generation, b (shard, bytes of the request): who sent it; range: its Sent frame
  // ---- conversations, to the session's shard
  deliver,       // slot, generation; range: a Message or SyncHint frame
  deliver_sent,  // slot, generation; b: bytes of the request; range: a Sent frame
  send_failed,   // slot, generation; range: a SendFailure
  answer_ok,     // slot, generation; b: the request's id
};

// Which of the two users of a one-to-one conversation a push is for.
enum class PushSide : uint8_t { lower, upper };

struct Mail {
  MailKind kind = MailKind::none;
  uint8_t byte = 0;         // by kind
  uint16_t from = 0;        // index of the sending shard
  uint32_t slot = 0;        // with `generation`: a session, of the sender or of the target, by kind
  uint32_t generation = 0;  // or, by kind, a number's halves
  uint32_t number = 0;      // by kind, or where a range lies
  uint64_t a = 0;           // by kind, or a range's segment
  uint64_t b = 0;           // by kind
};
static_assert(sizeof(Mail) == 32 && std::is_trivially_copyable_v<Mail>);

// A range in a mail: the segment in `a`, offset and length in eighths in the halves of `number`.
// It carries one reference (proto::share); whoever takes the mail adopts or drops it.
inline void put_range(Mail& mail, const proto::Range& range) noexcept {
  ASSERT(range.offset % 8 == 0 && range.bytes % 8 == 0);
  ASSERT(range.offset / 8 <= UINT16_MAX && range.bytes / 8 <= UINT16_MAX);
  mail.a = reinterpret_cast<uint64_t>(range.segment);
  mail.number = (range.offset / 8) << 16 | range.bytes / 8;
}
inline proto::Range range_in(const Mail& mail) noexcept {
  ASSERT(mail.a != 0);
  return {reinterpret_cast<proto::Segment*>(mail.a), (mail.number >> 16) * 8,
          (mail.number & UINT16_MAX) * 8};
}
inline bool carries_range(MailKind kind) noexcept {
  return kind == MailKind::room_publish || kind == MailKind::room_relayed ||
         kind == MailKind::room_joined || kind == MailKind::room_messages ||
         kind == MailKind::push || kind == MailKind::sent || kind == MailKind::deliver ||
         kind == MailKind::deliver_sent || kind == MailKind::send_failed;
}

// What one room_join, room_publish with an id, or route_open is answered with.
inline bool is_answer(MailKind kind) noexcept {
  return kind == MailKind::room_joined || kind == MailKind::answer_ok ||
         kind == MailKind::route_opened;
}

inline constexpr uint32_t kMailboxEntries = 4'096;

}  // namespace ringtalk::service
