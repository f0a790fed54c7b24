// UringProactor at the limits of its queues, its table and its list of active connections.
#include <gtest/gtest.h>

#include <algorithm>
#include <cstring>
#include <functional>
#include <memory>
#include <set>
#include <thread>
#include <vector>

#include "base/clock.h"
#include "ring/backend.h"
#include "ring/proactor.h"
#include "uring_host.h"

namespace ringtalk::ring {
namespace {

// A proactor that connects to itself, and what it completed.
class Loop final : public Handler {
 public:
  explicit Loop(const ProactorOptions& options)
      : proactor_(std::move(make_proactor(Backend::io_uring, options).value())) {}

  void complete(const Completion& completion) override {
    if (completion.error != Error::none && completion.error != Error::cancelled) failed++;
    switch (completion.operation) {
      case Operation::accept:
        peers.push_back(completion.peer);
        accepted.push_back(completion.connection);
        proactor_->receive(completion.connection);
        return;
      case Operation::connect:
        connected.push_back(completion.connection);
        proactor_->receive(completion.connection);
        return;
      case Operation::receive:
        received_bytes += completion.bytes.size();
        if (!completion.more) ended++;
        if (react) react(completion);
        return;
      case Operation::send:
        sent++;
        return;
      case Operation::close:
        closed++;
        return;
      default:
        return;
    }
  }

  template <class Until>
  [[nodiscard]] bool pump(Until until) {
    const uint64_t give_up_ns = clock.now_ns() + 30'000'000'000;
    while (!until()) {
      if (clock.now_ns() > give_up_ns) return false;
      proactor_->run_once(64, clock.now_ns() + 1'000'000, *this);
    }
    return true;
  }

  void send(ConnectionId id) {
    static char byte[] = "m";
    const iovec vector{byte, 1};
    proactor_->send(id, {&vector, 1});
  }

  Proactor& operator*() { return *proactor_; }
  Proactor* operator->() { return proactor_.get(); }

  std::vector<ConnectionId> accepted;
  std::vector<ConnectionId> connected;
  std::vector<Address> peers;
  std::function<void(const Completion&)> react;
  uint64_t received_bytes = 0;
  uint32_t sent = 0;
  uint32_t ended = 0;
  uint32_t closed = 0;
  uint32_t failed = 0;  // but for those that were cancelled
  base::SystemClock clock;

