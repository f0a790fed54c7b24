// loadgen/activity.h: internal to loadgen. What a kind of load has in common with the others.
//
// An activity sends for its actors, on an open-loop schedule or to keep a closed window full, and
// judges what came back. Ownership: the ring's workload owns its activities; fleet, state and
// metrics outlive them. Thread rule: one owner; judge() after every ring has stopped.
// Invariants: nothing is sent outside of begin() .. end(); a scheduled send that finds no client in
// service waits for one, and its latency counts from its intended time.
#pragma once

#include <cstdint>
#include <vector>

#include "loadgen/fleet.h"
#include "loadgen/message.h"
#include "loadgen/metrics.h"
#include "loadgen/run_state.h"
#include "loadgen/schedule.h"
#include "check/stream_tally.h"

namespace ringtalk::loadgen {

inline constexpr uint64_t kWriteOffNs = 5'000'000'000;

struct ActivityPlace {
  Fleet& fleet;
  RunState& state;
  Metrics& metrics;
  size_t ring;
};

class Activity {
 public:
  // `weight` of the scenario's mix; `actors` of this ring and of the whole run.
  Activity(const ActivityPlace& place, double weight, uint64_t actors, uint64_t actors_of_all);
  virtual ~Activity() = default;

  void begin();
  // Closed windows are filled no more; what a schedule still holds is sent as fast as it goes, but
  // for what an interrupt has cut off.
  void end() noexcept;
  // Sends what is due.
  void turn();
  // When turn() has something to do by itself.
  uint64_t next_ns() const noexcept;

  // Nothing of it is under way any more, and nothing is left to be sent.
  bool settled() { return schedule_.done() && nothing_under_way(); }
  // Counts what was expected, lost and unjudged.
  virtual void judge() = 0;

 protected:
  virtual bool nothing_under_way() = 0;
  virtual bool can_send(uint32_t actor) = 0;
  // False: the generator could not (a full outbox); nothing was sent.
  virtual bool send(uint32_t actor, uint64_t intended_ns) = 0;
  // Closed loop: fills every window that has room.
  virtual void fill_windows() = 0;
  // Closed loop, once a second: gives up waiting for what is older than kWriteOffNs.
  virtual void write_off() = 0;

  bool running() const noexcept { return running_; }
  bool open_loop() const noexcept { return place_.state.scenario.open_loop(); }
  Counters& counters() noexcept { return place_.metrics.counters; }
  uint64_t user_of(uint32_t client) const noexcept {
    return place_.state.user_of(place_.fleet.global(client));
  }
  // The body of one message; valid until the next call.
  proto::Bytes body(uint64_t sender, uint64_t number, uint64_t intended_ns, uint64_t* hash);
  void count(check::Arrived arrived) noexcept;
  // Of `missing` messages the server has announced `skipped`: the others were lost in silence.
  void count_missing(uint64_t missing, uint64_t skipped) noexcept;
  // The stream is cut: what came is judged, what lies between that and `number` is not.
  void close_stream(check::StreamTally& tally, uint64_t number, uint64_t skipped = 0) noexcept;

  const ActivityPlace place_;

 private:
  void pace();

  const double weight_;
  const uint32_t actors_;
  const uint64_t actors_of_all_;
  Schedule schedule_;
  uint32_t next_actor_ = 0;
  // Since when clients were there to send: what waited for them is not the generator's lag.
  uint64_t unblocked_ns_ = 0;
  uint64_t next_write_off_ns_ = 0;
  bool blocked_ = false;
  bool running_ = false;
  std::vector<std::byte> body_;
};

}  // namespace ringtalk::loadgen
