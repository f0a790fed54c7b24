#include "ring/tenants.h"

#include <gtest/gtest.h>

namespace ringtalk::ring {
namespace {

struct Entry {
  uint32_t generation;
  uint32_t value;
  uint32_t free_next;
};

TEST(Tenants, EachNamesItsOwnTenantOnly) {
  Tenants<Entry> tenants(2);
  const uint32_t slot = tenants.take();
  const ConnectionId first = tenants.id_of(slot);
  EXPECT_NE(first.generation, 0U);
  const Token token = Token::unpack(tenants.token(9, slot));
  EXPECT_EQ(token.operation, 9);
  EXPECT_EQ(token.slot, slot);
  EXPECT_FALSE(tenants.is_stale(token.slot, token.generation));
  EXPECT_EQ(&tenants.at(first), &tenants[slot]);
  tenants.give_back(slot);
  EXPECT_TRUE(tenants.is_stale(token.slot, token.generation)) << "while nobody has the slot";
  EXPECT_EQ(tenants.take(), slot);
  EXPECT_TRUE(tenants.is_stale(token.slot, token.generation));
  EXPECT_NE(tenants.id_of(slot), first);
  EXPECT_DEATH(tenants.at(first), "generation");
}

TEST(Tenants, BeginEmptyWhateverWasLeft) {
  Tenants<Entry> tenants(1);
  tenants[tenants.take()].value = 42;
  EXPECT_EQ(tenants.room(), 0U);
  tenants.give_back(0);
  EXPECT_EQ(tenants.room(), 1U);
  EXPECT_EQ(tenants[0].value, 42U) << "as it was left";
  EXPECT_EQ(tenants[tenants.take()].value, 0U);
  EXPECT_EQ(tenants.taken(), 1U);
}

TEST(Tenants, NoGenerationIsZero) {
  Tenants<Entry> tenants(1);
  tenants[tenants.take()].generation = UINT32_MAX;
  tenants.give_back(0);
  EXPECT_EQ(tenants.id_of(tenants.take()).generation, 1U);
}

TEST(Tenants, TakingMoreThanThereIsRoomForIsAnError) {
  Tenants<Entry> tenants(1);
  tenants.take();
  EXPECT_DEATH(tenants.take(), "kNone");
}

}  // namespace
}  // namespace ringtalk::ring
