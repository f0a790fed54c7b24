// What the server does where the host forbids io_uring: the programs, under a real filter.
#include <algorithm>
#include <cstdlib>

#include <gtest/gtest.h>

#include "tests/e2e/real_server.h"

namespace ringtalk::tests {
namespace {

std::string launcher() {
  const char* build = std::getenv("RINGTALK_BUILD");
  return std::string(build != nullptr ? build : "build") + "/tests/e2e/without_uring";
}

size_t lines_with(const std::string& text, const std::string& part) {
  size_t count = 0;
  for (size_t at = text.find(part); at != std::string::npos; at = text.find(part, at + 1)) count++;
  return count;
}

// A host that takes no filter cannot show this.
bool takes_filters() {
  return run({.argv = {launcher(), "/bin/true"}}).status == 0;
}

TEST(WithoutUring, AutoServesOnEpollAndSaysWhyAndWhatToDo) {
  if (!takes_filters()) GTEST_SKIP() << "this host takes no seccomp filter";
  Server server({.arguments = {"--backend", "auto"}, .wrapper = {launcher()}});
  ASSERT_EQ(server.error(), "");
  EXPECT_EQ(server.backend(), "epoll");
  RawClient client(server.port());
  ASSERT_TRUE(client.log_in(server.token_key_file(), load_user(1)));
  client.say(client.write().echo(3, as_bytes("hello")));
  EXPECT_NE(client.hear_a<wire::Echo>(), nullptr);
  const std::string log = server.process().errors();
  EXPECT_EQ(lines_with(log, "io_uring: "), 1u) << log;
  const size_t at = log.find("io_uring: ");
  EXPECT_NE(log.substr(at, log.find('\n', at) - at).find("; "), std::string::npos)
      << "cause; remedy: " << log;
  EXPECT_NE(server.process().output().find(" epoll, "), std::string::npos)
      << server.process().output();
}

TEST(WithoutUring, AskedForByNameItStopsWithTheSameLine) {
  if (!takes_filters()) GTEST_SKIP() << "this host takes no seccomp filter";
  Server server({.arguments = {"--backend", "io_uring"}, .wrapper = {launcher()}});
  EXPECT_NE(server.error(), "");
  EXPECT_EQ(server.process().wait(), 2);
  const std::string said = server.process().errors();
  EXPECT_EQ(std::count(said.begin(), said.end(), '\n'), 1) << said;
  EXPECT_NE(said.find("io_uring: "), std::string::npos) << said;
  EXPECT_NE(said.find("; "), std::string::npos) << said;
  EXPECT_EQ(server.process().output(), "");
}

}  // namespace
}  // namespace ringtalk::tests
