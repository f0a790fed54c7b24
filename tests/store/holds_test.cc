#include "store/holds.h"

#include <gtest/gtest.h>

#include "tests/store/messages.h"

namespace ringtalk::store::test {
namespace {

constexpr uint64_t kNow = 1'000'000'000;

TEST(Holds, WhatFailedComesAgainInItsOrderBeforeAnythingElse) {
  Holds holds;
  EXPECT_FALSE(holds.holds_back(load_append(1, 2, 1), kNow));
  // 1 and 2 failed in one batch, 3 was in the queue.
  holds.failed(load_append(1, 2, 2), kNow);
  holds.failed(load_append(1, 2, 1), kNow);
  EXPECT_TRUE(holds.holds_back(load_append(1, 2, 3), kNow));
  EXPECT_TRUE(holds.holds_back(load_append(1, 2, 2), kNow));
  EXPECT_FALSE(holds.holds_back(load_append(1, 2, 1), kNow));
  EXPECT_TRUE(holds.holds_back(load_append(1, 2, 4), kNow));
  EXPECT_FALSE(holds.holds_back(load_append(1, 2, 2), kNow));
  EXPECT_FALSE(holds.holds_back(load_append(1, 2, 3), kNow));
  EXPECT_FALSE(holds.holds_back(load_append(1, 2, 4), kNow));
  EXPECT_FALSE(holds.holds_back(load_append(1, 2, 5), kNow));
}

TEST(Holds, OthersAreNotHeldBack) {
  Holds holds;
  holds.failed(load_append(1, 2, 1), kNow);
  EXPECT_FALSE(holds.holds_back(load_append(1, 3, 9), kNow));
  EXPECT_FALSE(holds.holds_back(load_append(2, 1, 9), kNow));
  Append other_session = load_append(1, 2, 9);
  other_session.holder.session = 77;
  EXPECT_FALSE(holds.holds_back(other_session, kNow));
  EXPECT_TRUE(holds.holds_back(load_append(1, 2, 9), kNow));
}

// A client that gives a message up must not be silenced for ever.
TEST(Holds, EndAfterAWhile) {
  Holds holds;
  holds.failed(load_append(1, 2, 1), kNow);
  uint64_t now = kNow;
  while (holds.holds_back(load_append(1, 2, 2), now)) {
    now += 1'000'000'000;
    ASSERT_LT(now, kNow + 60'000'000'000);
  }
  EXPECT_GT(now, kNow + 10'000'000'000);
}

}  // namespace
}  // namespace ringtalk::store::test
