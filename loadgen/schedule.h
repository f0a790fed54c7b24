// loadgen/schedule.h: internal to loadgen. When an open loop intends to send, whatever the server
// does.
//
// Constant: at equal distances. Poisson: exponential gaps from a seed. A ring runs its own schedule
// with its share of the rate; the superposition of Poisson streams is one. Thread rule: one owner.
// Invariants: intended times never go back; they lie in [start, end); the same seed gives the same
// times.
#pragma once

#include <cstdint>

#include "base/random.h"
#include "loadgen/scenario.h"

namespace ringtalk::loadgen {

class Schedule {
 public:
  // Never due.
  Schedule() = default;
  // `offset` in [0, 1) shifts a constant schedule by a part of its step, so that rings take turns.
  Schedule(Arrival kind, double per_second, uint64_t start_ns, uint64_t end_ns, double offset,
           uint64_t seed);

  // True while something is intended for `now_ns` or earlier: take() it.
  bool due(uint64_t now_ns) const noexcept { return next_ns_ <= now_ns && !done(); }
  bool done() const noexcept { return next_ns_ >= end_ns_; }
  // UINT64_MAX when done.
  uint64_t next_ns() const noexcept { return done() ? UINT64_MAX : next_ns_; }
  // Ends it at `end_ns`, if that is earlier; answers how many it has lost by that.
  uint64_t cut(uint64_t end_ns) noexcept;
  // The intended time of the next, and goes on.
  uint64_t take() noexcept;
  // How many the whole schedule has, from its start.
  uint64_t planned() const noexcept { return planned_; }

 private:
  void step() noexcept;

  Arrival kind_ = Arrival::constant;
  double gap_ns_ = 0;
  double exact_ns_ = 0;  // since start: sums of gaps are kept unrounded
  uint64_t taken_ = 0;
  double offset_ = 0;
  uint64_t start_ns_ = 0;
  uint64_t end_ns_ = 0;
  uint64_t next_ns_ = 0;
  uint64_t planned_ = 0;
  base::Random random_{0};
};

}  // namespace ringtalk::loadgen
