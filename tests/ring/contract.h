// tests/ring/contract.h: internal to tests/ring. One suite, every proactor.
//
// A back end plugs in with a World (how to make a proactor, whose clock counts) and one
// INSTANTIATE_TEST_SUITE_P in a source file of its own. Tests drive everything through parties: a
// proactor and a recorder of what it completed. pump() gives every party turns until a condition
// holds; waiting and time are the world's, so that a simulated network runs the same tests.
#pragma once

#include <gtest/gtest.h>

#include <deque>
#include <functional>
#include <map>
#include <memory>
#include <string>
#include <vector>

#include "base/clock.h"
#include "ring/options.h"
#include "ring/proactor.h"

namespace ringtalk::ring::contract {

class World {
 public:
  virtual ~World() = default;
  virtual std::unique_ptr<Proactor> make(const ProactorOptions& options) = 0;
  virtual const base::Clock& clock() = 0;
  // Where parties listen and connect.
  virtual Address listen_address() { return Address::loopback(0); }
};

inline std::string runs_always() {
  return "";
}

struct Case {
  std::string name;
  std::function<std::unique_ptr<World>()> make_world;
  // Not empty: why this cannot run here. Tests skip, or fail with CI=true.
  std::function<std::string()> why_not = runs_always;
};

// For worlds of the kernel: why the loopback has no IPv6.
std::string why_not_ipv6();

inline void PrintTo(const Case& which, std::ostream* out) {
  *out << which.name;
}

// A completion, kept: the bytes are copied because the lease ends with the handler.
struct Event {
  Operation operation;
  bool more;
  Error error;
  ListenerId listener;
  ConnectionId connection;
  std::string bytes;
  Address peer;
};

struct LessId {
  bool operator()(ConnectionId a, ConnectionId b) const {
    return a.slot != b.slot ? a.slot < b.slot : a.generation < b.generation;
  }
};

// What became of one connection.
struct Trace {
  std::string received;
  uint32_t leases = 0;
  uint32_t receives_ended = 0;
  Error receive_error = Error::none;
  uint32_t sends = 0;
  Error send_error = Error::none;
  uint32_t connects = 0;
  Error connect_error = Error::none;
  uint32_t shutdowns = 0;
  Error shutdown_error = Error::none;
  uint32_t closes = 0;
  Address peer;
};

class Party final : public Handler {
 public:
  explicit Party(std::unique_ptr<Proactor> made) : proactor(std::move(made)) {}

  void complete(const Completion& completion) override;
  // One call of run_once; checks what holds of every call.
  uint32_t turn(uint64_t deadline_ns);

  Trace& operator[](ConnectionId id) { return traces[id]; }
  size_t count(Operation operation) const;
  size_t accepts_ended() const;

  void send(ConnectionId id, std::string_view text);

  std::unique_ptr<Proactor> proactor;
  uint32_t budget = 64;
  std::vector<Event> events;
  std::deque<ConnectionId> accepted;
  std::map<ConnectionId, Trace, LessId> traces;
  // Called for each completion after it was recorded; may start operations.
  std::function<void(const Completion&)> react;
  bool inside = false;

 private:
  std::deque<std::string> kept_;  // bytes of sends: alive to the end of the test
};

struct Pair {
  ConnectionId client;
  ConnectionId server;
};

class Contract : public testing::TestWithParam<Case> {
 public:
  void SetUp() override;
  void TearDown() override;

  Party& party(const ProactorOptions& options = ProactorOptions::test_min());
  // Gives all parties turns until it holds; false when it never did.
  bool pump(const std::function<bool()>& until);
  // A fixed number of turns without waiting: for what must not happen.
  void turns(uint32_t count);

  ListenerId listen(Party& at, const ListenOptions& options = {});
  // A connection from `client` to a listener of `server`, both ends ready, not yet receiving.
  Pair connect(Party& client, Party& server, ListenerId listener);
  // The same, and both ends receive.
  Pair open(Party& client, Party& server, ListenerId listener);
  void close(Party& at, ConnectionId id);
  uint64_t in_ms(uint64_t ms) { return world_->clock().now_ns() + ms * 1'000'000; }

  std::unique_ptr<World> world_;
  std::vector<std::unique_ptr<Party>> parties_;
};

// The same for what needs the kernel (kernel_test.cc); a simulated network does not plug in.
class Kernel : public Contract {};

}  // namespace ringtalk::ring::contract
