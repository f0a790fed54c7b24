#include "service/drain.h"

#include <algorithm>

#include "base/assert.h"
#include "base/clock.h"
#include "service/shard.h"

namespace ringtalk::service {
namespace {

constexpr uint64_t kStepNs = 20 * base::kNsPerMs;
// Between Goaway and the end of a session, and once more for requests that are still in flight.
constexpr uint64_t kGraceNs = 500 * base::kNsPerMs;

}  // namespace

void Drain::begin() {
  if (active()) return hurry();
  started_ns_ = shard_.now_ns();
  window_ns_ = shard_.limits().drain_ms * base::kNsPerMs;
  grace_ns_ = window_ns_ == 0 ? 0 : kGraceNs;
  next_ns_ = started_ns_;
  shard_.stop_listening();
}

void Drain::hurry() {
  if (!active()) begin();
  window_ns_ = 0;
  grace_ns_ = 0;
  next_ns_ = shard_.now_ns();
}

uint64_t Drain::next_deadline() const noexcept {
  return active() && shard_.sessions().open_count() > 0 ? next_ns_ : 0;
}

// Slots are as good as any order; the kernel dealt them to whoever came.
uint32_t Drain::slots_due(uint64_t elapsed_ns) const {
  const uint32_t slots = shard_.sessions().used_slots();
  if (elapsed_ns >= window_ns_) return slots;
  return static_cast<uint32_t>(static_cast<unsigned __int128>(slots) * elapsed_ns / window_ns_);
}

void Drain::tick() {
  if (!active() || shard_.now_ns() < next_ns_) return;
  next_ns_ = shard_.now_ns() + kStepNs;
  const uint64_t elapsed_ns = shard_.now_ns() - started_ns_;
  for (const uint32_t due = slots_due(elapsed_ns); told_ < due; told_++) say_goaway(told_);
  if (elapsed_ns < grace_ns_) return;
  for (const uint32_t due = slots_due(elapsed_ns - grace_ns_); ended_ < due; ended_++) {
    end(ended_, false);
  }
  // Those whose requests were in flight, and those who came while the listener was closing.
  if (elapsed_ns < window_ns_ + 2 * grace_ns_) return;
  for (uint32_t slot = 0; slot < shard_.sessions().used_slots(); slot++) end(slot, true);
}

void Drain::say_goaway(uint32_t slot) {
  const Session& session = shard_.sessions()[slot];
  if (session.phase == Phase::online) {
    const uint64_t spread_ms = std::max<uint64_t>(shard_.limits().reconnect_jitter_ms, 1);
    const uint32_t after_ms = static_cast<uint32_t>(shard_.random().below(spread_ms));
    shard_.reply(slot, shard_.frames().goaway(wire::GoawayReason::Draining, after_ms));
  } else if (session.phase != Phase::free && session.phase < Phase::ending) {
    shard_.end_with_error(slot, 0, wire::ErrorCode::Draining, CloseReason::draining);
  }
}

void Drain::end(uint32_t slot, bool now) {
  const Session& session = shard_.sessions()[slot];
  if (session.phase == Phase::free || session.phase >= Phase::ending) return;
  if (session.requests_in_flight > 0 && !now) return;
  shard_.end(slot, CloseReason::draining);
}

}  // namespace ringtalk::service
