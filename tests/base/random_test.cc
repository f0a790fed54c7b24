#include "base/random.h"

#include <gtest/gtest.h>

namespace ringtalk::base {
namespace {

TEST(Random, RepeatsItsSequenceForASeed) {
  Random one(7), same(7), other(8);
  bool differs = false;
  for (int i = 0; i < 100; i++) {
    const uint64_t value = one.next();
    EXPECT_EQ(value, same.next());
    differs |= value != other.next();
  }
  EXPECT_TRUE(differs);
}

TEST(Random, StaysBelowItsBoundAndReachesEveryValue) {
  Random random(1);
  bool seen[10] = {};
  for (int i = 0; i < 1'000; i++) {
    const uint64_t value = random.below(10);
    ASSERT_LT(value, 10u);
    seen[value] = true;
    const double unit = random.unit();
    ASSERT_GE(unit, 0.0);
    ASSERT_LT(unit, 1.0);
  }
  for (bool reached : seen) EXPECT_TRUE(reached);
}

}  // namespace
}  // namespace ringtalk::base
