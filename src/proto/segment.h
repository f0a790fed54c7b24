// src/proto/segment.h: public. Immutable encoded bytes, written once and shared by any number of
// queues on any number of shards.
//
//   Segment  [ frame | frame | frame | free ........ ]
//              ^ Range {segment, offset, bytes}; adjacent ranges of one segment merge into one
//
// A shard's SegmentWriter appends and hands out ranges; bytes below a range's end never change.
// Ownership: a segment lives while it has references: one of its writer, one of each shard whose
// SegmentUses counts a use, one of each range in a mailbox (share). Inside a shard uses are plain
// integers. With its last reference it goes back to the writer's pool, from any thread.
//   writer: range = writer.append(frame); share(range); post(range)
//   reader: uses.adopt(range); uses.hold(range) per queue; uses.release(range) (the adopted one)
// Thread rule: a SegmentWriter and a SegmentUses belong to one shard; share, drop: any.
// Invariants: destroy every SegmentUses and mailbox before the writers, writers before the depot.
#pragma once

#include <atomic>
#include <cstddef>
#include <cstdint>
#include <mutex>
#include <span>
#include <vector>

#include "base/assert.h"
#include "base/counts.h"
#include "base/handoff.h"

namespace ringtalk::proto {

inline constexpr uint32_t kSegmentBytes = 64 * 1024;

class SegmentWriter;

// The head of a segment; its bytes lie behind it.
struct alignas(64) Segment {
  SegmentWriter* const writer;
  const uint32_t index;  // dense among the living segments of a depot
  const uint32_t capacity;
  uint32_t used = 0;  // the writer's alone
  std::atomic<uint32_t> references{0};
  Segment* handoff_next = nullptr;

  const std::byte* data() const noexcept { return reinterpret_cast<const std::byte*>(this + 1); }
  std::byte* data() noexcept { return reinterpret_cast<std::byte*>(this + 1); }
};
static_assert(sizeof(Segment) == 64);

// A piece of a segment, without ownership of its own.
struct Range {
  Segment* segment = nullptr;
  uint32_t offset = 0;
  uint32_t bytes = 0;

  bool operator==(const Range&) const = default;
  const std::byte* data() const noexcept { return segment->data() + offset; }
  std::span<const std::byte> span() const noexcept { return {data(), bytes}; }
  // True when `next` lies right behind: one range (and one use) can then stand for both.
  bool adjacent(const Range& next) const noexcept {
    return segment == next.segment && offset + bytes == next.offset;
  }
  void merge(const Range& next) noexcept {
    ASSERT(adjacent(next));
    bytes += next.bytes;
  }
};
static_assert(sizeof(Range) == 16);

// A reference for a range that goes into a mailbox; the receiver adopts it, or whoever throws the
// entry away drops it. The caller holds the range.
inline void share(const Range& range) noexcept {
  range.segment->references.fetch_add(1, std::memory_order_relaxed);
}
void drop(const Range& range) noexcept;

// Deals the indexes of segments. One for all shards of a process; locked only when a segment is
// made or freed, which a steady state does not do.
class SegmentDepot {
 public:
  SegmentDepot() = default;
  ~SegmentDepot();
  SegmentDepot(const SegmentDepot&) = delete;
  SegmentDepot& operator=(const SegmentDepot&) = delete;

  // Memory of all segments, pooled ones included.
  uint64_t bytes() const noexcept { return bytes_.load(std::memory_order_relaxed); }

 private:
  friend class SegmentWriter;
  Segment* make(SegmentWriter* writer, uint32_t capacity);
  void free(Segment* segment) noexcept;

  std::mutex mutex_;
  std::vector<uint32_t> free_indexes_;
  uint32_t next_index_ = 0;
  std::atomic<uint64_t> bytes_{0};
};

// A shard's appender.
class SegmentWriter {
 public:
  // At most `pooled_max` empty segments are kept for reuse.
  explicit SegmentWriter(SegmentDepot& depot, uint32_t capacity = kSegmentBytes,
                         uint32_t pooled_max = 64);
  ~SegmentWriter();
  SegmentWriter(const SegmentWriter&) = delete;
  SegmentWriter& operator=(const SegmentWriter&) = delete;

  // Copies the frame (1 to `capacity` bytes). The range is good until the next append unless it is
  // held or shared before.
  Range append(std::span<const std::byte> frame) {
    ASSERT(!frame.empty() && frame.size() <= capacity_);
    if (current_ == nullptr || capacity_ - current_->used < frame.size()) next_segment();
    const Range range{current_, current_->used, static_cast<uint32_t>(frame.size())};
    base::counted_copy(current_->data() + range.offset, frame.data(), frame.size());
    current_->used += range.bytes;
    return range;
  }

  // Segments of this writer that are not in its pool: the current one and those still referenced.
  uint32_t live_segments() const noexcept { return live_; }
  uint64_t segments_made() const noexcept { return made_; }  // allocations, ever

 private:
  friend void drop_reference(Segment* segment) noexcept;
  void next_segment();
  void collect() noexcept;

  SegmentDepot& depot_;
  const uint32_t capacity_;
  const uint32_t pooled_max_;
  uint32_t pooled_ = 0;
  uint32_t live_ = 0;
  uint64_t made_ = 0;
  Segment* current_ = nullptr;
  Segment* pool_ = nullptr;
  base::Handoff<Segment> returned_;  // by the shard that dropped the last reference
};

// Gives one reference back; the last one sends the segment to its writer's pool.
void drop_reference(Segment* segment) noexcept;

inline void drop(const Range& range) noexcept {
  drop_reference(range.segment);
}

// A shard's count of the ranges that it holds, by segment: an array look-up, no atomic but for the
// first and last use of a segment.
class SegmentUses {
 public:
  SegmentUses() = default;
  ~SegmentUses() { ASSERT(pinned_bytes_ == 0); }
  SegmentUses(const SegmentUses&) = delete;
  SegmentUses& operator=(const SegmentUses&) = delete;

  // One more use of a segment that is alive now (held, adopted, or just appended by this shard).
  void hold(const Range& range) {
    uint32_t& uses = uses_of(range.segment);
    if (uses++ == 0) {
      share(range);
      pinned_bytes_ += range.segment->capacity;
    }
  }
  // Turns the reference that came with a mailbox entry into a use.
  void adopt(const Range& range) {
    uint32_t& uses = uses_of(range.segment);
    if (uses++ == 0) {
      pinned_bytes_ += range.segment->capacity;
    } else {
      drop(range);
    }
  }
  void release(const Range& range) noexcept {
    ASSERT(range.segment->index < uses_.size());
    uint32_t& uses = uses_[range.segment->index];
    ASSERT(uses > 0);
    if (--uses == 0) {
      pinned_bytes_ -= range.segment->capacity;
      drop(range);
    }
  }

  // Whole segments that this shard keeps alive.
  uint64_t pinned_bytes() const noexcept { return pinned_bytes_; }
  uint32_t uses(const Segment* segment) const noexcept {
    return segment->index < uses_.size() ? uses_[segment->index] : 0;
  }

 private:
  uint32_t& uses_of(const Segment* segment) {
    if (segment->index >= uses_.size()) [[unlikely]]
      grow(segment->index);
    return uses_[segment->index];
  }
  void grow(uint32_t index);

  std::vector<uint32_t> uses_;  // by Segment::index
  uint64_t pinned_bytes_ = 0;
};

}  // namespace ringtalk::proto
