// The command-line client against a real server, as a shell script would use it.
#include <fcntl.h>
#include <gtest/gtest.h>
#include <signal.h>
#include <stdlib.h>
#include <sys/ioctl.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <termios.h>
#include <unistd.h>

#include <string>
#include <vector>

#include "tests/support/server.h"

namespace ringtalk::tests {
namespace {

using Words = std::vector<std::string>;

bool has(const std::string& text, const std::string& part) {
  return text.find(part) != std::string::npos;
}

size_t lines_with(const std::string& text, const std::string& part) {
  size_t count = 0;
  for (size_t at = text.find(part); at != std::string::npos; at = text.find(part, at + 1)) count++;
  return count;
}

// A server, and a home for the tool's state.
class RingtalkTool : public testing::Test {
 protected:
  void SetUp() override { ASSERT_EQ(server_.error(), ""); }

  ProcessOptions command(const Words& words, const std::string& input = "") {
    ProcessOptions options{.argv = {program("ringtalk")},
                           .environment = {"XDG_STATE_HOME=" + home_.path()},
                           .input = input};
    options.argv.insert(options.argv.end(), words.begin(), words.end());
    return options;
  }
  Finished tool(const Words& words, const std::string& input = "") {
    return run(command(words, input));
  }
  // Registers and logs in, with a profile of the same name.
  void make_user(const std::string& name) {
    const Finished made = tool({"--server", server_.target(), "register", name}, "a password\n");
    ASSERT_EQ(made.status, 0) << made.errors;
    EXPECT_TRUE(has(made.output, R"("event":"registered")")) << made.output;
    const Finished in =
        tool({"--server", server_.target(), "--profile", name, "login", name}, "a password\n");
    ASSERT_EQ(in.status, 0) << in.errors;
    EXPECT_TRUE(has(in.output, R"("event":"logged_in")")) << in.output;
  }
  std::string state_of(const std::string& profile) {
    return home_.path() + "/ringtalk/" + profile + ".json";
  }

