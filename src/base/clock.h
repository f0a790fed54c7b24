// src/base/clock.h: public. Where time comes from.
//
// Everything that depends on time takes a Clock&, so that a test or the simulator holds it.
// Thread rule: SystemClock may be read by any thread; ManualClock belongs to one thread.
// Invariant: now_ns() never goes back. wall_ms() may jump with the host's clock.
#pragma once

#include <cstdint>

namespace ringtalk::base {

inline constexpr uint64_t kNsPerMs = 1'000'000;

class Clock {
 public:
  virtual ~Clock() = default;
  // Monotonic nanoseconds (CLOCK_MONOTONIC on the real clock); 0 is no valid time.
  virtual uint64_t now_ns() const noexcept = 0;
  // Unix milliseconds.
  virtual uint64_t wall_ms() const noexcept = 0;
};

class SystemClock final : public Clock {
 public:
  uint64_t now_ns() const noexcept override;
  uint64_t wall_ms() const noexcept override;
};

class ManualClock final : public Clock {
 public:
  explicit ManualClock(uint64_t now_ns = 1'000'000'000, uint64_t wall_ms = 1'700'000'000'000)
      : now_ns_(now_ns), wall_offset_ms_(wall_ms - now_ns / 1'000'000) {}

  uint64_t now_ns() const noexcept override { return now_ns_; }
  uint64_t wall_ms() const noexcept override { return wall_offset_ms_ + now_ns_ / 1'000'000; }
  void advance_ns(uint64_t ns) noexcept { now_ns_ += ns; }
  void advance_ms(uint64_t ms) noexcept { now_ns_ += ms * 1'000'000; }
  // Moves the wall clock alone, as an administrator or NTP would.
  void jump_wall_ms(int64_t ms) noexcept { wall_offset_ms_ += static_cast<uint64_t>(ms); }

 private:
  uint64_t now_ns_;
  uint64_t wall_offset_ms_;
};

}  // namespace ringtalk::base
