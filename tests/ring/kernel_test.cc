// What holds of every proactor over the kernel, and no simulated network can show: peers that
// misbehave, wake-ups between threads, shared ports, no allocation.
#include <algorithm>
#include <array>
#include <atomic>
#include <cstring>
#include <new>
#include <set>
#include <thread>

#include "base/counts.h"
#include "contract.h"
#include "raw_socket.h"

namespace ringtalk::ring::contract {
namespace {

// A raw peer and the server's end of it.
struct Guest {
  RawSocket peer;
  ConnectionId server;
};

Guest invite(Kernel& test, Party& server, ListenerId listener, int receive_buffer_bytes = 0) {
  const Address at = server.proactor->listener_address(listener);
  Guest guest{RawSocket(at.family), {}};
  if (receive_buffer_bytes > 0) guest.peer.set(SOL_SOCKET, SO_RCVBUF, receive_buffer_bytes);
  server.accepted.clear();
  guest.peer.connect(at);
  EXPECT_TRUE(test.pump([&] { return !server.accepted.empty(); }));
  if (!server.accepted.empty()) guest.server = server.accepted.front();
  return guest;
}

std::string pattern(size_t size) {
  std::string text(size, '\0');
  for (size_t i = 0; i < size; i++) text[i] = static_cast<char>(i * 31 + i / 251);
  return text;
}

}  // namespace

TEST_P(Kernel, APeerResetsWhileItIsRead) {
  Party& server = party();
  Guest guest = invite(*this, server, listen(server));
  server.proactor->receive(guest.server);
  turns(2);
  guest.peer.reset();
  EXPECT_TRUE(pump([&] { return server[guest.server].receives_ended == 1; }));
  EXPECT_EQ(server[guest.server].receive_error, Error::reset);
  close(server, guest.server);
}

TEST_P(Kernel, APeerResetsBeforeItIsRead) {
  Party& server = party();
  Guest guest = invite(*this, server, listen(server));
  guest.peer.reset();
  turns(2);
  server.proactor->receive(guest.server);
  EXPECT_TRUE(pump([&] { return server[guest.server].receives_ended == 1; }));
  EXPECT_EQ(server[guest.server].receive_error, Error::reset);
  close(server, guest.server);
}

TEST_P(Kernel, APeerResetsWhileASendIsParked) {
  Party& server = party();
  Guest guest = invite(*this, server, listen(server));
  server.send(guest.server, std::string(24 * 1024 * 1024, 's'));
  turns(5);
  EXPECT_EQ(server[guest.server].sends, 0U);
  guest.peer.reset();
  EXPECT_TRUE(pump([&] { return server[guest.server].sends == 1; }));
  const std::set<Error> expected{Error::reset, Error::broken};
  EXPECT_TRUE(expected.contains(server[guest.server].send_error));
  close(server, guest.server);
}

TEST_P(Kernel, APeerResetsInTheQueueOfThePausedListener) {
  Party& server = party();
  const ListenerId listener = listen(server);
  const Address at = server.proactor->listener_address(listener);
  server.proactor->accept_pause(listener);
  turns(3);
  RawSocket dead(at.family);
  dead.connect(at);
  dead.reset();
  RawSocket alive(at.family);
  alive.connect(at);
  alive.send("here");
  server.proactor->accept_resume(listener);
  server.react = [&](const Completion& completion) {
    if (completion.operation == Operation::accept) server.proactor->receive(completion.connection);
  };
  EXPECT_TRUE(pump([&] {
    return std::any_of(server.traces.begin(), server.traces.end(),
                       [](const auto& each) { return each.second.received == "here"; });
  }));
}

TEST_P(Kernel, APeerHasAllBytesBeforeTheEnd) {
  Party& server = party();
  Guest guest = invite(*this, server, listen(server));
  server.proactor->receive(guest.server);
  server.send(guest.server, "last words");
  ASSERT_TRUE(pump([&] { return server[guest.server].sends == 1; }));
  server.proactor->shutdown_write(guest.server);
  ASSERT_TRUE(pump([&] { return server[guest.server].shutdowns == 1; }));
  EXPECT_EQ(guest.peer.receive(100, MSG_WAITALL), "last words");
  guest.peer.send("thanks");
  guest.peer.shut_write();
  EXPECT_TRUE(pump([&] { return server[guest.server].receives_ended == 1; }));
  EXPECT_EQ(server[guest.server].received, "thanks");
  close(server, guest.server);
}

TEST_P(Kernel, ASlowReaderWithATinyWindowGetsEverything) {
  Party& server = party();
  Guest guest = invite(*this, server, listen(server), 2'048);
  std::array<std::string, 4> pieces;
  std::array<iovec, 4> vectors;
  std::string whole;
  for (size_t i = 0; i < pieces.size(); i++) {
    pieces[i] = pattern(1'500'000 + i);
    whole += pieces[i];
    vectors[i] = {pieces[i].data(), pieces[i].size()};
  }
  server.proactor->send(guest.server, vectors);
  std::string got;
  while (got.size() < whole.size()) {
    std::string more;
    ASSERT_TRUE(pump([&] {
      more = guest.peer.receive(65'536);
      return !more.empty();
    }));
    got += more;
  }
  EXPECT_EQ(got, whole);
  EXPECT_TRUE(pump([&] { return server[guest.server].sends == 1; }));
  EXPECT_EQ(server[guest.server].send_error, Error::none);
}

TEST_P(Kernel, UrgentDataDoesNotHideWhatFollowsIt) {
  // A read stops at the mark of urgent data: it is short although more bytes wait, and no edge
  // tells of them again.
  Party& server = party();
  Guest guest = invite(*this, server, listen(server));
  guest.peer.send("before");
  guest.peer.send("!", MSG_OOB);
  guest.peer.send("after");
  server.proactor->receive(guest.server);
  EXPECT_TRUE(pump([&] { return server[guest.server].received == "beforeafter"; }));
  EXPECT_EQ(server[guest.server].receives_ended, 0U);
}

TEST_P(Kernel, AThousandPeersAtOnce) {
  ProactorOptions options = ProactorOptions::test_min();
  options.connections = 1'100;
  options.buffer_bytes = 512;
  Party& server = party(options);
  const ListenerId listener = listen(server);
  const Address at = server.proactor->listener_address(listener);
  // A message may come in two leases: what comes while an echo is under way goes with the next.
  std::map<ConnectionId, std::string, LessId> waiting;
  std::set<ConnectionId, LessId> sending;
  size_t echoed = 0;
  const auto flush = [&](ConnectionId id) {
    if (waiting[id].empty() || !sending.insert(id).second) return;
    echoed += waiting[id].size();
    server.send(id, std::exchange(waiting[id], ""));
  };
  server.react = [&](const Completion& completion) {
    const ConnectionId id = completion.connection;
    if (completion.operation == Operation::accept) server.proactor->receive(id);
    if (completion.operation == Operation::send) sending.erase(id);
    if (completion.operation == Operation::receive) waiting[id] += server.events.back().bytes;
    if (completion.operation == Operation::receive && !completion.more) server.proactor->close(id);
    if (completion.operation == Operation::receive && completion.more) flush(id);
    if (completion.operation == Operation::send) flush(id);
  };
  std::vector<RawSocket> peers;
  size_t asked = 0;
  for (int i = 0; i < 1'000; i++) {
    peers.emplace_back(at.family);
    peers.back().connect(at);
    peers.back().send("peer " + std::to_string(i));
    asked += 5 + std::to_string(i).size();
  }
  EXPECT_TRUE(pump([&] { return echoed == asked && sending.empty(); }));
  for (int i = 0; i < 1'000; i++) {
    EXPECT_EQ(peers[static_cast<size_t>(i)].receive(100), "peer " + std::to_string(i));
  }
  EXPECT_EQ(server.proactor->connections_open(), 1'000U);
  peers.clear();
  EXPECT_TRUE(pump([&] { return server.count(Operation::close) == 1'000; }));
  EXPECT_EQ(server.proactor->connections_open(), 0U);
}

TEST_P(Kernel, TwoProactorsShareAPort) {
  ProactorOptions options = ProactorOptions::test_min();
  options.connections = 64;
  Party& first = party(options);
  Party& second = party(options);
  const ListenerId listener = listen(first);
  const Address at = first.proactor->listener_address(listener);
  ASSERT_TRUE(second.proactor->listen(at, {}).ok());
  // The kernel spreads by a hash of the addresses; none of 64 on one side is 1 in 2^63.
  std::vector<RawSocket> peers;
  for (int i = 0; i < 64; i++) {
    peers.emplace_back(at.family);
    peers.back().connect(at);
  }
  EXPECT_TRUE(pump([&] { return first.accepted.size() + second.accepted.size() == 64; }));
  EXPECT_FALSE(first.accepted.empty());
  EXPECT_FALSE(second.accepted.empty());
}

TEST_P(Kernel, APortIsFreeAtOnceAfterItsServer) {
  Party& server = party();
  ListenerId listener = listen(server, {.share_port = false});
  const Address at = server.proactor->listener_address(listener);
  {
    // The server ends first: TIME_WAIT stays on its side.
    Guest guest = invite(*this, server, listener);
    close(server, guest.server);
    EXPECT_EQ(guest.peer.receive(1, 0), "");
  }
  server.proactor->close_listener(listener);
  ASSERT_TRUE(pump([&] { return server.accepts_ended() == 1; }));
  EXPECT_TRUE(server.proactor->listen(at, {.share_port = false}).ok());
}

TEST_P(Kernel, AnAddressThatIsNotOurs) {
  Party& server = party();
  const bool v4 = world_->listen_address().family == Family::v4;
  const Address foreign = *Address::parse(v4 ? "192.0.2.1:0" : "[2001:db8::1]:0");
  const auto listened = server.proactor->listen(foreign, {});
  ASSERT_FALSE(listened.ok());
  EXPECT_EQ(listened.error(), Error::address_unavailable);
  const Address target = server.proactor->listener_address(listen(server));
  const ConnectionId id = *server.proactor->connect(target, &foreign);
  EXPECT_TRUE(pump([&] { return server[id].connects == 1; }));
  EXPECT_EQ(server[id].connect_error, Error::address_unavailable);
  close(server, id);
}

// Once, a server that was stopped never ended: its main thread destroyed proactors that other
// threads had run, and the kernel's refusal of a foreign thread was not understood.
TEST_P(Kernel, EndsOnAnotherThreadThanTheOneThatRanIt) {
  Party& server = party();
  std::thread shard([&] {
    listen(server);
    server.turn(0);
  });
  shard.join();
  parties_.clear();
}

TEST_P(Kernel, WakesFromAnotherThreadAreNeverLost) {
  Party& sleeper = party();
  constexpr uint32_t kRounds = 2'000;
  std::atomic<uint32_t> asked{0};
  std::atomic<uint32_t> answered{0};
  Proactor& proactor = *sleeper.proactor;
  std::thread waker([&] {
    for (uint32_t round = 1; round <= kRounds; round++) {
      asked.store(round);
      proactor.wake();
      while (answered.load() < round) std::this_thread::yield();
    }
  });
  // Without a deadline: a lost wake-up hangs here.
  while (answered.load() < kRounds) {
    sleeper.turn(UINT64_MAX);
    answered.store(asked.load());
  }
  waker.join();
  EXPECT_GT(sleeper.count(Operation::wake), 0U);
}

namespace {

// Echoes without memory of its own.
class QuietEcho final : public Handler {
 public:
  explicit QuietEcho(Proactor& proactor) : proactor_(proactor) {}

  void complete(const Completion& completion) override {
    if (completion.operation == Operation::accept) proactor_.receive(completion.connection);
    if (completion.operation == Operation::send) sent++;
    if (completion.operation != Operation::receive || !completion.more) return;
    const size_t count = std::min(completion.bytes.size(), sizeof bytes_);
    std::memcpy(bytes_, completion.bytes.data(), count);
    const iovec vector{bytes_, count};
    proactor_.send(completion.connection, {&vector, 1});
  }

  uint32_t sent = 0;

 private:
  Proactor& proactor_;
  std::byte bytes_[256];
};

}  // namespace

TEST_P(Kernel, L12_NoAllocationFromTheAcceptOn) {
  const std::unique_ptr<Proactor> proactor = world_->make(ProactorOptions::test_min());
  const ListenerId listener = *proactor->listen(world_->listen_address(), {});
  const Address at = proactor->listener_address(listener);
  QuietEcho echo(*proactor);
  const uint64_t before = base::thread_counts().allocations;
  {
    const uint64_t planted = base::thread_counts().allocations;
    ::operator delete(::operator new(16));
    // The counter counts.
    ASSERT_EQ(base::thread_counts().allocations, planted + 1);
  }
  RawSocket peer(at.family);
  peer.connect(at);
  char answer[8];
  for (uint32_t i = 1; i <= 500; i++) {
    ASSERT_EQ(::send(peer.descriptor(), "question", 8, 0), 8);
    while (echo.sent < i) proactor->run_once(16, world_->clock().now_ns() + 1'000'000, echo);
    ASSERT_EQ(recv(peer.descriptor(), answer, sizeof answer, MSG_WAITALL), 8);
  }
  EXPECT_EQ(base::thread_counts().allocations, before + 1);
}

}  // namespace ringtalk::ring::contract
