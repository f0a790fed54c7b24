#include "service/heartbeat.h"

#include <cstring>

#include "base/assert.h"

namespace ringtalk::service {
namespace {

// 16 counters in a register that every x86-64 has (SSE2); gcc takes wider generic vectors apart,
// byte by byte (measured: 1 ns a counter). Four of them make one step.
constexpr uint32_t kLane = 16;
constexpr uint32_t kStep = 4 * kLane;
typedef uint8_t Lane __attribute__((vector_size(kLane)));
static_assert(kNotSwept == 255);

// Adds one to each counter; the result is not zero where one is beyond the limit.
inline Lane sweep_lane(uint8_t* at, uint8_t limit) noexcept {
  Lane lane;
  std::memcpy(&lane, at, kLane);
  const Lane counted = reinterpret_cast<Lane>(lane != kNotSwept);  // 255 where it is a counter
  lane -= counted;                                                 // minus 255 is plus one
  std::memcpy(at, &lane, kLane);
  return reinterpret_cast<Lane>(lane > limit) & counted;
}

// True when one of the step's counters is beyond the limit.
inline bool sweep_step(uint8_t* at, uint8_t limit) noexcept {
  Lane dead = sweep_lane(at, limit);
  for (uint32_t i = kLane; i < kStep; i += kLane) dead |= sweep_lane(at + i, limit);
  uint64_t words[kLane / 8];
  std::memcpy(words, &dead, kLane);
  return (words[0] | words[1]) != 0;
}

inline bool sweep_one(uint8_t& missed, uint8_t limit) noexcept {
  if (missed == kNotSwept) return false;
  return ++missed > limit;
}

}  // namespace

void sweep_missed(uint8_t* missed, uint32_t slots, uint8_t limit, std::vector<uint32_t>& dead) {
  ASSERT(limit <= kHeartbeatMissedMax);
  uint32_t slot = 0;
  for (; slot + kStep <= slots; slot += kStep) {
    if (__builtin_expect(!sweep_step(missed + slot, limit), true)) continue;
    for (uint32_t i = slot; i < slot + kStep; i++) {
      if (missed[i] != kNotSwept && missed[i] > limit) dead.push_back(i);
    }
  }
  for (; slot < slots; slot++) {
    if (sweep_one(missed[slot], limit)) dead.push_back(slot);
  }
}

}  // namespace ringtalk::service
