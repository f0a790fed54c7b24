#include "loadgen/ring_runner.h"

#include <algorithm>

#include "base/assert.h"

namespace ringtalk::loadgen {
namespace {

constexpr uint64_t kTurnNsMax = 100'000'000;
constexpr uint64_t kLookNs = 20'000'000;
constexpr uint64_t kGoodbyeNs = 5'000'000'000;
// Each ring brings in its share, and never so few that it waits for round trips.
constexpr uint32_t kConcurrencyMin = 16;

}  // namespace

RingRunner::RingRunner(ring::Proactor& proactor, const base::Clock& clock, RunState& state,
                       size_t ring)
    : clock_(clock), state_(state), ring_(ring), fleet_(proactor, clock, state, ring, metrics_) {
  fleet_.serve(*this);
  const ActivityPlace place{fleet_, state, metrics_, ring};
  if (state.scenario.mix.echo > 0) echo_ = std::make_unique<EchoActivity>(place);
  if (state.scenario.mix.direct > 0) direct_ = std::make_unique<DirectActivity>(place);
  if (state.scenario.mix.room > 0) room_ = std::make_unique<RoomActivity>(place);
  const auto rings = static_cast<uint32_t>(state.threads.rings.size());
  fleet_.bring_in(std::max(kConcurrencyMin, state.scenario.ramp.concurrency / rings));
}

RingRunner::~RingRunner() = default;

void RingRunner::run() {
  while (turn()) {
  }
  state_.live[ring_].stopped.store(true, std::memory_order_release);
}

bool RingRunner::turn() {
  const Phase phase = state_.phase.load(std::memory_order_acquire);
  const uint64_t now_ns = clock_.now_ns();
  if (phase != phase_) follow(phase);
  uint64_t deadline_ns = now_ns + kTurnNsMax;
  if (phase_ == Phase::hold && !running_ && now_ns >= state_.hold_start_ns) {
    running_ = true;
    each([](Activity& activity) { activity.begin(); });
  }
  if (phase_ == Phase::hold && !running_) {
    deadline_ns = std::min<uint64_t>(deadline_ns, state_.hold_start_ns);
  }
  if (running_ && phase_ != Phase::stop) {
    each([&deadline_ns](Activity& activity) {
      activity.turn();
      deadline_ns = std::min(deadline_ns, activity.next_ns());
    });
  }
  if (phase_ == Phase::settle && now_ns >= next_look_ns_) look_whether_settled();
  if (phase_ == Phase::settle) deadline_ns = std::min(deadline_ns, next_look_ns_);
  if (room_) room_->pump();
  fleet_.step(deadline_ns);
  publish();
  return phase_ != Phase::stop || (fleet_.open() > 0 && now_ns < stop_ns_ + kGoodbyeNs);
}

void RingRunner::follow(Phase phase) {
  ASSERT(phase > phase_);
  phase_ = phase;
  if (phase == Phase::settle) each([](Activity& activity) { activity.end(); });
  if (phase == Phase::stop) {
    stop_ns_ = clock_.now_ns();
    if (direct_) direct_->note_away();
    fleet_.stop_all();
  }
}

void RingRunner::look_whether_settled() {
  next_look_ns_ = clock_.now_ns() + kLookNs;
  bool settled = true;
  each([&settled](Activity& activity) { settled = settled && activity.settled(); });
  settled_ = settled;
  if (room_ && !settled) room_->probe();
}

void RingRunner::publish() {
  RingLive& live = state_.live[ring_];
  const Counters& c = metrics_.counters;
  constexpr auto relaxed = std::memory_order_relaxed;
  live.ready.store(fleet_.ready_count(), relaxed);
  live.prepared.store(room_ ? room_->joined_count() : fleet_.ready_count(), relaxed);
  live.reached.store(c.reached, relaxed);
  live.issued.store(c.issued, relaxed);
  live.acknowledged.store(c.acknowledged, relaxed);
  live.delivered.store(c.delivered, relaxed);
  live.beats_answered.store(fleet_.stats().heartbeats_answered, relaxed);
  live.lost.store(c.lost, relaxed);
  live.settled.store(settled_, std::memory_order_release);
}

void RingRunner::collect() {
  if (room_) room_->collect();
}

void RingRunner::judge() {
  each([](Activity& activity) { activity.judge(); });
  const client::ClientStats& stats = fleet_.stats();
  Counters& c = metrics_.counters;
  c.wire_duplicates += stats.wire_duplicates;
  c.wire_reordered += stats.wire_reordered;
  c.beats_sent += stats.heartbeats_sent;
  c.beats_answered += stats.heartbeats_answered;
  c.beats_missed += stats.heartbeats_missed;
  c.failed[static_cast<size_t>(Failure::bad_frame)] += stats.bad_frames;
}

// ---- what applications are shown

void RingRunner::ready(uint32_t client) {
  if (direct_) direct_->ready(client);
  if (room_) room_->ready(client);
  if (echo_) echo_->ready(client);
}

void RingRunner::gone(uint32_t client) {
  if (echo_) echo_->gone(client);
  if (room_) room_->gone(client);
}

void RingRunner::sent(uint32_t client, const client::SendResult& result) {
  if (direct_) direct_->sent(client, result);
}

void RingRunner::message(uint32_t client, const proto::MessageFields& message) {
  if (direct_) direct_->message(client, message);
}

void RingRunner::room_joined(uint32_t client, proto::RoomId room) {
  if (room_) room_->joined(client, room);
}

void RingRunner::room_message(uint32_t client, const client::RoomMessageFields& message) {
  if (room_) room_->message(client, message);
}

void RingRunner::room_gap(uint32_t client, const client::RoomGapFields& gap) {
  if (room_) room_->gap(client, gap);
}

void RingRunner::echo(uint32_t client, proto::Bytes body) {
  if (echo_) echo_->echo(client, body);
}

}  // namespace ringtalk::loadgen
