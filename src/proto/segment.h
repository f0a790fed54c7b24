// src/proto/segment.h: public. Immutable encoded bytes, written once and shared by any number of
// queues.
//
// A Segment is an append-only chunk. One shard (its writer) appends encoded frames and hands out
// ranges; other shards get the same ranges by mailbox. Bytes below a range's end never change.
//
//   Segment  [ frame | frame | frame | free ........ ]
//              ^ range {offset, bytes}; two adjacent ranges of one segment merge into one
//
// Ownership: a reference per shard (atomic), counted down when that shard's last range is released;
// inside a shard ranges are counted without atomics by SegmentUses. Thread rule: append only by the
// writer; everything else as said at each class.
#pragma once

#include <atomic>
#include <cstddef>
#include <cstdint>
#include <span>

namespace ringtalk::proto {

class Segment;

// A piece of a segment, without ownership of its own.
struct Range {
  Segment* segment = nullptr;
  uint32_t offset = 0;
  uint32_t bytes = 0;

  bool operator==(const Range&) const = default;
  // True when `next` lies right behind: one range can then stand for both.
  bool adjacent(const Range& next) const noexcept {
    return segment == next.segment && offset + bytes == next.offset;
  }
};

}  // namespace ringtalk::proto
