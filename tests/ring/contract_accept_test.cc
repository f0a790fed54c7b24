// The contract of ring/proactor.h on every proactor: listeners (lines 2, 4 and 8).
#include "contract.h"

namespace ringtalk::ring::contract {
namespace {

// Starts `count` connections and answers their ids.
std::vector<ConnectionId> start(Party& client, const Address& to, uint32_t count) {
  std::vector<ConnectionId> ids;
  for (uint32_t i = 0; i < count; i++) ids.push_back(*client.proactor->connect(to, nullptr));
  return ids;
}

}  // namespace

TEST_P(Contract, L04_AFullTableParksTheAccept) {
  Party& client = party();
  ProactorOptions options = ProactorOptions::test_min();
  options.connections = 3;
  Party& server = party(options);
  const ListenerId listener = listen(server);
  const std::vector<ConnectionId> ids =
      start(client, server.proactor->listener_address(listener), 8);
  for (uint32_t served = 0; served < 8; served++) {
    ASSERT_TRUE(pump([&] { return !server.accepted.empty(); }));
    EXPECT_LE(server.proactor->connections_open(), 3U);
    turns(2);
    EXPECT_LE(server.proactor->connections_open(), 3U);
    const ConnectionId id = server.accepted.front();
    server.accepted.pop_front();
    close(server, id);
  }
  EXPECT_GT(server.proactor->stats().accept_parked, 0U);
  EXPECT_EQ(server.proactor->stats().accepted, 8U);
  EXPECT_TRUE(pump([&] { return client.count(Operation::connect) == 8; }));
  for (const ConnectionId id : ids) EXPECT_EQ(client[id].connect_error, Error::none);
}

TEST_P(Contract, L08_APausedAcceptTakesNobody) {
  Party& client = party();
  Party& server = party();
  const ListenerId listener = listen(server);
  server.proactor->accept_pause(listener);
  turns(5);
  start(client, server.proactor->listener_address(listener), 3);
  turns(10);
  EXPECT_TRUE(server.accepted.empty());
  server.proactor->accept_resume(listener);
  EXPECT_TRUE(pump([&] { return server.accepted.size() == 3; }));
  start(client, server.proactor->listener_address(listener), 1);
  EXPECT_TRUE(pump([&] { return server.accepted.size() == 4; }));
  EXPECT_EQ(server.accepts_ended(), 0U);
}

TEST_P(Contract, L08_PauseAndResumeOfTheAcceptWithoutATurn) {
  Party& client = party();
  Party& server = party();
  const ListenerId listener = listen(server);
  start(client, server.proactor->listener_address(listener), 2);
  for (int i = 0; i < 20; i++) {
    server.proactor->accept_pause(listener);
    server.proactor->accept_resume(listener);
  }
  EXPECT_TRUE(pump([&] { return server.accepted.size() == 2; }));
  EXPECT_EQ(server.accepts_ended(), 0U);
}

TEST_P(Contract, L08_PauseInsideAnAccept) {
  Party& client = party();
  Party& server = party();
  const ListenerId listener = listen(server);
  server.react = [&](const Completion& completion) {
    if (completion.operation != Operation::accept) return;
    server.react = nullptr;
    server.proactor->accept_pause(listener);
  };
  start(client, server.proactor->listener_address(listener), 5);
  EXPECT_TRUE(pump([&] { return !server.accepted.empty(); }));
  turns(5);
  server.proactor->accept_resume(listener);
  EXPECT_TRUE(pump([&] { return server.accepted.size() == 5; }));
}

TEST_P(Contract, L02_AClosedListenerAcceptsItsQueueFirst) {
  Party& client = party();
  Party& server = party();
  const ListenerId listener = listen(server);
  server.proactor->accept_pause(listener);
  turns(5);
  const std::vector<ConnectionId> ids =
      start(client, server.proactor->listener_address(listener), 4);
  ASSERT_TRUE(pump([&] { return client.count(Operation::connect) == 4; }));
  server.proactor->close_listener(listener);
  EXPECT_TRUE(pump([&] { return server.accepts_ended() == 1; }));
  EXPECT_EQ(server.accepted.size(), 4U);
  EXPECT_EQ(server.events.back().error, Error::cancelled);
  turns(5);
  EXPECT_EQ(server.accepts_ended(), 1U);
}

TEST_P(Contract, L02_AListenerIsClosedWithATableThatIsFull) {
  Party& client = party();
  ProactorOptions options = ProactorOptions::test_min();
  options.connections = 1;
  Party& server = party(options);
  const ListenerId listener = listen(server);
  start(client, server.proactor->listener_address(listener), 3);
  ASSERT_TRUE(pump([&] { return server.accepted.size() == 1; }));
  turns(3);
  server.proactor->close_listener(listener);
  EXPECT_TRUE(pump([&] { return server.accepts_ended() == 1; }));
  EXPECT_EQ(server.proactor->connections_open(), 1U);
}

TEST_P(Contract, L02_AListenersPlaceIsUsedAgain) {
  Party& server = party();
  Party& client = party();
  for (int i = 0; i < 10; i++) {
    const ListenerId listener = listen(server);
    const Pair pair = open(client, server, listener);
    client.send(pair.client, "hello");
    EXPECT_TRUE(pump([&] { return server[pair.server].received == "hello"; }));
    server.proactor->close_listener(listener);
    EXPECT_TRUE(pump([&] { return server.accepts_ended() == static_cast<size_t>(i) + 1; }));
    // The listener's end leaves its connections alone.
    client.send(pair.client, "!");
    EXPECT_TRUE(pump([&] { return server[pair.server].received == "hello!"; }));
    close(client, pair.client);
    close(server, pair.server);
  }
}

TEST_P(Contract, L02_TwoListenersAreToldApart) {
  Party& client = party();
  Party& server = party();
  const ListenerId first = listen(server);
  const ListenerId second = listen(server);
  EXPECT_FALSE(first == second);
  EXPECT_NE(server.proactor->listener_address(first).port,
            server.proactor->listener_address(second).port);
  connect(client, server, second);
  EXPECT_EQ(server.events.back().listener, second);
  connect(client, server, first);
  EXPECT_EQ(server.events.back().listener, first);
}

TEST_P(Contract, L02_ListenersAreClosedInsideTheirOwnAccept) {
  Party& client = party();
  Party& server = party();
  const ListenerId listener = listen(server);
  server.react = [&](const Completion& completion) {
    if (completion.operation != Operation::accept || !completion.more) return;
    server.react = nullptr;
    server.proactor->close_listener(listener);
  };
  start(client, server.proactor->listener_address(listener), 3);
  EXPECT_TRUE(pump([&] { return server.accepts_ended() == 1; }));
  EXPECT_GE(server.accepted.size(), 1U);
}

}  // namespace ringtalk::ring::contract
