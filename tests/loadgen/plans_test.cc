#include <gtest/gtest.h>

#include <set>

#include "loadgen/address_plan.h"
#include "loadgen/thread_plan.h"

namespace ringtalk::loadgen {
namespace {

AddressFacts facts(bool answers) {
  AddressFacts found;
  found.ports = {10'001, 10'200};  // half: 100 for each pair
  found.answers = [answers](const ring::Address&) { return answers; };
  return found;
}

std::vector<ring::Address> targets(const char* text) {
  return {*ring::Address::parse(text)};
}

TEST(AddressPlan, OnePairLeavesTheChoiceToTheKernel) {
  const AddressPlan plan = plan_addresses(targets("127.0.0.1:7380"), 100, facts(true));
  ASSERT_EQ(plan.pairs.size(), 1u);
  EXPECT_EQ(plan.pairs[0].source.family, ring::Family::none);
  EXPECT_TRUE(plan.enough);
}

TEST(AddressPlan, LoopbackSpreadsOverDestinationsThatAnswer) {
  const AddressPlan plan = plan_addresses(targets("127.0.0.1:7380"), 250, facts(true));
  ASSERT_EQ(plan.pairs.size(), 3u);
  std::set<std::string> to;
  for (const AddressPair& pair : plan.pairs) {
    EXPECT_EQ(pair.source.family, ring::Family::none);
    to.insert(pair.to.text());
  }
  EXPECT_EQ(to, (std::set<std::string>{"127.0.0.1:7380", "127.0.0.2:7380", "127.0.0.3:7380"}));
  EXPECT_EQ(plan.capacity, 300u);
}

TEST(AddressPlan, LoopbackSpreadsOverSourcesOtherwise) {
  const AddressPlan plan = plan_addresses(targets("127.0.0.1:7380"), 100'000, facts(false));
  ASSERT_EQ(plan.pairs.size(), 1'000u);
  std::set<std::string> from;
  for (const AddressPair& pair : plan.pairs) {
    EXPECT_EQ(pair.to.text(), "127.0.0.1:7380");
    EXPECT_TRUE(pair.source.is_loopback());
    from.insert(pair.source.text());
  }
  EXPECT_EQ(from.size(), 1'000u);
  EXPECT_TRUE(plan.enough);
  EXPECT_EQ(plan.of(1'001).source, plan.pairs[1].source);
}

TEST(AddressPlan, ElsewhereItUsesTheHostsAddressesAndSaysWhenTheyAreTooFew) {
  AddressFacts found = facts(true);
  found.local = {*ring::Address::parse("10.0.0.1:0"), *ring::Address::parse("10.0.0.2:0")};
  const AddressPlan plan = plan_addresses(targets("10.9.9.9:7380"), 300, found);
  EXPECT_EQ(plan.pairs.size(), 2u);
  EXPECT_EQ(plan.capacity, 200u);
  EXPECT_FALSE(plan.enough);
  EXPECT_NE(plan.text.find("too few"), std::string::npos);
}

TEST(ThreadPlan, TakesAsManyRingsAsHoldTheClients) {
  const auto direct = [](uint32_t) { return 20'000u; };
  EXPECT_EQ(plan_threads(64, 0, direct).rings.size(), 1u);
  const ThreadPlan plan = plan_threads(100'000, 0, direct);
  EXPECT_TRUE(plan.enough);
  EXPECT_EQ(plan.rings.size(), 6u);
  uint64_t next = 0;
  for (size_t i = 0; i < plan.rings.size(); i++) {
    EXPECT_EQ(plan.rings[i].first, next);
    EXPECT_EQ(next % 2, 0u) << "a pair is never cut";
    EXPECT_LE(plan.rings[i].clients + spare_slots(plan.rings[i].clients), 20'000u);
    EXPECT_EQ(plan.ring_of(next), i);
    next = plan.end_of(i);
    EXPECT_EQ(plan.ring_of(next - 1), i);
  }
  EXPECT_EQ(next, 100'000u);
}

TEST(ThreadPlan, SharedDescriptorsDoNotGrowWithRings) {
  const auto shared = [](uint32_t threads) { return 20'000u / threads; };
  const ThreadPlan plan = plan_threads(100'000, 0, shared);
  EXPECT_FALSE(plan.enough);
  EXPECT_EQ(plan.rings.size(), 1u);
  EXPECT_NE(plan.text.find("too few"), std::string::npos);
}

TEST(ThreadPlan, NeverMoreRingsThanPairs) {
  const ThreadPlan plan = plan_threads(3, 8, [](uint32_t) { return 1'000u; });
  ASSERT_EQ(plan.rings.size(), 2u);
  EXPECT_EQ(plan.rings[0].clients, 2u);
  EXPECT_EQ(plan.rings[1].clients, 1u);
}

}  // namespace
}  // namespace ringtalk::loadgen
