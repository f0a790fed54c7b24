// loadgen/ring_runner.h: internal to loadgen. One ring of a run: its clients, its load, its thread.
//
// Follows the phase that the conductor sets: brings its clients in, sends, settles, says goodbye.
// Ownership: owns fleet, activities and metrics; proactor, clock and state outlive it. Thread rule:
// run() is the ring's thread; metrics, collect() and judge() are for the conductor after it has
// returned. Invariant: run() returns once the phase is `stop` and its connections are closed, or
// five seconds later.
#pragma once

#include <memory>

#include "loadgen/direct_activity.h"
#include "loadgen/echo_activity.h"
#include "loadgen/fleet.h"
#include "loadgen/room_activity.h"

namespace ringtalk::loadgen {

class RingRunner final : private Application {
 public:
  RingRunner(ring::Proactor& proactor, const base::Clock& clock, RunState& state, size_t ring);
  ~RingRunner() override;

  void run();
  // One turn of run(), for those that drive several rings themselves; false: it has ended.
  bool turn();

  // After run(), on the same thread: the proactor is needed no more.
  void leave() { fleet_.leave(); }

  // What the rings find out for each other, on every ring before judge() on any.
  void collect();
  void judge();
  const Metrics& metrics() const noexcept { return metrics_; }
  uint64_t own_beats_late() const noexcept { return fleet_.own_beats_late(); }

 private:
  void ready(uint32_t client) override;
  void gone(uint32_t client) override;
  void sent(uint32_t client, const client::SendResult& result) override;
  void message(uint32_t client, const proto::MessageFields& message) override;
  void room_joined(uint32_t client, proto::RoomId room) override;
  void room_message(uint32_t client, const client::RoomMessageFields& message) override;
  void room_gap(uint32_t client, const client::RoomGapFields& gap) override;
  void echo(uint32_t client, proto::Bytes body) override;

  void follow(Phase phase);
  void look_whether_settled();
  void publish();
  template <class Call>
  void each(Call&& call) {
    if (echo_) call(*echo_);
    if (direct_) call(*direct_);
    if (room_) call(*room_);
  }

  const base::Clock& clock_;
  RunState& state_;
  const size_t ring_;
  Metrics metrics_;
  Fleet fleet_;
  std::unique_ptr<EchoActivity> echo_;
  std::unique_ptr<DirectActivity> direct_;
  std::unique_ptr<RoomActivity> room_;
  Phase phase_ = Phase::ramp;
  bool running_ = false;
  bool settled_ = false;
  uint64_t next_look_ns_ = 0;
  uint64_t stop_ns_ = 0;
};

}  // namespace ringtalk::loadgen
