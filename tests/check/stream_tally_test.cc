#include "check/stream_tally.h"

#include <gtest/gtest.h>

#include <vector>

#include "base/random.h"
#include "tests/support/seed.h"

namespace ringtalk::check {
namespace {

uint64_t hash_of(uint64_t number) {
  return number * 0x9e3779b97f4a7c15;
}

struct Judged {
  SentStream sent;
  StreamTally tally;
  uint64_t duplicated = 0, late = 0, gaps = 0;

  void arrive(uint64_t number) {
    switch (tally.arrive(number, hash_of(number))) {
      case Arrived::in_order:
        break;
      case Arrived::after_gap:
        gaps++;
        break;
      case Arrived::late:
        late++;
        break;
      case Arrived::duplicated:
        duplicated++;
        break;
    }
  }
  uint64_t issue() {
    const uint64_t number = sent.issue();
    sent.add(hash_of(number));
    return number;
  }
};

TEST(StreamTally, ACleanStreamIsClean) {
  Judged j;
  for (int i = 0; i < 1'000; i++) j.arrive(j.issue());
  EXPECT_EQ(j.tally.missing(j.sent.count), 0u);
  EXPECT_EQ(j.duplicated + j.late + j.gaps, 0u);
  EXPECT_EQ(j.tally.hashes, j.sent.hashes);
  EXPECT_FALSE(j.tally.falsified(j.sent));
}

// What a server does that drops, repeats and swaps one message in N each: found with exactly those
// counts.
TEST(StreamTally, PlantedFaultsAreFoundWithTheirCounts) {
  base::Random random(tests::test_seed(11));
  for (int round = 0; round < 200; round++) {
    Judged j;
    uint64_t dropped = 0, repeated = 0, swapped = 0;
    const uint64_t one_in = 3 + random.below(50);
    while (j.sent.count < 5'000) {
      const uint64_t number = j.issue();
      switch (random.below(one_in)) {
        case 0:
          dropped++;
          break;
        case 1:
          j.arrive(number);
          j.arrive(number);
          repeated++;
          break;
        case 2: {
          const uint64_t next = j.issue();
          j.arrive(next);
          j.arrive(number);
          swapped++;
          break;
        }
        default:
          j.arrive(number);
      }
    }
    EXPECT_EQ(j.tally.missing(j.sent.count), dropped);
    EXPECT_EQ(j.duplicated, repeated);
    EXPECT_EQ(j.late, swapped);
    EXPECT_FALSE(j.tally.falsified(j.sent));
  }
}

TEST(StreamTally, WhatWasMadeUpIsTold) {
  Judged j;
  for (int i = 0; i < 10; i++) j.arrive(j.issue());
  Judged altered = j;
  altered.tally.hashes++;
  EXPECT_TRUE(altered.tally.falsified(j.sent));
  j.arrive(11);
  EXPECT_TRUE(j.tally.falsified(j.sent));
}

TEST(StreamTally, SkippingForgivesAndCounts) {
  Judged j;
  for (uint64_t number : {1, 2, 5, 6}) j.arrive(number);
  EXPECT_EQ(j.tally.skip_to(8), 4u);
  j.arrive(7);
  EXPECT_EQ(j.duplicated, 1u);
  j.arrive(9);
  j.arrive(11);
  EXPECT_EQ(j.tally.missing(12), 2u);
  EXPECT_EQ(j.tally.missing(8), 0u);
}

TEST(StreamTally, WhatWasGivenUpStaysMissingAndMovesOn) {
  Judged j;
  for (uint64_t number : {1, 2}) j.arrive(number);
  j.tally.give_up_to(5);
  j.arrive(6);
  EXPECT_EQ(j.gaps, 0u);
  EXPECT_EQ(j.tally.last, 6u);
  EXPECT_EQ(j.tally.missing(6), 3u);
  for (uint64_t number : {1, 2, 6}) j.arrive(number);
  EXPECT_EQ(j.duplicated, 3u);
  j.tally.give_up_to(100);
  j.arrive(101);
  EXPECT_EQ(j.tally.missing(101), 97u);
}

TEST(StreamTally, BeyondTheWindowLateCountsAsDuplicated) {
  Judged j;
  j.arrive(2);
  j.arrive(64);
  j.arrive(1);
  EXPECT_EQ(j.late, 1u);
  Judged far;
  far.arrive(2);
  far.arrive(65);
  far.arrive(1);
  EXPECT_EQ(far.late, 0u);
  EXPECT_EQ(far.duplicated, 1u);
  EXPECT_EQ(far.tally.missing(65), 63u);
}

}  // namespace
}  // namespace ringtalk::check
