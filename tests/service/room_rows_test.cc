#include <gtest/gtest.h>

#include <cstdio>
#include <string>
#include <vector>

#include "room_members.h"

namespace ringtalk::service {
namespace {

// The frames that a member's connection was given since `frames` was read last.
uint64_t frames_sent(ChatWorld& world, Who who, uint64_t& frames) {
  const uint64_t before = frames;
  frames = world.at(who).outgoing().stats().frames;
  return frames - before;
}

TEST(RoomRows, WhatOneSenderPublishesInOneTurnIsOneFrame) {
  ChatWorld world({.shards = 2});
  const Who one = world.login(0, 1);
  const Who two = world.login(0, 2);
  const Who member = world.login(1, 3);
  for (const Who who : {one, two, member}) {
    join(world, who, 4);
    join(world, who, 6);
    world.got(who);
  }
  uint64_t frames = 0;
  frames_sent(world, member, frames);
  for (const char* text : {"a", "", "c"}) publish(world, one, 4, text);
  EXPECT_EQ(world.got(member), (Texts{"room 4 9:1 1 a", "room 4 9:2 1 ", "room 4 9:3 1 c"}));
  EXPECT_EQ(frames_sent(world, member, frames), 1u);
  EXPECT_EQ(world.at(member).stats().room_deliveries, 3u);
  EXPECT_EQ(world.at(one).stats().room_deliveries, 6u);
  // Another sender, another echo or another room ends it; numbers go on.
  publish(world, one, 4, "d");
  publish(world, one, 4, "e");
  publish(world, two, 4, "f");
  publish(world, two, 4, "g", false);
  publish(world, two, 4, "h", false);
  publish(world, two, 6, "i", false);
  publish(world, two, 4, "j", false);
  EXPECT_EQ(world.got(member),
            (Texts{"room 4 9:4 1 d", "room 4 9:5 1 e", "room 4 9:6 2 f", "room 4 9:7 2 g",
                   "room 4 9:8 2 h", "room 4 9:9 2 j", "room 6 9:1 2 i"}));
  EXPECT_EQ(frames_sent(world, member, frames), 5u);
  world.got(one);
  EXPECT_EQ(world.got(two), (Texts{"room 4 9:1 1 a", "room 4 9:2 1 ", "room 4 9:3 1 c",
                                   "room 4 9:4 1 d", "room 4 9:5 1 e", "room 4 9:6 2 f"}));
  publish(world, one, 4, "k");
  EXPECT_EQ(world.got(two), (Texts{"gap 4 9:9 missed 0", "room 4 9:10 1 k"}));
}

TEST(RoomRows, RowIsNoLongerThanAFrame) {
  ChatWorld world({.outgoing = {.session_bytes = 1 << 20}});
  const auto [one, member] = two_members(world, 4, 0, 0);
  uint64_t frames = 0;
  frames_sent(world, one, frames);
  for (int i = 0; i < 600; i++) publish(world, one, 4, "x", false);
  auto got = world.got(member);
  ASSERT_EQ(got.size(), 600u);
  EXPECT_EQ(got.back(), "room 4 9:600 1 x");
  EXPECT_EQ(frames_sent(world, one, frames), 3u);
  for (int i = 0; i < 9; i++) publish(world, one, 4, std::string(16'000, 'y'), false);
  got = world.got(member);
  ASSERT_EQ(got.size(), 9u);
  EXPECT_EQ(got.back(), "room 4 9:609 1 " + std::string(16'000, 'y'));
  EXPECT_EQ(frames_sent(world, one, frames), 3u);
}

// Neither the joiner nor the one who leaves may be given what the turn published on the other side
// of it.
TEST(RoomRows, JoinAndLeaveCutARow) {
  ChatWorld world({});
  const Who one = world.login(0, 1);
  const Who late = world.login(0, 2);
  join(world, one, 4);
  world.got(one);
  publish(world, one, 4, "a");
  publish(world, one, 4, "b");
  join(world, late, 4);
  publish(world, one, 4, "c");
  publish(world, one, 4, "d");
  EXPECT_EQ(world.got(late), (Texts{"#1 joined 4 9:2", "room 4 9:3 1 c", "room 4 9:4 1 d"}));
  publish(world, late, 4, "e");
  publish(world, late, 4, "f");
  leave(world, late, 4);
  leave(world, one, 4);
  world.run();
  EXPECT_EQ(world.chat(one).rooms(), 0u);
  join(world, one, 4);
  publish(world, one, 4, "new");
  const auto got = world.got(one);
  ASSERT_GE(got.size(), 2u);
  EXPECT_EQ(got.back(), "room 4 10:1 1 new");
}

TEST(RoomRows, SkippedRowCountsItsMessages) {
  ChatWorld world({.outgoing = {.session_frames = 2}});
  const auto [fast, slow] = two_members(world, 4, 0, 0);
  world.stop_reading(slow);
  for (int burst = 0; burst < 4; burst++) {
    for (int i = 0; i < 5; i++) publish(world, fast, 4, "x");
    world.run();
  }
  EXPECT_EQ(world.got(fast).size(), 20u);
  EXPECT_EQ(world.at(slow).stats().room_skipped, 10u);
  world.stop_reading(slow, false);
  EXPECT_EQ(world.got(slow).size(), 11u);
  publish(world, fast, 4, "y");
  publish(world, fast, 4, "z");
  EXPECT_EQ(world.got(slow), (Texts{"room 4 9:21 1 y", "room 4 9:22 1 z"}));
  EXPECT_EQ(world.at(slow).stats().room_deliveries, 22u + 12u);
}

TEST(RoomRows, ShardThatMissesRowsIsToldOfEachMessage) {
  ChatWorld world(little_mail());
  const auto [publisher, member] = two_members(world, 4, 0, 1);
  for (int row = 0; row < 5; row++) {
    for (int i = 0; i < 3; i++) publish(world, publisher, 4, "x");
    world.chat(publisher).flush();  // without a mail being taken
  }
  const Texts first = world.got(member);
  ASSERT_EQ(first.size(), 7u);
  EXPECT_EQ(first.back(), "gap 4 9:15 missed 9");
  EXPECT_EQ(world.got(publisher).size(), 15u);
  publish(world, publisher, 4, "y");
  EXPECT_EQ(world.got(member), Texts{"room 4 9:16 1 y"});
  EXPECT_EQ(world.at(member).stats().room_skipped, 9u);
}

TEST(RoomRows, RowsThatPinTooMuchBecomeAGapOfTheirMessages) {
  ChatWorld world(little_memory());
  const auto [fast, slow] = two_members(world, 4, 0, 0);
  world.stop_reading(slow);
  for (int row = 0; row < 20; row++) {
    for (int i = 0; i < 3; i++) publish(world, fast, 4, std::string(15'000, 'x'));
    EXPECT_EQ(world.got(fast).size(), 3u);
  }
  EXPECT_GT(world.at(slow).outgoing().stats().evictions, 0u);
  world.stop_reading(slow, false);
  RoomNumbers numbers;
  numbers.follow(4, kOrigin, 0);
  for (const std::string& text : world.got(slow)) EXPECT_TRUE(numbers.take(text)) << text;
  publish(world, fast, 4, "last");
  for (const std::string& text : world.got(slow)) EXPECT_TRUE(numbers.take(text)) << text;
  EXPECT_EQ(numbers.head(4), 61u);
  EXPECT_GT(numbers.skipped(), 0u);
  EXPECT_EQ(world.at(slow).stats().room_skipped, numbers.skipped());
}

}  // namespace
}  // namespace ringtalk::service
