// src/service/outgoing.h: internal to the service. What waits to be sent, for every session of a
// shard.
//
// A queue holds ranges of immutable segments, never bytes: pushing one frame to a thousand sessions
// costs a thousand small entries and no copy. Adjacent ranges merge, and one send takes up to 16.
//
//   SendQueue -> Node [ in flight | in flight | waiting ] -> Node [ waiting (merges) ]
//
// Pushes are refused beyond the limits of a session (the caller keeps a mark instead), answers
// never are. Segments are pinned whole: above three quarters of the shard's cap the sessions that
// make no progress lose their queued pushes to OutgoingSink::dropped(); above the cap they are
// closed. Ownership: queues, nodes, the shard's segment writer and its uses. Thread rule: the
// shard's thread. Invariants: one send in flight a session; what is in flight is not touched before
// its completion; a dirty session has something to send and no send in flight; no allocation after
// construction except for `dropped`.
#pragma once

#include <array>
#include <cstdint>
#include <span>
#include <vector>

#include "base/counts.h"
#include "base/intrusive_list.h"
#include "proto/segment.h"
#include "ring/proactor.h"
#include "service/slot_array.h"

namespace ringtalk::service {

struct OutgoingLimits {
  uint32_t session_bytes = 256 * 1024;
  uint32_t session_frames = 512;
  uint64_t pinned_bytes = 64 * 1024 * 1024;
  uint32_t flush_slice = 256;
  uint32_t sends_in_flight = 4'096;
  // Nodes of three ranges for all sessions together; mapped lazily.
  uint32_t nodes = 1 << 18;
};

struct OutgoingStats {
  uint64_t ranges = 0;   // queued, after merging
  uint64_t merged = 0;   // queued by growing the last range
  uint64_t refused = 0;  // pushes beyond a limit
  uint64_t sends = 0;
  uint64_t frames = 0;        // handed to the proactor
  uint64_t evictions = 0;     // queues emptied because of pinned memory
  uint64_t dropped = 0;       // frames thrown away by evictions
  uint64_t too_slow = 0;      // sessions given up
  uint64_t queued_bytes = 0;  // gauge
  // In user space between a frame that lies in a segment and the kernel: 0 is the promise.
  uint64_t recipient_copies = 0;
  uint64_t recipient_allocations = 0;
};

// Hears what a full queue costs. Never called from within fan_out() or push().
class OutgoingSink {
 public:
  virtual ~OutgoingSink() = default;
  // A queued frame could be thrown away: true when a mark was kept that stands for it, false when
  // it has to stay.
  virtual bool drop(uint32_t slot, std::span<const std::byte> frame) = 0;
  // Everything has left; asked for by notify_drained().
  virtual void drained(uint32_t slot) = 0;
  // It pins what others need and makes no progress: it has to be closed.
  virtual void too_slow(uint32_t slot) = 0;
};

class Outgoing {
 public:
  Outgoing(uint32_t slots, const OutgoingLimits& limits, proto::SegmentDepot& depot,
           OutgoingSink& sink);
  ~Outgoing();
  Outgoing(const Outgoing&) = delete;
  Outgoing& operator=(const Outgoing&) = delete;

  // ---- a session's life
  void open(ring::ConnectionId connection);
  // It is going to be closed: what is not in flight is thrown away and nothing more is taken.
  void discard(uint32_t slot);
  // Its connection has been joined: nothing is in flight.
  void closed(uint32_t slot);
  // The end of the shard: gives every segment back. Nothing is in flight any more.
  void release();

  // ---- frames in
  // Copies an encoded frame into the shard's segment. Good until the next append, unless queued.
  proto::Range append(std::span<const std::byte> frame) { return writer_.append(frame); }
  // An answer to a request: taken whatever is queued.
  void answer(uint32_t slot, const proto::Range& range, uint32_t frames = 1);
  void answer(uint32_t slot, std::span<const std::byte> frame) { answer(slot, append(frame)); }
  // False: over the limits, not taken.
  [[nodiscard]] bool push(uint32_t slot, const proto::Range& range, uint32_t frames = 1);
  // Pushes to every slot but `except` (base::kNoSlot: to all). The positions of those that did not
  // take it, or that are marked (see mark), are appended to `refused`.
  void fan_out(std::span<const uint32_t> slots, const proto::Range& range, uint32_t frames,
               uint32_t except, std::vector<uint32_t>& refused);
  // A marked session gets nothing from fan_out: something has to be said to it first.
  void mark(uint32_t slot, bool on);
  void notify_drained(uint32_t slot);

