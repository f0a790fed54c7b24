// The bounds of the queue, exactly: here nobody takes but the test.
#include <gtest/gtest.h>

#include "store/work_queue.h"
#include "tests/store/messages.h"

namespace ringtalk::store::test {
namespace {

constexpr size_t kBodyBytes = 1'000;

Request body_of(uint64_t id, size_t bytes = kBodyBytes) {
  return load_append(1, 2, id, std::string(bytes, 'x'));
}

const uint64_t kCost = bytes_of(body_of(1));

uint64_t first_of(const std::vector<Work>& works) {
  return std::get<Append>(works.at(0).request).id.low;
}

TEST(WorkQueue, RequestsAreBounded) {
  WorkQueue queue(2, 100 * kCost);
  EXPECT_TRUE(queue.push(body_of(1), Ticket{}));
  EXPECT_TRUE(queue.push(body_of(2), Ticket{}));
  Request third = body_of(3);
  EXPECT_FALSE(queue.push(std::move(third), Ticket{}));
  EXPECT_EQ(std::get<Append>(third).body.size(), kBodyBytes) << "a refused request stays whole";
  std::vector<Work> works;
  ASSERT_TRUE(queue.take(1, kCost, works));
  EXPECT_EQ(first_of(works), 1u);
  EXPECT_TRUE(queue.push(std::move(third), Ticket{})) << "what is taken makes room";
}

TEST(WorkQueue, BytesAreBounded) {
  WorkQueue queue(100, 2 * kCost);
  EXPECT_TRUE(queue.push(body_of(1), Ticket{}));
  EXPECT_FALSE(queue.push(body_of(2, kBodyBytes + 1), Ticket{})) << "one byte too many";
  EXPECT_TRUE(queue.push(body_of(3), Ticket{})) << "the last byte";
  EXPECT_FALSE(queue.push(body_of(4, 0), Ticket{}));
  std::vector<Work> works;
  ASSERT_TRUE(queue.take(1, kCost, works));
  EXPECT_TRUE(queue.push(body_of(5), Ticket{})) << "what is taken gives its bytes back";
  EXPECT_FALSE(queue.push(body_of(6, 0), Ticket{}));
}

TEST(WorkQueue, ABatchIsBoundedButNeverEmpty) {
  WorkQueue queue(100, 100 * kCost);
  for (uint64_t id = 1; id <= 6; id++) ASSERT_TRUE(queue.push(body_of(id), Ticket{}));
  std::vector<Work> works;
  ASSERT_TRUE(queue.take(2, 100 * kCost, works));
  EXPECT_EQ(works.size(), 2u) << "by number";
  ASSERT_TRUE(queue.take(100, 3 * kCost - 1, works));
  EXPECT_EQ(works.size(), 2u) << "by bytes";
  ASSERT_TRUE(queue.take(100, 1, works));
  EXPECT_EQ(works.size(), 1u) << "one, however long";
  EXPECT_EQ(first_of(works), 5u);
}

TEST(WorkQueue, AClosedOneGivesWhatIsLeft) {
  WorkQueue queue(100, 100 * kCost);
  ASSERT_TRUE(queue.push(body_of(1), Ticket{}));
  queue.close();
  EXPECT_FALSE(queue.push(body_of(2), Ticket{}));
  std::vector<Work> works;
  EXPECT_TRUE(queue.take(100, 100 * kCost, works));
  EXPECT_FALSE(queue.take(100, 100 * kCost, works));
}

}  // namespace
}  // namespace ringtalk::store::test
