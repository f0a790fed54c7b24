#include "base/handoff.h"

#include <gtest/gtest.h>

#include <array>
#include <thread>
#include <vector>

namespace ringtalk::base {
namespace {

struct Item {
  uint32_t producer = 0;
  uint32_t number = 0;
  Item* handoff_next = nullptr;
};

TEST(Handoff, TakesAllInOrderAndSaysWhoMustWake) {
  Handoff<Item> handoff;
  std::array<Item, 3> items;
  for (uint32_t i = 0; i < items.size(); i++) {
    items[i].number = i;
    EXPECT_EQ(handoff.push(&items[i]), i == 0);
  }
  uint32_t expected = 0;
  for (Item* item = handoff.take_all(); item != nullptr; item = item->handoff_next) {
    EXPECT_EQ(item->number, expected++);
  }
  EXPECT_EQ(expected, items.size());
  EXPECT_TRUE(handoff.empty());
  EXPECT_EQ(handoff.take_all(), nullptr);
}

TEST(Handoff, KeepsTheOrderOfEachProducerUnderContention) {
  constexpr uint32_t kProducers = 3;
  constexpr uint32_t kEach = 10'000;
  Handoff<Item> handoff;
  std::vector<std::vector<Item>> items(kProducers, std::vector<Item>(kEach));
  std::vector<std::thread> producers;
  for (uint32_t p = 0; p < kProducers; p++) {
    producers.emplace_back([&handoff, &mine = items[p], p] {
      for (uint32_t i = 0; i < kEach; i++) {
        mine[i].producer = p;
        mine[i].number = i;
        handoff.push(&mine[i]);
      }
    });
  }
  std::vector<uint32_t> next(kProducers, 0);
  for (uint32_t taken = 0; taken < kProducers * kEach;) {
    Item* item = handoff.take_all();
    if (item == nullptr) std::this_thread::yield();
    for (; item != nullptr; item = item->handoff_next, taken++) {
      ASSERT_EQ(item->number, next[item->producer]);
      next[item->producer]++;
    }
  }
  for (std::thread& producer : producers) producer.join();
}

}  // namespace
}  // namespace ringtalk::base
