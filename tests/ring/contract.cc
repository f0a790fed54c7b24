#include "contract.h"

#include <algorithm>
#include <cstdlib>
#include <unistd.h>

#include "ring/socket.h"

namespace ringtalk::ring::contract {
namespace {

// How long a turn waits that has nothing to do: the loopback needs less.
constexpr uint64_t kIdle_ns = 300'000;

}  // namespace

std::string why_not_ipv6() {
  const base::Result<ListenSocket, Error> opened = open_listener(*Address::parse("[::1]:0"), {});
  if (!opened) return "the loopback has no IPv6 (sysctl net.ipv6.conf.lo.disable_ipv6=0)";
  ::close(opened->descriptor);
  return "";
}

void Party::complete(const Completion& completion) {
  EXPECT_TRUE(inside) << "a completion from outside run_once";
  events.push_back(
      {completion.operation, completion.more, completion.error, completion.listener,
       completion.connection,
       std::string(reinterpret_cast<const char*>(completion.bytes.data()), completion.bytes.size()),
       completion.peer});
  const Event& event = events.back();
  Trace& trace = traces[completion.connection];
  switch (completion.operation) {
    case Operation::accept:
      if (completion.more) {
        EXPECT_EQ(completion.error, Error::none);
        accepted.push_back(completion.connection);
        trace.peer = completion.peer;
      }
      break;
    case Operation::connect:
      EXPECT_FALSE(completion.more);
      trace.connects++;
      trace.connect_error = completion.error;
      trace.peer = completion.peer;
      break;
    case Operation::receive:
      EXPECT_EQ(trace.receives_ended, 0U) << "bytes after the end";
      EXPECT_EQ(completion.more, !completion.bytes.empty());
      trace.received += event.bytes;
      if (completion.more) {
        trace.leases++;
      } else {
        trace.receives_ended++;
        trace.receive_error = completion.error;
      }
      break;
    case Operation::send:
      EXPECT_FALSE(completion.more);
      trace.sends++;
      trace.send_error = completion.error;
      break;
    case Operation::shutdown_write:
      EXPECT_FALSE(completion.more);
      trace.shutdowns++;
      trace.shutdown_error = completion.error;
      break;
    case Operation::close:
      EXPECT_FALSE(completion.more);
      trace.closes++;
      EXPECT_EQ(trace.closes, 1U) << "closed twice";
      break;
    case Operation::wake:
      break;
  }
  if (react) react(completion);
}

uint32_t Party::turn(uint64_t deadline_ns) {
  const size_t before = events.size();
  inside = true;
  const uint32_t delivered = proactor->run_once(budget, deadline_ns, *this);
  inside = false;
  EXPECT_LE(delivered, budget);
  EXPECT_EQ(events.size() - before, delivered);
  return delivered;
}

size_t Party::count(Operation operation) const {
  return static_cast<size_t>(
      std::count_if(events.begin(), events.end(),
                    [operation](const Event& event) { return event.operation == operation; }));
}

size_t Party::accepts_ended() const {
  return static_cast<size_t>(std::count_if(events.begin(), events.end(), [](const Event& event) {
    return event.operation == Operation::accept && !event.more;
  }));
}

void Party::send(ConnectionId id, std::string_view text) {
  kept_.emplace_back(text);
  const iovec vector{kept_.back().data(), kept_.back().size()};
  proactor->send(id, {&vector, 1});
}

void Contract::SetUp() {
  const std::string why = GetParam().why_not();
  if (!why.empty()) {
    const char* ci = std::getenv("CI");
    if (ci != nullptr && std::string_view(ci) == "true") FAIL() << why;
    GTEST_SKIP() << why;
  }
  world_ = GetParam().make_world();
}

void Contract::TearDown() {
  for (const std::unique_ptr<Party>& each : parties_) {
    EXPECT_EQ(each->proactor->stats().completions, each->events.size());
  }
}

Party& Contract::party(const ProactorOptions& options) {
  parties_.push_back(std::make_unique<Party>(world_->make(options)));
  return *parties_.back();
}

bool Contract::pump(const std::function<bool()>& until) {
  constexpr uint32_t kIdleTurnsMax = 40'000;
  for (uint32_t idle = 0; idle < kIdleTurnsMax;) {
    if (until()) return true;
    uint32_t delivered = 0;
    for (const std::unique_ptr<Party>& each : parties_) delivered += each->turn(0);
    if (delivered > 0) {
      idle = 0;
      continue;
    }
    idle++;
    parties_[idle % parties_.size()]->turn(world_->clock().now_ns() + kIdle_ns);
  }
  return until();
}

void Contract::turns(uint32_t count) {
  for (uint32_t i = 0; i < count; i++) {
    for (const std::unique_ptr<Party>& each : parties_)
      each->turn(world_->clock().now_ns() + kIdle_ns);
  }
}

ListenerId Contract::listen(Party& at, const ListenOptions& options) {
  const base::Result<ListenerId, Error> made =
      at.proactor->listen(world_->listen_address(), options);
  EXPECT_TRUE(made.ok());
  return *made;
}

Pair Contract::connect(Party& client, Party& server, ListenerId listener) {
  server.accepted.clear();
  const base::Result<ConnectionId, Error> started =
      client.proactor->connect(server.proactor->listener_address(listener), nullptr);
  EXPECT_TRUE(started.ok());
  EXPECT_TRUE(pump([&] { return client[*started].connects == 1 && !server.accepted.empty(); }));
  EXPECT_EQ(client[*started].connect_error, Error::none);
  if (server.accepted.empty()) return {};
  return {*started, server.accepted.front()};
}

Pair Contract::open(Party& client, Party& server, ListenerId listener) {
  const Pair pair = connect(client, server, listener);
  client.proactor->receive(pair.client);
  server.proactor->receive(pair.server);
  return pair;
}

void Contract::close(Party& at, ConnectionId id) {
  at.proactor->close(id);
  EXPECT_TRUE(pump([&] { return at[id].closes == 1; }));
}

}  // namespace ringtalk::ring::contract
