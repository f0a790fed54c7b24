#include "ring/slab.h"

#include <gtest/gtest.h>

#include <set>

#include "ring/token.h"

namespace ringtalk::ring {
namespace {

struct Item {
  uint64_t value;
  uint32_t free_next;
};

}  // namespace

TEST(Slab, GivesEachSlotOnceAndThenNone) {
  Slab<Item> slab(3);
  ASSERT_TRUE(slab.ok());
  std::set<uint32_t> slots;
  for (int i = 0; i < 3; i++) slots.insert(slab.take());
  EXPECT_EQ(slots, (std::set<uint32_t>{0, 1, 2}));
  EXPECT_EQ(slab.taken(), 3U);
  EXPECT_EQ(slab.take(), Slab<Item>::kNone);
  EXPECT_EQ(slab.taken(), 3U);
}

TEST(Slab, ReusesTheLatestFirstAndLeavesItsStateAlone) {
  Slab<Item> slab(100);
  const uint32_t first = slab.take();
  const uint32_t second = slab.take();
  EXPECT_EQ(slab[first].value, 0U);
  slab[second].value = 42;
  slab.give_back(first);
  slab.give_back(second);
  EXPECT_EQ(slab.take(), second);
  EXPECT_EQ(slab[second].value, 42U);
  EXPECT_EQ(slab.take(), first);
  // Only what was used has been touched.
  EXPECT_EQ(slab.fresh(), 2U);
}

TEST(Slab, ReservesMoreThanItTouches) {
  // 16 GiB of address space, not of memory.
  Slab<Item> slab(1U << 30);
  EXPECT_TRUE(slab.ok());
  slab[slab.take()].value = 1;
  EXPECT_EQ(slab.taken(), 1U);
}

TEST(Token, PacksAndUnpacks) {
  for (const Token token : {Token{0, 0, 0}, Token{255, kSlotsMax - 1, UINT32_MAX},
                            Token{3, 0x123456, 0x9abcdef0}, Token{1, 1, 1}}) {
    const Token back = Token::unpack(token.pack());
    EXPECT_EQ(back.operation, token.operation);
    EXPECT_EQ(back.slot, token.slot);
    EXPECT_EQ(back.generation, token.generation);
  }
  EXPECT_EQ((Token{0x12, 0x345678, 0x9abcdef0}.pack()), 0x123456789abcdef0U);
}

}  // namespace ringtalk::ring
