// The server as a process: start, serve, signals, restarts and what it refuses to start with.
#include <signal.h>
#include <sys/stat.h>
#include <unistd.h>

#include <algorithm>
#include <filesystem>
#include <span>

#include <gtest/gtest.h>

#include "tests/e2e/real_server.h"
#include "tests/e2e/store_rows.h"

namespace ringtalk::tests {
namespace {

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
  RawClient peer(server.port());
  ASSERT_TRUE(peer.log_in(server.token_key_file(), load_user(5)));
  peer.say(peer.write().echo(3, as_bytes("hello")));
  ASSERT_TRUE(peer.hear_a<wire::Echo>());
  server.process().signal(SIGTERM);
  EXPECT_TRUE(peer.hear_a<wire::Goaway>());
  EXPECT_TRUE(peer.hear_end());
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
  RawClient peer(server.port());
  ASSERT_TRUE(peer.log_in(server.token_key_file(), load_user(5)));
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
  EXPECT_EQ(std::count(second.errors.begin(), second.errors.end(), '\n'), 1) << second.errors;
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
  EXPECT_EQ(std::count(second.errors.begin(), second.errors.end(), '\n'), 1) << second.errors;
}

TEST(Ringtalkd, ComesUpRightAfterAKill) {
  Server server;
  ASSERT_EQ(server.error(), "");
  const uint16_t port = server.port();
  for (int round = 0; round < 3; round++) {
    RawClient peer(server.port());
    ASSERT_TRUE(peer.log_in(server.token_key_file(), load_user(5)));
    server.process().signal(SIGKILL);
    server.start_again();
    ASSERT_EQ(server.error(), "");
    EXPECT_EQ(server.port(), port);
  }
  RawClient peer(server.port());
  EXPECT_TRUE(peer.log_in(server.token_key_file(), load_user(5)));
}

// A token that was logged out once came back and read until it expired.
TEST(Ringtalkd, ALogoutOutlivesAKill) {
  Server server;
  ASSERT_EQ(server.error(), "");
  std::string token;
  const auto resumed = [&] {
    RawClient peer(server.port());
    EXPECT_TRUE(peer.greet());
    peer.say(peer.write().resume(4, as_bytes(token)));
    return peer.hear_a<wire::LoggedIn>() != nullptr;
  };
  {
    RawClient peer(server.port());
    ASSERT_TRUE(peer.greet());
    peer.say(peer.write().register_user(1, "Ada", "correct horse"));
    ASSERT_TRUE(peer.hear_a<wire::Registered>());
    peer.say(peer.write().login(2, "Ada", 0, "correct horse"));
    const auto* login = peer.hear_a<wire::LoggedIn>();
    ASSERT_TRUE(login);
    token = as_text(std::as_bytes(std::span(login->token()->data(), login->token()->size())));
  }
  ASSERT_TRUE(resumed());
  {
    RawClient peer(server.port());
    ASSERT_TRUE(peer.greet());
    peer.say(peer.write().resume(2, as_bytes(token)));
    ASSERT_TRUE(peer.hear_a<wire::LoggedIn>());
    peer.say(peer.write().logout(3, false));
    ASSERT_TRUE(peer.wait_for<wire::Ok>());
  }
  EXPECT_FALSE(resumed());
  server.process().signal(SIGKILL);
  server.start_again();
  ASSERT_EQ(server.error(), "");
  EXPECT_FALSE(resumed());
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
  RawClient peer(server.port());
  peer.say(peer.write().hello(1, "test", 7, wire::DeviceClass::Desktop));
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
    RawClient peer(server.port());
    ASSERT_TRUE(peer.log_in(server.token_key_file(), load_user(5)));
    server.process().signal(SIGUSR1);
    ASSERT_TRUE(wait_until([&] { return !read_file(file).empty(); }));
    EXPECT_NE(read_file(file).find("\"online\":1"), std::string::npos);
  }
  server.process().signal(SIGTERM);
  ASSERT_EQ(server.process().wait(), 0);
  EXPECT_NE(read_file(file).find("\"resumes\":1"), std::string::npos);
  EXPECT_NE(read_file(file).find("\"open\":0"), std::string::npos);
}

