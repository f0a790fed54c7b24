#include "ring/error.h"

#include <gtest/gtest.h>

#include <cerrno>
#include <set>
#include <string>

namespace ringtalk::ring {

TEST(Error, EveryErrorHasATextOfItsOwn) {
  std::set<std::string> texts;
  for (int i = 0; i <= static_cast<int>(Error::other); i++) {
    texts.insert(to_string(static_cast<Error>(i)));
  }
  EXPECT_EQ(texts.size(), static_cast<size_t>(Error::other) + 1);
}

TEST(Error, ErrnosMeanWhatACallerDecidesOn) {
  EXPECT_EQ(error_from_errno(ECANCELED), Error::cancelled);
  EXPECT_EQ(error_from_errno(ECONNREFUSED), Error::refused);
  EXPECT_EQ(error_from_errno(ECONNRESET), Error::reset);
  EXPECT_EQ(error_from_errno(EPIPE), Error::broken);
  EXPECT_EQ(error_from_errno(ETIMEDOUT), Error::timed_out);
  EXPECT_EQ(error_from_errno(EHOSTUNREACH), Error::unreachable);
  EXPECT_EQ(error_from_errno(ENETUNREACH), Error::unreachable);
  EXPECT_EQ(error_from_errno(EADDRINUSE), Error::address_in_use);
  EXPECT_EQ(error_from_errno(EADDRNOTAVAIL), Error::address_unavailable);
  EXPECT_EQ(error_from_errno(EACCES), Error::permission);
  EXPECT_EQ(error_from_errno(EMFILE), Error::no_descriptors);
  EXPECT_EQ(error_from_errno(ENFILE), Error::no_descriptors);
  EXPECT_EQ(error_from_errno(ENOBUFS), Error::no_memory);
  EXPECT_EQ(error_from_errno(ENOSYS), Error::unsupported);
  EXPECT_EQ(error_from_errno(EXDEV), Error::other);
}

TEST(Error, NoErrnoIsSuccess) {
  for (int number = 1; number < 200; number++) {
    EXPECT_NE(error_from_errno(number), Error::none) << number;
  }
}

}  // namespace ringtalk::ring
