// src/ring/sim_network.h: public for tests. A seeded network between simulated proactors.
//
// Links deliver bytes in order, late, in pieces of any size; faults reset links, make peers
// half-open or let a slot see a completion of its former tenant. The same seed and the same calls
// give the same history. Ownership: the network outlives its proactors. Thread rule: one thread.
// Invariants: bytes of one direction arrive in order or not at all; at most `window_bytes` of a
// direction are unread; events run in the order of (time, number).
#pragma once

#include <cstdint>
#include <deque>
#include <map>
#include <span>
#include <utility>
#include <vector>

#include "base/clock.h"
#include "base/random.h"
#include "ring/address.h"

namespace ringtalk::ring {

class SimProactor;

struct SimFaults {
  uint64_t latency_min_ns = 20'000;
  uint64_t latency_max_ns = 400'000;
  uint32_t window_bytes = 64 * 1024;
  double short_send = 0;  // per attempt: only a part is taken at once
  double split = 0;       // per packet: arrives in two pieces
  double reset = 0;       // per packet: the link is cut instead
  double half_open = 0;   // per packet: from now on this direction carries nothing, silently
  double stale = 0;       // per close: a late completion of the old tenant
  double refuse = 0;      // per connect
  bool operator==(const SimFaults&) const = default;
};

class SimNetwork {
 public:
  using EndpointId = uint32_t;
  static constexpr EndpointId kNone = UINT32_MAX;

  SimNetwork(uint64_t seed, base::ManualClock& clock, const SimFaults& faults);

  // Runs every event that is due. True when one ran.
  bool run_due();
  // When the next event is due; UINT64_MAX when there is none.
  uint64_t next_event_ns() const;
  void set_faults(const SimFaults& faults) { faults_ = faults; }
  const SimFaults& faults() const { return faults_; }
  base::ManualClock& clock() { return clock_; }
  base::Random& random() { return random_; }
  // Grows with every event: two runs of one seed end with the same hash.
  uint64_t trace_hash() const { return trace_hash_; }
  // Cuts every link at once, as a power cut between the two sides would be seen by both.
  void reset_all();

 private:
  friend class SimProactor;

  enum class Kind : uint8_t { arrive, window, syn, connected, refused, fin, reset, stale };
  struct Event {
    Kind kind;
    EndpointId endpoint = kNone;
    std::vector<std::byte> bytes;
    Address address{};                // syn: the peer as the listener sees it
    SimProactor* proactor = nullptr;  // syn, stale
    uint32_t slot = 0;                // stale
    uint32_t generation = 0;          // stale
    uint16_t port = 0;                // syn
  };
  struct Endpoint {
    SimProactor* owner = nullptr;  // null: closed, or not yet accepted
    uint32_t slot = 0;
    EndpointId peer = kNone;
    std::vector<std::byte> unread;
    size_t unread_from = 0;
    uint32_t outstanding = 0;      // bytes towards this end that it has not read
    uint64_t last_arrival_ns = 0;  // keeps one direction in order
    bool fin = false;
    bool reset = false;
    bool closed = false;   // this end has been closed by its owner
    bool dead = false;     // nothing reaches this end any more
    bool cut = false;      // a reset is under way: what it sends from now on is lost
    bool pending = false;  // in a listener's backlog
  };

  uint16_t bind(SimProactor* proactor, const Address& at, uint32_t listener, bool share_port,
                bool* in_use);
  void unbind(SimProactor* proactor, uint32_t listener);
  EndpointId connect(SimProactor* owner, uint32_t slot, const Address& to, const Address& from);
  // Takes a prefix of the bytes into the link; 0 when the window is full.
  uint32_t transmit(EndpointId from, std::span<const std::byte> bytes);
  void finish(EndpointId from);
  void consumed(EndpointId at, uint32_t bytes);
  void close(EndpointId id, SimProactor* owner, uint32_t slot, uint32_t old_generation);
  void schedule(uint64_t at_ns, Event&& event);
  uint64_t delay();
  void run(Event& event);
  void reset_link(EndpointId id);
  void note(uint64_t value);

  struct Bound {
    SimProactor* proactor;
    uint32_t listener;
    bool share_port;
  };

  base::ManualClock& clock_;
  base::Random random_;
  SimFaults faults_;
  std::map<std::pair<uint64_t, uint64_t>, Event> events_;
  uint64_t events_made_ = 0;
  uint64_t trace_hash_ = 0xcbf29ce484222325;
  std::deque<Endpoint> endpoints_;
  std::map<uint16_t, std::vector<Bound>> bound_;
  uint16_t next_port_ = 40'000;
};

}  // namespace ringtalk::ring
