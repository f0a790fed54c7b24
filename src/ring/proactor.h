// src/ring/proactor.h: public. The seam between the kernel and everything above it.
//
// A proactor starts operations and reports their completions. One class for each way to reach the
// kernel (io_uring, epoll) and one over a simulated network; above this header nobody knows which
// runs. Ownership: the proactor owns listeners, connections, receive buffers and all memory of an
// operation. Thread rule: created anywhere; from the first run_once() on, everything but wake()
// belongs to the thread that calls run_once(). Invariants (each is a test of
// tests/ring/contract*_test.cc, numbered as in ARCHITECTURE.md):
//  1 completions come only from run_once(), at most `budget` a call, never from inside a submit
//  2 each operation ends with exactly one terminal completion (`more` false)
//  3 a receive delivers bytes: a lease that ends when the handler returns
//  4 an empty buffer pool parks the connection and is a counter, never an error
//  5 one send in flight a connection; iovecs may die when send() returns, bytes at its completion
//  6 close is a join: nothing in flight, then exactly one `close` completion, then the slot is free
//  7 a completion with an old generation is counted and dropped
//  8 pause and resume lose nothing
//  9 the deadline of run_once is the only timer
// 10 wake() comes from any thread
// 11 a kernel result becomes an Error here, once
// 12 no allocation per operation
#pragma once

#include <sys/uio.h>

#include <cstddef>
#include <cstdint>
#include <memory>
#include <span>
#include <string>

#include "base/result.h"
#include "base/waker.h"
#include "ring/address.h"
#include "ring/error.h"
#include "ring/stats.h"

namespace ringtalk::ring {

inline constexpr size_t kSendVectorsMax = 16;
inline constexpr uint32_t kSlotNone = UINT32_MAX;

// A slot below ProactorOptions::connections and the generation of its present tenant (never 0).
// Whoever keeps state per connection may index it by slot: a slot is not reused before `close` was
// delivered for it.
struct ConnectionId {
  uint32_t slot = kSlotNone;
  uint32_t generation = 0;
  bool operator==(const ConnectionId&) const = default;
};

struct ListenerId {
  uint32_t index = UINT32_MAX;
  bool operator==(const ListenerId&) const = default;
};

enum class Operation : uint8_t { accept, connect, receive, send, shutdown_write, close, wake };

struct Completion {
  Operation operation;
  // Another completion of the same accept or receive will follow.
  bool more = false;
  Error error = Error::none;
  // accept: where it came in. Otherwise none.
  ListenerId listener{};
  // accept: the new connection, open and not yet receiving. wake: none.
  ConnectionId connection{};
  // receive: the lease. Empty with error none and more false: the peer has shut down its side.
  std::span<const std::byte> bytes{};
  // accept: the peer. connect: the target.
  Address peer{};
};

class Handler {
 public:
  virtual ~Handler() = default;
  // May start operations, also on this connection; their completions come from a later step.
  virtual void complete(const Completion& completion) = 0;
};

struct ListenOptions {
  uint32_t backlog = 4096;
  // Several proactors on one port (SO_REUSEPORT): the kernel spreads connections over them.
  bool share_port = true;
};

class Proactor : public base::Waker {
 public:
  // Binds, listens and starts the accept. Port 0 takes any; listener_address() tells which.
  // With all slots taken the accept parks (counted) and goes on when a slot is free.
  virtual base::Result<ListenerId, Error> listen(const Address& at, const ListenOptions&) = 0;
  virtual Address listener_address(ListenerId) const = 0;
  virtual void accept_pause(ListenerId) = 0;
  virtual void accept_resume(ListenerId) = 0;
  // Ends in a terminal accept completion with Error::cancelled. Connections that the kernel had
  // queued are accepted first, as far as slots last.
  virtual void close_listener(ListenerId) = 0;

  // Error::no_slots, or a connection that completes `connect`. Failed or not, close() it in the
  // end. `source` null: the kernel chooses. A source port of 0 is chosen late
  // (IP_BIND_ADDRESS_NO_PORT).
  virtual base::Result<ConnectionId, Error> connect(const Address& to, const Address* source) = 0;

  // Starts the subscription, once a connection. It ends by itself with the peer's end or an error,
  // and by close(). Pausing stops leases after those under way; resuming goes on without loss.
  virtual void receive(ConnectionId) = 0;
  virtual void receive_pause(ConnectionId) = 0;
  virtual void receive_resume(ConnectionId) = 0;

  // 1 to kSendVectorsMax vectors, none empty. Completes when all bytes are with the kernel, or with
  // an error.
  virtual void send(ConnectionId, std::span<const iovec> vectors) = 0;
  // Half-close. Not while a send is in flight.
  virtual void shutdown_write(ConnectionId) = 0;
  // From any state, once. Whatever is in flight ends first (its terminal completions are delivered,
  // error cancelled where it did not finish), then `close`; bytes are not delivered any more.
  // Unsent bytes of a send in flight are lost, and with bytes unread the peer sees a reset: to say
  // a last word, send it, shutdown_write and read to the peer's end first.
  virtual void close(ConnectionId) = 0;

  // Submits what was started, waits until there is a completion or `deadline_ns` (Clock::now_ns; 0
  // = do not wait) has passed, and delivers at most `budget` completions. Answers how many. It may
  // come back early with none: what woke it was nobody's (a stale completion).
  virtual uint32_t run_once(uint32_t budget, uint64_t deadline_ns, Handler& handler) = 0;

  // Any thread; completes `wake` (several calls may give one).
  void wake() noexcept override = 0;

  virtual uint32_t connections_open() const = 0;
  virtual const ProactorStats& stats() const = 0;
  // "io_uring" or "epoll" or "sim", and the rung of the ladder in use, for the log and reports.
  virtual const char* backend() const = 0;
  virtual std::string rung() const = 0;
};

// The destructor of a proactor closes its listeners and connections and joins what is in flight.

}  // namespace ringtalk::ring
