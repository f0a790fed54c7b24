#include "base/counts.h"

#include <gtest/gtest.h>

#include <memory>
#include <new>
#include <thread>
#include <vector>

namespace ringtalk::base {
namespace {

struct alignas(256) Wide {
  std::byte bytes[256];
};

TEST(Counts, EveryFormOfNewIsCounted) {
  const uint64_t before = thread_counts().allocations;
  auto one = std::make_unique<int>(1);
  auto many = std::make_unique<int[]>(100);
  auto wide = std::make_unique<Wide>();
  std::unique_ptr<int> quiet(new (std::nothrow) int(2));
  std::vector<uint64_t> grown(10);
  EXPECT_EQ(thread_counts().allocations - before, 5u);
  EXPECT_EQ(reinterpret_cast<uintptr_t>(wide.get()) % alignof(Wide), 0u);
}

TEST(Counts, NothingIsCountedWhereNothingHappens) {
  std::vector<int> kept;
  kept.reserve(8);
  const ThreadCounts before = thread_counts();
  for (int i = 0; i < 8; i++) kept.push_back(i);
  EXPECT_EQ(thread_counts().allocations, before.allocations);
  EXPECT_EQ(thread_counts().copies, before.copies);
}

TEST(Counts, CopiesAndTheirBytes) {
  const ThreadCounts before = thread_counts();
  char to[16];
  counted_copy(to, "0123456789abcdef", 16);
  EXPECT_EQ(thread_counts().copies - before.copies, 1u);
  EXPECT_EQ(thread_counts().copied_bytes - before.copied_bytes, 16u);
  EXPECT_EQ(to[15], 'f');
}

TEST(Counts, EachThreadHasItsOwn) {
  const uint64_t before = thread_counts().copies;
  uint64_t others = 0;
  std::thread([&] {
    char to = 0;
    counted_copy(&to, "x", 1);
    others = thread_counts().copies;
  }).join();
  EXPECT_EQ(others, 1u);
  EXPECT_EQ(thread_counts().copies, before);
}

}  // namespace
}  // namespace ringtalk::base
