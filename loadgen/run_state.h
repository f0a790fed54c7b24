// loadgen/run_state.h: internal to loadgen. What the rings of a run and its conductor share.
//
// The conductor moves the phase on; rings look at it once a turn. Thread rule: plain members are
// set before the rings start and then read-only; atomics as said. Invariants: phases only go
// forward; hold_start_ns and hold_end_ns are set before the phase becomes `hold`.
#pragma once

#include <atomic>
#include <cstdint>
#include <memory>
#include <vector>

#include "base/waker.h"
#include "loadgen/address_plan.h"
#include "loadgen/metrics.h"
#include "loadgen/scenario.h"
#include "loadgen/thread_plan.h"
#include "proto/ids.h"
#include "proto/token.h"

namespace ringtalk::loadgen {

enum class Phase : uint8_t { ramp, hold, settle, stop };

// A room, as the rings that have members in it see it together.
struct RoomShared {
  std::atomic<uint64_t> issued{0};  // publishes so far; written by the ring of its publishers
  std::atomic<uint64_t> hashes{0};  // their sum
  // A publish may or may not have reached the server (a cut while it was under way): from then on
  // only the server's numbers are judged.
  std::atomic<bool> unsure{false};
  std::atomic<uint64_t> highest{0};  // highest number that any member has seen
  std::atomic<bool> behind{false};   // settling: some member has not heard of all publishes
};

struct RunState {
  const Scenario& scenario;
  const ThreadPlan& threads;
  const AddressPlan& addresses;
  const proto::KeyRing& keys;
  uint64_t run_id = 0;  // makes users, rooms and message ids of this run its own

  std::atomic<Phase> phase{Phase::ramp};
  std::atomic<uint64_t> hold_start_ns{0};
  std::atomic<uint64_t> hold_end_ns{0};

  std::vector<base::Waker*> wakers;  // of each ring
  RampTimes ramp_times;
  std::unique_ptr<RingLive[]> live;
  std::unique_ptr<RoomShared[]> rooms;
  // passed[room * rings + ring]: every member of the room on that ring has all numbers up to this.
  std::unique_ptr<std::atomic<uint64_t>[]> passed;

  RunState(const Scenario& s, const ThreadPlan& t, const AddressPlan& a, const proto::KeyRing& k)
      : scenario(s), threads(t), addresses(a), keys(k) {
    live = std::make_unique<RingLive[]>(t.rings.size());
    if (s.mix.room <= 0) return;
    rooms = std::make_unique<RoomShared[]>(s.rooms());
    passed = std::make_unique<std::atomic<uint64_t>[]>(s.rooms() * t.rings.size());
  }

  proto::UserId user_of(uint64_t client) const noexcept {
    return proto::kLoadUserFirst + (run_id << 24) + client + 1;
  }
  proto::RoomId room_id(uint64_t room) const noexcept { return (run_id << 24) + room + 1; }
};

}  // namespace ringtalk::loadgen
