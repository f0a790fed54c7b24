// Mail to a shard that does not keep up: who waits, what is refused, and what memory it takes.
#include <gtest/gtest.h>

#include "room_members.h"

namespace ringtalk::service {
namespace {

constexpr uint64_t kRoom = 4;  // at home in shard 0 of two

Limits limits_with(uint32_t mail_overflow) {
  Limits limits;
  limits.mail_overflow = mail_overflow;
  return limits;
}

// Sessions of shard 1 whose users are at home there, in a room that is not.
std::vector<Who> members(ChatWorld& world, uint32_t count) {
  std::vector<Who> all;
  for (uint32_t i = 0; i < count; i++) {
    all.push_back(world.login(1, 1 + 2 * i));
    join(world, all.back(), kRoom);
    world.got(all.back());
  }
  return all;
}

size_t oks(const Texts& texts) {
  return static_cast<size_t>(std::count_if(texts.begin(), texts.end(), [](const std::string& text) {
    return text.find(" ok") != std::string::npos;
  }));
}

TEST(Postbox, SessionsThatFeedAFullMailboxWaitAndGoOnInTheirOrder) {
  ChatWorld world({.shards = 2, .mailbox = 2, .limits = limits_with(64)});
  const std::vector<Who> all = members(world, 4);
  WorldShard& shard = world.shard(1);
  // Two in the mailbox and four in the overflow: that is no reason to wait.
  for (int i = 0; i < 6; i++) publish(world, all[3], kRoom, "x", false, 10);
  EXPECT_TRUE(shard.paused.empty());
  for (const Who who : {all[2], all[0], all[1], all[2]}) {
    for (int i = 0; i < 5; i++) publish(world, who, kRoom, "y", false, 20);
  }
  EXPECT_EQ(shard.paused, (std::vector<uint32_t>{all[2].slot, all[0].slot, all[1].slot}));
  EXPECT_EQ(shard.stats().mail_paused, 3u);
  EXPECT_TRUE(shard.chat().waiting());
  // Somebody who asks nothing of that shard does not wait.
  const Who other = world.login(1, 101);
  join(world, other, 5);
  EXPECT_EQ(shard.paused.size(), 3u);
  world.run();
  EXPECT_EQ(shard.resumed, shard.paused);
  EXPECT_FALSE(shard.chat().waiting());
  EXPECT_EQ(shard.chat().mail_kept(), 0u);
  EXPECT_EQ(oks(world.got(all[2])), 10u);
  EXPECT_EQ(oks(world.got(all[0])), 5u);
  EXPECT_EQ(shard.stats().mail_refused, 0u);
  EXPECT_EQ(world.shard(0).stats().room_published, 26u);
}

TEST(Postbox, OnlyWhatWasUnderWayBeyondTheOverflowIsRefused) {
  ChatWorld world({.shards = 2, .mailbox = 2, .limits = limits_with(8)});
  const Who who = members(world, 1).front();
  for (uint64_t i = 1; i <= 12; i++) publish(world, who, kRoom, "x", false, i);
  EXPECT_EQ(world.shard(1).chat().mail_kept(), 8u);
  EXPECT_EQ(world.shard(1).stats().mail_refused, 2u);
  EXPECT_EQ(world.shard(1).paused.size(), 1u);
  const Texts got = world.got(who);
  EXPECT_EQ(oks(got), 10u);
  EXPECT_EQ(std::count(got.begin(), got.end(), "#11 error ServerBusy"), 1);
  EXPECT_EQ(std::count(got.begin(), got.end(), "#12 error ServerBusy"), 1);
  EXPECT_EQ(world.shard(1).resumed.size(), 1u);
}

TEST(Postbox, SessionThatGoesWhileItWaitsIsForgotten) {
  ChatWorld world({.shards = 2, .mailbox = 2, .limits = limits_with(8)});
  const std::vector<Who> all = members(world, 2);
  for (const Who who : all) {
    for (int i = 0; i < 4; i++) publish(world, who, kRoom, "x");
  }
  ASSERT_EQ(world.shard(1).paused.size(), 2u);
  world.close(all[0]);
  const Who next = world.login(1, 51);  // in the same slot
  EXPECT_EQ(next.slot, all[0].slot);
  world.run();
  EXPECT_EQ(world.shard(1).resumed, std::vector<uint32_t>{all[1].slot});
  EXPECT_FALSE(world.shard(1).chat().waiting());
}

// Of many who wait only some go on in one turn, so that they do not fill the overflow at once.
TEST(Postbox, ManySessionsGoOnOverSeveralTurns) {
  constexpr uint32_t kMany = 150;
  ChatWorld world(
      {.shards = 2, .slots = kMany, .mailbox = kMany, .limits = limits_with(2 * kMany)});
  const std::vector<Who> all = members(world, kMany);
  for (int i = 0; i < 2; i++) {
    for (const Who who : all) publish(world, who, kRoom, "x");
  }
  WorldShard& shard = world.shard(1);
  const size_t paused = shard.paused.size();
  ASSERT_GT(paused, 64u * 2);
  while (shard.chat().mail_kept() > 0) {
    ASSERT_TRUE(world.step());
    const size_t before = shard.resumed.size();
    shard.chat().flush();
    EXPECT_LE(shard.resumed.size(), before + 64);
  }
  EXPECT_EQ(shard.resumed.size(), 64u);
  shard.chat().flush();
  shard.chat().flush();
  EXPECT_EQ(shard.resumed, shard.paused);
}

TEST(Postbox, LoginWaitsForTheMailboxOfItsHome) {
  ChatWorld world({.shards = 2, .mailbox = 2, .limits = limits_with(8)});
  const Who feeder = members(world, 1).front();
  WorldShard& shard = world.shard(1);
  const auto open = [&](uint32_t slot, proto::UserId user) {
    const ring::ConnectionId connection{slot, 1'000 + slot};
    Session& session = shard.sessions().open(connection);
    session.phase = Phase::online;
    session.user = user;
    session.epoch = 1;
    shard.sessions().rest(slot).device = slot;
    shard.outgoing().open(connection);
    shard.chat().open(slot);
  };
  shard.routed.clear();
  for (int i = 0; i < 4; i++) publish(world, feeder, kRoom, "x");
  open(10, 2);
  open(11, 4);
  EXPECT_EQ(shard.chat().mail_kept(), 2u);  // not theirs
  EXPECT_EQ(shard.paused.size(), 3u);
  world.close({1, 10});  // leaves nothing behind: its home has never heard of it
  world.run();
  EXPECT_EQ(shard.routed, std::vector<uint32_t>{11});
  EXPECT_EQ(world.shard(0).chat().users_homed(), 1u);
  EXPECT_EQ(world.relay.online, (std::map<proto::UserId, int>{{1, 1}, {4, 1}}));
}

TEST(Postbox, AnswersThatDoNotComeStopRequests) {
  constexpr uint64_t kAskedMax = 2 * kMailboxEntries;
  ChatWorld world({.shards = 2, .mailbox = 2 * kAskedMax, .limits = limits_with(0)});
  const std::vector<Who> all = members(world, 2);
  for (uint64_t i = 1; i <= kAskedMax; i++) publish(world, all[0], kRoom, "x", false, i);
  EXPECT_TRUE(world.shard(1).paused.empty());
  EXPECT_EQ(world.shard(1).stats().mail_refused, 0u);
  publish(world, all[1], kRoom, "x", false, 1);
  EXPECT_EQ(world.shard(1).paused, std::vector<uint32_t>{all[1].slot});
  EXPECT_EQ(world.shard(1).stats().mail_refused, 1u);
  world.run();
  EXPECT_EQ(world.shard(1).resumed, std::vector<uint32_t>{all[1].slot});
  publish(world, all[1], kRoom, "x", false, 2);
  EXPECT_EQ(oks(world.got(all[1])), 1u);
}

TEST(Postbox, RangesInTheOverflowPinABoundedPart) {
  Limits limits = limits_with(1'000);
  limits.pinned_bytes = 16 * proto::kSegmentBytes;
  ChatWorld world({.shards = 2, .mailbox = 2, .limits = limits});
  const Who who = members(world, 1).front();
  const std::string big(16'000, 'x');  // four to a segment
  for (uint64_t i = 1; i <= 40; i++) publish(world, who, kRoom, big, false, i);
  const size_t kept = world.shard(1).chat().mail_kept();
  EXPECT_GE(kept, 8u);
  EXPECT_LE(kept, 16u);
  EXPECT_EQ(world.shard(1).paused.size(), 1u);
  // A mail without a range costs 32 bytes, and fits.
  world.shard(1).chat().kick_user(2, 1, wire::KickReason::LoggedOut);
  EXPECT_EQ(world.shard(1).chat().mail_kept(), kept + 1);
  EXPECT_EQ(oks(world.got(who)), 2 + kept);
  EXPECT_EQ(world.shard(0).stats().room_published, 2 + kept);
}

TEST(Postbox, HomeHearsLaterOfARoomThatEndedWhileItsMailboxWasFull) {
  ChatWorld world({.shards = 2, .mailbox = 2, .limits = limits_with(0)});
  const std::vector<Who> all = members(world, 2);
  join(world, all[1], 8);
  world.run();
  EXPECT_EQ(world.shard(0).chat().rooms(), 2u);
  for (int i = 0; i < 2; i++) publish(world, all[0], kRoom, "x");
  leave(world, all[1], 8);
  leave(world, all[0], kRoom);
  leave(world, all[1], kRoom);
  // A room that was never joined ends without a word.
  join(world, all[0], 10, 7);
  join(world, all[1], 8, 8);  // refused too, but this one its home knows
  EXPECT_TRUE(world.shard(1).chat().waiting());
  world.run();
  EXPECT_EQ(world.shard(0).chat().rooms(), 0u);
  EXPECT_FALSE(world.shard(1).chat().waiting());
  join(world, all[1], 8);
  world.run();
  EXPECT_EQ(world.shard(0).chat().rooms(), 1u);
}

TEST(Postbox, JoinTakesARoomBackThatWasAboutToEnd) {
  ChatWorld world({.shards = 2, .mailbox = 2, .limits = limits_with(0)});
  const std::vector<Who> all = members(world, 2);
  join(world, all[1], 8);
  world.got(all[1]);
  for (int i = 0; i < 2; i++) publish(world, all[0], kRoom, "x");
  leave(world, all[1], 8);
  while (world.step()) {  // room in the mailbox, and no flush yet
  }
  join(world, all[1], 8, 9);
  world.run();
  publish(world, all[1], 8, "here");
  const Texts got = world.got(all[1]);
  ASSERT_FALSE(got.empty());
  EXPECT_EQ(got.back(), "room 8 9:1 3 here") << "the room has not ended meanwhile";
}

TEST(Postbox, KicksWhoseWayIsFullAreKeptOncePerUser) {
  ChatWorld world({.shards = 2, .mailbox = 2, .limits = limits_with(0)});
  const std::vector<Who> all = members(world, 1);
  const Who victim = world.login(0, 2);
  for (int i = 0; i < 2; i++) publish(world, all[0], kRoom, "x");
  Chat& chat = world.shard(1).chat();
  for (uint32_t i = 0; i < 100; i++) chat.kick_user(2, 1 + i % 5, wire::KickReason::LoggedOut);
  EXPECT_EQ(chat.mail_kept(), 0u);
  EXPECT_TRUE(chat.waiting());
  world.run();
  EXPECT_FALSE(world.online(victim));
  EXPECT_FALSE(chat.waiting());
}

}  // namespace
}  // namespace ringtalk::service
