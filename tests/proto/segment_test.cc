#include "proto/segment.h"

#include <gtest/gtest.h>

#include <string>
#include <thread>

#include "base/counts.h"
#include "base/handoff.h"
#include "base/random.h"

namespace ringtalk::proto {
namespace {

std::span<const std::byte> bytes(std::string_view text) {
  return std::as_bytes(std::span(text));
}

std::string text(const Range& range) {
  return {reinterpret_cast<const char*>(range.data()), range.bytes};
}

TEST(Segment, appends_behind_each_other_and_merges) {
  SegmentDepot depot;
  SegmentWriter writer(depot);
  Range first = writer.append(bytes("one, "));
  const Range second = writer.append(bytes("two, "));
  const Range third = writer.append(bytes("three"));
  EXPECT_TRUE(first.adjacent(second));
  EXPECT_FALSE(first.adjacent(third));
  EXPECT_FALSE(second.adjacent(first));
  first.merge(second);
  first.merge(third);
  EXPECT_EQ(text(first), "one, two, three");
}

TEST(Segment, starts_another_where_a_frame_does_not_fit) {
  SegmentDepot depot;
  SegmentWriter writer(depot, 64);
  const Range a = writer.append(bytes(std::string(40, 'a')));
  SegmentUses uses;
  uses.hold(a);
  const Range b = writer.append(bytes(std::string(40, 'b')));
  EXPECT_NE(a.segment, b.segment);
  EXPECT_FALSE(a.adjacent(b));
  EXPECT_EQ(text(a), std::string(40, 'a'));
  EXPECT_EQ(writer.live_segments(), 2u);
  uses.release(a);
}

TEST(Segment, comes_back_with_its_last_use) {
  SegmentDepot depot;
  SegmentWriter writer(depot, 64);
  SegmentUses uses;
  const Range a = writer.append(bytes(std::string(64, 'a')));
  uses.hold(a);
  uses.hold(a);
  EXPECT_EQ(uses.pinned_bytes(), 64u);
  const Range b = writer.append(bytes(std::string(64, 'b')));
  uses.hold(b);
  EXPECT_EQ(uses.pinned_bytes(), 128u);
  uses.release(a);
  const Range c = writer.append(bytes(std::string(64, 'c')));
  EXPECT_NE(c.segment, a.segment);  // one use is left
  uses.hold(c);
  uses.release(a);
  EXPECT_EQ(uses.pinned_bytes(), 128u);
  const Range d = writer.append(bytes(std::string(64, 'd')));
  EXPECT_EQ(d.segment, a.segment);
  EXPECT_EQ(writer.segments_made(), 3u);
  uses.release(b);
  uses.release(c);
  EXPECT_EQ(uses.pinned_bytes(), 0u);
}

TEST(Segment, counts_one_reference_for_all_uses_of_a_shard) {
  SegmentDepot depot;
  SegmentWriter writer(depot);
  const Range range = writer.append(bytes("hello"));
  SegmentUses here;
  SegmentUses there;
  for (int i = 0; i < 1'000; i++) here.hold(range);
  EXPECT_EQ(range.segment->references.load(), 2u);  // the writer and one shard
  share(range);
  EXPECT_EQ(range.segment->references.load(), 3u);
  there.adopt(range);
  for (int i = 0; i < 1'000; i++) there.hold(range);
  EXPECT_EQ(range.segment->references.load(), 3u);
  share(range);
  there.adopt(range);  // a second entry: its reference is given back
  EXPECT_EQ(range.segment->references.load(), 3u);
  EXPECT_EQ(there.uses(range.segment), 1'002u);
  for (int i = 0; i < 1'000; i++) here.release(range);
  for (int i = 0; i < 1'002; i++) there.release(range);
  EXPECT_EQ(range.segment->references.load(), 1u);
  EXPECT_EQ(here.pinned_bytes() + there.pinned_bytes(), 0u);
}

TEST(Segment, is_given_back_by_a_mailbox_that_was_thrown_away) {
  SegmentDepot depot;
  SegmentWriter writer(depot, 64);
  const Range range = writer.append(bytes("lost"));
  share(range);
  writer.append(bytes(std::string(64, 'x')));
  EXPECT_EQ(writer.live_segments(), 2u);
  drop(range);
  writer.append(bytes(std::string(64, 'y')));
  EXPECT_EQ(writer.live_segments(), 1u);
}

TEST(Segment, takes_no_memory_in_a_steady_state) {
  SegmentDepot depot;
  SegmentWriter writer(depot, 1'024);
  SegmentUses uses;
  const std::string frame(100, 'x');
  std::vector<Range> queue(200);
  uint64_t before = 0;
  for (int i = 0; i < 10'000; i++) {
    if (i == 1'000) before = base::thread_counts().allocations;
    Range& slot = queue[i % queue.size()];
    if (slot.segment != nullptr) uses.release(slot);
    slot = writer.append(bytes(frame));
    uses.hold(slot);
  }
  EXPECT_EQ(base::thread_counts().allocations, before);
  EXPECT_LE(writer.live_segments(), 200 / 10 + 2u);
  for (const Range& range : queue) uses.release(range);
}

TEST(Segment, frees_what_the_pool_does_not_keep) {
  SegmentDepot depot;
  {
    SegmentWriter writer(depot, 64, 2);
    SegmentUses uses;
    std::vector<Range> burst;
    for (int i = 0; i < 100; i++) {
      burst.push_back(writer.append(bytes(std::string(64, 'x'))));
      uses.hold(burst.back());
    }
    EXPECT_EQ(depot.bytes(), 100 * (64 + sizeof(Segment)));
    for (const Range& range : burst) uses.release(range);
    writer.append(bytes(std::string(64, 'y')));
    EXPECT_LE(depot.bytes(), 4 * (64 + sizeof(Segment)));
    // Indexes are dealt again, so that the arrays of the shards stay short.
    for (int i = 0; i < 100; i++) {
      const Range range = writer.append(bytes(std::string(64, 'z')));
      uses.hold(range);
      EXPECT_LT(range.segment->index, 101u);
      burst[i] = range;
    }
    for (const Range& range : burst) uses.release(range);
  }
  EXPECT_EQ(depot.bytes(), 0u);
}

// One shard writes, two others read every byte and give back, in their own order.
TEST(Segment, crosses_threads) {
  struct Entry {
    Range range;
    char letter;
    Entry* handoff_next = nullptr;
  };
  constexpr int kFrames = 20'000;
  SegmentDepot depot;
  SegmentWriter writer(depot, 1'024);
  base::Handoff<Entry> mailboxes[2];
  std::atomic<int> bad{0};
  const auto reader = [&](base::Handoff<Entry>& mailbox, uint64_t seed) {
    SegmentUses uses;
    base::Random random(seed);
    std::vector<Entry*> held;
    int taken = 0;
    const auto let_go = [&](size_t at) {
      std::swap(held[at], held.back());
      Entry* entry = held.back();
      held.pop_back();
      if (text(entry->range) != std::string(entry->range.bytes, entry->letter)) bad++;
      uses.release(entry->range);
      delete entry;
    };
    while (taken < kFrames) {
      Entry* list = mailbox.take_all();
      if (list == nullptr) std::this_thread::yield();
      while (list != nullptr) {
        Entry* next = list->handoff_next;
        uses.adopt(list->range);
        held.push_back(list);
        taken++;
        list = next;
      }
      while (held.size() > 50) let_go(random.below(held.size()));
    }
    while (!held.empty()) let_go(random.below(held.size()));
  };
  std::thread first(reader, std::ref(mailboxes[0]), 1);
  std::thread second(reader, std::ref(mailboxes[1]), 2);
  base::Random random(3);
  for (int i = 0; i < kFrames; i++) {
    const char letter = static_cast<char>('a' + i % 26);
    const Range range = writer.append(bytes(std::string(1 + random.below(100), letter)));
    for (auto& mailbox : mailboxes) {
      share(range);
      mailbox.push(new Entry{range, letter});
    }
  }
  first.join();
  second.join();
  EXPECT_EQ(bad.load(), 0);
}

}  // namespace
}  // namespace ringtalk::proto
