#include "ring/backend.h"

#include <gtest/gtest.h>
#include <sys/resource.h>

#include <algorithm>
#include <fstream>

#include "child_process.h"
#include "ring/proactor.h"

namespace ringtalk::ring {

TEST(Backend, AutomaticTakesOneThatRunsHere) {
  const auto choice = choose_backend(Backend::automatic, "");
  ASSERT_TRUE(choice.ok());
  EXPECT_NE(choice->backend, Backend::automatic);
  // A reason is there exactly when it is not io_uring, and it is one line.
  EXPECT_EQ(choice->reason.empty(), choice->backend == Backend::io_uring) << choice->reason;
  EXPECT_EQ(choice->reason.find('\n'), std::string::npos);
  const auto made = make_proactor(choice->backend, ProactorOptions::test_min());
  ASSERT_TRUE(made.ok());
  EXPECT_STREQ((*made)->backend(), choice->backend == Backend::epoll ? "epoll" : "io_uring");
}

TEST(Backend, WhatIsAskedForByNameRunsOrIsAnError) {
  for (const Backend wanted : {Backend::epoll, Backend::io_uring}) {
    const auto choice = choose_backend(wanted, "");
    if (choice) {
      EXPECT_EQ(choice->backend, wanted);
      EXPECT_EQ(choice->reason, "");
    } else {
      EXPECT_NE(choice.error().text, "");
      EXPECT_EQ(choice.error().text.find('\n'), std::string::npos);
    }
  }
}

// A slip in --uring-mask once made the server run on epoll, with a warning.
TEST(Backend, AMaskThatNamesNothingIsAnErrorAndNoReasonForEpoll) {
  // The names are looked at whatever the host allows; only a build without the back end has none.
  const auto uring = choose_backend(Backend::io_uring, "");
  if (!uring && uring.error().text.starts_with("this build has no io_uring")) {
    GTEST_SKIP() << uring.error().text;
  }
  for (const Backend wanted : {Backend::automatic, Backend::io_uring, Backend::epoll}) {
    const auto choice = choose_backend(wanted, "peer_name,multishot_recieve");
    ASSERT_FALSE(choice.ok());
    EXPECT_TRUE(choice.error().misuse);
    EXPECT_NE(choice.error().text.find("multishot_recieve"), std::string::npos);
  }
  EXPECT_TRUE(choose_backend(Backend::automatic, "peer_name").ok());
}

TEST(Backend, TheSoftLimitOfDescriptorsBecomesTheHardOne) {
  const std::string answer = in_child_process([]() -> std::string {
    rlimit limit{};
    getrlimit(RLIMIT_NOFILE, &limit);
    limit.rlim_max = std::min<rlim_t>(limit.rlim_max, 1'000);
    limit.rlim_cur = 100;
    setrlimit(RLIMIT_NOFILE, &limit);
    const uint64_t answered = raise_descriptor_limit();
    getrlimit(RLIMIT_NOFILE, &limit);
    return std::to_string(answered) + " " + std::to_string(limit.rlim_cur);
  });
  EXPECT_EQ(answer, "1000 1000");
}

TEST(Backend, EpollProactorsShareTheDescriptorsOfTheProcess) {
  if (!choose_backend(Backend::epoll, "")) GTEST_SKIP() << "built without epoll";
  const uint32_t alone = connections_max(Backend::epoll, 1);
  EXPECT_GT(alone, 0U);
  EXPECT_LT(alone, raise_descriptor_limit());
  EXPECT_EQ(connections_max(Backend::epoll, 4), alone / 4);
  EXPECT_GE(connections_max(Backend::epoll, 1'000'000), 1U);
}

TEST(Backend, MoreMemoryThanTheHostGivesIsAnError) {
  if (!choose_backend(Backend::epoll, "")) GTEST_SKIP() << "built without epoll";
  const std::string answer = in_child_process([]() -> std::string {
    // A sanitizer has terabytes mapped already: the limit counts from there.
    uint64_t pages = 0;
    std::ifstream("/proc/self/statm") >> pages;
    const rlim_t most = pages * static_cast<uint64_t>(sysconf(_SC_PAGESIZE)) + (256 << 20);
    const rlimit limit{most, most};
    setrlimit(RLIMIT_AS, &limit);
    ProactorOptions options;
    options.connections = 10'000'000;
    const auto made = make_proactor(Backend::epoll, options);
    return made ? "made" : made.error().text;
  });
  EXPECT_EQ(answer.rfind("epoll cannot start: ", 0), 0U) << answer;
}

}  // namespace ringtalk::ring
