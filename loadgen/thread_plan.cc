#include "loadgen/thread_plan.h"

#include <algorithm>

#include "base/assert.h"

namespace ringtalk::loadgen {
namespace {

constexpr uint32_t kThreadsMax = 1'024;

uint64_t capacity_of(uint32_t threads, const std::function<uint32_t(uint32_t)>& slots_of) {
  const uint64_t slots = slots_of(threads);
  const uint64_t spare = spare_slots(slots);
  return slots <= spare ? 0 : threads * (slots - spare);
}

}  // namespace

uint32_t spare_slots(uint64_t clients) noexcept {
  return static_cast<uint32_t>(64 + clients / 64);
}

size_t ThreadPlan::ring_of(uint64_t client) const noexcept {
  const auto after = std::ranges::upper_bound(rings, client, {}, &RingShare::first);
  ASSERT(after != rings.begin());
  return static_cast<size_t>(after - rings.begin()) - 1;
}

ThreadPlan plan_threads(uint64_t connections, uint32_t threads,
                        const std::function<uint32_t(uint32_t)>& slots_of) {
  ASSERT(connections > 0);
  ThreadPlan plan;
  uint32_t count = std::max<uint32_t>(1, threads);
  plan.capacity = capacity_of(count, slots_of);
  // More rings help only while each brings slots of its own (direct descriptors do, epoll does
  // not).
  while (threads == 0 && plan.capacity < connections && count < kThreadsMax) {
    const uint64_t next = capacity_of(count + 1, slots_of);
    if (next <= plan.capacity) break;
    plan.capacity = next;
    count++;
  }
  plan.enough = plan.capacity >= connections;
  const uint64_t pairs = (connections + 1) / 2;
  count = static_cast<uint32_t>(std::min<uint64_t>(count, pairs));
  for (uint32_t i = 0; i < count; i++) {
    const uint64_t first = 2 * (pairs * i / count);
    const uint64_t end = std::min(connections, 2 * (pairs * (i + 1) / count));
    plan.rings.push_back({first, static_cast<uint32_t>(end - first)});
  }
  plan.text = "rings: " + std::to_string(count) + ", at most " +
              std::to_string(plan.rings.back().clients) + " clients each, room for " +
              std::to_string(plan.capacity);
  if (!plan.enough) {
    plan.text +=
        "; too few: raise `ulimit -n` (hard limit), or use --backend io_uring, whose connections "
        "need no descriptors, and more --threads";
  }
  return plan;
}

}  // namespace ringtalk::loadgen