 private:
  std::unique_ptr<Proactor> proactor_;
};

// Both ends of `pairs` connections, no more at a time than the backlog holds: beyond it the kernel
// answers with SYN cookies, and who connects then is accepted only when he sends (tcp(7)).
bool open_pairs(Loop& loop, uint32_t pairs, uint32_t backlog) {
  ListenOptions options;
  options.backlog = backlog;
  const auto listener = loop->listen(Address::loopback(0), options);
  if (!listener) return false;
  const Address address = loop->listener_address(*listener);
  for (uint32_t started = 0; started < pairs;) {
    const uint32_t wave = std::min(backlog, pairs - started);
    for (uint32_t i = 0; i < wave; i++) {
      if (!loop->connect(address, nullptr)) return false;
    }
    started += wave;
    const bool all = loop.pump(
        [&] { return loop.accepted.size() == started && loop.connected.size() == started; });
    if (!all) return false;
  }
  return loop.failed == 0;
}

TEST(UringQueues, ThousandsOfOperationsBetweenTwoTurnsThroughAQueueOfEight) {
  SKIP_WITHOUT_URING();
  constexpr uint32_t kPairs = 2'000;
  ProactorOptions options;
  options.connections = 2 * kPairs;
  options.submission_entries = 8;
  options.completion_entries = 256;
  Loop loop(options);
  ASSERT_TRUE(open_pairs(loop, kPairs, 4'096));
  for (const ConnectionId id : loop.accepted) loop.send(id);
  EXPECT_EQ(loop.sent, 0U);
  EXPECT_TRUE(loop.pump([&] { return loop.sent == kPairs && loop.received_bytes == kPairs; }));
  for (const ConnectionId id : loop.connected) loop->close(id);
  EXPECT_TRUE(loop.pump([&] { return loop.closed == kPairs && loop.ended == 2 * kPairs; }));
  EXPECT_EQ(loop.failed, 0U);
  EXPECT_EQ(loop->stats().overflows, 0U);
  EXPECT_EQ(loop->connections_open(), kPairs);
}

TEST(UringQueues, AMultishotAcceptTellsEveryPeerAndLosesNobodyAtTheEndOfTheTable) {
  SKIP_WITHOUT_URING();
  // The backlog is small beside the table, so that the accept is a multishot one at first and
  // one-shot when the table fills.
  constexpr uint32_t kPairs = 40;
  ProactorOptions options = ProactorOptions::test_min();
  options.connections = 2 * kPairs;
  options.completion_entries = 256;
  Loop loop(options);
  ASSERT_TRUE(open_pairs(loop, kPairs, 8));
  std::set<uint16_t> ports;
  for (const Address& peer : loop.peers) {
    EXPECT_TRUE(peer.is_loopback()) << peer.text();
    ports.insert(peer.port);
  }
  EXPECT_EQ(ports.size(), kPairs);
  EXPECT_EQ(loop->connections_open(), 2 * kPairs);
  EXPECT_EQ(loop.ended, 0U);
}

// Sends `count` messages from the first end and waits for each.
void ping(Loop& loop, ConnectionId id, uint32_t count) {
  for (uint32_t i = 0; i < count; i++) {
    const uint64_t before = loop.received_bytes;
    loop.send(id);
    ASSERT_TRUE(loop.pump([&] { return loop.received_bytes > before && loop.sent > 0; }));
    loop.sent = 0;
  }
}

TEST(UringQueues, AnActiveConnectionCostsOneSubmissionAMessage) {
  SKIP_WITHOUT_URING();
  constexpr uint32_t kMessages = 200;
  for (const char* mask : {"", "multishot_receive"}) {
    ProactorOptions options = ProactorOptions::test_min();
    options.completion_entries = 64;
    options.uring_mask = mask;
    Loop loop(options);
    ASSERT_TRUE(open_pairs(loop, 1, 16));
    const uint64_t before = loop->stats().submissions;
    ping(loop, loop.connected.front(), kMessages);
    const uint64_t submissions = loop->stats().submissions - before;
    if (*mask == '\0') {
      // The send; the receive stays armed but for the end of a buffer.
      EXPECT_LT(submissions, kMessages + kMessages / 4);
    } else {
      EXPECT_GE(submissions, 3 * kMessages);
    }
  }
}

TEST(UringQueues, AProactorWhoseThreadHasEndedCanBeDestroyed) {
  SKIP_WITHOUT_URING();
  // The ring belongs to the thread that ran it; what that thread had under way ended with it.
  auto loop = std::make_unique<Loop>(ProactorOptions::test_min());
  bool opened = false;
  std::thread([&] { opened = open_pairs(*loop, 4, 16); }).join();
  EXPECT_TRUE(opened);
  EXPECT_EQ((*loop)->connections_open(), 8U);
  loop.reset();
}

TEST(UringQueues, AnIdleConnectionMakesPlaceForAnActiveOneAndLosesNothing) {
  SKIP_WITHOUT_URING();
  // As many as may be active at once, and a few more. Leases are the clock of idleness.
  constexpr uint32_t kActive = 4'096;
  constexpr uint32_t kPairs = kActive + 4;
  ProactorOptions options;
  options.connections = 2 * kPairs;
  Loop loop(options);
  ASSERT_TRUE(open_pairs(loop, kPairs, 1'024));
  for (uint32_t i = 0; i < kPairs; i++) ping(loop, loop.connected[i], 6);
  // The other direction makes the first ones give way, which then have something to say again.
  for (uint32_t i = 0; i < 8; i++) {
    ping(loop, loop.accepted[i], 6);
    ping(loop, loop.connected[i], 6);
  }
  EXPECT_EQ(loop.ended, 0U);
  EXPECT_EQ(loop->stats().stale, 0U);
}

}  // namespace
}  // namespace ringtalk::ring
