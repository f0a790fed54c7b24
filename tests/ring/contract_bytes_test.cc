// The contract of ring/proactor.h on every proactor: receive, pool, send, pause (lines 3 to 5, 8).
#include <algorithm>
#include <array>

#include "base/random.h"
#include "contract.h"

namespace ringtalk::ring::contract {
namespace {

constexpr size_t kMebibyte = 1024 * 1024;

std::string pattern(size_t size, uint64_t seed) {
  base::Random random(seed);
  std::string text(size, '\0');
  for (char& each : text) each = static_cast<char>(random.next());
  return text;
}

// Longer leases, for what fills the kernel's own buffers.
ProactorOptions wide() {
  ProactorOptions options = ProactorOptions::test_min();
  options.buffer_bytes = 16 * 1024;
  return options;
}

}  // namespace

TEST_P(Contract, L03_ALeaseHasBytesAndFitsItsBuffer) {
  Party& client = party();
  Party& server = party();
  const Pair pair = open(client, server, listen(server));
  const std::string text = pattern(5'000, 3);
  client.send(pair.client, text);
  EXPECT_TRUE(pump([&] { return server[pair.server].received.size() == text.size(); }));
  EXPECT_EQ(server[pair.server].received, text);
  for (const Event& event : server.events) {
    if (event.operation != Operation::receive) continue;
    EXPECT_GT(event.bytes.size(), 0U);
    EXPECT_LE(event.bytes.size(), ProactorOptions::test_min().buffer_bytes);
  }
}

TEST_P(Contract, L03_BytesThatCameBeforeTheReceiveAreDelivered) {
  Party& client = party();
  Party& server = party();
  const Pair pair = connect(client, server, listen(server));
  client.send(pair.client, "early");
  EXPECT_TRUE(pump([&] { return client[pair.client].sends == 1; }));
  client.proactor->shutdown_write(pair.client);
  turns(5);
  EXPECT_EQ(server[pair.server].leases, 0U);
  server.proactor->receive(pair.server);
  EXPECT_TRUE(pump([&] { return server[pair.server].receives_ended == 1; }));
  EXPECT_EQ(server[pair.server].received, "early");
  EXPECT_EQ(server[pair.server].receive_error, Error::none);
}

TEST_P(Contract, L03_ByteByByteInOrder) {
  Party& client = party();
  Party& server = party();
  const Pair pair = open(client, server, listen(server));
  const std::string text = pattern(200, 4);
  for (size_t i = 0; i < text.size(); i++) {
    client.send(pair.client, text.substr(i, 1));
    ASSERT_TRUE(pump([&] { return client[pair.client].sends == i + 1; }));
  }
  EXPECT_TRUE(pump([&] { return server[pair.server].received == text; }));
}

TEST_P(Contract, L03_HalfCloseLeavesTheOtherDirectionOpen) {
  Party& client = party();
  Party& server = party();
  const Pair pair = open(client, server, listen(server));
  client.send(pair.client, "question");
  EXPECT_TRUE(pump([&] { return client[pair.client].sends == 1; }));
  client.proactor->shutdown_write(pair.client);
  EXPECT_TRUE(pump([&] { return server[pair.server].receives_ended == 1; }));
  EXPECT_EQ(server[pair.server].received, "question");
  server.send(pair.server, "answer");
  EXPECT_TRUE(pump([&] { return client[pair.client].received == "answer"; }));
  EXPECT_EQ(client[pair.client].receives_ended, 0U);
  close(server, pair.server);
  EXPECT_TRUE(pump([&] { return client[pair.client].receives_ended == 1; }));
  EXPECT_EQ(client[pair.client].receive_error, Error::none);
}

TEST_P(Contract, L04_AnEmptyPoolParksAndGoesOn) {
  // Seven senders at once against four buffers of 256 bytes.
  Party& client = party();
  Party& server = party();
  const ListenerId listener = listen(server);
  std::vector<Pair> pairs;
  std::vector<std::string> texts;
  for (uint64_t i = 0; i < 7; i++) pairs.push_back(open(client, server, listener));
  for (uint64_t i = 0; i < 7; i++) {
    texts.push_back(pattern(20'000, i));
    client.send(pairs[i].client, texts[i]);
  }
  EXPECT_TRUE(pump([&] {
    return std::all_of(pairs.begin(), pairs.end(), [&](const Pair& pair) {
      return server[pair.server].received.size() == 20'000 && client[pair.client].sends == 1;
    });
  }));
  for (size_t i = 0; i < 7; i++) {
    EXPECT_EQ(server[pairs[i].server].received, texts[i]);
    EXPECT_EQ(server[pairs[i].server].receives_ended, 0U);
  }
}

TEST_P(Contract, L04_AMebibyteThroughFourBuffersBothWays) {
  Party& client = party();
  Party& server = party();
  const Pair pair = open(client, server, listen(server));
  const std::string up = pattern(kMebibyte, 11);
  const std::string down = pattern(kMebibyte, 12);
  client.send(pair.client, up);
  server.send(pair.server, down);
  EXPECT_TRUE(pump([&] {
    return server[pair.server].received.size() == kMebibyte &&
           client[pair.client].received.size() == kMebibyte;
  }));
  EXPECT_EQ(server[pair.server].received, up);
  EXPECT_EQ(client[pair.client].received, down);
  EXPECT_TRUE(
      pump([&] { return client[pair.client].sends == 1 && server[pair.server].sends == 1; }));
}

TEST_P(Contract, L05_TheVectorsMayDieAndTheBytesAtTheCompletion) {
  Party& client = party();
  Party& server = party();
  const Pair pair = open(client, server, listen(server));
  std::array<std::string, kSendVectorsMax> pieces;
  std::string whole;
  for (size_t i = 0; i < pieces.size(); i++) {
    pieces[i] = pattern(i * 37 + 1, i);
    whole += pieces[i];
  }
  {
    std::array<iovec, kSendVectorsMax> vectors;
    for (size_t i = 0; i < pieces.size(); i++) vectors[i] = {pieces[i].data(), pieces[i].size()};
    client.proactor->send(pair.client, vectors);
    vectors.fill({nullptr, SIZE_MAX});
  }
  EXPECT_TRUE(pump([&] { return client[pair.client].sends == 1; }));
  for (std::string& piece : pieces) std::fill(piece.begin(), piece.end(), '!');
  EXPECT_TRUE(pump([&] { return server[pair.server].received.size() == whole.size(); }));
  EXPECT_EQ(server[pair.server].received, whole);
  EXPECT_EQ(client.proactor->stats().sends, 1U);
}

TEST_P(Contract, L05_ShortSendsAreFinishedInside) {
  // More than the kernel's buffers of both ends hold, to a peer that does not read yet.
  Party& client = party(wide());
  Party& server = party(wide());
  const Pair pair = connect(client, server, listen(server));
  std::vector<std::string> pieces;
  std::vector<iovec> vectors;
  for (size_t i = 0; i < kSendVectorsMax; i++) pieces.push_back(pattern(kMebibyte, i));
  for (std::string& piece : pieces) vectors.push_back({piece.data(), piece.size()});
  client.proactor->send(pair.client, vectors);
  vectors.assign(vectors.size(), {nullptr, SIZE_MAX});
  turns(10);
  EXPECT_EQ(client[pair.client].sends, 0U);
  EXPECT_GT(client.proactor->stats().in_flight, 0U);
  server.proactor->receive(pair.server);
  EXPECT_TRUE(pump([&] {
    return server[pair.server].received.size() == kSendVectorsMax * kMebibyte &&
           client[pair.client].sends == 1;
  }));
  EXPECT_EQ(client[pair.client].send_error, Error::none);
  // Who continues is the back end's business: on io_uring the kernel does, and sends_short stays 0.
  EXPECT_EQ(client.proactor->stats().sent_bytes, kSendVectorsMax * kMebibyte);
  for (size_t i = 0; i < kSendVectorsMax; i++) {
    ASSERT_EQ(server[pair.server].received.compare(i * kMebibyte, kMebibyte, pieces[i]), 0);
  }
}

TEST_P(Contract, L05_ManySendsOneAfterTheOther) {
  Party& client = party();
  Party& server = party();
  const Pair pair = open(client, server, listen(server));
  std::string whole;
  uint64_t sent = 0;
  client.react = [&](const Completion& completion) {
    if (completion.operation != Operation::send || sent == 500) return;
    const std::string next = pattern(sent % 700 + 1, sent);
    whole += next;
    sent++;
    client.send(pair.client, next);
  };
  client.send(pair.client, "start");
  whole = "start";
  EXPECT_TRUE(pump([&] { return sent == 500 && server[pair.server].received == whole; }));
}

TEST_P(Contract, L08_APausedReceiveGivesNoLease) {
  Party& client = party();
  Party& server = party();
  const Pair pair = open(client, server, listen(server));
  client.send(pair.client, "before");
  EXPECT_TRUE(pump([&] { return server[pair.server].received == "before"; }));
  server.proactor->receive_pause(pair.server);
  // What is under way may still arrive.
  turns(5);
  // No more than the smallest network holds for a peer that does not read.
  const std::string text = pattern(1'000, 8);
  for (size_t i = 0; i < 10; i++) {
    client.send(pair.client, text.substr(i * 100, 100));
    ASSERT_TRUE(pump([&] { return client[pair.client].sends == i + 2; }));
  }
  turns(10);
  EXPECT_EQ(server[pair.server].received, "before");
  server.proactor->receive_resume(pair.server);
  EXPECT_TRUE(pump([&] { return server[pair.server].received.size() == 1'006; }));
  EXPECT_EQ(server[pair.server].received, "before" + text);
}

TEST_P(Contract, L08_PauseAndResumeInTheMiddleOfAStreamLoseNothing) {
  Party& client = party();
  Party& server = party();
  const Pair pair = open(client, server, listen(server));
  const std::string text = pattern(300'000, 9);
  uint32_t pauses = 0;
  bool paused = false;
  server.react = [&](const Completion& completion) {
    if (completion.operation != Operation::receive || !completion.more || paused) return;
    server.proactor->receive_pause(pair.server);
    paused = true;
    pauses++;
  };
  client.send(pair.client, text);
  for (int i = 0; i < 20'000 && server[pair.server].received.size() < text.size(); i++) {
    turns(1);
    if (paused) {
      paused = false;
      server.proactor->receive_resume(pair.server);
    }
  }
  EXPECT_EQ(server[pair.server].received, text);
  EXPECT_GT(pauses, 10U);
}

TEST_P(Contract, L08_AnEndThatCameDuringThePauseIsDelivered) {
  Party& client = party();
  Party& server = party();
  const Pair pair = open(client, server, listen(server));
  server.proactor->receive_pause(pair.server);
  turns(5);
  client.send(pair.client, "last words");
  EXPECT_TRUE(pump([&] { return client[pair.client].sends == 1; }));
  close(client, pair.client);
  turns(5);
  EXPECT_EQ(server[pair.server].received, "");
  server.proactor->receive_resume(pair.server);
  EXPECT_TRUE(pump([&] { return server[pair.server].receives_ended == 1; }));
  EXPECT_EQ(server[pair.server].received, "last words");
  EXPECT_EQ(server[pair.server].receive_error, Error::none);
}

TEST_P(Contract, L08_PauseAndResumeManyTimesWithoutATurn) {
  Party& client = party();
  Party& server = party();
  const Pair pair = open(client, server, listen(server));
  client.send(pair.client, "bytes");
  for (int i = 0; i < 100; i++) {
    server.proactor->receive_pause(pair.server);
    server.proactor->receive_resume(pair.server);
  }
  EXPECT_TRUE(pump([&] { return server[pair.server].received == "bytes"; }));
  client.send(pair.client, " again");
  EXPECT_TRUE(pump([&] { return server[pair.server].received == "bytes again"; }));
}

}  // namespace ringtalk::ring::contract
