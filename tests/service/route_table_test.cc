#include "service/route_table.h"

#include <gtest/gtest.h>

#include <map>
#include <vector>

#include "base/random.h"
#include "tests/support/seed.h"

namespace ringtalk::service {
namespace {

std::vector<uint32_t> entries_of(const RouteTable& table, proto::UserId user) {
  std::vector<uint32_t> found;
  for (uint32_t at = table.first(user); at != kNoIndex; at = table.next(at)) found.push_back(at);
  return found;
}

TEST(RouteTable, StartsEmpty) {
  const RouteTable table;
  EXPECT_EQ(table.first(7), kNoIndex);
  EXPECT_EQ(table.users(), 0u);
}

TEST(RouteTable, KeepsTheOrderOfAUsersEntries) {
  RouteTable table;
  const std::vector<uint32_t> added{table.add(7), table.add(7), table.add(7)};
  // So many others that each bucket has been split.
  for (proto::UserId user = 100; user < 5'000; user++) table.add(user);
  EXPECT_EQ(entries_of(table, 7), added);
  EXPECT_EQ(table.users(), 4'901u);
}

TEST(RouteTable, AnIndexStaysGoodWhileOthersComeAndGo) {
  const uint64_t seed = tests::test_seed(11);
  base::Random random(seed);
  RouteTable table;
  std::map<proto::UserId, std::vector<uint32_t>> model;
  for (uint32_t step = 0; step < 40'000; step++) {
    // Users of one home: the lower bits of their hashes are the same.
    proto::UserId user = 1 + random.next() % 3'000;
    while (proto::mix(user) % 8 != 3) user++;
    std::vector<uint32_t>& known = model[user];
    if (known.empty() || random.next() % 5 < 3) {
      const uint32_t at = table.add(user);
      table[at].device = user ^ step;
      table[at].epoch = step;
      known.push_back(at);
    } else {
      const size_t which = random.next() % known.size();
      const uint32_t at = known[which];
      ASSERT_EQ(table[at].user, user);
      ASSERT_EQ(table[at].device, user ^ table[at].epoch) << "seed " << seed;
      table.remove(at);
      known.erase(known.begin() + static_cast<ptrdiff_t>(which));
    }
    ASSERT_EQ(entries_of(table, user), known) << "seed " << seed << " step " << step;
  }
  uint32_t users = 0;
  for (const auto& [user, known] : model) {
    ASSERT_EQ(entries_of(table, user), known) << "seed " << seed;
    users += known.empty() ? 0 : 1;
  }
  EXPECT_EQ(table.users(), users);
}

}  // namespace
}  // namespace ringtalk::service
