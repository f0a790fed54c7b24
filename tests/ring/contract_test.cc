// The contract of ring/proactor.h on every proactor of the build. A test's name starts with the
// line of the contract that it proves. Here: turns, completions, time, wake-ups and errors.
#include <set>

#include "contract.h"

namespace ringtalk::ring::contract {

TEST_P(Contract, L01_NothingCompletesInsideASubmit) {
  Party& both = party();
  const ListenerId listener = listen(both);
  const Pair pair = connect(both, both, listener);
  const size_t before = both.events.size();
  both.proactor->receive(pair.client);
  both.proactor->receive(pair.server);
  both.send(pair.client, "x");
  both.proactor->receive_pause(pair.server);
  both.proactor->receive_resume(pair.server);
  both.proactor->shutdown_write(pair.server);
  both.proactor->accept_pause(listener);
  both.proactor->accept_resume(listener);
  const Address address = both.proactor->listener_address(listener);
  const ConnectionId third = *both.proactor->connect(address, nullptr);
  both.proactor->close(third);
  both.proactor->close(pair.client);
  both.proactor->close_listener(listener);
  both.proactor->wake();
  EXPECT_EQ(both.events.size(), before);
  EXPECT_TRUE(pump([&] { return both[third].closes == 1 && both[pair.client].closes == 1; }));
}

TEST_P(Contract, L01_NothingCompletesInsideACompletion) {
  Party& both = party();
  const Pair pair = open(both, both, listen(both));
  uint32_t depth = 0;
  uint32_t deepest = 0;
  uint32_t rounds = 0;
  both.react = [&](const Completion& completion) {
    deepest = std::max(deepest, ++depth);
    if (completion.operation == Operation::send && ++rounds < 20) {
      both.send(completion.connection, "again");
    }
    depth--;
  };
  both.send(pair.client, "first");
  EXPECT_TRUE(pump([&] { return rounds == 20 && both[pair.server].received.size() == 100; }));
  EXPECT_EQ(deepest, 1U);
}

TEST_P(Contract, L01_ABudgetOfOneIsKeptAndEnough) {
  Party& both = party();
  both.budget = 1;
  const ListenerId listener = listen(both);
  std::vector<Pair> pairs;
  for (int i = 0; i < 4; i++) pairs.push_back(open(both, both, listener));
  for (const Pair& pair : pairs) both.send(pair.client, "question");
  for (const Pair& pair : pairs) both.send(pair.server, "answer");
  EXPECT_TRUE(pump([&] {
    for (const Pair& pair : pairs) {
      if (both[pair.client].received != "answer" || both[pair.server].received != "question") {
        return false;
      }
      if (both[pair.client].sends != 1 || both[pair.server].sends != 1) return false;
    }
    return true;
  }));
  for (const Pair& pair : pairs) {
    both.proactor->close(pair.client);
    both.proactor->close(pair.server);
  }
  EXPECT_TRUE(pump([&] { return both.count(Operation::close) == 8; }));
}

TEST_P(Contract, L01_OneBusyConnectionDoesNotStarveTheOthers) {
  Party& client = party();
  ProactorOptions options = ProactorOptions::test_min();
  Party& server = party(options);
  server.budget = 4;
  const ListenerId listener = listen(server);
  const Pair busy = open(client, server, listener);
  const Pair quiet = open(client, server, listener);
  const std::string much(256 * 1024, 'm');
  client.send(busy.client, much);
  EXPECT_TRUE(pump([&] { return !server[busy.server].received.empty(); }));
  client.send(quiet.client, "me too");
  EXPECT_TRUE(pump([&] { return server[quiet.server].received == "me too"; }));
  EXPECT_LT(server[busy.server].received.size(), much.size());
  EXPECT_TRUE(pump([&] { return server[busy.server].received == much; }));
}

TEST_P(Contract, L02_EachOperationEndsOnce) {
  Party& client = party();
  Party& server = party();
  const ListenerId listener = listen(server);
  const Pair pair = open(client, server, listener);
  client.send(pair.client, "bytes");
  EXPECT_TRUE(pump(
      [&] { return client[pair.client].sends == 1 && server[pair.server].received == "bytes"; }));
  client.proactor->shutdown_write(pair.client);
  EXPECT_TRUE(pump([&] {
    return client[pair.client].shutdowns == 1 && server[pair.server].receives_ended == 1;
  }));
  EXPECT_EQ(server[pair.server].receive_error, Error::none);
  close(server, pair.server);
  EXPECT_TRUE(pump([&] { return client[pair.client].receives_ended == 1; }));
  close(client, pair.client);
  server.proactor->close_listener(listener);
  EXPECT_TRUE(pump([&] { return server.accepts_ended() == 1; }));
  EXPECT_EQ(server.events.back().operation, Operation::accept);
  EXPECT_EQ(server.events.back().error, Error::cancelled);
  EXPECT_EQ(server.events.back().listener, listener);
  turns(5);
  EXPECT_EQ(client[pair.client].connects, 1U);
  EXPECT_EQ(client[pair.client].sends, 1U);
  EXPECT_EQ(client[pair.client].shutdowns, 1U);
  EXPECT_EQ(client[pair.client].shutdown_error, Error::none);
  EXPECT_EQ(client[pair.client].receives_ended, 1U);
  EXPECT_EQ(client[pair.client].closes, 1U);
  EXPECT_EQ(server[pair.server].receives_ended, 1U);
  EXPECT_EQ(server[pair.server].closes, 1U);
  EXPECT_EQ(server.count(Operation::accept), 2U);
}

TEST_P(Contract, L02_AConnectTellsItsTargetAndAnAcceptItsPeer) {
  Party& client = party();
  Party& server = party();
  const ListenerId listener = listen(server);
  const Pair pair = connect(client, server, listener);
  EXPECT_EQ(client[pair.client].peer, server.proactor->listener_address(listener));
  const Address peer = server[pair.server].peer;
  EXPECT_EQ(peer.family, world_->listen_address().family);
  EXPECT_TRUE(peer.is_loopback()) << peer.text();
  EXPECT_NE(peer.port, 0);
  EXPECT_EQ(server.events.back().listener, listener);
}

TEST_P(Contract, L02_AConnectLeavesFromItsSource) {
  Party& client = party();
  Party& server = party();
  const ListenerId listener = listen(server);
  Address source = world_->listen_address();
  if (source.family == Family::v4) source.bytes[3] = 77;
  const Address target = server.proactor->listener_address(listener);
  const ConnectionId id = *client.proactor->connect(target, &source);
  EXPECT_TRUE(pump([&] { return client[id].connects == 1 && server.accepted.size() == 1; }));
  EXPECT_EQ(client[id].connect_error, Error::none);
  EXPECT_EQ(server[server.accepted[0]].peer.bytes, source.bytes);
}

TEST_P(Contract, L09_AnIdleTurnEndsAtItsDeadline) {
  Party& idle = party();
  listen(idle);
  EXPECT_EQ(idle.turn(0), 0U);
  const uint64_t deadline = in_ms(3);
  EXPECT_EQ(idle.turn(deadline), 0U);
  EXPECT_GE(world_->clock().now_ns(), deadline);
}

TEST_P(Contract, L09_ADeadlineInThePastDoesNotWait) {
  Party& both = party();
  const Pair pair = open(both, both, listen(both));
  EXPECT_EQ(both.turn(1), 0U);
  both.send(pair.client, "now");
  EXPECT_TRUE(pump([&] { return both[pair.server].received == "now"; }));
}

TEST_P(Contract, L09_ACompletionEndsTheWait) {
  Party& both = party();
  const Pair pair = open(both, both, listen(both));
  both.send(pair.client, "soon");
  // A wait without end comes back for a completion (and may for less: what it drops, say).
  for (int i = 0;
       i < 100 && (both[pair.server].received.size() < 4 || both[pair.client].sends == 0); i++) {
    both.turn(UINT64_MAX);
  }
  EXPECT_EQ(both[pair.server].received, "soon");
  EXPECT_EQ(both[pair.client].sends, 1U);
}

TEST_P(Contract, L10_AWakeBeforeTheWaitEndsIt) {
  Party& one = party();
  one.proactor->wake();
  EXPECT_EQ(one.turn(UINT64_MAX), 1U);
  ASSERT_EQ(one.events.size(), 1U);
  EXPECT_EQ(one.events[0].operation, Operation::wake);
  EXPECT_FALSE(one.events[0].more);
}

TEST_P(Contract, L10_WakesAreNeverLost) {
  Party& one = party();
  for (int i = 1; i <= 50; i++) {
    // Several may become one, but one after a delivery is a new one.
    const size_t before = one.count(Operation::wake);
    one.proactor->wake();
    one.proactor->wake();
    EXPECT_TRUE(pump([&] { return one.count(Operation::wake) > before; }));
  }
  EXPECT_EQ(one.proactor->stats().wakes, one.count(Operation::wake));
}

TEST_P(Contract, L10_AWakeFromACompletionIsAnotherCompletion) {
  Party& one = party();
  uint32_t left = 3;
  one.react = [&](const Completion& completion) {
    if (completion.operation == Operation::wake && left-- > 0) one.proactor->wake();
  };
  one.proactor->wake();
  EXPECT_TRUE(pump([&] { return one.count(Operation::wake) == 4; }));
}

TEST_P(Contract, L11_NobodyListens) {
  Party& both = party();
  const ListenerId listener = listen(both);
  const Address address = both.proactor->listener_address(listener);
  both.proactor->close_listener(listener);
  EXPECT_TRUE(pump([&] { return both.count(Operation::accept) == 1; }));
  const ConnectionId id = *both.proactor->connect(address, nullptr);
  EXPECT_TRUE(pump([&] { return both[id].connects == 1; }));
  EXPECT_EQ(both[id].connect_error, Error::refused);
  close(both, id);
  EXPECT_EQ(both.proactor->connections_open(), 0U);
}

TEST_P(Contract, L11_ThePeerResets) {
  Party& client = party();
  Party& server = party();
  const Pair pair = connect(client, server, listen(server));
  server.proactor->receive(pair.server);
  server.send(pair.server, "never read");
  EXPECT_TRUE(pump([&] { return server[pair.server].sends == 1; }));
  turns(3);
  close(client, pair.client);
  EXPECT_TRUE(pump([&] { return server[pair.server].receives_ended == 1; }));
  EXPECT_EQ(server[pair.server].receive_error, Error::reset);
  close(server, pair.server);
}

TEST_P(Contract, L11_SendingToAPeerThatHasGone) {
  Party& client = party();
  Party& server = party();
  const Pair pair = open(client, server, listen(server));
  close(client, pair.client);
  EXPECT_TRUE(pump([&] { return server[pair.server].receives_ended == 1; }));
  // The first bytes provoke the reset, which a later send is told.
  for (int i = 0; i < 100 && server[pair.server].send_error == Error::none; i++) {
    const uint32_t before = server[pair.server].sends;
    server.send(pair.server, "anybody?");
    ASSERT_TRUE(pump([&] { return server[pair.server].sends == before + 1; }));
    turns(1);
  }
  const std::set<Error> expected{Error::reset, Error::broken};
  EXPECT_TRUE(expected.contains(server[pair.server].send_error))
      << to_string(server[pair.server].send_error);
  close(server, pair.server);
}

TEST_P(Contract, L11_AnAddressInUse) {
  Party& first = party();
  Party& second = party();
  const ListenerId listener = listen(first, {.share_port = false});
  const Address address = first.proactor->listener_address(listener);
  const auto again = second.proactor->listen(address, {.share_port = false});
  ASSERT_FALSE(again.ok());
  EXPECT_EQ(again.error(), Error::address_in_use);
}

TEST_P(Contract, L11_NoListenerLeft) {
  Party& one = party();
  listen(one);
  listen(one);
  const auto third = one.proactor->listen(world_->listen_address(), {});
  ASSERT_FALSE(third.ok());
  EXPECT_EQ(third.error(), Error::no_slots);
}

TEST_P(Contract, L12_CountersTellWhatWasDone) {
  Party& client = party();
  Party& server = party();
  const Pair pair = open(client, server, listen(server));
  client.send(pair.client, std::string(1000, 'c'));
  EXPECT_TRUE(pump([&] {
    return server[pair.server].received.size() == 1000 && client[pair.client].sends == 1;
  }));
  const ProactorStats& sender = client.proactor->stats();
  const ProactorStats& receiver = server.proactor->stats();
  EXPECT_EQ(sender.connects, 1U);
  EXPECT_EQ(sender.sends, 1U);
  EXPECT_EQ(sender.sent_bytes, 1000U);
  EXPECT_GT(sender.submissions, 0U);
  EXPECT_GT(sender.turns, 0U);
  EXPECT_EQ(receiver.accepted, 1U);
  EXPECT_EQ(receiver.received_bytes, 1000U);
  EXPECT_EQ(receiver.received, server[pair.server].leases);
  close(client, pair.client);
  close(server, pair.server);
  EXPECT_EQ(sender.closed, 1U);
  EXPECT_EQ(receiver.closed, 1U);
}

TEST_P(Contract, L12_ItNamesItself) {
  Party& one = party();
  EXPECT_STRNE(one.proactor->backend(), "");
  EXPECT_NE(one.proactor->rung(), "");
}

}  // namespace ringtalk::ring::contract
