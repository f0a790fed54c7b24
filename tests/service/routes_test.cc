#include <gtest/gtest.h>

#include <string>
#include <vector>

#include "chat_world.h"

namespace ringtalk::service {
namespace {

using Texts = std::vector<std::string>;

TEST(Routes, SessionIsRoutedOverItsUsersHome) {
  ChatWorld world({.shards = 3});
  const Who who = world.login(0, 4);  // at home in shard 1
  EXPECT_EQ(world.shard(0).routed, std::vector<uint32_t>{who.slot});
  EXPECT_EQ(world.shard(1).chat().users_homed(), 1u);
  EXPECT_TRUE(world.relay.online.contains(4));
  world.close(who);
  world.run();
  EXPECT_EQ(world.shard(1).chat().users_homed(), 0u);
  EXPECT_TRUE(world.relay.online.empty());
}

TEST(Routes, NewerLoginOfADeviceKicksTheOlderOne) {
  ChatWorld world({.shards = 3});
  const Who old = world.login(0, 4, 70, 1);
  const Who other_device = world.login(1, 4, 71, 1);
  const Who fresh = world.login(2, 4, 70, 2);
  EXPECT_EQ(world.got(old), Texts{"kicked LoggedInElsewhere"});
  EXPECT_FALSE(world.online(old));
  EXPECT_TRUE(world.online(other_device));
  EXPECT_TRUE(world.online(fresh));
}

TEST(Routes, EqualEpochTheLastOneWins) {
  ChatWorld world({.shards = 2});
  const Who old = world.login(0, 4, 70, 3);
  const Who fresh = world.login(0, 4, 70, 3);
  EXPECT_FALSE(world.online(old));
  EXPECT_TRUE(world.online(fresh));
  world.close(old);
  world.run();
  EXPECT_EQ(world.shard(0).chat().users_homed(), 1u);
}

TEST(Routes, LowerEpochComesTooLate) {
  ChatWorld world({.shards = 2});
  const Who good = world.login(0, 4, 70, 5);
  const Who stale = world.login(1, 4, 70, 4);
  EXPECT_TRUE(world.online(good));
  EXPECT_EQ(world.got(stale), Texts{"kicked LoggedInElsewhere"});
  EXPECT_FALSE(world.online(stale));
  world.close(stale);
  world.run();
  EXPECT_EQ(world.shard(0).chat().users_homed(), 1u);
}

TEST(Routes, KickUserEndsTheLowerEpochsEverywhere) {
  ChatWorld world({.shards = 3});
  const Who one = world.login(0, 4, 70, 1);
  const Who two = world.login(1, 4, 71, 2);
  const Who three = world.login(2, 4, 72, 3);
  const Who stranger = world.login(2, 5, 72, 1);
  world.shard(2).chat().kick_user(4, 3, wire::KickReason::LoggedOut);
  EXPECT_EQ(world.got(one), Texts{"kicked LoggedOut"});
  EXPECT_EQ(world.got(two), Texts{"kicked LoggedOut"});
  EXPECT_TRUE(world.online(three));
  EXPECT_TRUE(world.online(stranger));
}

TEST(Routes, CloseOnTheHeelsOfOpenLeavesNothing) {
  for (uint64_t seed = 1; seed <= 30; seed++) {
    ChatWorld world({.shards = 4, .seed = seed});
    std::vector<Who> sessions;
    for (uint32_t i = 0; i < 40; i++) {
      sessions.push_back(world.login(i % 4, 1 + world.random.below(6), 1 + world.random.below(3),
                                     static_cast<uint32_t>(1 + world.random.below(3))));
      if (world.random.chance(0.5)) {
        const size_t victim = world.random.below(sessions.size());
        world.close(sessions[victim]);
        sessions.erase(sessions.begin() + static_cast<long>(victim));
      }
      if (world.random.chance(0.5)) world.run();
    }
    for (const Who who : sessions) world.close(who);
    world.run();
    for (uint32_t i = 0; i < 4; i++) EXPECT_EQ(world.shard(i).chat().users_homed(), 0u) << seed;
    EXPECT_TRUE(world.relay.online.empty()) << seed;
  }
}

}  // namespace
}  // namespace ringtalk::service
