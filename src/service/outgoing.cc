#include "service/outgoing.h"

#include <algorithm>
#include <cstring>

#include "base/assert.h"
#include "proto/limits.h"

namespace ringtalk::service {

namespace {

// Beyond so many frames or bytes even answers are too much: the session asks and never reads.
constexpr uint32_t kAnswerFramesMax = 32'768;
constexpr uint32_t kAnswerBytesMax = 8 * 1024 * 1024;
// A send younger than this many turns says nothing about its reader.
constexpr uint32_t kEvictTurns = 2;
constexpr uint32_t kGiveUpTurns = 64;
// Looking through all slots costs milliseconds at a million of them.
constexpr uint64_t kRelieveTurns = 8;

}  // namespace

Outgoing::Outgoing(uint32_t slots, const OutgoingLimits& limits, proto::SegmentDepot& depot,
                   OutgoingSink& sink)
    : limits_(limits),
      sink_(sink),
      writer_(depot),
      queues_(slots),
      nodes_(limits.nodes),
      dirty_(DirtyLinks{&queues_}) {
  ASSERT(limits.nodes > 1 && limits.flush_slice > 0 && limits.sends_in_flight > 0);
}

Outgoing::~Outgoing() {
  release();
}

void Outgoing::release() {
  for (uint32_t slot = 0; slot < slots_used_; slot++) {
    SendQueue& queue = queues_[slot];
    while (queue.first != 0) pop_range(queue);
  }
}

void Outgoing::set_limits(const OutgoingLimits& limits) noexcept {
  const uint32_t nodes = limits_.nodes;  // fixed at start
  limits_ = limits;
  limits_.nodes = nodes;
}

void Outgoing::open(ring::ConnectionId connection) {
  SendQueue& queue = queues_[connection.slot];
  ASSERT((queue.flags & kOpen) == 0 && queue.first == 0);
  queue = SendQueue{};
  queue.flags = kOpen;
  queue.generation = connection.generation;
  queue.dirty = {};
  slots_used_ = std::max(slots_used_, connection.slot + 1);
}

void Outgoing::discard(uint32_t slot) {
  SendQueue& queue = queues_[slot];
  ASSERT((queue.flags & kOpen) != 0);
  queue.flags |= kDiscarding;
  drop_waiting(queue, nullptr);
  if ((queue.flags & kDirty) != 0) {
    queue.flags &= static_cast<uint8_t>(~kDirty);
    dirty_.remove(slot);
  }
}

void Outgoing::closed(uint32_t slot) {
  SendQueue& queue = queues_[slot];
  ASSERT(queue.in_flight == 0);
  discard(slot);
  ASSERT(queue.first == 0 && queue.bytes == 0 && queue.frames == 0);
  queue.flags = 0;
}

bool Outgoing::fits(const SendQueue& queue, uint32_t bytes, uint32_t frames) const noexcept {
  if ((queue.flags & kDiscarding) != 0) return false;
  if (queue.first == 0) return true;
  return queue.bytes + bytes <= limits_.session_bytes &&
         queue.frames + frames <= limits_.session_frames &&
         uses_.pinned_bytes() <= limits_.pinned_bytes;
}

bool Outgoing::enqueue(uint32_t slot, SendQueue& queue, const proto::Range& range,
                       uint32_t frames) {
  ASSERT((queue.flags & kOpen) != 0);
  Node* node = queue.last == 0 ? nullptr : &nodes_[queue.last];
  const uint32_t behind = node == nullptr ? 0 : uint32_t{node->begin} + node->count;
  if (node != nullptr && (queue.flags & kTailFrozen) == 0 &&
      node->ranges[behind - 1].adjacent(range)) {
    node->ranges[behind - 1].merge(range);
    node->frames[behind - 1] = static_cast<uint16_t>(node->frames[behind - 1] + frames);
    stats_.merged++;
  } else {
    uint32_t at = behind;
    if (node == nullptr || behind == kRangesPerNode) {
      const uint32_t fresh = take_node();
      if (fresh == 0) return false;
      (node == nullptr ? queue.first : node->next) = fresh;
      queue.last = fresh;
      node = &nodes_[fresh];
      at = 0;
    }
    uses_.hold(range);
    node->ranges[at] = range;
    node->frames[at] = static_cast<uint16_t>(frames);
    node->count++;
    queue.flags &= static_cast<uint8_t>(~kTailFrozen);
    stats_.ranges++;
  }
  queue.bytes += range.bytes;
  queue.frames = static_cast<uint16_t>(queue.frames + frames);
  stats_.queued_bytes += range.bytes;
  if (queue.in_flight == 0 && (queue.flags & kDirty) == 0) {
    queue.flags |= kDirty;
    dirty_.push_back(slot);
  }
  return true;
}

void Outgoing::answer(uint32_t slot, const proto::Range& range, uint32_t frames) {
  SendQueue& queue = queues_[slot];
  if ((queue.flags & kDiscarding) != 0) return;
  const bool bounded =
      queue.frames + frames <= kAnswerFramesMax && queue.bytes + range.bytes <= kAnswerBytesMax;
  if (!bounded || !enqueue(slot, queue, range, frames)) give_up(slot);
}

bool Outgoing::push(uint32_t slot, const proto::Range& range, uint32_t frames) {
  SendQueue& queue = queues_[slot];
  if (fits(queue, range.bytes, frames) && enqueue(slot, queue, range, frames)) return true;
  stats_.refused++;
  return false;
}

void Outgoing::fan_out(std::span<const uint32_t> slots, const proto::Range& range, uint32_t frames,
                       uint32_t except, std::vector<uint32_t>& refused) {
  const base::ThreadCounts before = base::thread_counts();
  for (uint32_t i = 0; i < slots.size(); i++) {
    const uint32_t slot = slots[i];
    if (slot == except) continue;
    SendQueue& queue = queues_[slot];
    if ((queue.flags & kMarked) != 0 || !fits(queue, range.bytes, frames) ||
        !enqueue(slot, queue, range, frames)) [[unlikely]] {
      refused.push_back(i);
    }
  }
  count_since(before);
}

void Outgoing::count_since(const base::ThreadCounts& before) noexcept {
  const base::ThreadCounts& now = base::thread_counts();
  stats_.recipient_copies += now.copies - before.copies;
  stats_.recipient_allocations += now.allocations - before.allocations;
}

void Outgoing::mark(uint32_t slot, bool on) {
  uint8_t& flags = queues_[slot].flags;
  flags = static_cast<uint8_t>(on ? flags | kMarked : flags & ~kMarked);
}

void Outgoing::notify_drained(uint32_t slot) {
  ASSERT((queues_[slot].flags & kOpen) != 0);
  queues_[slot].flags |= kTellDrained;
}

uint32_t Outgoing::room_bytes(uint32_t slot) const noexcept {
  const SendQueue& queue = queues_[slot];
  return queue.bytes >= limits_.session_bytes ? 0 : limits_.session_bytes - queue.bytes;
}

bool Outgoing::flush(ring::Proactor& proactor) {
  turn_++;
  const base::ThreadCounts before = base::thread_counts();
  for (uint32_t started = 0; started < limits_.flush_slice; started++) {
    if (sends_in_flight_ >= limits_.sends_in_flight || dirty_.empty()) break;
    start_send(dirty_.pop_front(), proactor);
  }
  count_since(before);
  return !dirty_.empty() && sends_in_flight_ < limits_.sends_in_flight;
}

void Outgoing::start_send(uint32_t slot, ring::Proactor& proactor) {
  SendQueue& queue = queues_[slot];
  ASSERT(queue.in_flight == 0 && queue.first != 0);
  queue.flags &= static_cast<uint8_t>(~kDirty);
  iovec vectors[ring::kSendVectorsMax];
  uint8_t count = 0;
  uint32_t frames = 0;
  bool all = true;
  for (uint32_t at = queue.first; at != 0 && all; at = nodes_[at].next) {
    const Node& node = nodes_[at];
    for (uint32_t i = node.begin; i < uint32_t{node.begin} + node.count; i++) {
      if (count == ring::kSendVectorsMax) {
        all = false;
        break;
      }
      // The proactor only reads; iovec is not const because the kernel's readv shares it.
      vectors[count++] = {const_cast<std::byte*>(node.ranges[i].data()), node.ranges[i].bytes};
      frames += node.frames[i];
    }
  }
  queue.in_flight = count;
  queue.since = turn_;
  if (all) queue.flags |= kTailFrozen;
  sends_in_flight_++;
  stats_.sends++;
  stats_.frames += frames;
  proactor.send({slot, queue.generation}, {vectors, count});
}

void Outgoing::sent(uint32_t slot, bool good) {
  SendQueue& queue = queues_[slot];
  ASSERT(queue.in_flight > 0 && sends_in_flight_ > 0);
  sends_in_flight_--;
  for (; queue.in_flight > 0; queue.in_flight--) pop_range(queue);
  if (!good) discard(slot);
  if ((queue.flags & kDiscarding) != 0) return;
  if (queue.first != 0) {
    queue.flags |= kDirty;
    dirty_.push_back(slot);
  } else if ((queue.flags & kTellDrained) != 0) {
    queue.flags &= static_cast<uint8_t>(~kTellDrained);
    sink_.drained(slot);
  }
}

void Outgoing::pop_range(SendQueue& queue) {
  ASSERT(queue.first != 0);
  const uint32_t first = queue.first;
  Node& node = nodes_[first];
  const proto::Range& range = node.ranges[node.begin];
  queue.bytes -= range.bytes;
  queue.frames = static_cast<uint16_t>(queue.frames - node.frames[node.begin]);
  stats_.queued_bytes -= range.bytes;
  uses_.release(range);
  node.begin++;
  if (--node.count == 0) {
    queue.first = node.next;
    if (queue.first == 0) queue.last = 0;
    free_node(first);
  }
}

// Takes off everything behind what is in flight; `kept` gets the ranges with their uses, or they
// are released.
void Outgoing::drop_waiting(SendQueue& queue, std::vector<proto::Range>* kept) {
  uint32_t in_flight = queue.in_flight;
  uint32_t last = 0;
  uint32_t at = queue.first;
  for (; at != 0 && in_flight >= nodes_[at].count; at = nodes_[at].next) {
    in_flight -= nodes_[at].count;
    last = at;
  }
  uint32_t keep = in_flight;  // ranges of the node at the cut that stay
  uint32_t cut = at;
  while (cut != 0) {
    Node& node = nodes_[cut];
    const uint32_t next = node.next;
    for (uint32_t i = node.begin + keep; i < uint32_t{node.begin} + node.count; i++) {
      queue.bytes -= node.ranges[i].bytes;
      queue.frames = static_cast<uint16_t>(queue.frames - node.frames[i]);
      stats_.queued_bytes -= node.ranges[i].bytes;
      if (kept != nullptr) {
        kept->push_back(node.ranges[i]);
      } else {
        uses_.release(node.ranges[i]);
      }
    }
    node.count = static_cast<uint8_t>(keep);
    node.next = 0;
    if (keep == 0) {
      free_node(cut);
    } else {
      last = cut;
    }
    keep = 0;
    cut = next;
  }
  if (last == 0) {
    queue.first = 0;
  } else {
    nodes_[last].next = 0;
    queue.flags |= kTailFrozen;  // what is left is in flight
  }
  queue.last = last;
}

void Outgoing::relieve() {
  const uint64_t cap = limits_.pinned_bytes;
  if (uses_.pinned_bytes() <= cap / 4 * 3 || turn_ < relieved_at_ + kRelieveTurns) return;
  relieved_at_ = turn_;
  const uint32_t age_max = oldest_send();
  if (age_max >= kEvictTurns) {
    for (uint32_t slot = 0; slot < slots_used_ && uses_.pinned_bytes() > cap / 2; slot++) {
      const SendQueue& queue = queues_[slot];
      if (queue.in_flight != 0 && (turn_ - queue.since) * 2 >= age_max &&
          (queue.flags & (kTailFrozen | kDiscarding)) == 0) {
        evict(slot);
      }
    }
  }
  if (age_max < kGiveUpTurns || uses_.pinned_bytes() <= cap) return;
  for (uint32_t slot = 0; slot < slots_used_; slot++) {
    const SendQueue& queue = queues_[slot];
    if (queue.in_flight != 0 && turn_ - queue.since == age_max &&
        (queue.flags & kDiscarding) == 0) {
      give_up(slot);
    }
  }
}

uint32_t Outgoing::oldest_send() const {
  uint32_t age = 0;
  for (uint32_t slot = 0; slot < slots_used_; slot++) {
    const SendQueue& queue = queues_[slot];
    if (queue.in_flight != 0 && (queue.flags & kDiscarding) == 0) {
      age = std::max(age, turn_ - queue.since);
    }
  }
  return age;
}

void Outgoing::evict(uint32_t slot) {
  stats_.evictions++;
  evicted_.clear();
  drop_waiting(queues_[slot], &evicted_);
  for (const proto::Range& range : evicted_) {
    std::span<const std::byte> rest = range.span();
    while (!rest.empty()) {
      uint32_t bytes;
      std::memcpy(&bytes, rest.data(), sizeof bytes);
      bytes += proto::kPrefixBytes;
      ASSERT(bytes <= rest.size());
      // What must stay moves to the newest segment, so that it pins no old one.
      if (sink_.drop(slot, rest.first(bytes))) {
        stats_.dropped++;
      } else {
        answer(slot, rest.first(bytes));
      }
      rest = rest.subspan(bytes);
    }
    uses_.release(range);
  }
}

void Outgoing::give_up(uint32_t slot) {
  stats_.too_slow++;
  discard(slot);
  sink_.too_slow(slot);
}

uint32_t Outgoing::take_node() {
  uint32_t taken = nodes_free_;
  if (taken != 0) {
    nodes_free_ = nodes_[taken].next;
  } else if (nodes_used_ < nodes_.slots()) {
    taken = nodes_used_++;
  } else {
    return 0;
  }
  Node& node = nodes_[taken];
  node.next = 0;
  node.begin = 0;
  node.count = 0;
  return taken;
}

void Outgoing::free_node(uint32_t node) noexcept {
  nodes_[node].next = nodes_free_;
  nodes_free_ = node;
}

}  // namespace ringtalk::service
