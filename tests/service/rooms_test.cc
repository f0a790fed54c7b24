#include <gtest/gtest.h>

#include <algorithm>
#include <map>
#include <set>
#include <string>
#include <vector>

#include "room_members.h"

namespace ringtalk::service {
namespace {

TEST(Rooms, EveryMemberGetsEveryMessageAndTheHeadItJoinedAt) {
  ChatWorld world({.shards = 3});
  const Who one = world.login(0, 1);
  const Who two = world.login(1, 2);
  const Who three = world.login(2, 3);
  join(world, one, 7);
  EXPECT_EQ(world.got(one), Texts{"#1 joined 7 9:0"});
  publish(world, one, 7, "alone", true, 5);
  EXPECT_EQ(world.got(one), (Texts{"#5 ok", "room 7 9:1 1 alone"}));
  join(world, two, 7);
  join(world, three, 7);
  EXPECT_EQ(world.got(two), Texts{"#1 joined 7 9:1"});
  EXPECT_EQ(world.got(three), Texts{"#1 joined 7 9:1"});
  publish(world, three, 7, "hello");
  for (const Who who : {one, two, three}) {
    EXPECT_EQ(world.got(who), Texts{"room 7 9:2 3 hello"});
  }
}

TEST(Rooms, BurstReachesEachShardAsOneMailAndEachMemberAsOneSend) {
  ChatWorld world({.shards = 2});
  const auto [publisher, member] = two_members(world, 4, 0, 1);  // at home in shard 0
  const uint64_t before = world.at(member).proactor.started();
  Texts expected;
  for (int i = 1; i <= 16; i++) {
    publish(world, publisher, 4, "x");
    expected.push_back("room 4 9:" + std::to_string(i) + " 1 x");
  }
  EXPECT_EQ(world.got(member), expected);
  EXPECT_EQ(world.got(publisher), expected);
  EXPECT_EQ(world.at(member).proactor.started() - before, 1u);
}

TEST(Rooms, WithoutEchoThePublisherIsToldThatNothingIsMissing) {
  ChatWorld world({.shards = 2});
  const auto [one, two] = two_members(world, 5, 0, 1);
  publish(world, one, 5, "mine", false);
  publish(world, one, 5, "mine too", false);
  EXPECT_EQ(world.got(one), Texts{});
  publish(world, two, 5, "yours", true);
  EXPECT_EQ(world.got(one), (Texts{"gap 5 9:2 missed 0", "room 5 9:3 2 yours"}));
  EXPECT_EQ(world.got(two),
            (Texts{"room 5 9:1 1 mine", "room 5 9:2 1 mine too", "room 5 9:3 2 yours"}));
}

TEST(Rooms, LeaveEndsIt) {
  ChatWorld world({.shards = 2});
  const auto [one, two] = two_members(world, 5, 0, 1);
  leave(world, one, 5);
  EXPECT_EQ(world.got(one), Texts{"#2 ok"});
  publish(world, two, 5, "gone");
  EXPECT_EQ(world.got(one), Texts{});
  leave(world, one, 5, 3);
  EXPECT_EQ(world.got(one), Texts{"#3 error NotMember"});
  publish(world, one, 5, "outside", true, 4);
  EXPECT_EQ(world.got(one), Texts{"#4 error NotMember"});
}

TEST(Rooms, CloseLeavesEverythingAndTheRoomEnds) {
  ChatWorld world({.shards = 2});
  const Who one = world.login(0, 1);
  for (const proto::RoomId room : {4, 5, 6}) join(world, one, room);
  world.run();
  EXPECT_EQ(world.shard(0).chat().rooms() + world.shard(1).chat().rooms(), 3u);
  world.close(one);
  world.run();
  EXPECT_EQ(world.shard(0).chat().rooms() + world.shard(1).chat().rooms(), 0u);
  std::sort(world.relay.said.begin(), world.relay.said.end());
  EXPECT_EQ(world.relay.said, (Texts{"+4", "+5", "+6", "-4", "-5", "-6"}));
}

TEST(Rooms, RoomThatComesBackHasANewOrigin) {
  ChatWorld world({});
  const Who one = world.login(0, 1);
  join(world, one, 4);
  publish(world, one, 4, "a");
  publish(world, one, 4, "b");
  leave(world, one, 4);
  world.run();
  EXPECT_EQ(world.chat(one).rooms(), 0u);
  world.got(one);
  join(world, one, 4);
  EXPECT_EQ(world.got(one), Texts{"#1 joined 4 10:0"});
  publish(world, one, 4, "c");
  EXPECT_EQ(world.got(one), Texts{"room 4 10:1 1 c"});
}

// A join under way keeps the home's bit of this shard although the last member has left.
TEST(Rooms, LeaveOfTheLastMemberDoesNotCutOffTheNextOnesJoin) {
  for (uint64_t seed = 1; seed <= 50; seed++) {
    ChatWorld world({.shards = 2, .seed = seed});
    const Who one = world.login(0, 1);
    const Who two = world.login(0, 2);
    join(world, one, 5);  // at home in shard 1
    world.run();
    join(world, two, 5);
    leave(world, one, 5);
    world.got(two);
    publish(world, two, 5, "still here");
    EXPECT_EQ(world.got(two), Texts{"room 5 9:1 2 still here"}) << "seed " << seed;
  }
}

TEST(Rooms, LeaveBeforeTheJoinIsEffectiveIsAnsweredAfterIt) {
  ChatWorld world({.shards = 2});
  const Who one = world.login(0, 1);
  join(world, one, 5);
  leave(world, one, 5);
  EXPECT_EQ(world.got(one), (Texts{"#1 joined 5 9:0", "#2 ok"}));
  EXPECT_EQ(world.shard(1).chat().rooms(), 0u);
  join(world, one, 5, 3);
  leave(world, one, 5, 4);
  join(world, one, 5, 5);
  EXPECT_EQ(world.got(one), (Texts{"#4 ok", "#3 joined 5 10:0", "#5 joined 5 10:0"}));
  publish(world, one, 5, "in");
  EXPECT_EQ(world.got(one), Texts{"room 5 10:1 1 in"});
}

TEST(Rooms, JoiningTwiceIsOneMembership) {
  ChatWorld world({});
  const Who one = world.login(0, 1);
  join(world, one, 4, 1);
  join(world, one, 4, 2);
  publish(world, one, 4, "once");
  EXPECT_EQ(world.got(one), (Texts{"#1 joined 4 9:0", "#2 joined 4 9:0", "room 4 9:1 1 once"}));
}

TEST(Rooms, AsManyAsTheLimitSays) {
  Limits limits;
  limits.rooms_per_session = 2;
  ChatWorld world({.limits = limits});
  const Who one = world.login(0, 1);
  join(world, one, 4, 1);
  join(world, one, 5, 2);
  join(world, one, 6, 3);
  join(world, one, 0, 4);
  EXPECT_EQ(world.got(one), (Texts{"#1 joined 4 9:0", "#2 joined 5 9:0", "#3 error Forbidden",
                                   "#4 error BadRequest"}));
}

TEST(Rooms, SlowMemberSkipsAndIsToldHowMuch) {
  ChatWorld world({.outgoing = {.session_frames = 3}});
  const auto [fast, slow] = two_members(world, 4, 0, 0);
  world.stop_reading(slow);
  for (int i = 1; i <= 10; i++) {
    publish(world, fast, 4, std::to_string(i));
    world.run();
  }
  EXPECT_EQ(world.got(fast).size(), 10u);
  world.stop_reading(slow, false);
  // The gap is said as soon as the queue has drained, not only with the next message.
  EXPECT_EQ(world.got(slow),
            (Texts{"room 4 9:1 1 1", "room 4 9:2 1 2", "room 4 9:3 1 3", "gap 4 9:10 missed 7"}));
  publish(world, fast, 4, "11");
  EXPECT_EQ(world.got(slow), Texts{"room 4 9:11 1 11"});
  publish(world, fast, 4, "12");
  EXPECT_EQ(world.got(slow), Texts{"room 4 9:12 1 12"});
  EXPECT_EQ(world.at(slow).stats().room_skipped, 7u);
  EXPECT_EQ(world.at(slow).stats().room_gaps, 1u);
}

TEST(Rooms, GapOfOneRoomDoesNotHoldAnotherRoomsMessagesBack) {
  ChatWorld world({});
  const Who fast = world.login(0, 1);
  const Who other = world.login(0, 2);
  for (const Who who : {fast, other}) {
    join(world, who, 4);
    join(world, who, 5);
    world.got(who);
  }
  // The gap of one's own message waits for the next one.
  publish(world, other, 4, "a", false);
  EXPECT_EQ(world.got(other), Texts{});
  publish(world, fast, 5, "b");
  EXPECT_EQ(world.got(other), Texts{"room 5 9:1 1 b"});
  publish(world, fast, 4, "c");
  EXPECT_EQ(world.got(other), (Texts{"gap 4 9:1 missed 0", "room 4 9:2 1 c"}));
}

TEST(Rooms, GapsOfSeveralRoomsAreSaidWhenTheQueueHasDrained) {
  ChatWorld world({.outgoing = {.session_frames = 2}});
  const Who fast = world.login(0, 1);
  const Who slow = world.login(0, 2);
  for (const Who who : {fast, slow}) {
    for (const proto::RoomId room : {4, 5, 6}) join(world, who, room);
    world.got(who);
  }
  world.stop_reading(slow);
  for (int i = 1; i <= 3; i++) {
    for (const proto::RoomId room : {4, 5, 6}) publish(world, fast, room, "a");
    world.run();
  }
  world.stop_reading(slow, false);
  // Two fit at a time: the third is said when they have left.
  EXPECT_EQ(world.got(slow), (Texts{"room 4 9:1 1 a", "room 5 9:1 1 a", "gap 6 9:3 missed 3",
                                    "gap 5 9:3 missed 2", "gap 4 9:3 missed 2"}));
  publish(world, fast, 4, "c");
  EXPECT_EQ(world.got(slow), Texts{"room 4 9:4 1 c"});
}

TEST(Rooms, QueuedMessagesThatPinTooMuchBecomeAGap) {
  ChatWorld world(little_memory());
  const auto [fast, slow] = two_members(world, 4, 0, 0);
  world.stop_reading(slow);
  const std::string big(16'000, 'x');
  for (int i = 1; i <= 40; i++) {
    publish(world, fast, 4, big);
    EXPECT_EQ(world.got(fast).size(), 1u);
    EXPECT_LE(world.at(slow).outgoing().pinned_bytes(), 320u * 1024);
  }
  world.stop_reading(slow, false);
  RoomNumbers numbers;
  numbers.follow(4, kOrigin, 0);
  for (const std::string& text : world.got(slow)) EXPECT_TRUE(numbers.take(text)) << text;
  EXPECT_GT(numbers.head(4), 0u);
  publish(world, fast, 4, "last");
  for (const std::string& text : world.got(slow)) EXPECT_TRUE(numbers.take(text)) << text;
  EXPECT_EQ(numbers.head(4), 41u);
  EXPECT_GT(world.at(slow).outgoing().stats().evictions, 0u);
}

TEST(Rooms, ShardWhoseMailboxIsFullIsToldWhatItMissed) {
  ChatWorld world(little_mail());
  const auto [publisher, member] = two_members(world, 4, 0, 1);
  for (int i = 1; i <= 6; i++) {
    publish(world, publisher, 4, std::to_string(i));
    world.chat(publisher).flush();  // without a mail being taken
  }
  // It is told as soon as there is room for the mail, not only with the next message.
  EXPECT_EQ(world.got(member), (Texts{"room 4 9:1 1 1", "room 4 9:2 1 2", "gap 4 9:6 missed 4"}));
  EXPECT_EQ(world.got(publisher).size(), 6u);
  publish(world, publisher, 4, "7");
  EXPECT_EQ(world.got(member), Texts{"room 4 9:7 1 7"});
}

TEST(Rooms, FullMailboxKeepsOrderInTheOverflow) {
  ChatWorld world({.shards = 2, .mailbox = 2});
  const auto [publisher, member] = two_members(world, 4, 0, 1);
  Texts expected;
  for (int i = 1; i <= 20; i++) {
    publish(world, publisher, 4, "x");
    world.chat(publisher).flush();
    expected.push_back("room 4 9:" + std::to_string(i) + " 1 x");
  }
  EXPECT_EQ(world.got(member), expected);
}

TEST(Rooms, OtherNodesGetEachMessageOnceAndTheirsComeIn) {
  ChatWorld world({.shards = 2});
  const Who one = world.login(0, 1);
  join(world, one, 5);
  world.got(one);
  world.relay.said.clear();
  publish(world, one, 5, "out");
  publish(world, one, 5, "again");
  EXPECT_EQ(world.got(one).size(), 2u);
  EXPECT_EQ(world.relay.said, (Texts{"room 5 9:1 1 out", "room 5 9:2 1 again"}));
  // What the relay brings goes to the room's home; repeated and old ones are left out.
  proto::SegmentDepot depot;
  proto::SegmentWriter relayed(depot);
  proto::FrameWriter writer;
  const auto bring = [&](uint64_t origin, uint64_t n) {
    Mail mail{.kind = MailKind::room_relayed};
    const auto range = relayed.append(writer.room_message(5, origin, n, 77, room_body("in")));
    proto::share(range);
    put_range(mail, range);
    world.shard(1).chat().take(mail);
  };
  bring(123456789012, 3);
  bring(123456789012, 3);
  bring(123456789012, 2);
  bring(kOrigin, 9);
  bring(123456789012, 4);
  EXPECT_EQ(world.got(one), (Texts{"room 5 123456789012:3 77 in", "room 5 123456789012:4 77 in"}));
  EXPECT_EQ(world.relay.said.size(), 2u);
  const auto bring_two = [&](uint64_t first_n) {
    Mail mail{.kind = MailKind::room_relayed};
    const proto::Bytes row[] = {room_body("in"), room_body("too")};
    const auto range = relayed.append(writer.room_messages(5, 123456789012, first_n, 77, row));
    proto::share(range);
    put_range(mail, range);
    world.shard(1).chat().take(mail);
  };
  bring_two(5);
  bring_two(5);
  bring_two(6);
  bring(123456789012, 6);
  EXPECT_EQ(world.got(one), (Texts{"room 5 123456789012:5 77 in", "room 5 123456789012:6 77 too"}));
  const Who two = world.login(0, 2);
  join(world, two, 5);
  EXPECT_EQ(world.got(two), Texts{"#1 joined 5 9:2 123456789012:6"});
}

TEST(Rooms, MalformedFrameOfTheRelayIsLeftOut) {
  ChatWorld world({});
  const Who one = world.login(0, 1);
  join(world, one, 5);
  world.got(one);
  proto::SegmentDepot depot;
  proto::SegmentWriter relayed(depot);
  const std::vector<uint64_t> zeros(8, 0);
  const auto range = relayed.append(std::as_bytes(std::span(zeros)));
  proto::share(range);
  Mail mail{.kind = MailKind::room_relayed};
  put_range(mail, range);
  world.shard(0).chat().take(mail);
  EXPECT_EQ(world.got(one), Texts{});
}

// Sessions that come, go, join, leave, publish and stop reading on several shards.
class RoomCrowd {
 public:
  explicit RoomCrowd(uint64_t seed)
      : random_(seed),
        limits_{.mail_overflow = static_cast<uint32_t>(random_.below(3) * 8)},
        world_({.shards = static_cast<uint32_t>(1 + random_.below(4)),
                .seed = seed,
                .mailbox = 4 + random_.below(30),
                .limits = limits_,
                .outgoing = {.session_frames = static_cast<uint32_t>(4 + random_.below(40))}}) {}

  void step() {
    const auto what = random_.below(12);
    if (members_.size() < 6 || (what == 0 && members_.size() < 20)) {
      const auto shard = static_cast<uint32_t>(random_.below(world_.options.shards));
      members_.push_back({world_.login(shard, 1 + random_.below(100)), {}});
      return;
    }
    Member& member = members_[random_.below(members_.size())];
    const proto::RoomId room = 1 + random_.below(3);
    if (what == 1) {
      read(member);
      world_.close(member.who);
      std::swap(member, members_.back());
      members_.pop_back();
    } else if (what <= 4) {
      join(world_, member.who, room);
    } else if (what == 5) {
      leave(world_, member.who, room, RoomNumbers::kLeave + room);
    } else if (what <= 9) {
      publish(world_, member.who, room, "x");
      if (random_.chance(0.5)) world_.chat(member.who).flush();
      if (random_.chance(0.3)) world_.step();
    } else if (what == 10) {
      world_.stop_reading(member.who, random_.chance(0.5));
    } else {
      world_.run();
    }
  }

  void settle() {
    for (const Member& member : members_) world_.stop_reading(member.who, false);
    world_.run();
    for (Member& member : members_) read(member);
  }

 private:
  struct Member {
    Who who;
    RoomNumbers numbers;
  };

  void read(Member& member) {
    for (const std::string& text : world_.got(member.who)) {
      EXPECT_TRUE(member.numbers.take(text) || text.find("error") != std::string::npos) << text;
    }
  }

  base::Random random_;
  const Limits limits_;
  ChatWorld world_;
  std::vector<Member> members_;
};

// Each member sees numbers that advance by one or a gap that says by how many, starting at the head
// it was told.
TEST(RoomsProperty, NumbersAdvanceByOneOrAGapSaysWhy) {
  for (uint64_t seed = 1; seed <= 60; seed++) {
    SCOPED_TRACE("seed " + std::to_string(seed));
    RoomCrowd crowd(seed);
    for (int step = 0; step < 400; step++) crowd.step();
    crowd.settle();
    ASSERT_FALSE(::testing::Test::HasFailure());
  }
}

}  // namespace
}  // namespace ringtalk::service
