#include "base/histogram.h"

#include <gtest/gtest.h>

#include <algorithm>
#include <vector>

#include "base/random.h"

namespace ringtalk::base {
namespace {

TEST(Histogram, IsEmptyAtFirst) {
  Histogram histogram;
  EXPECT_EQ(histogram.count(), 0u);
  EXPECT_EQ(histogram.min(), 0u);
  EXPECT_EQ(histogram.max(), 0u);
  EXPECT_EQ(histogram.value_at(0.99), 0u);
  EXPECT_TRUE(histogram.counts().empty());
}

TEST(Histogram, BucketsAreDenseAndHoldTheirValues) {
  uint64_t next = 0;
  for (size_t i = 0; i < Histogram::kIndexes && next <= Histogram::kHighest; i++) {
    ASSERT_EQ(Histogram::lowest_of(i), next);
    ASSERT_EQ(Histogram::index_of(Histogram::lowest_of(i)), i);
    const uint64_t highest = Histogram::highest_of(i);
    ASSERT_EQ(Histogram::index_of(std::min(highest, Histogram::kHighest)), i);
    // Three digits: the width of a bucket is at most a thousandth of its values.
    ASSERT_LE((highest - next) * 1'000, std::max<uint64_t>(next, 1'000));
    next = highest + 1;
  }
  EXPECT_GT(next, Histogram::kHighest);
}

TEST(Histogram, SmallValuesAreExact) {
  Histogram histogram;
  for (uint64_t v = 1; v <= 100; v++) histogram.record(v);
  EXPECT_EQ(histogram.value_at(0), 1u);
  EXPECT_EQ(histogram.value_at(0.5), 50u);
  EXPECT_EQ(histogram.value_at(0.99), 99u);
  EXPECT_EQ(histogram.value_at(1), 100u);
  EXPECT_EQ(histogram.count_at_most(30), 30u);
  EXPECT_DOUBLE_EQ(histogram.mean(), 50.5);
}

TEST(Histogram, WhatIsLongerThanAnHourCountsAsAnHour) {
  Histogram histogram;
  histogram.record(UINT64_MAX);
  EXPECT_EQ(histogram.max(), Histogram::kHighest);
  EXPECT_EQ(histogram.value_at(1), Histogram::kHighest);
}

TEST(Histogram, QuantilesAreWithinAThousandthOfTheSortedValues) {
  const uint64_t seed = 42;
  SCOPED_TRACE(seed);
  Random random(seed);
  Histogram histogram;
  std::vector<uint64_t> values;
  for (int i = 0; i < 20'000; i++) {
    const uint64_t value = uint64_t{1} << random.below(31);
    values.push_back(value + random.below(value));
    histogram.record(values.back());
  }
  std::sort(values.begin(), values.end());
  for (double quantile : {0.1, 0.5, 0.9, 0.99, 0.999, 0.9999}) {
    const auto exact =
        static_cast<double>(values[static_cast<size_t>(quantile * 20'000 + 0.5) - 1]);
    const auto found = static_cast<double>(histogram.value_at(quantile));
    EXPECT_GE(found, exact);
    EXPECT_LE(found, exact * 1.001);
  }
}

TEST(Histogram, MergingIsTheSameAsRecordingInOne) {
  const uint64_t seed = 7;
  SCOPED_TRACE(seed);
  Random random(seed);
  Histogram whole, parts[3];
  for (int i = 0; i < 3'000; i++) {
    const uint64_t value = random.below(5'000'000);
    whole.record(value);
    parts[i % 3].record(value);
  }
  Histogram merged;
  for (const Histogram& part : parts) merged.merge(part);
  merged.merge(Histogram());
  EXPECT_EQ(merged.count(), whole.count());
  EXPECT_EQ(merged.min(), whole.min());
  EXPECT_EQ(merged.max(), whole.max());
  ASSERT_EQ(merged.counts().size(), whole.counts().size());
  EXPECT_TRUE(std::equal(merged.counts().begin(), merged.counts().end(), whole.counts().begin()));
}

}  // namespace
}  // namespace ringtalk::base
