#include "loadgen/schedule.h"

#include <cmath>

#include "base/assert.h"

namespace ringtalk::loadgen {

Schedule::Schedule(Arrival kind, double per_second, uint64_t start_ns, uint64_t end_ns,
                   double offset, uint64_t seed)
    : kind_(kind),
      gap_ns_(1e9 / per_second),
      offset_(offset),
      start_ns_(start_ns),
      end_ns_(end_ns),
      next_ns_(start_ns),
      random_(seed) {
  ASSERT((kind == Arrival::constant || kind == Arrival::poisson) && per_second > 0 &&
         start_ns <= end_ns);
  ASSERT(offset >= 0 && offset < 1);
  step();
  Schedule ahead = *this;
  while (!ahead.done()) ahead.take();
  planned_ = ahead.taken_;
}

uint64_t Schedule::cut(uint64_t end_ns) noexcept {
  if (end_ns >= end_ns_) return 0;
  end_ns_ = end_ns;
  Schedule ahead = *this;
  while (!ahead.done()) ahead.take();
  const uint64_t before = planned_;
  planned_ = ahead.taken_;
  return before - planned_;
}

void Schedule::step() noexcept {
  if (kind_ == Arrival::poisson) {
    exact_ns_ += -std::log(1.0 - random_.unit()) * gap_ns_;
  } else {
    exact_ns_ = (static_cast<double>(taken_) + offset_) * gap_ns_;
  }
  next_ns_ = start_ns_ + static_cast<uint64_t>(exact_ns_);
}

uint64_t Schedule::take() noexcept {
  ASSERT(!done());
  const uint64_t intended = next_ns_;
  taken_++;
  step();
  ASSERT(next_ns_ >= intended);
  return intended;
}

}  // namespace ringtalk::loadgen
