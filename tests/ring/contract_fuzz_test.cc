// The contract of ring/proactor.h on every proactor: random operations and closes on both ends of
// many connections, from a seed. Whatever the order, each operation ends once, streams stay intact
// up to where they were cut, no slot is lost and every gauge returns to where it was.
#include <algorithm>
#include <cstring>

#include "base/random.h"
#include "contract.h"
#include "tests/support/seed.h"

namespace ringtalk::ring::contract {
namespace {

// A stream names itself in its first bytes, so that the receiver knows what must follow.
char stream_byte(uint32_t stream, size_t at) {
  if (at < 4) return static_cast<char>(stream >> (8 * at));
  return static_cast<char>((stream * 2654435761U + at * 40503U) >> 7);
}

std::string stream_bytes(uint32_t stream, size_t from, size_t count) {
  std::string bytes(count, '\0');
  for (size_t i = 0; i < count; i++) bytes[i] = stream_byte(stream, from + i);
  return bytes;
}

bool is_stream(const std::string& received) {
  if (received.size() < 4) return true;
  uint32_t stream = 0;
  for (size_t i = 0; i < 4; i++) stream |= uint32_t{static_cast<uint8_t>(received[i])} << (8 * i);
  return received == stream_bytes(stream, 0, received.size());
}

struct Tenant {
  ConnectionId id;
  uint32_t stream;
  size_t sent = 0;
  bool open = false;
  bool receive_started = false;
  bool paused = false;
  bool sending = false;
  bool shutting = false;
  bool closing = false;
  bool connecting = false;
};

// What one party has open and does next.
class Player {
 public:
  Player(Party& party, base::Random& random, uint32_t first_stream)
      : party_(party), random_(random), next_stream_(first_stream) {
    party_.react = [this](const Completion& completion) { note(completion); };
  }

  void connect(const Address& to) {
    const auto started = party_.proactor->connect(to, nullptr);
    if (!started.ok()) return;
    add(*started).connecting = true;
  }

  void act() {
    if (tenants_.empty()) return;
    act_on(tenants_[random_.below(tenants_.size())]);
  }

  void close_all() {
    ending_ = true;
    for (Tenant& each : tenants_) close(each);
  }

  bool done() const { return tenants_.empty(); }
  uint64_t expected_sends() const { return sends_; }
  uint64_t ended_sends() const { return sends_ended_; }

 private:
  Tenant& add(ConnectionId id) {
    tenants_.push_back({.id = id, .stream = next_stream_++});
    return tenants_.back();
  }

  void note(const Completion& completion) {
    if (completion.operation == Operation::accept) {
      if (!completion.more) return;
      Tenant& made = add(completion.connection);
      made.open = true;
      if (ending_ || random_.chance(0.1)) return close(made);
      if (random_.chance(0.7)) receive(made);
      return;
    }
    if (completion.operation == Operation::wake) return;
    const auto found = std::find_if(tenants_.begin(), tenants_.end(), [&](const Tenant& each) {
      return each.id == completion.connection;
    });
    ASSERT_NE(found, tenants_.end()) << "a completion for nobody";
    switch (completion.operation) {
      case Operation::connect:
        ASSERT_TRUE(found->connecting);
        found->connecting = false;
        found->open = completion.error == Error::none;
        break;
      case Operation::send:
        ASSERT_TRUE(found->sending);
        found->sending = false;
        sends_ended_++;
        break;
      case Operation::receive:
        ASSERT_TRUE(found->receive_started);
        ASSERT_FALSE(found->closing && completion.more) << "bytes after close()";
        break;
      case Operation::shutdown_write:
        ASSERT_TRUE(found->shutting);
        break;
      case Operation::close:
        ASSERT_TRUE(found->closing);
        ASSERT_FALSE(found->sending || found->connecting) << "close before the join";
        tenants_.erase(found);
        return;
      default:
        break;
    }
    if (random_.chance(0.3)) act_on(*found);
  }

  void act_on(Tenant& tenant) {
    if (tenant.closing) return;
    if (random_.chance(0.05)) return close(tenant);
    if (!tenant.open) return;
    switch (random_.below(6)) {
      case 0:
        return receive(tenant);
      case 1:
        return pause(tenant);
      case 2:
        return shutdown(tenant);
      default:
        return send(tenant);
    }
  }

  void receive(Tenant& tenant) {
    if (tenant.receive_started) return;
    tenant.receive_started = true;
    party_.proactor->receive(tenant.id);
  }

  void pause(Tenant& tenant) {
    if (!tenant.receive_started) return;
    tenant.paused = !tenant.paused;
    if (tenant.paused) {
      party_.proactor->receive_pause(tenant.id);
    } else {
      party_.proactor->receive_resume(tenant.id);
    }
  }

