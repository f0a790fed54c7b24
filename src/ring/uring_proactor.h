// src/ring/uring_proactor.h: internal to src/ring/uring_*. The proactor over io_uring.
//
// Connections are direct descriptors of the ring's file table. What cannot be submitted now (the
// submission queue is full, the completion queue could overflow) and what is over without a
// completion of the kernel waits in `todo_`. Idle connections are parked on a one-shot poll; those
// that are active keep a multishot receive armed (`hot_`).
// Ownership: listeners, files, all memory. Thread rule: that of Proactor. Invariants:
//  - a connection's *Held flags are exactly what the kernel holds for it
//  - a record is held exactly while a connect, a name or a send is not over
//  - a slot is given back only with no flag held and its file closed
#pragma once

#include <atomic>
#include <memory>
#include <vector>

#include "base/intrusive_list.h"
#include "ring/backend.h"
#include "ring/options.h"
#include "ring/proactor.h"
#include "ring/slab.h"
#include "ring/tenants.h"
#include "ring/uring_buffers.h"
#include "ring/uring_features.h"
#include "ring/uring_state.h"
#include "ring/uring_ring.h"

namespace ringtalk::ring {

class UringProactor final : public Proactor {
 public:
  static base::Result<std::unique_ptr<Proactor>, BackendError> make(const ProactorOptions& options);
  ~UringProactor() override;

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
  const char* backend() const override { return "io_uring"; }
  std::string rung() const override { return features_.text(); }

  // IORING_MAX_FIXED_FILES less a reserve.
  static constexpr uint32_t kTableMax = 1'000'000;
  // File table entries beyond the connections: accepts that found every slot taken.
  static uint32_t table_reserve(uint32_t listeners) {
    return listeners * UringListener::kAcceptsHeld;
  }

 private:
  using enum UringFlags::Bit;
  using enum UringFlags::TokenKind;

  using Connection = UringConnection;
  using Record = UringRecord;
  using Listener = UringListener;
  static constexpr uint32_t kNoFile = UINT32_MAX;

  struct Accepted {
    uint32_t file;
    uint32_t listener;
    Address peer;  // family none: to be asked for
  };

  struct Links {
    const Tenants<Connection>* connections;
    base::ListLinks& operator()(uint32_t slot) const { return (*connections)[slot].links; }
  };

  UringProactor(const ProactorOptions& options, const UringFeatures& features);
  base::Status<BackendError> set_up();

  // The turn (uring_proactor.cc).
  void prepare_waiting();
  void dispatch(const io_uring_cqe& cqe);
  void dispatch_connection(const io_uring_cqe& cqe, uint8_t kind, uint32_t slot);
  void deliver(const Completion& completion);
  void arm_wake();
  void on_wake();
  void visit_todo();
  void stop_all();

  // Listeners (uring_listeners.cc).
  Listener& listener(ListenerId id);
  void visit_listeners();
  void arm_accepts(uint32_t index);
  bool submit_accept(uint32_t index, uint32_t held, uint16_t flags);
  void cancel_accepts(uint32_t index);
  void on_accept(const io_uring_cqe& cqe, uint32_t slot, uint32_t generation);
  void accept_failed(Listener& at, int number);
  void accept_again();
  void accepted(const Accepted& made);
  void announce(const Accepted& made);
  void deliver_accept(uint32_t slot, uint32_t index, const Address& peer);
  bool submit_name(uint32_t slot);
  void on_name(const io_uring_cqe& cqe, uint32_t slot);
  void finish_listener(uint32_t index);
  void drop_file(uint32_t file);
  void visit_stranded();

  // Connections (uring_connections.cc, uring_transfers.cc).
  Connection& connection(ConnectionId id);
  ConnectionId id_of(uint32_t slot) const { return connections_.id_of(slot); }
  uint32_t take_slot(uint32_t file);
  void take_record(Connection& at);
  void release_record(Connection& at);
  void queue_todo(uint32_t slot);
  void step(uint32_t slot);
  void visit(uint32_t slot);
  io_uring_sqe* prepare(uint8_t opcode, uint8_t kind, uint32_t slot);
  bool submit_cancel(uint8_t kind, uint32_t slot);

  bool submit_connect(uint32_t slot);
  bool submit_file(uint32_t slot);
  void close_descriptor(Record& record);
  void on_file(const io_uring_cqe& cqe, uint32_t slot);
  void on_connect(const io_uring_cqe& cqe, uint32_t slot);
  void end_connect(uint32_t slot, Error error);
  void deliver_connect(uint32_t slot);
  void step_close(uint32_t slot);
  bool unblock(uint32_t slot);
  void finish_close(uint32_t slot);
  void release_slot(uint32_t slot);

  bool can_arm(const Connection& at) const;
  bool arm_receive(uint32_t slot);
  bool submit_poll(uint32_t slot);
  bool submit_receive(uint32_t slot, bool multishot);
  void on_poll(const io_uring_cqe& cqe, uint32_t slot);
  void on_receive(const io_uring_cqe& cqe, uint32_t slot);
  void on_bytes(uint32_t slot, std::span<const std::byte> bytes);
  void on_receive_failed(uint32_t slot, int number);
  void end_receive(uint32_t slot, Error error);
  bool promote(uint32_t slot);
  void leave_lists(uint32_t slot);
  void feed_starved();
  bool submit_send(uint32_t slot);
  void on_send(const io_uring_cqe& cqe, uint32_t slot);
  static void skip_sent(Record& record, uint64_t bytes);
  void end_send(uint32_t slot, Error error);
  bool submit_shutdown(uint32_t slot);
  void on_shutdown(const io_uring_cqe& cqe, uint32_t slot);

  const ProactorOptions options_;
  const UringFeatures features_;
  // What the kernel may write to is declared before the ring, which ends first.
  Tenants<Connection> connections_;
  Slab<Record> records_;
  std::vector<Listener> listeners_;
  std::vector<Accepted> stranded_;  // every slot was taken
  uint64_t wake_value_ = 0;
  UringRing ring_;
  UringBuffers buffers_;

  base::IntrusiveList<Links> starved_;
  base::IntrusiveList<Links> hot_;
  const uint32_t hot_max_;
  uint32_t accepts_max_ = 1;  // of one listener at a time
  uint32_t todo_first_ = base::kNoSlot;
  uint32_t todo_last_ = base::kNoSlot;
  uint32_t todo_count_ = 0;
  uint32_t buffers_returned_ = 0;
  uint32_t leases_ = 0;
  uint32_t descriptors_open_ = 0;  // of sockets on their way into the table
  bool listeners_due_ = false;
  uint64_t accept_again_ns_ = UINT64_MAX;  // of those that were refused

  int wake_ = -1;
  bool wake_armed_ = false;
  bool stopping_ = false;
  bool issuer_gone_ = false;
  uint64_t other_calls_ = 0;  // system calls that are not enters
  std::atomic<bool> wake_written_{false};

  Handler* handler_ = nullptr;  // during run_once
  uint32_t budget_left_ = 0;
  ProactorStats stats_;
};

}  // namespace ringtalk::ring
