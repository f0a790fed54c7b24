// What is epoll's own: how many system calls it makes, and what it does without descriptors,
// without epoll_pwait2 and with events of sockets that it has closed.
#include <seccomp.h>
#include <sys/resource.h>

#include <algorithm>
#include <cerrno>
#include <cstring>
#include <vector>

#include "base/clock.h"
#include "child_process.h"
#include "raw_socket.h"
#include "ring/backend.h"
#include "ring/proactor.h"

namespace ringtalk::ring {
namespace {

std::unique_ptr<Proactor> make_epoll(ProactorOptions options = ProactorOptions::test_min()) {
  return std::move(make_proactor(Backend::epoll, options).value());
}

class Echo final : public Handler {
 public:
  explicit Echo(Proactor& proactor) : proactor_(proactor) {}

  void complete(const Completion& completion) override {
    switch (completion.operation) {
      case Operation::accept:
        if (!completion.more) return;
        accepted++;
        last = completion.connection;
        return proactor_.receive(completion.connection);
      case Operation::receive: {
        if (!completion.more) return;
        std::memcpy(bytes_, completion.bytes.data(), completion.bytes.size());
        const iovec vector{bytes_, completion.bytes.size()};
        return proactor_.send(completion.connection, {&vector, 1});
      }
      case Operation::send:
        echoes++;
        return;
      case Operation::connect:
        connect_error = completion.error;
        connects++;
        return;
      case Operation::close:
        closes++;
        return;
      default:
        return;
    }
  }

  // Turns until it holds, 10 s at most.
  template <class Condition>
  bool run_until(Condition condition) {
    base::SystemClock clock;
    const uint64_t end_ns = clock.now_ns() + 10'000'000'000;
    while (!condition()) {
      if (clock.now_ns() > end_ns) return false;
      proactor_.run_once(64, clock.now_ns() + 10'000'000, *this);
    }
    return true;
  }

  uint32_t accepted = 0;
  uint32_t echoes = 0;
  uint32_t connects = 0;
  uint32_t closes = 0;
  Error connect_error = Error::none;
  ConnectionId last;