// Two rounds of statistics could end before the first was written; the second was then read where
// there was none.
TEST(Ringtalkd, StandsASwarmOfQuestionsForStatistics) {
  TemporaryFolder folder;
  const std::string file = folder.path() + "/stats.json";
  Server server({.arguments = {"--stats-file", file}});
  ASSERT_EQ(server.error(), "");
  for (int i = 0; i < 100'000; i++) server.process().signal(SIGUSR1);
  EXPECT_TRUE(wait_until([&] { return !read_file(file).empty(); }, &server.process()));
  server.process().signal(SIGTERM);
  EXPECT_EQ(server.process().wait(), 0);
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
      // Each of these once served.
      {"--config", folder.path(), "--data-dir", folder.path() + "/g"},
      {"--config", "", "--data-dir", folder.path() + "/h"},
      {"--stats-file", folder.path() + "/missing/stats", "--data-dir", folder.path() + "/i"},
      {"--stats-file", folder.path(), "--data-dir", folder.path() + "/j"},
      {"--backend", "epoll", "--uring-mask", "foo", "--data-dir", folder.path() + "/k"},
      {"--ports-file", file + "/ports", "--data-dir", folder.path() + "/l"},
      {"--data-dir", "/dev/null"},
      {"--store", "x", "--data-dir", folder.path() + "/m"},
  };
  for (const auto& arguments : wrong) {
    // --check-config once had nothing against what does not start.
    for (const bool checks : {false, true}) {
      SCOPED_TRACE(testing::PrintToString(arguments) + (checks ? " checked" : " started"));
      auto words = arguments;
      if (checks) words.push_back("--check-config");
      const Finished finished = start_with(words);
      EXPECT_EQ(finished.status, 2);
      EXPECT_EQ(std::count(finished.errors.begin(), finished.errors.end(), '\n'), 1)
          << finished.errors;
      EXPECT_NE(finished.errors.find(';'), std::string::npos) << "no remedy: " << finished.errors;
      EXPECT_EQ(finished.output, "");
    }
  }
}

TEST(Ringtalkd, ChecksTheConfigurationAndMakesAndTakesNothing) {
  TemporaryFolder folder;
  const std::string data = folder.path() + "/data";
  const Finished fresh =
      start_with({"--check-config", "--data-dir", data, "--store", "sqlite:" + data + "/x.db",
                  "--stats-file", data + "/stats", "--ports-file", folder.path() + "/ports"});
  EXPECT_EQ(fresh.status, 0) << fresh.errors;
  EXPECT_EQ(fresh.output, "the configuration is good\n");
  EXPECT_NE(::access(data.c_str(), F_OK), 0);
  EXPECT_NE(::access((folder.path() + "/ports").c_str(), F_OK), 0);
  // Beside the server that it is for.
  Server server;
  ASSERT_EQ(server.error(), "");
  const Finished beside = start_with(
      {"--check-config", "--data-dir", server.data_dir(), "-p", std::to_string(server.port())});
  EXPECT_EQ(beside.status, 0) << beside.errors;
}

TEST(Ringtalkd, ReadsBackTheConfigurationThatItPrints) {
  TemporaryFolder folder;
  const Finished printed = start_with({"--print-config", "--data-dir", folder.path() + "/data"});
  ASSERT_EQ(printed.status, 0) << printed.errors;
  write_file(folder.path() + "/printed.toml", printed.output);
  const Finished again =
      start_with({"--config", folder.path() + "/printed.toml", "--print-config", "--check-config"});
  EXPECT_EQ(again.status, 0) << again.errors;
  const auto values = [](const std::string& text) {
    std::string result;
    for (size_t at = 0; at < text.size(); at = text.find('\n', at) + 1) {
      const std::string line = text.substr(at, text.find('\n', at) - at);
      result += line.substr(0, line.find('#')) + "\n";
    }
    return result;
  };
  EXPECT_EQ(values(again.output), values(printed.output) + "\n");
}

TEST(Ringtalkd, SaysWhatTooFewDescriptorsMean) {
  TemporaryFolder folder;
  const Finished finished = run({.argv = {program("ringtalkd"), "-p", "0", "--shards", "2",
                                          "--data-dir", folder.path() + "/data"},
                                 .descriptors_max = 40});
  EXPECT_EQ(finished.status, 2);
  EXPECT_NE(finished.errors.find("raise ulimit -n"), std::string::npos) << finished.errors;
  EXPECT_EQ(finished.errors.find("--max-connections"), std::string::npos) << finished.errors;
}

