// What is chosen where the host forbids io_uring, under a real system call filter.
#include <gtest/gtest.h>
#include <seccomp.h>

#include <cerrno>
#include <string>

#include "child_process.h"
#include "ring/backend.h"

namespace ringtalk::ring {
namespace {

// From here on io_uring_setup fails with `number` in this process.
bool forbid_uring(int number) {
  scmp_filter_ctx filter = seccomp_init(SCMP_ACT_ALLOW);
  if (filter == nullptr) return false;
  const bool loaded = seccomp_rule_add(filter, SCMP_ACT_ERRNO(static_cast<uint32_t>(number)),
                                       SCMP_SYS(io_uring_setup), 0) == 0 &&
                      seccomp_load(filter) == 0;
  seccomp_release(filter);
  return loaded;
}

std::string choose_under_filter(Backend wanted, int number) {
  return in_child_process([wanted, number]() -> std::string {
    if (!forbid_uring(number)) return "no filter";
    const auto choice = choose_backend(wanted, "");
    if (!choice) return "error: " + choice.error().text;
    return (choice->backend == Backend::epoll ? "epoll: " : "io_uring: ") + choice->reason;
  });
}

TEST(UringFallback, AutoTakesEpollAndNamesCauseAndRemedy) {
  const std::string answer = choose_under_filter(Backend::automatic, EPERM);
  EXPECT_TRUE(answer.starts_with("epoll: io_uring: ")) << answer;
  EXPECT_NE(answer.find("; "), std::string::npos) << answer;
  EXPECT_EQ(answer.find('\n'), std::string::npos) << answer;
}

TEST(UringFallback, AFilterThatHidesTheCallIsNamedAsOne) {
  const std::string answer = choose_under_filter(Backend::automatic, ENOSYS);
  EXPECT_TRUE(answer.starts_with("epoll: io_uring: a seccomp filter hides it")) << answer;
}

TEST(UringFallback, AskedForByNameItIsAnError) {
  const std::string answer = choose_under_filter(Backend::io_uring, EPERM);
  EXPECT_TRUE(answer.starts_with("error: io_uring: ")) << answer;
  EXPECT_NE(answer.find("; "), std::string::npos) << answer;
}

TEST(UringFallback, EpollByNameAsksNothingOfUring) {
  const std::string answer = choose_under_filter(Backend::epoll, EPERM);
  EXPECT_EQ(answer, "epoll: ");
}

}  // namespace
}  // namespace ringtalk::ring
