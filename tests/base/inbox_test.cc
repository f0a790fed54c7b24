#include "base/inbox.h"

#include <gtest/gtest.h>

#include <thread>
#include <vector>

namespace ringtalk::base {
namespace {

struct Entry {
  uint32_t producer;
  uint32_t number;
};

TEST(Inbox, GivesBackInOrderAndSaysWhenFull) {
  Inbox<Entry> inbox(4);
  for (uint32_t i = 0; i < 4; i++) EXPECT_EQ(inbox.push({0, i}), Pushed::queued);
  EXPECT_EQ(inbox.push({0, 4}), Pushed::full);
  Entry entry{};
  for (uint32_t i = 0; i < 4; i++) {
    ASSERT_TRUE(inbox.pop(entry));
    EXPECT_EQ(entry.number, i);
  }
  EXPECT_FALSE(inbox.pop(entry));
  EXPECT_EQ(inbox.push({0, 5}), Pushed::queued);
}

TEST(Inbox, AsksForAWakeOnlyWhileTheOwnerSleeps) {
  Inbox<Entry> inbox(4);
  ASSERT_TRUE(inbox.prepare_sleep());
  EXPECT_EQ(inbox.push({0, 0}), Pushed::wake);
  inbox.awake();
  EXPECT_EQ(inbox.push({0, 1}), Pushed::queued);
  EXPECT_FALSE(inbox.prepare_sleep());
}

TEST(Inbox, KeepsTheOrderOfEachProducerUnderContention) {
  constexpr uint32_t kProducers = 3;
  constexpr uint32_t kEach = 20'000;
  Inbox<Entry> inbox(64);
  std::vector<std::thread> producers;
  for (uint32_t p = 0; p < kProducers; p++) {
    producers.emplace_back([&inbox, p] {
      for (uint32_t i = 0; i < kEach; i++) {
        while (inbox.push({p, i}) == Pushed::full) std::this_thread::yield();
      }
    });
  }
  std::vector<uint32_t> next(kProducers, 0);
  Entry entry{};
  for (uint32_t taken = 0; taken < kProducers * kEach;) {
    if (!inbox.pop(entry)) {
      std::this_thread::yield();
      continue;
    }
    ASSERT_EQ(entry.number, next[entry.producer]);
    next[entry.producer]++;
    taken++;
  }
  for (std::thread& producer : producers) producer.join();
  EXPECT_TRUE(inbox.empty());
}

}  // namespace
}  // namespace ringtalk::base
