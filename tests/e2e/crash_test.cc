// What a crash leaves: kill -9 under load, and flushes that fail. Judged by what clients were told
// and by the rows in the store.
#include <signal.h>

#include <optional>
#include <string>

#include <gtest/gtest.h>
#include <nlohmann/json.hpp>

#include "tests/e2e/real_server.h"
#include "tests/e2e/store_rows.h"

namespace ringtalk::tests {
namespace {

using Json = nlohmann::json;

std::string database_of(const Server& server) {
  return server.data_dir() + "/ringtalk.db";
}

// Pairs that write to each other both ways, for a while.
ProcessOptions direct_load(const Server& server, uint32_t clients, const std::string& seconds,
                           const std::string& settle_seconds, const std::string& folder) {
  return {.argv = {program("loadgen"), "run", "direct", "--target", server.target(), "--token-key",
                   server.token_key_file(), "--connections", std::to_string(clients), "--duration",
                   seconds, "--set", "direct.window=4", "--set", "settle.timeout=" + settle_seconds,
                   "--out", folder}};
}

Json report_in(const TemporaryFolder& folder) {
  return Json::parse(read_file(folder.path() + "/run.json"));
}

class Crash : public OnEachBackend {};

// Kills come in the midst of acknowledgements, and when the clients have only begun to come back.
TEST_P(Crash, KillsUnderLoadLoseNothingTwiceNothingAndKeepTheOrder) {
  constexpr uint32_t kClients = 20;
  const char* const kMoments[] = {"/store/replies", "/sessions/resumes", "/store/replies",
                                  "/store/replies"};
  Server server(options({"--set", "drain.reconnect_jitter=50ms"}));
  ASSERT_EQ(server.error(), "");
  const uint16_t port = server.port();
  TemporaryFolder folder;
  Process load(direct_load(server, kClients, "5", "30", folder.path()));
  for (const char* moment : kMoments) {
    {
      // The administrator's own resume is the first one.
      Statistics statistics(server);
      const uint64_t enough = moment == kMoments[0] ? 200 : 3;
      ASSERT_TRUE(wait_until([&] { return statistics[moment] >= enough; }, &load)) << load.errors();
    }
    ASSERT_TRUE(load.running()) << "the run ended before the kills: " << load.output();
    server.process().signal(SIGKILL);
    ASSERT_EQ(server.process().wait(), 128 + SIGKILL);
    server.start_again();
    ASSERT_EQ(server.error(), "");
    EXPECT_EQ(server.port(), port);
  }
  const int status = load.wait(120);
  EXPECT_EQ(status, 0) << load.output() << load.errors();
  EXPECT_EQ(load.output().substr(0, 6), "VALID\n");
  const Json report = report_in(folder);
  const Json& messages = report["messages"];
  for (const char* count : {"lost", "duplicated", "reordered", "unjudged"}) {
    EXPECT_EQ(messages[count], 0) << count << " of " << messages;
  }
  EXPECT_EQ(messages["acknowledged"], messages["issued"]);
  EXPECT_EQ(messages["delivered"], messages["issued"]);
  EXPECT_GE(report["connections"]["reconnects"], kClients);

  server.process().signal(SIGTERM);
  ASSERT_EQ(server.process().wait(), 0) << server.process().errors();
  const StoreRows rows = read_rows(database_of(server));
  EXPECT_EQ(rows.faults, std::vector<std::string>{});
  // Every send was acknowledged in the end, so nothing else may be there either.
  EXPECT_EQ(rows.messages, messages["acknowledged"].get<uint64_t>());
  EXPECT_EQ(rows.keys, rows.messages);
  EXPECT_EQ(rows.conversations, kClients / 2);
}

ON_EACH_BACKEND(Crash);

// The ledger judges a real server's store: what was acknowledged and is not there after the restart
// fails the run.
TEST(CrashJudged, AStoreThatForgotAnAcknowledgedMessageFailsTheRun) {
  Server server({.arguments = {"--set", "drain.reconnect_jitter=50ms"}});
  ASSERT_EQ(server.error(), "");
  TemporaryFolder folder;
  Process load(direct_load(server, 4, "2", "2", folder.path()));
  {
    Statistics statistics(server);
    ASSERT_TRUE(wait_until([&] { return statistics["/store/replies"] >= 500; }, &load));
  }
  server.process().signal(SIGKILL);
  ASSERT_EQ(server.process().wait(), 128 + SIGKILL);
  // The end of each conversation is gone, as if it had never reached the disk.
  change_store(database_of(server),
               "UPDATE conversation SET last_seq = last_seq - 100;"
               "DELETE FROM send_key WHERE seq > (SELECT last_seq FROM conversation c"
               " WHERE c.a = send_key.a AND c.b = send_key.b);"
               "DELETE FROM message WHERE seq > (SELECT last_seq FROM conversation c"
               " WHERE c.a = message.a AND c.b = message.b)");
  server.start_again();
  ASSERT_EQ(server.error(), "");
  EXPECT_EQ(load.wait(120), 99) << load.output() << load.errors();
  const Json messages = report_in(folder)["messages"];
  EXPECT_GT(messages["lost"].get<uint64_t>() + messages["duplicated"].get<uint64_t>() +
                messages["reordered"].get<uint64_t>(),
            0u)
      << messages;
}

// The rules themselves: each planted fault is named.
TEST(StoreRows, FindsWhatIsBroken) {
  Server server({.arguments = {"--set", "drain.window=50ms"}});
  ASSERT_EQ(server.error(), "");
  std::optional<RawClient> client(server.port());
  ASSERT_TRUE(client->log_in(server.token_key_file(), load_user(1)));
  const auto conversation = proto::ConversationId::between(load_user(1), load_user(2));
  for (uint64_t n = 1; n <= 3; n++) {
    client->say(
        client->write().send(n, conversation, {1, n}, wire::MessageKind::Text, as_bytes("hello")));
    ASSERT_NE(client->hear_a<wire::Sent>(), nullptr);
  }
  client.reset();
  server.process().signal(SIGTERM);
  ASSERT_EQ(server.process().wait(), 0);
  EXPECT_EQ(read_rows(database_of(server)).faults, std::vector<std::string>{});
  for (const char* damage :
       {"DELETE FROM message WHERE seq = 2", "UPDATE send_key SET seq = 1 WHERE seq = 3"}) {
    change_store(database_of(server), damage);
    EXPECT_FALSE(read_rows(database_of(server)).faults.empty()) << damage;
  }
}

bool can_trace() {
  return installed("strace") && run({.argv = {"strace", "-o", "/dev/null", "true"}}).status == 0;
}

class FailedFlush : public OnEachBackend {};

// One flush fails and later ones would succeed (io_uring), or all fail from then on (epoll): the
// kernel has dropped what it could not write, so who goes on acknowledging lies.
TEST_P(FailedFlush, NoSentLeavesAfterItAndTheServerEndsWithTheReason) {
  if (!can_trace()) GTEST_SKIP() << "strace cannot trace here; ./tools/dev setup test installs it";
  // Beyond those of the start; one flush for each send, because each waits for its Sent.
  constexpr uint64_t kFailing = 25;
  TemporaryFolder folder;
  ServerOptions options = this->options();
  options.data_dir = folder.path() + "/data";
  {
    Server first(options);  // makes the store
    ASSERT_EQ(first.error(), "");
  }
  const bool once = std::string(GetParam()) == "io_uring";
  options.wrapper = {
      "strace",
      "-f",
      "-qq",
      "-o",
      "/dev/null",
      "-e",
      "trace=fdatasync,fsync",
      "-e",
      "inject=fdatasync,fsync:error=EIO:when=" + std::to_string(kFailing) + (once ? "" : "+")};
  Server server(options);
  ASSERT_EQ(server.error(), "");
  const auto conversation = proto::ConversationId::between(load_user(1), load_user(2));
  RawClient sender(server.port());
  RawClient receiver(server.port());
  ASSERT_TRUE(sender.log_in(server.token_key_file(), load_user(1)));
  ASSERT_TRUE(receiver.log_in(server.token_key_file(), load_user(2)));
  uint64_t sent = 0;
  for (uint64_t n = 1; n <= 2 * kFailing; n++) {
    sender.say(
        sender.write().send(n, conversation, {1, n}, wire::MessageKind::Text, as_bytes("hello")));
    const auto* answer = sender.hear_a<wire::Sent>();
    if (answer == nullptr) break;
    EXPECT_EQ(answer->seq(), ++sent);
  }
  EXPECT_GT(sent, 0u);
  EXPECT_LT(sent, kFailing) << "acknowledged after a failed flush";
  EXPECT_EQ(sender.wait_for<wire::Sent>(), nullptr) << "acknowledged afterwards";
  uint64_t pushed = 0;
  while (receiver.wait_for<wire::Message>() != nullptr) pushed++;
  EXPECT_LE(pushed, sent) << "shown to the receiver and not durable";
  ASSERT_EQ(server.process().wait(), 1) << server.process().errors();
  const std::string log = server.process().errors();
  const std::string last = log.substr(log.rfind('\n', log.size() - 2) + 1);
  EXPECT_NE(last.find("I/O error"), std::string::npos) << log;

  options.wrapper.clear();
  Server again(options);
  ASSERT_EQ(again.error(), "");
  {
    RawClient reader(again.port());
    ASSERT_TRUE(reader.log_in(again.token_key_file(), load_user(2)));
    reader.say(reader.write().pull(3, conversation, 0, 200));
    const auto* page = reader.hear_a<wire::Messages>();
    ASSERT_NE(page, nullptr);
    EXPECT_GE(page->last_seq(), sent);
  }
  again.process().signal(SIGTERM);
  ASSERT_EQ(again.process().wait(), 0);
  EXPECT_EQ(read_rows(database_of(again)).faults, std::vector<std::string>{});
}

ON_EACH_BACKEND(FailedFlush);

}  // namespace
}  // namespace ringtalk::tests