  Server server_{ServerOptions{.arguments = {"--store", "memory:"}, .token_key = false}};
  TemporaryFolder home_;
};

TEST_F(RingtalkTool, keeps_the_token_to_itself) {
  make_user("ada");
  struct stat status {};
  ASSERT_EQ(::stat(state_of("ada").c_str(), &status), 0);
  EXPECT_EQ(status.st_mode & 0777, 0600u);
  ASSERT_EQ(::stat((home_.path() + "/ringtalk").c_str(), &status), 0);
  EXPECT_EQ(status.st_mode & 0777, 0700u);
  EXPECT_FALSE(has(read_file(state_of("ada")), "a password"));
}

// It was used without a word.
TEST_F(RingtalkTool, refuses_a_profile_that_others_may_read) {
  make_user("ada");
  const std::string before = read_file(state_of("ada"));
  ASSERT_EQ(::chmod(state_of("ada").c_str(), 0640), 0);
  for (const Words& words :
       {Words{"--profile", "ada", "ping", "--count", "1"}, Words{"--profile", "ada", "logout"},
        Words{"--server", server_.target(), "--profile", "ada", "login", "ada"}}) {
    const Finished refused = tool(words, "a password\n");
    EXPECT_EQ(refused.status, 2) << refused.errors;
    EXPECT_TRUE(has(refused.errors, "run: chmod 600 '" + state_of("ada") + "'")) << refused.errors;
  }
  EXPECT_EQ(read_file(state_of("ada")), before);
  ASSERT_EQ(::chmod(state_of("ada").c_str(), 0600), 0);
  EXPECT_EQ(tool({"--profile", "ada", "ping", "--count", "1"}).status, 0);
}

TEST_F(RingtalkTool, carries_messages_from_one_user_to_another) {
  make_user("ada");
  make_user("grace");
  Process listen(command({"--profile", "grace", "listen", "--count", "3"}));
  ASSERT_TRUE(wait_until([&] { return has(listen.output(), "listening"); }, &listen))
      << listen.errors();
  const Finished one = tool({"--profile", "ada", "send", "grace", "hello", "there"});
  EXPECT_EQ(one.status, 0) << one.errors;
  EXPECT_TRUE(has(one.output, R"("event":"sent","conversation":[1,2],"seq":1,)")) << one.output;
  const Finished two = tool({"--profile", "ada", "send", "grace"}, "second\nthird \xff\n");
  EXPECT_EQ(two.status, 0) << two.errors;
  EXPECT_EQ(lines_with(two.output, R"("event":"sent")"), 2u) << two.output;
  EXPECT_EQ(listen.wait(), 0) << listen.errors();
  EXPECT_TRUE(has(listen.output(), R"("seq":1,"from":1)")) << listen.output();
  EXPECT_TRUE(has(listen.output(), R"("text":"hello there")"));
  EXPECT_TRUE(has(listen.output(), R"("text":"second")"));
  EXPECT_TRUE(has(listen.output(), "\"text\":\"third \xef\xbf\xbd\""));  // no UTF-8: replaced
}

TEST_F(RingtalkTool, shows_what_came_in_between_and_nothing_twice) {
  make_user("ada");
  make_user("grace");
  ASSERT_EQ(tool({"--profile", "ada", "send", "2", "before the first listen"}).status, 0);
  const auto listen_for = [&](const Words& more, const std::string& until) {
    Words words = {"--profile", "grace", "listen"};
    words.insert(words.end(), more.begin(), more.end());
    Process listen(command(words));
    EXPECT_TRUE(wait_until([&] { return has(listen.output(), until); }, &listen))
        << listen.output() << listen.errors();
    listen.signal(SIGINT);
    EXPECT_EQ(listen.wait(), 0);  // Ctrl-C is how it ends
    return listen.output();
  };
  EXPECT_FALSE(has(listen_for({}, "listening"), "before the first"));
  ASSERT_EQ(tool({"--profile", "ada", "send", "grace"}, "one\ntwo\n").status, 0);
  const std::string first = listen_for({}, "listening");
  EXPECT_TRUE(has(first, "\"one\"") && has(first, "\"two\"")) << first;
  ASSERT_EQ(tool({"--profile", "ada", "send", "grace", "three"}).status, 0);
  const std::string second = listen_for({}, "listening");
  EXPECT_TRUE(has(second, "\"three\"") && !has(second, "\"two\"")) << second;
  const std::string all = listen_for({"--all"}, "listening");
  EXPECT_EQ(lines_with(all, R"("event":"message")"), 4u) << all;
}

TEST_F(RingtalkTool, joins_rooms_and_publishes) {
  make_user("ada");
  make_user("grace");
  Process member(command({"--profile", "grace", "room", "77", "--count", "3"}));
  ASSERT_TRUE(wait_until([&] { return has(member.output(), "joined"); }, &member))
      << member.errors();
  const Finished one = tool({"--profile", "ada", "room", "77", "hi", "all"});
  EXPECT_EQ(one.status, 0) << one.errors;
  EXPECT_EQ(lines_with(one.output, R"("event":"published")"), 1u) << one.output;
  const Finished two = tool({"--profile", "ada", "room", "77", "-"}, "x\ny\n");
  EXPECT_EQ(two.status, 0) << two.errors;
  EXPECT_EQ(lines_with(two.output, R"("event":"published")"), 2u) << two.output;
  EXPECT_EQ(member.wait(), 0) << member.errors();
  EXPECT_TRUE(has(member.output(), R"("n":3,"text":"y")")) << member.output();
}

TEST_F(RingtalkTool, pings) {
  make_user("ada");
  const Finished ping = tool({"--profile", "ada", "ping", "--count", "3", "--interval-ms", "1"});
  EXPECT_EQ(ping.status, 0) << ping.errors;
  EXPECT_EQ(lines_with(ping.output, R"("event":"pong")"), 3u);
  EXPECT_TRUE(has(ping.output, R"("count":3)")) << ping.output;
}

TEST_F(RingtalkTool, says_what_went_wrong_and_how_to_go_on) {
  make_user("ada");
  const std::string server = server_.target();
  struct Case {
    Words words;
    std::string input;
    int status;
    std::string said;
  };
  const Case cases[] = {
      {{"--server", server, "register", "ada"},
       "another\n",
       1,
       "NameTaken: somebody has this name"},
      {{"--server", server, "login", "ada"}, "wrong\n", 1, "wrong name or password"},
      {{"--server", server, "login", "nobody"}, "wrong\n", 1, "wrong name or password"},
      {{"--server", server, "login", "ada"}, "", 2, "is empty"},
      {{"login", "ada", "--password-file", "/nowhere/at/all"}, "", 2, "cannot open /nowhere"},
      {{"--profile", "ada", "send", "nobody", "x"}, "", 1, "there is no user nobody"},
      {{"--profile", "none", "ping"}, "", 1, "run: ringtalk login"},
      {{"--profile", "ada", "--server", "127.0.0.1:1", "ping"}, "", 3, "cannot reach 127.0.0.1:1"},
      {{"--profile", "../x", "ping"}, "", 2, "--profile"},
      {{}, "", 2, "ringtalk --help"},
      {{"sing"}, "", 2, "there is no command 'sing'; see ringtalk --help"},
      {{"room", "0"}, "", 2, "ROOM: '0' is no whole number from 1 on"},
      {{"room", "lobby"}, "", 2, "'lobby' is no whole number"},
      {{"ping", "--count", "-3"}, "", 2, "'-3' is no whole number"},
  };
  for (const Case& c : cases) {
    const Finished done = tool(c.words, c.input);
    EXPECT_EQ(done.status, c.status) << done.errors;
    EXPECT_TRUE(has(done.errors, c.said)) << done.errors;
    EXPECT_EQ(done.output, "");
    EXPECT_EQ(lines_with(done.errors, "\n"), 1u) << done.errors;
  }
  const Finished help = tool({"--help"});
  EXPECT_EQ(help.status, 0);
  for (const char* verb :
       {"register", "login", "logout", "send", "listen", "room", "ping", "stats"}) {
    EXPECT_TRUE(has(help.output, verb)) << verb;
  }
}

TEST_F(RingtalkTool, logs_out_here_and_everywhere) {
  make_user("ada");
  // The same user on another machine.
  const auto log_in_laptop = [&] {
    return tool({"--server", server_.target(), "--profile", "laptop", "login", "ada"},
                "a password\n");
  };
  ASSERT_EQ(log_in_laptop().status, 0);

  const Finished out = tool({"--profile", "ada", "logout"});
  EXPECT_EQ(out.status, 0) << out.errors;
  EXPECT_TRUE(
      has(out.output, R"({"event":"logged_out","user":1,"name":"ada","all_devices":false})"))
      << out.output;
  const Finished after = tool({"--profile", "ada", "ping", "--count", "1"});
  EXPECT_EQ(after.status, 1);
  EXPECT_EQ(after.errors, "ringtalk: ada is not logged in; run: ringtalk login ada\n");
  EXPECT_EQ(tool({"--profile", "laptop", "ping", "--count", "1"}).status, 0);

  Process listen(command({"--profile", "laptop", "listen"}));
  ASSERT_TRUE(wait_until([&] { return has(listen.output(), "listening"); }, &listen));
  make_user("ada2");  // somebody else is not concerned
  ASSERT_EQ(tool({"--server", server_.target(), "--profile", "ada", "login", "ada"}, "a password\n")
                .status,
            0);
  EXPECT_EQ(tool({"--profile", "ada", "logout", "--all-devices"}).status, 0);
  EXPECT_EQ(listen.wait(), 1);
  EXPECT_TRUE(has(listen.errors(), "ada has logged out; run: ringtalk login ada"))
      << listen.errors();
  EXPECT_EQ(tool({"--profile", "ada2", "ping", "--count", "1"}).status, 0);
  const Finished refused = tool({"--profile", "laptop", "ping", "--count", "1"});
  EXPECT_EQ(refused.status, 1);
  EXPECT_TRUE(has(refused.errors, "no longer valid; run: ringtalk login ada")) << refused.errors;
  // There is nothing left to end, and that is no failure.
  EXPECT_EQ(tool({"--profile", "laptop", "logout"}).status, 0);
  EXPECT_EQ(tool({"--profile", "laptop", "logout"}).status, 1);
  EXPECT_EQ(log_in_laptop().status, 0);
  EXPECT_EQ(tool({"--profile", "laptop", "ping", "--count", "1"}).status, 0);
}

TEST_F(RingtalkTool, says_that_its_session_was_taken_over) {
  make_user("ada");
  make_user("grace");
  Process pings(command({"--profile", "ada", "ping", "--count", "1000", "--interval-ms", "60000"}));
  ASSERT_TRUE(wait_until([&] { return has(pings.output(), "pong"); }, &pings));
  EXPECT_EQ(tool({"--profile", "ada", "send", "grace", "hi"}).status, 0);
  EXPECT_EQ(pings.wait(), 1);
  EXPECT_TRUE(has(pings.errors(), "was taken over")) << pings.errors();
  EXPECT_TRUE(has(pings.errors(), "--profile")) << pings.errors();

  // A token from before a newer login of the same device: it may not write any more.
  write_file(state_of("copy"), read_file(state_of("ada")));
  ASSERT_EQ(tool({"--server", server_.target(), "--profile", "ada", "login", "ada"}, "a password\n")
                .status,
            0);
  const Finished fenced = tool({"--profile", "copy", "send", "grace", "hi"});
  EXPECT_EQ(fenced.status, 1);
  EXPECT_EQ(fenced.output, "");
  EXPECT_TRUE(has(fenced.errors, "run: ringtalk login ada")) << fenced.errors;
}

TEST_F(RingtalkTool, shows_statistics_to_who_has_the_key) {
  const Finished shown = tool(
      {"--server", server_.target(), "stats", "--token-key", server_.data_dir() + "/token.key"});
  EXPECT_EQ(shown.status, 0) << shown.errors;
  EXPECT_TRUE(shown.output.starts_with(R"({"event":"stats","server":")" + server_.target()))
      << shown.output;
  EXPECT_TRUE(has(shown.output, R"("echoes":0)")) << shown.output;
  EXPECT_EQ(lines_with(shown.output, "\n"), 1u);
  // It is nobody's login.
  EXPECT_EQ(read_file(state_of("default")), "");

  // That was the key which a server makes in its data directory; this one was given one.
  Server own;
  ASSERT_EQ(own.error(), "");
  const Words ask = {"--server", own.target(), "stats", "--token-key"};
  const auto with_key = [&](const std::string& file) {
    Words words = ask;
    words.push_back(file);
    return tool(words);
  };
  EXPECT_EQ(with_key(own.token_key_file()).status, 0);
  const Finished wrong = with_key(server_.data_dir() + "/token.key");
  EXPECT_EQ(wrong.status, 1);
  EXPECT_TRUE(has(wrong.errors, "is not the key of " + own.target())) << wrong.errors;
  EXPECT_EQ(with_key("/nowhere/at/all").status, 2);
}

TEST_F(RingtalkTool, listens_and_sends_side_by_side) {
  make_user("ada");
  Process listen(command({"--profile", "ada", "listen", "--count", "6"}));
  ASSERT_TRUE(wait_until([&] { return has(listen.output(), "listening"); }, &listen));
  make_user("grace");
  for (int i = 0; i < 3; i++) {
    EXPECT_EQ(tool({"--profile", "ada", "send", "grace", "from here"}).status, 0);
    EXPECT_EQ(tool({"--profile", "grace", "send", "ada", "from there"}).status, 0);
  }
  EXPECT_EQ(listen.wait(), 0);
  EXPECT_EQ(listen.errors(), "");  // nobody was kicked
  EXPECT_EQ(lines_with(listen.output(), R"("event":"message")"), 6u);
}

TEST_F(RingtalkTool, comes_back_when_the_server_does) {
  Server server(ServerOptions{.token_key = false});  // its store survives
  ASSERT_EQ(server.error(), "");
  const std::string at = server.target();
  ASSERT_EQ(tool({"--server", at, "register", "ada"}, "a password\n").status, 0);
  ASSERT_EQ(tool({"--server", at, "login", "ada"}, "a password\n").status, 0);
  for (const int number : {SIGKILL, SIGTERM}) {
    Process member(command({"room", "5", "--count", "1"}));
    ASSERT_TRUE(wait_until([&] { return has(member.output(), "joined"); }, &member));
    server.process().signal(number);
    server.process().wait();
    server.start_again();
    ASSERT_EQ(server.error(), "");
    ASSERT_TRUE(wait_until([&] { return lines_with(member.output(), "joined") == 2; }, &member))
        << member.errors();
    EXPECT_TRUE(has(member.errors(), "trying again"));
    EXPECT_EQ(tool({"room", "5", "still there"}).status, 0);
    EXPECT_EQ(member.wait(), 0);
    EXPECT_TRUE(has(member.output(), "still there"));
  }
}

// The prompt: a terminal that sees the question and not the answer.
TEST_F(RingtalkTool, asks_for_the_password_without_echo) {
  const int master = ::posix_openpt(O_RDWR | O_NOCTTY | O_CLOEXEC);
  ASSERT_GE(master, 0);
  ASSERT_EQ(::grantpt(master), 0);
  ASSERT_EQ(::unlockpt(master), 0);
  const std::string terminal = ::ptsname(master);
  const std::string tool_path = program("ringtalk");
  const std::string state = "XDG_STATE_HOME=" + home_.path();
  const pid_t child = ::fork();
  if (child == 0) {
    ::setsid();
    const int slave = ::open(terminal.c_str(), O_RDWR);
    ::ioctl(slave, TIOCSCTTY, 0);
    for (int fd = 0; fd < 3; fd++) ::dup2(slave, fd);
    ::execl("/usr/bin/env", "env", state.c_str(), tool_path.c_str(), "--server",
            server_.target().c_str(), "register", "linus", nullptr);
    ::_exit(127);
  }
  std::string seen;
  const auto read_until = [&](const std::string& what) {
    char bytes[256];
    while (!has(seen, what)) {
      const ssize_t got = ::read(master, bytes, sizeof bytes);
      if (got <= 0) return false;
      seen.append(bytes, static_cast<size_t>(got));
    }
    return true;
  };
  const auto type = [&](const std::string& text) {
    ASSERT_EQ(::write(master, text.data(), text.size()), static_cast<ssize_t>(text.size()));
  };
  ASSERT_TRUE(read_until("Password: ")) << seen;
  type("opensesame\n");
  ASSERT_TRUE(read_until("Again: ")) << seen;
  type("opensesame\n");
  EXPECT_TRUE(read_until(R"("name":"linus")")) << seen;
  EXPECT_FALSE(has(seen, "opensesame")) << seen;
  int status = 0;
  ASSERT_EQ(::waitpid(child, &status, 0), child);
  EXPECT_EQ(WEXITSTATUS(status), 0);
  ::close(master);
}

}  // namespace
}  // namespace ringtalk::tests
