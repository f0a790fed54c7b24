// loadgen/thread_plan.h: internal to loadgen. How many rings a run takes and which clients each of
// them holds.
//
// Thread rule: made by main, read by all. Invariants: clients are numbered 0 .. connections - 1 and
// each ring holds one stretch of them; stretches differ by at most one pair, and the two clients of
// a pair (2k, 2k + 1) are on one ring.
#pragma once

#include <cstdint>
#include <functional>
#include <string>
#include <vector>

namespace ringtalk::loadgen {

struct RingShare {
  uint64_t first = 0;
  uint32_t clients = 0;
};

struct ThreadPlan {
  std::vector<RingShare> rings;
  uint64_t capacity = 0;
  bool enough = false;
  std::string text;  // one line for the user

  uint64_t end_of(size_t ring) const noexcept { return rings[ring].first + rings[ring].clients; }
  size_t ring_of(uint64_t client) const noexcept;
};

// Slots that a ring keeps beyond its clients, for connections that are still being closed.
uint32_t spare_slots(uint64_t clients) noexcept;

// `threads` 0: as few as hold them all. `slots_of(n)`: what one ring can hold when there are n.
ThreadPlan plan_threads(uint64_t connections, uint32_t threads,
                        const std::function<uint32_t(uint32_t)>& slots_of);

}  // namespace ringtalk::loadgen