  // ---- frames out
  // Starts sends for at most a slice of the dirty sessions. True: some are left that may go now.
  bool flush(ring::Proactor& proactor);
  // The completion of this session's send. With an error nothing more is sent.
  void sent(uint32_t slot, bool good);
  // Brings pinned memory below its limits; once a turn.
  void relieve();

  bool dirty() const noexcept { return !dirty_.empty(); }
  bool idle(uint32_t slot) const noexcept { return queues_[slot].first == 0; }
  bool sending(uint32_t slot) const noexcept { return queues_[slot].in_flight != 0; }
  uint32_t queued_bytes(uint32_t slot) const noexcept { return queues_[slot].bytes; }
  uint32_t queued_frames(uint32_t slot) const noexcept { return queues_[slot].frames; }
  // The room left for pushes, for whoever can make a smaller answer.
  uint32_t room_bytes(uint32_t slot) const noexcept;

  proto::SegmentUses& uses() noexcept { return uses_; }
  uint64_t pinned_bytes() const noexcept { return uses_.pinned_bytes(); }
  const OutgoingStats& stats() const noexcept { return stats_; }
  void set_limits(const OutgoingLimits& limits) noexcept;

 private:
  static constexpr uint32_t kRangesPerNode = 3;
  static constexpr uint8_t kTailFrozen = 1;  // the last range is in flight: nothing merges into it
  static constexpr uint8_t kMarked = 2;
  static constexpr uint8_t kDiscarding = 4;
  static constexpr uint8_t kTellDrained = 8;
  static constexpr uint8_t kOpen = 16;
  static constexpr uint8_t kDirty = 32;

  struct SendQueue {
    uint32_t first;  // node, 0 = none
    uint32_t last;
    uint32_t bytes;
    uint16_t frames;
    uint8_t in_flight;  // ranges at the front that the proactor holds
    uint8_t flags;
    uint32_t generation;
    uint32_t since;  // the turn in which the send in flight was started
    base::ListLinks dirty;
  };
  static_assert(sizeof(SendQueue) == 32);

  struct Node {
    uint32_t next;
    uint8_t begin;
    uint8_t count;
    uint16_t frames[kRangesPerNode];
    uint32_t spare;
    proto::Range ranges[kRangesPerNode];
  };
  static_assert(sizeof(Node) == 64);

  struct DirtyLinks {
    SlotArray<SendQueue>* queues;
    base::ListLinks& operator()(uint32_t slot) const { return (*queues)[slot].dirty; }
  };

  bool fits(const SendQueue& queue, uint32_t bytes, uint32_t frames) const noexcept;
  bool enqueue(uint32_t slot, SendQueue& queue, const proto::Range& range, uint32_t frames);
  void count_since(const base::ThreadCounts& before) noexcept;
  void start_send(uint32_t slot, ring::Proactor& proactor);
  void pop_range(SendQueue& queue);
  void drop_waiting(SendQueue& queue, std::vector<proto::Range>* kept);
  void evict(uint32_t slot);
  void give_up(uint32_t slot);
  uint32_t oldest_send() const;
  uint32_t take_node();
  void free_node(uint32_t node) noexcept;

  OutgoingLimits limits_;
  OutgoingSink& sink_;
  proto::SegmentWriter writer_;
  proto::SegmentUses uses_;
  SlotArray<SendQueue> queues_;
  SlotArray<Node> nodes_;
  base::IntrusiveList<DirtyLinks> dirty_;
  OutgoingStats stats_;
  uint32_t nodes_used_ = 1;  // 0 is "none"
  uint32_t nodes_free_ = 0;
  uint32_t sends_in_flight_ = 0;
  uint32_t turn_ = 1;
  uint32_t slots_used_ = 0;
  uint64_t relieved_at_ = 0;
  std::vector<proto::Range> evicted_;
};

}  // namespace ringtalk::service
