#include "base/clock.h"

#include <time.h>

namespace ringtalk::base {
namespace {

uint64_t read_ns(clockid_t id) noexcept {
  timespec t;
  ::clock_gettime(id, &t);
  return static_cast<uint64_t>(t.tv_sec) * 1'000'000'000 + static_cast<uint64_t>(t.tv_nsec);
}

}  // namespace

uint64_t SystemClock::now_ns() const noexcept {
  return read_ns(CLOCK_MONOTONIC);
}
uint64_t SystemClock::wall_ms() const noexcept {
  return read_ns(CLOCK_REALTIME) / 1'000'000;
}

}  // namespace ringtalk::base
