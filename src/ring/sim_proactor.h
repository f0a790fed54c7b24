// src/ring/sim_proactor.h: public for tests. The proactor over a simulated network and clock.
//
// Keeps the whole contract of proactor.h, with a pool of few buffers and a short completion queue,
// so that what is rare on a kernel happens in every run. run_once never sleeps: the simulation
// moves the clock (or, with advance_when_idle, the proactor itself does, for tests that know only
// the contract). Thread rule: one thread, but wake(). Invariant: everything follows from the
// network's seed.
#pragma once

#include <atomic>
#include <cstdint>
#include <deque>
#include <vector>

#include "ring/options.h"
#include "ring/proactor.h"
#include "ring/sim_network.h"

namespace ringtalk::ring {

// Mistakes that a proactor could make, planted on purpose: the simulation must find each.
struct SimBugs {
  bool no_rearm_after_empty_pool = false;
  bool stale_delivered = false;
};

class SimProactor final : public Proactor {
 public:
  SimProactor(SimNetwork& network, const ProactorOptions& options, bool advance_when_idle = false,
              const SimBugs& bugs = {});
  ~SimProactor() override;

  base::Result<ListenerId, Error> listen(const Address& at, const ListenOptions&) override;
  Address listener_address(ListenerId) const override;
  void accept_pause(ListenerId) override;
  void accept_resume(ListenerId) override;
  void close_listener(ListenerId) override;
  base::Result<ConnectionId, Error> connect(const Address& to, const Address* source) override;
  void receive(ConnectionId) override;
  void receive_pause(ConnectionId) override;
  void receive_resume(ConnectionId) override;
  void send(ConnectionId, std::span<const iovec> vectors) override;
  void shutdown_write(ConnectionId) override;
  void close(ConnectionId) override;
  uint32_t run_once(uint32_t budget, uint64_t deadline_ns, Handler& handler) override;
  void wake() noexcept override { wakes_.store(true, std::memory_order_release); }
  uint32_t connections_open() const override { return open_; }
  const ProactorStats& stats() const override { return stats_; }
  const char* backend() const override { return "sim"; }
  std::string rung() const override { return "simulated network"; }

  // For the driver of a simulation: is there something to deliver, and until when would this one
  // sleep?
  bool has_work() const;
  uint64_t sleeps_until_ns() const { return deadline_ns_; }

 private:
  friend class SimNetwork;

  struct Connection {
    uint32_t generation = 1;
    bool open = false;
    bool connected = false;
    bool receiving = false;  // subscribed and not yet ended
    bool paused = false;
    bool starved = false;
    bool sending = false;
    bool reset_seen = false;
    bool closing = false;
    bool shut = false;
    SimNetwork::EndpointId endpoint = SimNetwork::kNone;
    uint32_t queued = 0;  // completions of this tenant not yet delivered
    Address target{};
    std::vector<iovec> rest;  // of the send in flight
  };
  struct Queued {
    Completion completion;
    uint32_t buffer = UINT32_MAX;
    uint32_t bytes = 0;
  };
  struct Backlog {
    SimNetwork::EndpointId endpoint;
    Address peer;
  };
  struct Listener {
    Address at;
    bool open = false;
    bool paused = false;
    bool closing = false;
    std::deque<Backlog> backlog;
  };

  // From the network.
  void on_syn(uint32_t listener, SimNetwork::EndpointId endpoint, const Address& peer);
  void on_connected(uint32_t slot, bool accepted);
  void on_ready(uint32_t slot);
  void on_stale(uint32_t slot, uint32_t generation);

  Connection& tenant(ConnectionId id);
  ConnectionId id_of(uint32_t slot) const { return {slot, connections_[slot].generation}; }
  void queue(const Completion& completion, uint32_t buffer = UINT32_MAX, uint32_t bytes = 0);
  void pump_accept(uint32_t index);
  void pump_receive(uint32_t slot);
  void pump_send(uint32_t slot);
  void end_receive(uint32_t slot, Error error);
  void end_send(uint32_t slot, Error error);
  void finish_close(uint32_t slot);
  void buffer_returned(uint32_t buffer);
  void deliver(const Queued& queued, Handler& handler);
  uint32_t deliver_up_to(uint32_t budget, Handler& handler);

  SimNetwork& network_;
  const ProactorOptions options_;
  const bool advance_when_idle_;
  const SimBugs bugs_;
  std::vector<Connection> connections_;
  std::vector<uint32_t> free_slots_;
  std::vector<Listener> listeners_;
  std::deque<Queued> queue_;
  std::deque<uint32_t> overflowed_;  // slots whose receive ended because the queue was full
  std::deque<uint32_t> starved_;
  std::vector<std::byte> memory_;
  std::vector<uint32_t> free_buffers_;
  std::vector<uint32_t> closing_;
  std::atomic<bool> wakes_{false};
  uint32_t open_ = 0;
  uint64_t deadline_ns_ = 0;
  bool delivering_ = false;
  ProactorStats stats_;
};

}  // namespace ringtalk::ring
