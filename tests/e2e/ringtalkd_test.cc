// The server as a process: start, serve, signals, restarts and what it refuses to start with.
#include <arpa/inet.h>
#include <signal.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cstring>

#include <gtest/gtest.h>

#include "proto/frame_writer.h"
#include "proto/token.h"
#include "tests/support/server.h"

namespace ringtalk::tests {
namespace {

// One blocking connection that speaks raw frames.
class Peer {
 public:
  explicit Peer(uint16_t port) : socket_(::socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0)) {
    sockaddr_in at{};
    at.sin_family = AF_INET;
    at.sin_port = htons(port);
    at.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
    const timeval patience{20, 0};
    ::setsockopt(socket_, SOL_SOCKET, SO_RCVTIMEO, &patience, sizeof patience);
    connected_ = ::connect(socket_, reinterpret_cast<sockaddr*>(&at), sizeof at) == 0;
  }
  ~Peer() { ::close(socket_); }
  Peer(const Peer&) = delete;
  Peer& operator=(const Peer&) = delete;

  bool connected() const { return connected_; }
  void say(proto::Bytes frame) {
    EXPECT_EQ(::send(socket_, frame.data(), frame.size(), MSG_NOSIGNAL),
              static_cast<ssize_t>(frame.size()));
  }
  // Null at the end of the stream.
  const wire::Frame* hear() {
    uint32_t length = 0;
    if (!read_exactly(reinterpret_cast<char*>(&length), 4)) return nullptr;
    frame_.resize(length + 4);
    std::memcpy(frame_.data(), &length, 4);
    if (!read_exactly(frame_.data() + 4, length)) return nullptr;
    return wire::GetSizePrefixedFrame(frame_.data());
  }
  template <class T>
  bool hear_a() {
    const wire::Frame* frame = hear();
    return frame != nullptr && frame->body_as<T>() != nullptr;
  }
  bool log_in(const std::string& key_file, uint16_t flags = 0) {
    proto::KeyRing keys;
    keys.add(1, *proto::read_token_key(key_file));
    proto::Token token;
    token.user = 5;
    token.device = 7;
    token.epoch = 1;
    token.flags = flags;
    token.expires_ms = UINT64_MAX;
    say(write.hello(1, "test", 7, wire::DeviceClass::Desktop));
    say(write.resume(2, keys.mint(token)));
    return hear_a<wire::Welcome>() && hear_a<wire::LoggedIn>();
  }

  proto::FrameWriter write;

 private:
  bool read_exactly(char* to, size_t bytes) {
    while (bytes > 0) {
      const ssize_t got = ::recv(socket_, to, bytes, 0);
      if (got <= 0) return false;
      to += got;
      bytes -= static_cast<size_t>(got);
    }
    return true;
  }