 private:
  Proactor& proactor_;
  std::byte bytes_[4096];
};

void echo_once(Echo& echo, RawSocket& peer) {
  const uint32_t before = echo.echoes;
  peer.send("question");
  ASSERT_TRUE(echo.run_until([&] { return echo.echoes > before; }));
  ASSERT_EQ(peer.receive(8, MSG_WAITALL), "question");
}

// From here on epoll_pwait2 fails with `number` in this process.
bool forbid_pwait2(int number) {
  scmp_filter_ctx filter = seccomp_init(SCMP_ACT_ALLOW);
  if (filter == nullptr) return false;
  const bool loaded = seccomp_rule_add(filter, SCMP_ACT_ERRNO(static_cast<uint32_t>(number)),
                                       SCMP_SYS(epoll_pwait2), 0) == 0 &&
                      seccomp_load(filter) == 0;
  seccomp_release(filter);
  return loaded;
}

std::string echo_without_pwait2(int number) {
  return in_child_process([number]() -> std::string {
    if (!forbid_pwait2(number)) return "no filter";
    const auto proactor = make_epoll();
    Echo echo(*proactor);
    const ListenerId listener = *proactor->listen(Address::loopback(0), {});
    RawSocket peer;
    peer.connect(proactor->listener_address(listener));
    for (int i = 0; i < 10; i++) echo_once(echo, peer);
    base::SystemClock clock;
    const uint64_t deadline_ns = clock.now_ns() + 1'500'000;
    while (clock.now_ns() < deadline_ns) proactor->run_once(64, deadline_ns, echo);
    return std::to_string(echo.echoes) + " echoes, " + proactor->rung();
  });
}

}  // namespace

TEST(Epoll, AnEchoIsThreeSystemCalls) {
  const auto proactor = make_epoll();
  Echo echo(*proactor);
  const ListenerId listener = *proactor->listen(Address::loopback(0), {});
  RawSocket peer;
  peer.connect(proactor->listener_address(listener));
  echo_once(echo, peer);
  const ProactorStats before = proactor->stats();
  for (int i = 0; i < 100; i++) {
    peer.send("question");
    // One wait, one receive, one send: all in one turn.
    ASSERT_EQ(proactor->run_once(64, UINT64_MAX, echo), 2U);
  }
  EXPECT_EQ(proactor->stats().system_calls - before.system_calls, 300U);
  EXPECT_EQ(proactor->stats().turns - before.turns, 100U);
  EXPECT_EQ(echo.echoes, 101U);
}

TEST(Epoll, OneWaitServesAllThatAreReady) {
  ProactorOptions options;
  options.connections = 100;
  const auto proactor = make_epoll(options);
  Echo echo(*proactor);
  const ListenerId listener = *proactor->listen(Address::loopback(0), {});
  std::vector<RawSocket> peers(64);
  for (RawSocket& peer : peers) peer.connect(proactor->listener_address(listener));
  ASSERT_TRUE(echo.run_until([&] { return echo.accepted == 64; }));
  for (RawSocket& peer : peers) echo_once(echo, peer);
  for (RawSocket& peer : peers) peer.send("question");
  const uint64_t before = proactor->stats().system_calls;
  EXPECT_EQ(proactor->run_once(1'000, UINT64_MAX, echo), 128U);
  EXPECT_EQ(proactor->stats().system_calls - before, 1U + 64 * 2);
}

TEST(Epoll, ATurnReadsALittleOfEachConnection) {
  // However much one peer has sent and however large the budget.
  class Sink final : public Handler {
   public:
    explicit Sink(Proactor& proactor) : proactor_(proactor) {}
    void complete(const Completion& completion) override {
      if (completion.operation == Operation::accept) proactor_.receive(completion.connection);
      if (completion.operation == Operation::receive) leases++;
    }
    uint32_t leases = 0;

   private:
    Proactor& proactor_;
  };
  const auto proactor = make_epoll();
  Sink sink(*proactor);
  const ListenerId listener = *proactor->listen(Address::loopback(0), {});
  RawSocket peer;
  peer.connect(proactor->listener_address(listener));
  while (proactor->connections_open() == 0) proactor->run_once(64, UINT64_MAX, sink);
  peer.send(std::string(100 * 256, 'm'));
  uint32_t most = 0;
  uint32_t turns = 0;
  while (sink.leases < 100) {
    const uint32_t before = sink.leases;
    proactor->run_once(1'000, UINT64_MAX, sink);
    most = std::max(most, sink.leases - before);
    turns++;
  }
  EXPECT_EQ(most, 4U);
  EXPECT_GE(turns, 25U);
}

TEST(Epoll, ShortSendsAreCountedAndFinished) {
  const auto proactor = make_epoll();
  Echo echo(*proactor);
  const ListenerId listener = *proactor->listen(Address::loopback(0), {});
  RawSocket peer;
  peer.connect(proactor->listener_address(listener));
  ASSERT_TRUE(echo.run_until([&] { return echo.accepted == 1; }));
  const std::string much(24 * 1024 * 1024, 'm');
  const iovec vector{const_cast<char*>(much.data()), much.size()};
  proactor->send(echo.last, {&vector, 1});
  EXPECT_EQ(proactor->stats().sends_short, 1U);
  EXPECT_EQ(proactor->stats().in_flight, 1U);
  size_t got = 0;
  ASSERT_TRUE(echo.run_until([&] {
    got += peer.receive(1'000'000).size();
    return got == much.size() && echo.echoes == 1;
  }));
  EXPECT_GT(proactor->stats().sends_short, 1U);
  EXPECT_EQ(proactor->stats().in_flight, 0U);
  EXPECT_EQ(proactor->stats().sends, 1U);
}

TEST(Epoll, WithoutDescriptorsTheAcceptIsParkedAndGoesOn) {
  const std::string answer = in_child_process([]() -> std::string {
    const auto proactor = make_epoll();
    Echo echo(*proactor);
    const ListenerId listener = *proactor->listen(Address::loopback(0), {});
    std::vector<RawSocket> peers(3);
    const rlimit usual = [] {
      rlimit limit{};
      getrlimit(RLIMIT_NOFILE, &limit);
      return limit;
    }();
    rlimit none = usual;
    none.rlim_cur = static_cast<rlim_t>(peers.back().descriptor()) + 1;
    setrlimit(RLIMIT_NOFILE, &none);
    for (RawSocket& peer : peers) peer.connect(proactor->listener_address(listener));
    if (!echo.run_until([&] { return proactor->stats().accept_parked > 0; })) return "not parked";
    if (echo.accepted != 0) return "accepted without a descriptor";
    const ConnectionId id = *proactor->connect(proactor->listener_address(listener), nullptr);
    if (!echo.run_until([&] { return echo.connects == 1; })) return "connect hangs";
    if (echo.connect_error != Error::no_descriptors) return to_string(echo.connect_error);
    proactor->close(id);
    // Somebody else gives descriptors back: no event tells.
    setrlimit(RLIMIT_NOFILE, &usual);
    if (!echo.run_until([&] { return echo.accepted == 3; })) return "not resumed";
    for (RawSocket& peer : peers) echo_once(echo, peer);
    return "echoes " + std::to_string(echo.echoes);
  });
  EXPECT_EQ(answer, "echoes 3");
}

TEST(Epoll, AnEventOfASocketThatWasClosedIsStale) {
  // A process that was forked meanwhile holds the socket open, so that epoll goes on reporting it
  // (epoll(7), Q6).
  const auto proactor = make_epoll();
  Echo echo(*proactor);
  const ListenerId listener = *proactor->listen(Address::loopback(0), {});
  RawSocket peer;
  peer.connect(proactor->listener_address(listener));
  echo_once(echo, peer);
  int ends[2];
  ASSERT_EQ(pipe(ends), 0);
  const pid_t holder = fork();
  ASSERT_GE(holder, 0);
  if (holder == 0) {
    close(ends[1]);
    char end;
    _exit(read(ends[0], &end, 1) == 0 ? 0 : 1);
  }
  close(ends[0]);
  proactor->close(echo.last);
  ASSERT_TRUE(echo.run_until([&] { return echo.closes == 1; }));
  peer.send("to nobody");
  ASSERT_TRUE(echo.run_until([&] { return proactor->stats().stale > 0; }));
  EXPECT_EQ(echo.echoes, 1U);
  close(ends[1]);
  int status = 0;
  ASSERT_EQ(waitpid(holder, &status, 0), holder);
}

TEST(Epoll, WorksWithoutNanosecondWaits) {
  EXPECT_EQ(echo_without_pwait2(ENOSYS), "10 echoes, edge-triggered, millisecond waits");
  EXPECT_EQ(echo_without_pwait2(EPERM), "10 echoes, edge-triggered, millisecond waits");
  EXPECT_EQ(make_epoll()->rung(), "edge-triggered, nanosecond waits");
}

}  // namespace ringtalk::ring
