// src/ring/epoll_proactor.h: internal to src/ring. The proactor over epoll.
//
// A completion on a readiness kernel: an operation is tried at once and parked when it would block;
// one edge-triggered registration a socket says when to try again. What is over waits in `done_`
// until run_once() delivers it; sockets that may have bytes wait in `ready_`, in turn. Ownership:
// all descriptors. Thread rule: that of Proactor. Invariants:
//  - a connection is in done_ exactly while something of it is over and not delivered, or closing
//  - a connection is in ready_ only while a read or a parked operation is worth trying
//  - EPOLL_CTL_ADD once a connection, when it first has to wait; never EPOLL_CTL_MOD
//  - a record is held exactly while a connect is not delivered or a send is parked
#pragma once

#include <atomic>
#include <memory>
#include <vector>

#include "base/clock.h"
#include "base/intrusive_list.h"
#include "ring/backend.h"
#include "ring/epoll_flags.h"
#include "ring/options.h"
#include "ring/proactor.h"
#include "ring/slab.h"
#include "ring/tenants.h"

struct epoll_event;

namespace ringtalk::ring {

class EpollProactor final : public Proactor {
 public:
  static base::Result<std::unique_ptr<Proactor>, BackendError> make(const ProactorOptions& options);
  ~EpollProactor() override;

  base::Result<ListenerId, Error> listen(const Address& at, const ListenOptions& options) override;
  Address listener_address(ListenerId id) const override;
  void accept_pause(ListenerId id) override;
  void accept_resume(ListenerId id) override;
  void close_listener(ListenerId id) override;

  base::Result<ConnectionId, Error> connect(const Address& to, const Address* source) override;
  void receive(ConnectionId id) override;
  void receive_pause(ConnectionId id) override;
  void receive_resume(ConnectionId id) override;
  void send(ConnectionId id, std::span<const iovec> vectors) override;
  void shutdown_write(ConnectionId id) override;
  void close(ConnectionId id) override;

  uint32_t run_once(uint32_t budget, uint64_t deadline_ns, Handler& handler) override;
  void wake() noexcept override;

  uint32_t connections_open() const override { return connections_.taken(); }
  const ProactorStats& stats() const override { return stats_; }
  const char* backend() const override { return "epoll"; }
  std::string rung() const override;

 private:
  using enum EpollFlags::Bit;
  using enum EpollFlags::TokenKind;

  struct Connection {
    uint32_t generation;
    int32_t descriptor;
    base::ListLinks done;
    base::ListLinks ready;
    uint32_t record;
    uint32_t flags;
    uint32_t free_next;
    Error error;          // of the connect, send or shutdown_write that is over
    Error receive_error;  // of a receive that could not even be registered
  };
  static_assert(sizeof(Connection) <= 48);

  // What a connect or a parked send needs until it is over.
  struct Record {
    iovec vectors[kSendVectorsMax];
    uint32_t first;
    uint32_t count;
    Address target;
    uint32_t free_next;
  };

  struct Listener {
    int descriptor = -1;  // -1: free
    uint32_t generation = 0;
    Address address;
    bool ready = false;    // accept may find somebody
    bool paused = false;   // by the user
    bool starved = false;  // no slot or no descriptor: waits for one
    bool closing = false;
  };

  template <base::ListLinks Connection::*member>
  struct Links {
    const Tenants<Connection>* connections;
    base::ListLinks& operator()(uint32_t slot) const { return (*connections)[slot].*member; }
  };

  explicit EpollProactor(const ProactorOptions& options);
  // An errno, 0 when set up.
  int set_up();

  // run_once, step by step (epoll_proactor.cc).
  bool work_waits() const;
  void harvest(uint64_t deadline_ns);
  int wait_for_events(bool may_wait, uint64_t deadline_ns);
  void take_event(const epoll_event& event);
  void take_connection_event(uint32_t slot, uint32_t generation, uint32_t events);
  void deliver_all();
  void deliver(const Completion& completion);

  // Listeners (epoll_listeners.cc).
  Listener& listener(ListenerId id);
  void visit_listeners();
  void accept_some(uint32_t index);
  void accepted(uint32_t index, int descriptor, const Address& peer);
  void accept_failed(uint32_t index, int number);
  void wake_listener(Listener& listener);
  void rest_listener(Listener& listener);
  void starve(Listener& listener);
  void feed_listeners();
  void finish_listener(uint32_t index);

  // Connections (epoll_connections.cc).
  Connection& connection(ConnectionId id);
  uint32_t take_slot(int descriptor);
  ConnectionId id_of(uint32_t slot) const { return connections_.id_of(slot); }
  bool can_read(const Connection& connection) const;
  void queue_done(uint32_t slot);
  void queue_ready(uint32_t slot);
  Error ensure_registered(uint32_t slot);
  void visit_ready(uint32_t slot);
  void visit_done(uint32_t slot);
  void read_once(uint32_t slot);
  void resolve_connect(uint32_t slot);
  void end_connect(uint32_t slot, Error error);
  void continue_send(uint32_t slot);
  void end_send(uint32_t slot, Error error);
  int64_t write_vectors(const Connection& connection, const iovec* vectors, size_t count);
  void park_send(uint32_t slot, std::span<const iovec> vectors, uint64_t written);
  static void advance(Record& record, uint64_t bytes);
  void release_record(Connection& connection);
  void finish_close(uint32_t slot);

  const ProactorOptions options_;
  const base::SystemClock clock_;
  Tenants<Connection> connections_;
  Slab<Record> records_;
  base::IntrusiveList<Links<&Connection::done>> done_;
  base::IntrusiveList<Links<&Connection::ready>> ready_;
  std::vector<Listener> listeners_;
  const Mapping buffer_;
  const std::unique_ptr<epoll_event[]> events_;

  int epoll_ = -1;
  int wake_ = -1;
  std::atomic<bool> wake_written_{false};
  bool wake_due_ = false;
  bool has_pwait2_ = true;
  bool listeners_first_ = false;
  uint32_t listeners_ready_ = 0;
  uint32_t listeners_starved_ = 0;
  uint64_t feed_at_ns_ = UINT64_MAX;

  Handler* handler_ = nullptr;  // during run_once
  uint32_t budget_left_ = 0;
  ProactorStats stats_;
};

}  // namespace ringtalk::ring