// How to run the server as a user without rights. As root that is nobody, who may not see where
// this was built: `folder` gets a copy.
std::vector<std::string> ringtalkd_without_rights(const TemporaryFolder& folder) {
  if (::geteuid() != 0) return {program("ringtalkd")};
  const std::string copy = folder.path() + "/ringtalkd";
  std::filesystem::copy_file(program("ringtalkd"), copy);
  EXPECT_EQ(::chmod(folder.path().c_str(), 0755), 0);
  EXPECT_EQ(::chmod(copy.c_str(), 0755), 0);
  return {"setpriv", "--reuid", "65534", "--regid", "65534", "--clear-groups", copy};
}

TEST(Ringtalkd, RefusesADataDirectoryThatItMayNotWrite) {
  TemporaryFolder folder;
  ASSERT_EQ(::chmod(folder.path().c_str(), 0555), 0);
  TemporaryFolder programs;
  std::vector<std::string> argv = ringtalkd_without_rights(programs);
  argv.insert(argv.end(), {"--data-dir", folder.path() + "/data", "-p", "0"});
  const Finished finished = run({.argv = argv});
  EXPECT_EQ(finished.status, 2);
  EXPECT_EQ(std::count(finished.errors.begin(), finished.errors.end(), '\n'), 1) << finished.errors;
  EXPECT_NE(finished.errors.find("Permission denied"), std::string::npos) << finished.errors;
  EXPECT_NE(finished.errors.find("; "), std::string::npos) << finished.errors;
}

// It took what it could not see for what is not there.
TEST(Ringtalkd, NamesNoStepsForADatabaseThatItMayNotRead) {
  TemporaryFolder folder;
  const std::string data = folder.path() + "/data";
  ASSERT_EQ(::chmod(folder.path().c_str(), 0755), 0);
  ASSERT_EQ(start_with({"migrate", "--data-dir", data}).status, 0);
  TemporaryFolder programs;
  std::vector<std::string> argv = ringtalkd_without_rights(programs);
  argv.insert(argv.end(), {"migrate", "--dry-run", "--data-dir", data});
  // The directory, then the file alone. An owner who may not is as good as a stranger.
  for (const auto& [of_data, of_file] : {std::pair{0000, 0600}, std::pair{0755, 0000}}) {
    ASSERT_EQ(::chmod((data + "/ringtalk.db").c_str(), of_file), 0);
    ASSERT_EQ(::chmod(data.c_str(), of_data), 0);
    const Finished finished = run({.argv = argv});
    EXPECT_EQ(::chmod(data.c_str(), 0700), 0);
    EXPECT_EQ(finished.status, 2);
    EXPECT_EQ(finished.output, "");
    EXPECT_NE(finished.errors.find("Permission denied; run as the user"), std::string::npos)
        << finished.errors;
  }
}

TEST(Ringtalkd, RefusesADatabaseOfANewerVersionAndLeavesItAsItIs) {
  TemporaryFolder folder;
  const std::string database = folder.path() + "/ringtalk.db";
  ASSERT_EQ(start_with({"migrate", "--data-dir", folder.path()}).status, 0);
  change_store(database, "INSERT INTO schema_version VALUES (9, 'of the future', 0)");
  const std::string before = read_file(database);
  const Finished finished = start_with({"-p", "0", "--data-dir", folder.path()});
  EXPECT_EQ(finished.status, 2);
  EXPECT_EQ(std::count(finished.errors.begin(), finished.errors.end(), '\n'), 1) << finished.errors;
  EXPECT_NE(finished.errors.find("newer"), std::string::npos) << finished.errors;
  EXPECT_EQ(read_file(database), before);
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
  // It once made the directory, its lock and a key.
  EXPECT_NE(::access(data.c_str(), F_OK), 0);
  step = start_with({"migrate", "--data-dir", data});
  EXPECT_EQ(step.status, 0) << step.errors;
  step = start_with({"migrate", "--dry-run", "--data-dir", data});
  EXPECT_EQ(step.status, 0) << step.errors;
  EXPECT_NE(step.output.find("is up to date"), std::string::npos) << step.output;
}

}  // namespace
}  // namespace ringtalk::tests
