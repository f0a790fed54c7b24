// loadgen/metrics.h: internal to loadgen. What one ring counts and measures, and how it is summed.
//
// Thread rule: each ring owns its Metrics until it has stopped; RingLive is written by the ring and
// read by the terminal at any time. Invariant: merging rings loses nothing.
#pragma once

#include <array>
#include <atomic>
#include <cstddef>
#include <cstdint>
#include <mutex>
#include <utility>

#include "base/histogram.h"

namespace ringtalk::loadgen {

// Why a client did not come in, or was cut.
enum class Failure : uint8_t {
  refused,
  reset,
  timed_out,
  no_address,
  no_slot,
  busy,
  token_refused,
  closed_by_server,
  bad_frame,
  other,
  count_,
};
const char* to_string(Failure) noexcept;

struct Counters {
  // connections
  uint64_t attempted = 0;   // clients that tried at all
  uint64_t reached = 0;     // clients that were logged in at least once
  uint64_t lost = 0;        // times that a client in service was cut
  uint64_t reconnects = 0;  // times that a cut client was logged in again
  std::array<uint64_t, static_cast<size_t>(Failure::count_)> failed{};
  // messages
  uint64_t planned = 0;
  uint64_t issued = 0;
  uint64_t dropped_by_generator = 0;
  uint64_t acknowledged = 0;
  uint64_t rejected = 0;
  uint64_t unresolved = 0;  // durable, and neither acknowledged nor rejected at the end
  uint64_t expected = 0;
  uint64_t delivered = 0;
  uint64_t lost_messages = 0;
  uint64_t skipped = 0;  // the server told the receiver that it left them out
  uint64_t probes = 0;   // of issued: publishes of the settle phase
  uint64_t duplicated = 0;
  uint64_t reordered = 0;
  uint64_t unjudged = 0;
  uint64_t wire_duplicates = 0;
  uint64_t wire_reordered = 0;
  // heartbeats
  uint64_t beats_sent = 0;
  uint64_t beats_answered = 0;
  uint64_t beats_missed = 0;
  uint64_t sessions_lost = 0;

  void add(const Counters& other) noexcept;
};

// From the intended time and from the actual send. In a closed loop only the latter is filled.
struct TwoBases {
  base::Histogram intended, send;
  void merge(const TwoBases& other) noexcept {
    intended.merge(other.intended);
    send.merge(other.send);
  }
  void record(uint64_t intended_ns, uint64_t sent_ns, uint64_t now_ns) noexcept {
    if (intended_ns != 0) intended.record((now_ns - intended_ns) / 1'000);
    send.record((now_ns - sent_ns) / 1'000);
  }
};

struct Metrics {
  Counters counters;
  base::Histogram schedule_lag;
  TwoBases echo, ack, direct, room;

  void merge(const Metrics& other) noexcept;
};

// How long clients took to come in, of all rings together: a few hundred kilobytes for each ring
// would show in what a client costs, and a lock is nothing beside a connect. Any thread.
class RampTimes {
 public:
  void connected(uint64_t us) {
    const std::lock_guard guard(mutex_);
    connect_.record(us);
  }
  void logged_in(uint64_t us) {
    const std::lock_guard guard(mutex_);
    login_.record(us);
  }
  // After every ring has stopped.
  base::Histogram take_connect() { return std::move(connect_); }
  base::Histogram take_login() { return std::move(login_); }

 private:
  std::mutex mutex_;
  base::Histogram connect_, login_;
};

// A copy for the terminal and the series, at most one turn of the ring old.
struct alignas(64) RingLive {
  std::atomic<uint64_t> ready{0};     // clients in service now
  std::atomic<uint64_t> prepared{0};  // of those, as far as the load needs (rooms joined)
  std::atomic<uint64_t> reached{0};
  std::atomic<uint64_t> issued{0};
  std::atomic<uint64_t> acknowledged{0};
  std::atomic<uint64_t> delivered{0};
  std::atomic<uint64_t> beats_answered{0};
  std::atomic<uint64_t> lost{0};
  std::atomic<bool> settled{false};
  std::atomic<bool> stopped{false};
};

}  // namespace ringtalk::loadgen
