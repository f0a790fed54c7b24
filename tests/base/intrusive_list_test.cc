#include "base/intrusive_list.h"

#include <gtest/gtest.h>

#include <vector>

namespace ringtalk::base {
namespace {

struct VectorLinks {
  std::vector<ListLinks>* links;
  ListLinks& operator()(uint32_t slot) const { return (*links)[slot]; }
};

TEST(IntrusiveList, RemovesFromTheFrontTheMiddleAndTheEnd) {
  std::vector<ListLinks> links(5);
  IntrusiveList<VectorLinks> list(VectorLinks{&links});
  for (uint32_t slot = 0; slot < 5; slot++) list.push_back(slot);
  list.remove(0);
  list.remove(2);
  list.remove(4);
  EXPECT_EQ(list.count(), 2u);
  EXPECT_EQ(list.pop_front(), 1u);
  EXPECT_EQ(list.pop_front(), 3u);
  EXPECT_EQ(list.pop_front(), kNoSlot);
  EXPECT_TRUE(list.empty());
  list.push_back(2);
  EXPECT_EQ(list.first(), 2u);
}

TEST(IntrusiveListDeathTest, RefusesASlotThatIsInAlready) {
  std::vector<ListLinks> links(2);
  IntrusiveList<VectorLinks> list(VectorLinks{&links});
  list.push_back(0);
  EXPECT_DEATH(list.push_back(0), "assertion failed");
}

}  // namespace
}  // namespace ringtalk::base
