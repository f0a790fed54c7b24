#include "service/heartbeat.h"

#include <cstring>

#include "base/assert.h"

namespace ringtalk::service {
namespace {

// 32 counters at a time, as the widest unit of the target allows (SSE2 at least).
constexpr uint32_t kLane = 32;
typedef uint8_t Lane __attribute__((vector_size(kLane)));
static_assert(kNotSwept == 255);

// Adds one to each counter of the lane; true when one of them is beyond the limit.
inline bool sweep_lane(uint8_t* at, uint8_t limit) noexcept {
  Lane lane;
  std::memcpy(&lane, at, kLane);
  const Lane counted = reinterpret_cast<Lane>(lane != kNotSwept);  // 255 where it is a counter
  lane -= counted;                                                 // minus 255 is plus one
  std::memcpy(at, &lane, kLane);
  const Lane dead = reinterpret_cast<Lane>(lane > limit) & counted;
  uint64_t words[kLane / 8];
  std::memcpy(words, &dead, kLane);
  return (words[0] | words[1] | words[2] | words[3]) != 0;
}

inline bool sweep_one(uint8_t& missed, uint8_t limit) noexcept {
  if (missed == kNotSwept) return false;
  return ++missed > limit;
}

}  // namespace

void sweep_missed(uint8_t* missed, uint32_t slots, uint8_t limit, std::vector<uint32_t>& dead) {
  ASSERT(limit <= kHeartbeatMissedMax);
  uint32_t slot = 0;
  for (; slot + kLane <= slots; slot += kLane) {
    if (__builtin_expect(!sweep_lane(missed + slot, limit), true)) continue;
    for (uint32_t i = slot; i < slot + kLane; i++) {
      if (missed[i] != kNotSwept && missed[i] > limit) dead.push_back(i);
    }
  }
  for (; slot < slots; slot++) {
    if (sweep_one(missed[slot], limit)) dead.push_back(slot);
  }
}

}  // namespace ringtalk::service
