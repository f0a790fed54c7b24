// UringProactor at the limits of its queues, its table and its list of active connections.
#include <gtest/gtest.h>
#include <sys/syscall.h>
#include <unistd.h>

#include <algorithm>
#include <cstring>
#include <functional>
#include <memory>
#include <set>
#include <string>
#include <thread>
#include <vector>

#include "base/clock.h"
#include "ring/backend.h"
#include "ring/proactor.h"
#include "raw_socket.h"
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
        if (!completion.more) {
          listeners_ended++;
          return;
        }
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
  uint32_t listeners_ended = 0;
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

TEST(UringQueues, ProactorsThatShareACoreShareItsBuffers) {
  SKIP_WITHOUT_URING();
  // The longest lease tells the size of a buffer.
  for (const uint32_t per_core : {1U, 4U, 1'000U}) {
    ProactorOptions options;
    options.connections = 16;
    options.per_core = per_core;
    options.uring_mask = "multishot_receive";
    Loop loop(options);
    const size_t share = std::max<size_t>(64 * 1024 / per_core, 4 * 1024);
    size_t longest = 0;
    loop.react = [&](const Completion& each) { longest = std::max(longest, each.bytes.size()); };
    ASSERT_TRUE(open_pairs(loop, 1, 16));
    static const std::vector<char> bytes(512 * 1024);
    const iovec vector{const_cast<char*>(bytes.data()), bytes.size()};
    loop->send(loop.connected.front(), {&vector, 1});
    ASSERT_TRUE(loop.pump([&] { return loop.received_bytes == bytes.size(); }));
    EXPECT_LE(longest, share);
  }
}

// The only ring of this process.
int ring_descriptor() {
  for (int descriptor = 0; descriptor < 1'024; descriptor++) {
    char target[64] = {};
    const std::string link = "/proc/self/fd/" + std::to_string(descriptor);
    if (readlink(link.c_str(), target, sizeof target - 1) > 0 &&
        std::string(target) == "anon_inode:[io_uring]") {
      return descriptor;
    }
  }
  return -1;
}

// Leaves so many places of the file table to accepts: the kernel refuses the next with ENFILE.
bool leave_files(uint32_t count) {
  constexpr unsigned kRegisterFileAllocRange = 25;  // 6.0
  const struct {
    uint32_t offset, length;
    uint64_t reserved;
  } range{0, count, 0};
  return syscall(__NR_io_uring_register, ring_descriptor(), kRegisterFileAllocRange, &range, 0) ==
         0;
}

struct Refused : testing::TestWithParam<uint32_t> {
  static constexpr uint32_t kClients = 200;

  void SetUp() override {
    SKIP_WITHOUT_URING();
    made_ = std::make_unique<Loop>(options());
    ListenOptions listening;
    listening.backlog = GetParam();
    listener = *loop()->listen(Address::loopback(0), listening);
  }
  Loop& loop() { return *made_; }
  static ProactorOptions options() {
    ProactorOptions made = ProactorOptions::test_min();
    made.completion_entries = 64;
    made.connections = 1'024;
    return made;
  }
  // One client is in, others come when there is no file for them.
  void refuse() {
    const Address address = loop()->listener_address(listener);
    in.connect(address);
    ASSERT_TRUE(loop().pump([&] { return loop().accepted.size() == 1; }));
    ASSERT_TRUE(leave_files(0));
    for (RawSocket& each : out) each.connect(address);
    ASSERT_TRUE(loop().pump([&] { return loop()->stats().accept_parked > 0; }));
  }

  ListenerId listener;
  RawSocket in, late;
  std::vector<RawSocket> out{kClients};

 private:
  std::unique_ptr<Loop> made_;
};
// A backlog small enough for a multishot accept, and one that takes one-shot accepts.
INSTANTIATE_TEST_SUITE_P(Uring, Refused, testing::Values(256, 4'096));

TEST_P(Refused, AnAcceptWithoutAFileIsNotTriedAgainInEachTurn) {
  // It was once: a core was busy with accepts that failed, and each took one more from the queue.
  ASSERT_NO_FATAL_FAILURE(refuse());
  const uint64_t before = loop()->stats().submissions;
  for (uint32_t turn = 0; turn < 2 * kClients; turn++) loop()->run_once(64, 0, loop());
  // Few of these turns see the pause end, however slow the machine is.
  EXPECT_LT(loop()->stats().submissions - before, kClients / 2);
  // Somebody else gives files back: no event tells.
  ASSERT_TRUE(leave_files(1'024));
  late.connect(loop()->listener_address(listener));
  EXPECT_TRUE(loop().pump([&] { return loop().accepted.size() >= 2; }));
}

TEST_P(Refused, AListenerWithoutAFileCloses) {
  ASSERT_NO_FATAL_FAILURE(refuse());
  loop()->close_listener(listener);
  EXPECT_TRUE(loop().pump([&] { return loop().listeners_ended == 1; }));
}

}  // namespace
}  // namespace ringtalk::ring
