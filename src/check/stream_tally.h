// src/check/stream_tally.h: public. What one receiver got of one numbered stream, in 40 bytes.
//
// Constant memory, whatever the length: the last number, a window of the 64 before it, how many
// different numbers came and the sum of their hashes; judged at the end against what the sender
// says it sent. Thread rule: one owner. Invariants: all zeros is a stream that begins at 1;
// distinct <= last - base.
//
//   base ... | last - 63 ........... last |        lost = (sent - base) - distinct
//    skipped |  bit i: last - i has come  |
#pragma once

#include <cstdint>

#include "base/assert.h"

namespace ringtalk::check {

enum class Arrived : uint8_t {
  in_order,
  after_gap,   // numbers between the last and this one have not come (yet)
  late,        // one of those: a later number came before it (reordered)
  duplicated,  // it had come before, or lies beyond the window and cannot be told from that
};

// What a sender issued; its numbers are 1 .. count.
struct SentStream {
  uint64_t count = 0;
  uint64_t hashes = 0;

  uint64_t issue() noexcept { return ++count; }
  void add(uint64_t hash) noexcept { hashes += hash; }
};

struct StreamTally {
  uint64_t base = 0;  // judged are base + 1 ... ; what lies before was sent to somebody else
  uint64_t last = 0;
  uint64_t window = 0;  // bit i: last - i has come
  uint64_t distinct = 0;
  uint64_t hashes = 0;

  Arrived arrive(uint64_t number, uint64_t hash) noexcept {
    if (number > last) {
      const uint64_t step = number - last;
      window = step >= 64 ? 1 : (window << step) | 1;
      last = number;
      distinct++;
      hashes += hash;
      return step == 1 ? Arrived::in_order : Arrived::after_gap;
    }
    const uint64_t back = last - number;
    if (number <= base || back >= 64 || (window >> back & 1) != 0) return Arrived::duplicated;
    window |= uint64_t{1} << back;
    distinct++;
    hashes += hash;
    return Arrived::late;
  }

  // Numbers up to `number` are nobody's fault any more (a new connection, a new origin). Answers
  // how many of them had not come.
  uint64_t skip_to(uint64_t number) noexcept {
    ASSERT(number >= last);
    const uint64_t lost = missing(number);
    *this = {};
    base = last = number;
    return lost;
  }

  // Numbers up to `number` that have not come will not: the sender's side has skipped them, and
  // said so. They stay missing; how many it owned up to is the caller's to keep.
  void give_up_to(uint64_t number) noexcept {
    ASSERT(number >= last);
    window = number - last >= 64 ? 0 : window << (number - last);
    last = number;
  }

  // Of the numbers base + 1 .. `sent`.
  uint64_t missing(uint64_t sent) const noexcept {
    ASSERT(distinct <= last - base);
    return sent > base + distinct ? sent - base - distinct : 0;
  }

  // Every number came, and what came is not what was sent: made up, or mixed. It can be told only
  // of a stream that was received from its beginning and without loss.
  bool falsified(const SentStream& sent) const noexcept {
    return base == 0 && (last > sent.count || (missing(sent.count) == 0 && hashes != sent.hashes));
  }
};
static_assert(sizeof(StreamTally) == 40);

}  // namespace ringtalk::check