  void shutdown(Tenant& tenant) {
    if (tenant.sending || tenant.shutting || random_.chance(0.8)) return;
    tenant.shutting = true;
    party_.proactor->shutdown_write(tenant.id);
  }

  void send(Tenant& tenant) {
    if (tenant.sending || tenant.shutting) return;
    // Mostly small, now and then more than the kernel takes at once.
    const size_t count = 1 + random_.below(random_.chance(0.01) ? 3'000'000 : 3'000);
    const std::string bytes = stream_bytes(tenant.stream, tenant.sent, count);
    tenant.sent += count;
    tenant.sending = true;
    sends_++;
    party_.send(tenant.id, bytes);
  }

  void close(Tenant& tenant) {
    if (tenant.closing) return;
    tenant.closing = true;
    party_.proactor->close(tenant.id);
  }

  Party& party_;
  base::Random& random_;
  uint32_t next_stream_;
  std::vector<Tenant> tenants_;
  bool ending_ = false;
  uint64_t sends_ = 0;
  uint64_t sends_ended_ = 0;
};

void play(Contract& test, uint64_t seed) {
  base::Random random(seed);
  Party& client = test.party();
  Party& server = test.party();
  const ListenerId listener = test.listen(server);
  const Address address = server.proactor->listener_address(listener);
  test.turns(3);
  const uint64_t client_base = client.proactor->stats().in_flight;
  const uint64_t server_base = server.proactor->stats().in_flight;
  Player calls(client, random, 1'000'000);
  Player answers(server, random, 2'000'000);

  for (int step = 0; step < 300; step++) {
    client.budget = 1 + static_cast<uint32_t>(random.below(20));
    server.budget = 1 + static_cast<uint32_t>(random.below(20));
    if (random.chance(0.3)) calls.connect(address);
    if (random.chance(0.05)) server.proactor->accept_pause(listener);
    if (random.chance(0.1)) server.proactor->accept_resume(listener);
    for (uint64_t i = random.below(4); i > 0; i--) calls.act();
    for (uint64_t i = random.below(4); i > 0; i--) answers.act();
    if (random.chance(0.7)) client.turn(0);
    if (random.chance(0.7)) server.turn(0);
    if (testing::Test::HasFatalFailure()) return;
  }
  server.proactor->accept_resume(listener);
  client.budget = 64;
  server.budget = 64;
  calls.close_all();
  answers.close_all();
  ASSERT_TRUE(test.pump([&] {
    return calls.done() && answers.done() && server.proactor->stats().accepted > 0;
  })) << "a socket is stuck";
  // Who was still in the queue of the listener is closed as it comes out.
  test.turns(10);
  ASSERT_TRUE(test.pump([&] {
    return answers.done() && client.proactor->stats().in_flight == client_base &&
           server.proactor->stats().in_flight == server_base;
  })) << client.proactor->stats().in_flight
      << " and " << server.proactor->stats().in_flight << " operations are left";
  EXPECT_EQ(client.proactor->connections_open(), 0U);
  EXPECT_EQ(server.proactor->connections_open(), 0U);
  EXPECT_EQ(calls.expected_sends(), calls.ended_sends());
  EXPECT_EQ(answers.expected_sends(), answers.ended_sends());
  for (Party* each : {&client, &server}) {
    EXPECT_EQ(each->proactor->stats().closed,
              each->proactor->stats().accepted + each->proactor->stats().connects);
    for (const auto& [id, trace] : each->traces) {
      ASSERT_TRUE(is_stream(trace.received)) << "slot " << id.slot << ": bytes lost or mixed";
    }
    each->react = nullptr;
  }
  // And all of it still works. Who was still under way to the listener is let in and out.
  server.react = [&](const Completion& completion) {
    if (completion.operation == Operation::accept) server.proactor->receive(completion.connection);
    const bool ended = completion.operation == Operation::receive && !completion.more;
    if (ended) server.proactor->close(completion.connection);
  };
  const ConnectionId last = *client.proactor->connect(address, nullptr);
  ASSERT_TRUE(test.pump([&] { return client[last].connects == 1; }));
  client.send(last, "after all that");
  EXPECT_TRUE(test.pump([&] {
    return std::any_of(server.traces.begin(), server.traces.end(),
                       [](const auto& each) { return each.second.received == "after all that"; });
  }));
}

}  // namespace

TEST_P(Contract, L06_RandomOperationsAndCloses) {
  const uint64_t first = tests::test_seed(1);
  for (uint64_t seed = first; seed < first + 25; seed++) {
    SCOPED_TRACE("seed " + std::to_string(seed));
    world_ = GetParam().make_world();
    play(*this, seed);
    if (HasFailure()) return;
    parties_.clear();
  }
}

}  // namespace ringtalk::ring::contract
