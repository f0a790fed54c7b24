// A build with epoll alone (-Dproactor=epoll): it says so, with the remedy.
#include <gtest/gtest.h>

#include "ring/backend.h"
#include "ring/proactor.h"

namespace ringtalk::ring {

TEST(BackendWithoutUring, AutomaticTakesEpollAndSaysWhy) {
  const auto choice = choose_backend(Backend::automatic, "");
  ASSERT_TRUE(choice.ok());
  EXPECT_EQ(choice->backend, Backend::epoll);
  EXPECT_NE(choice->reason.find("-Dproactor=both"), std::string::npos) << choice->reason;
}

TEST(BackendWithoutUring, AskedForByNameItIsAnError) {
  const auto choice = choose_backend(Backend::io_uring, "");
  ASSERT_FALSE(choice.ok());
  EXPECT_NE(choice.error().text.find("--backend=epoll"), std::string::npos);
  EXPECT_FALSE(make_proactor(Backend::io_uring, {}).ok());
  EXPECT_EQ(connections_max(Backend::io_uring, 1), 0U);
}

}  // namespace ringtalk::ring