  int socket_;
  bool connected_ = false;
  std::string frame_;
};

std::span<const std::byte> bytes(const std::string& text) {
  return {reinterpret_cast<const std::byte*>(text.data()), text.size()};
}

Finished start_with(std::vector<std::string> arguments) {
  arguments.insert(arguments.begin(), program("ringtalkd"));
  return run({.argv = arguments});
}

TEST(Ringtalkd, ServesAndStopsAsAsked) {
  Server server;
  ASSERT_EQ(server.error(), "");
  EXPECT_NE(server.process().output().find("ready 127.0.0.1:" + std::to_string(server.port()) +
                                           " " + server.backend() + ", "),
            std::string::npos)
      << server.process().output();
  Peer peer(server.port());
  ASSERT_TRUE(peer.log_in(server.token_key_file()));
  peer.say(peer.write.echo(3, bytes("hello")));
  ASSERT_TRUE(peer.hear_a<wire::Echo>());
  server.process().signal(SIGTERM);
  EXPECT_TRUE(peer.hear_a<wire::Goaway>());
  EXPECT_EQ(peer.hear(), nullptr);
  EXPECT_EQ(server.process().wait(), 0);
}

TEST(Ringtalkd, StopsAtOnceWhenNobodyIsConnected) {
  Server server({.arguments = {"--set", "drain.window=1h"}});
  ASSERT_EQ(server.error(), "");
  server.process().signal(SIGINT);
  EXPECT_EQ(server.process().wait(), 0);
}

TEST(Ringtalkd, ASecondSignalHurries) {
  Server server({.arguments = {"--set", "drain.window=1h"}});
  ASSERT_EQ(server.error(), "");
  Peer peer(server.port());
  ASSERT_TRUE(peer.log_in(server.token_key_file()));
  server.process().signal(SIGTERM);
  ASSERT_TRUE(wait_until(
      [&] { return server.process().errors().find("\"stopping\"") != std::string::npos; }));
  server.process().signal(SIGTERM);
  EXPECT_EQ(server.process().wait(), 0);
}

TEST(Ringtalkd, ASecondServerOnItsPortStopsWithTwo) {
  Server server;
  ASSERT_EQ(server.error(), "");
  TemporaryFolder folder;
  const Finished second =
      start_with({"-p", std::to_string(server.port()), "--data-dir", folder.path()});
  EXPECT_EQ(second.status, 2);
  EXPECT_NE(second.errors.find("is in use by another program"), std::string::npos) << second.errors;
}

TEST(Ringtalkd, TwoServersShareAPortOnPurpose) {
  Server server({.arguments = {"--share-port"}});
  ASSERT_EQ(server.error(), "");
  TemporaryFolder folder;
  const std::string ports = folder.path() + "/ports";
  Process second(
      {.argv = {program("ringtalkd"), "--share-port", "-p", std::to_string(server.port()),
                "--data-dir", folder.path() + "/data", "--ports-file", ports}});
  EXPECT_TRUE(wait_until([&] { return !read_file(ports).empty(); }, &second)) << second.errors();
  second.signal(SIGTERM);
  EXPECT_EQ(second.wait(), 0);
}

TEST(Ringtalkd, ASecondServerOnItsDataStopsWithTwo) {
  Server server;
  ASSERT_EQ(server.error(), "");
  const Finished second = start_with({"-p", "0", "--data-dir", server.data_dir()});
  EXPECT_EQ(second.status, 2);
  EXPECT_NE(second.errors.find("is in use by another ringtalkd"), std::string::npos)
      << second.errors;
}

TEST(Ringtalkd, ComesUpRightAfterAKill) {
  Server server;
  ASSERT_EQ(server.error(), "");
  const uint16_t port = server.port();
  for (int round = 0; round < 3; round++) {
    Peer peer(server.port());
    ASSERT_TRUE(peer.log_in(server.token_key_file()));
    server.process().signal(SIGKILL);
    server.start_again();
    ASSERT_EQ(server.error(), "");
    EXPECT_EQ(server.port(), port);
  }
  Peer peer(server.port());
  EXPECT_TRUE(peer.log_in(server.token_key_file()));
}

TEST(Ringtalkd, ReloadsTheSafePart) {
  TemporaryFolder folder;
  const std::string file = folder.path() + "/ringtalk.toml";
  write_file(file, "[heartbeat]\ninterval_ms = 20000\n");
  Server server({.arguments = {"--config", file}});
  ASSERT_EQ(server.error(), "");
  write_file(file, "[heartbeat]\ninterval_ms = 3000\n[server]\nshards = 9\n");
  server.process().signal(SIGHUP);
  ASSERT_TRUE(wait_until(
      [&] { return server.process().errors().find("\"reloaded\"") != std::string::npos; }));
  const std::string log = server.process().errors();
  EXPECT_NE(log.find("heartbeat.interval_ms: 20000 -> 3000"), std::string::npos) << log;
  EXPECT_NE(log.find("server.shards: 0 -> 9 waits for a restart"), std::string::npos) << log;
  Peer peer(server.port());
  peer.say(peer.write.hello(1, "test", 7, wire::DeviceClass::Desktop));
  const wire::Frame* frame = peer.hear();
  ASSERT_NE(frame, nullptr);
  ASSERT_NE(frame->body_as_Welcome(), nullptr);
  EXPECT_EQ(frame->body_as_Welcome()->heartbeat_ms(), 3'000u);
}

TEST(Ringtalkd, WritesStatisticsWhenAskedAndAtTheEnd) {
  TemporaryFolder folder;
  const std::string file = folder.path() + "/stats.json";
  Server server({.arguments = {"--stats-file", file}});
  ASSERT_EQ(server.error(), "");
  {
    Peer peer(server.port());
    ASSERT_TRUE(peer.log_in(server.token_key_file()));
    server.process().signal(SIGUSR1);
    ASSERT_TRUE(wait_until([&] { return !read_file(file).empty(); }));
    EXPECT_NE(read_file(file).find("\"online\":1"), std::string::npos);
  }
  server.process().signal(SIGTERM);
  ASSERT_EQ(server.process().wait(), 0);
  EXPECT_NE(read_file(file).find("\"resumes\":1"), std::string::npos);
  EXPECT_NE(read_file(file).find("\"open\":0"), std::string::npos);
}

TEST(Ringtalkd, RunsInTheBackground) {
  TemporaryFolder folder;
  const std::string ports = folder.path() + "/ports";
  const Finished front =
      start_with({"-d", "-p", "0", "--data-dir", folder.path() + "/data", "--ports-file", ports});
  ASSERT_EQ(front.status, 0) << front.errors;
  EXPECT_NE(front.output.find("ready "), std::string::npos);
  const std::string json = read_file(ports);
  const pid_t pid =
      static_cast<pid_t>(std::strtol(json.c_str() + json.find(": ") + 2, nullptr, 10));
  ASSERT_GT(pid, 1);
  EXPECT_EQ(::kill(pid, SIGTERM), 0);
  EXPECT_TRUE(wait_until([&] { return ::kill(pid, 0) != 0; }));
  // What is wrong is still said in front.
  const Finished wrong =
      start_with({"-d", "--listen", "203.0.113.1:1", "--data-dir", folder.path() + "/data"});
  EXPECT_EQ(wrong.status, 2);
  EXPECT_NE(wrong.errors.find("203.0.113.1:1"), std::string::npos) << wrong.errors;
}

TEST(Ringtalkd, RefusesToStartWithOneLineAndTwo) {
  TemporaryFolder folder;
  const std::string file = folder.path() + "/plain";
  write_file(file, "no directory");
  const std::string key = folder.path() + "/key";
  write_file(key, "000102030405060708090a0b0c0d0e0f101112131415161718191a1b1c1d1e1f\n");
  ::chmod(key.c_str(), 0644);
  const std::vector<std::vector<std::string>> wrong = {
      {"--no-such-flag"},
      {"--shards", "none"},
      {"--listen", "localhost"},
      {"--relay", "redis://127.0.0.1:6379"},
      {"--store", "mysql://user@127.0.0.1:3306/chat", "--data-dir", folder.path() + "/a"},
      {"--store", "sqlite:" + folder.path() + "/missing/folder/x.db", "--data-dir",
       folder.path() + "/b"},
      {"--data-dir", file + "/below"},
      {"--token-key", key, "--data-dir", folder.path() + "/c"},
      {"--token-key", folder.path() + "/absent", "--data-dir", folder.path() + "/d"},
      {"--max-connections", "4000000000", "--data-dir", folder.path() + "/e"},
      {"--listen", "203.0.113.1:1", "--data-dir", folder.path() + "/f"},
      {"--config", folder.path() + "/absent.toml"},
      {"--backend", "kqueue"},
      {"--set", "limits.nothing=1"},
  };
  for (const auto& arguments : wrong) {
    std::vector<std::string> all = arguments;
    all.insert(all.end(), {"--log-level", "error"});
    const Finished finished = start_with(all);
    EXPECT_EQ(finished.status, 2) << arguments[0];
    EXPECT_EQ(std::count(finished.errors.begin(), finished.errors.end(), '\n'), 1)
        << finished.errors;
    EXPECT_EQ(finished.output, "");
  }
}

TEST(Ringtalkd, MemoryStoreWithAKeyLeavesNoTrace) {
  TemporaryFolder folder;
  Server server({.arguments = {"--store", "memory:"}, .data_dir = folder.path() + "/data"});
  ASSERT_EQ(server.error(), "");
  EXPECT_NE(::access((folder.path() + "/data").c_str(), F_OK), 0);
}

TEST(Ringtalkd, MigratesAndSaysWhatItWould) {
  TemporaryFolder folder;
  const std::string data = folder.path() + "/data";
  Finished step = start_with({"migrate", "--dry-run", "--data-dir", data});
  EXPECT_EQ(step.status, 0) << step.errors;
  EXPECT_NE(step.output.find("foundation"), std::string::npos) << step.output;
  step = start_with({"migrate", "--data-dir", data});
  EXPECT_EQ(step.status, 0) << step.errors;
  step = start_with({"migrate", "--dry-run", "--data-dir", data});
  EXPECT_EQ(step.status, 0) << step.errors;
  EXPECT_NE(step.output.find("is up to date"), std::string::npos) << step.output;
}

}  // namespace
}  // namespace ringtalk::tests
