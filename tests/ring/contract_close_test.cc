// The contract of ring/proactor.h on every proactor: close, slots, generations (lines 6 and 7).
#include <algorithm>
#include <set>

#include "contract.h"

namespace ringtalk::ring::contract {
namespace {

// The order of the completions of one connection, as letters.
std::string order(const Party& party, ConnectionId id) {
  std::string letters;
  for (const Event& event : party.events) {
    if (!(event.connection == id)) continue;
    switch (event.operation) {
      case Operation::accept:
        letters += 'a';
        break;
      case Operation::connect:
        letters += 'c';
        break;
      case Operation::receive:
        letters += event.more ? 'r' : 'R';
        break;
      case Operation::send:
        letters += 's';
        break;
      case Operation::shutdown_write:
        letters += 'w';
        break;
      case Operation::close:
        letters += 'x';
        break;
      case Operation::wake:
        break;
    }
  }
  return letters;
}

}  // namespace

TEST_P(Contract, L06_CloseWhileIdle) {
  Party& both = party();
  const Pair pair = connect(both, both, listen(both));
  close(both, pair.client);
  close(both, pair.server);
  turns(3);
  EXPECT_EQ(order(both, pair.client), "cx");
  EXPECT_EQ(order(both, pair.server), "ax");
  EXPECT_EQ(both.proactor->connections_open(), 0U);
}

TEST_P(Contract, L06_CloseEndsTheReceiveFirst) {
  Party& both = party();
  const Pair pair = open(both, both, listen(both));
  close(both, pair.client);
  EXPECT_EQ(order(both, pair.client), "cRx");
  EXPECT_EQ(both[pair.client].receive_error, Error::cancelled);
  EXPECT_TRUE(pump([&] { return both[pair.server].receives_ended == 1; }));
  EXPECT_EQ(both[pair.server].receive_error, Error::none);
  close(both, pair.server);
  EXPECT_EQ(order(both, pair.server), "aRx");
}

TEST_P(Contract, L06_CloseWhilePaused) {
  Party& both = party();
  const Pair pair = open(both, both, listen(both));
  both.proactor->receive_pause(pair.server);
  turns(3);
  both.send(pair.client, "unread");
  turns(3);
  close(both, pair.server);
  EXPECT_EQ(order(both, pair.server), "aRx");
  EXPECT_EQ(both[pair.server].receive_error, Error::cancelled);
}

TEST_P(Contract, L06_CloseWhileConnecting) {
  Party& both = party();
  const ListenerId listener = listen(both);
  const ConnectionId id =
      *both.proactor->connect(both.proactor->listener_address(listener), nullptr);
  both.proactor->close(id);
  EXPECT_TRUE(pump([&] { return both[id].closes == 1; }));
  EXPECT_EQ(order(both, id), "cx");
  // Whether it had connected before the close is the kernel's affair.
  const std::set<Error> expected{Error::none, Error::cancelled};
  EXPECT_TRUE(expected.contains(both[id].connect_error)) << to_string(both[id].connect_error);
}

TEST_P(Contract, L06_CloseAfterAFailedConnect) {
  Party& both = party();
  const ListenerId listener = listen(both);
  const Address address = both.proactor->listener_address(listener);
  both.proactor->close_listener(listener);
  EXPECT_TRUE(pump([&] { return both.count(Operation::accept) == 1; }));
  for (int i = 0; i < 50; i++) {
    const ConnectionId id = *both.proactor->connect(address, nullptr);
    EXPECT_TRUE(pump([&] { return both[id].connects == 1; }));
    close(both, id);
    EXPECT_EQ(order(both, id), "cx");
  }
}

TEST_P(Contract, L06_CloseWithASendThatCannotEnd) {
  ProactorOptions options = ProactorOptions::test_min();
  Party& client = party(options);
  Party& server = party(options);
  const Pair pair = connect(client, server, listen(server));
  client.proactor->receive(pair.client);
  client.send(pair.client, std::string(24 * 1024 * 1024, 's'));
  turns(5);
  EXPECT_EQ(client[pair.client].sends, 0U);
  close(client, pair.client);
  EXPECT_EQ(client[pair.client].sends, 1U);
  EXPECT_EQ(client[pair.client].send_error, Error::cancelled);
  EXPECT_EQ(client[pair.client].receives_ended, 1U);
  EXPECT_EQ(order(client, pair.client).back(), 'x');
  EXPECT_EQ(client.proactor->connections_open(), 0U);
  EXPECT_EQ(server.proactor->connections_open(), 1U);
}

TEST_P(Contract, L06_CloseRightAfterASend) {
  Party& client = party();
  Party& server = party();
  const Pair pair = open(client, server, listen(server));
  client.send(pair.client, "bye");
  client.proactor->close(pair.client);
  EXPECT_TRUE(pump([&] { return client[pair.client].closes == 1; }));
  EXPECT_EQ(client[pair.client].sends, 1U);
  EXPECT_EQ(order(client, pair.client).back(), 'x');
  EXPECT_TRUE(pump([&] { return server[pair.server].receives_ended == 1; }));
  // A send that was told to have succeeded has arrived.
  if (client[pair.client].send_error == Error::none) {
    EXPECT_EQ(server[pair.server].received, "bye");
  }
}

TEST_P(Contract, L06_CloseInsideCompletions) {
  Party& client = party();
  Party& server = party();
  const ListenerId listener = listen(server);
  // The server closes each connection in its first completion, the client in the one that tells.
  server.react = [&](const Completion& completion) {
    if (completion.operation == Operation::accept && completion.more) {
      server.proactor->close(completion.connection);
    }
  };
  client.react = [&](const Completion& completion) {
    if (completion.operation == Operation::connect) client.proactor->receive(completion.connection);
    if (completion.operation == Operation::receive && !completion.more) {
      client.proactor->close(completion.connection);
    }
  };
  for (int i = 0; i < 5; i++) {
    ASSERT_TRUE(
        client.proactor->connect(server.proactor->listener_address(listener), nullptr).ok());
  }
  EXPECT_TRUE(pump(
      [&] { return client.count(Operation::close) == 5 && server.count(Operation::close) == 5; }));
  EXPECT_EQ(client.proactor->connections_open(), 0U);
  EXPECT_EQ(server.proactor->connections_open(), 0U);
}

TEST_P(Contract, L06_CloseInsideTheReceiveItself) {
  Party& client = party();
  Party& server = party();
  const Pair pair = open(client, server, listen(server));
  server.react = [&](const Completion& completion) {
    if (completion.operation == Operation::receive && completion.more) {
      server.react = nullptr;
      server.proactor->close(pair.server);
    }
  };
  client.send(pair.client, std::string(10'000, 'x'));
  EXPECT_TRUE(pump([&] { return server[pair.server].closes == 1; }));
  // No bytes after close(), then the ends in order.
  EXPECT_EQ(order(server, pair.server), "arRx");
}

TEST_P(Contract, L06_CloseTheOtherInsideACompletion) {
  // The one closed has work of its own waiting in the same turn.
  Party& client = party();
  Party& server = party();
  const ListenerId listener = listen(server);
  const Pair first = open(client, server, listener);
  const Pair second = open(client, server, listener);
  bool closed = false;
  ConnectionId survivor;
  server.react = [&](const Completion& completion) {
    if (completion.operation != Operation::receive || !completion.more || closed) return;
    closed = true;
    survivor = completion.connection;
    server.proactor->close(survivor == first.server ? second.server : first.server);
  };
  client.send(first.client, "one");
  client.send(second.client, "two");
  EXPECT_TRUE(pump([&] { return server.count(Operation::close) == 1; }));
  const ConnectionId dead = survivor == first.server ? second.server : first.server;
  EXPECT_EQ(order(server, dead), "aRx");
  EXPECT_TRUE(pump([&] { return server[survivor].received.size() == 3; }));
  EXPECT_EQ(server[survivor].closes, 0U);
}

TEST_P(Contract, L06_ASlotIsReusedOnlyAfterItsClose) {
  Party& both = party();
  const ListenerId listener = listen(both);
  std::set<uint32_t> taken;
  both.react = [&](const Completion& completion) {
    const uint32_t slot = completion.connection.slot;
    switch (completion.operation) {
      case Operation::accept:
      case Operation::connect:
        EXPECT_TRUE(taken.insert(slot).second) << "slot " << slot << " has a tenant";
        EXPECT_NE(completion.connection.generation, 0U);
        break;
      case Operation::close:
        EXPECT_EQ(taken.erase(slot), 1U);
        break;
      default:
        break;
    }
  };
  std::set<std::pair<uint32_t, uint32_t>> seen;
  for (int i = 0; i < 60; i++) {
    const Pair pair = open(both, both, listener);
    EXPECT_TRUE(seen.insert({pair.client.slot, pair.client.generation}).second);
    EXPECT_TRUE(seen.insert({pair.server.slot, pair.server.generation}).second);
    both.proactor->close(pair.client);
    both.proactor->close(pair.server);
    if (i % 3 == 0) {
      EXPECT_TRUE(pump([&] { return taken.empty(); }));
    } else {
      EXPECT_TRUE(pump([&] { return taken.size() <= 4; }));
    }
  }
  EXPECT_TRUE(pump([&] { return taken.empty(); }));
  EXPECT_EQ(both.proactor->connections_open(), 0U);
}

TEST_P(Contract, L06_AllSlotsThenOneMore) {
  Party& client = party();
  Party& server = party();
  const ListenerId listener = listen(server);
  const Address address = server.proactor->listener_address(listener);
  std::vector<ConnectionId> ids;
  for (uint32_t i = 0; i < ProactorOptions::test_min().connections; i++) {
    ids.push_back(*client.proactor->connect(address, nullptr));
  }
  const auto refused = client.proactor->connect(address, nullptr);
  ASSERT_FALSE(refused.ok());
  EXPECT_EQ(refused.error(), Error::no_slots);
  EXPECT_TRUE(pump([&] { return server.accepted.size() == ids.size(); }));
  EXPECT_TRUE(pump([&] { return client.count(Operation::connect) == ids.size(); }));
  close(client, ids[3]);
  EXPECT_TRUE(client.proactor->connect(address, nullptr).ok());
}

TEST_P(Contract, L06_TheDestructorEndsEverything) {
  Party& client = party();
  const ListenerId unused = listen(client);
  (void)unused;
  Party& server = party();
  const ListenerId listener = listen(server);
  const Pair sending = connect(client, server, listener);
  const Pair receiving = open(client, server, listener);
  client.proactor->receive_pause(receiving.client);
  client.send(sending.client, std::string(24 * 1024 * 1024, 's'));
  turns(3);
  const ConnectionId connecting =
      *client.proactor->connect(server.proactor->listener_address(listener), nullptr);
  (void)connecting;
  client.proactor.reset();
  parties_.erase(parties_.begin());
  // The peers see the end, as of a process that died.
  EXPECT_TRUE(pump([&] { return server[receiving.server].receives_ended == 1; }));
  server.proactor->receive(sending.server);
  EXPECT_TRUE(pump([&] { return server[sending.server].receives_ended == 1; }));
}

TEST_P(Contract, L07_ALateCompletionReachesNobody) {
  // The peer sends while its connection is closed and the slot gets a new tenant at once: the
  // tenant sees its own bytes alone.
  Party& client = party();
  ProactorOptions options = ProactorOptions::test_min();
  options.connections = 1;
  Party& server = party(options);
  const ListenerId listener = listen(server);
  ConnectionId last;
  for (int i = 0; i < 30; i++) {
    const Pair pair = open(client, server, listener);
    EXPECT_FALSE(pair.server == last);
    last = pair.server;
    const std::string own = "tenant " + std::to_string(i);
    client.send(pair.client, own);
    EXPECT_TRUE(pump([&] { return server[pair.server].received == own; }));
    client.send(pair.client, "too late");
    EXPECT_TRUE(pump([&] { return client[pair.client].sends == 2; }));
    server.proactor->close(pair.server);
    client.proactor->close(pair.client);
  }
  EXPECT_TRUE(pump([&] { return server.count(Operation::close) == 30; }));
  for (const auto& [id, trace] : server.traces) {
    if (trace.received.empty()) continue;
    EXPECT_EQ(trace.received.rfind("tenant ", 0), 0U) << trace.received;
  }
}

}  // namespace ringtalk::ring::contract
