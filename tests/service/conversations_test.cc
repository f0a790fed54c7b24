#include <gtest/gtest.h>

#include <string>
#include <vector>

#include "chat_world.h"

namespace ringtalk::service {
namespace {

using Texts = std::vector<std::string>;

proto::Bytes body_of(const std::string& text) {
  return std::as_bytes(std::span(text));
}

void send(ChatWorld& world, Who who, proto::ConversationId conversation, uint64_t id,
          const std::string& text, uint64_t message = 0) {
  world.request(who, [&](auto& writer) {
    return writer.send(id, conversation, {7, message == 0 ? id : message}, wire::MessageKind::Text,
                       body_of(text));
  });
}

const Session& session_of(ChatWorld& world, Who who) {
  return world.at(who).sessions()[who.slot];
}

TEST(Conversations, SentComesAfterTheStoreHasAnsweredAndMessageGoesToAllOtherSessions) {
  ChatWorld world({.shards = 3});
  const Who ann = world.login(0, 1);
  const Who ann_too = world.login(1, 1);
  const Who bob = world.login(2, 2);
  const Who bob_too = world.login(0, 2);
  const Who eve = world.login(1, 3);
  send(world, ann, {1, 2}, 10, "hi");
  EXPECT_EQ(world.got(ann), Texts{});
  EXPECT_EQ(session_of(world, ann).requests_in_flight, 1u);
  world.answer_store();
  EXPECT_EQ(world.got(ann), Texts{"#10 sent 1-2 1"});
  for (const Who who : {ann_too, bob, bob_too}) {
    EXPECT_EQ(world.got(who), Texts{"message 1-2 1 1 hi"});
    EXPECT_EQ(session_of(world, who).pushed, 1u);
  }
  EXPECT_EQ(world.got(eve), Texts{});
  EXPECT_EQ(session_of(world, ann).requests_in_flight, 0u);
  EXPECT_EQ(session_of(world, ann).unacknowledged_bytes, 0u);
  EXPECT_EQ(session_of(world, ann).pushed, 0u);
}

TEST(Conversations, SendingAgainGivesTheSameSeqAndNoSecondPush) {
  ChatWorld world({.shards = 2});
  const Who ann = world.login(0, 1);
  const Who bob = world.login(1, 2);
  send(world, ann, {1, 2}, 10, "hi", 5);
  world.answer_store();
  send(world, ann, {1, 2}, 11, "hi", 5);
  world.answer_store();
  EXPECT_EQ(world.got(ann), (Texts{"#10 sent 1-2 1", "#11 sent 1-2 1 again"}));
  EXPECT_EQ(world.got(bob), Texts{"message 1-2 1 1 hi"});
}

TEST(Conversations, OtherNodesOfBothUsersAreHintedAndTheirHintsCome) {
  ChatWorld world({.shards = 2});
  const Who ann = world.login(0, 1);
  const Who bob = world.login(1, 2);
  world.relay.elsewhere = {{1, 8}, {2, 9}};
  send(world, ann, {1, 2}, 10, "hi");
  world.answer_store();
  EXPECT_EQ(world.relay.said, (Texts{"node 8 user 1 seq 1", "node 9 user 2 seq 1"}));
  world.got(bob);
  // As Node posts it when the relay rings.
  const Mail hint{.kind = MailKind::advanced,
                  .byte = static_cast<uint8_t>(PushSide::upper),
                  .generation = 7,
                  .a = 1,
                  .b = 2};
  world.shard(0).chat().take(hint);
  EXPECT_EQ(world.got(bob), Texts{"hint 1-2 7"});
}

TEST(Conversations, NoteToOneself) {
  ChatWorld world({.shards = 2});
  const Who ann = world.login(0, 1);
  const Who ann_too = world.login(1, 1);
  send(world, ann, {1, 1}, 10, "note");
  world.answer_store();
  EXPECT_EQ(world.got(ann), Texts{"#10 sent 1-1 1"});
  EXPECT_EQ(world.got(ann_too), Texts{"message 1-1 1 1 note"});
}

TEST(Conversations, SendWithoutAnIdIsDeliveredAndNotAnswered) {
  ChatWorld world({});
  const Who ann = world.login(0, 1);
  const Who bob = world.login(0, 2);
  send(world, ann, {1, 2}, 0, "hi", 5);
  world.answer_store();
  EXPECT_EQ(world.got(ann), Texts{});
  EXPECT_EQ(world.got(bob).size(), 1u);
  EXPECT_EQ(session_of(world, ann).requests_in_flight, 0u);
}

TEST(Conversations, WhatCannotBeSentIsRefusedBeforeTheStore) {
  ChatWorld world({});
  const Who ann = world.login(0, 1);
  send(world, ann, {2, 3}, 1, "not mine");
  send(world, ann, {0, 5}, 2, "a group");
  send(world, ann, {2, 1}, 3, "the wrong way round");
  world.request(ann, [&](auto& writer) {
    return writer.send(4, {1, 2}, {0, 0}, wire::MessageKind::Text, body_of("no message id"));
  });
  world.request(ann, [&](auto& writer) {
    return writer.send(5, {1, 2}, {1, 1}, wire::MessageKind::None, body_of("no kind"));
  });
  EXPECT_EQ(world.got(ann),
            (Texts{"#1 error NotMember", "#2 error Unsupported", "#3 error BadRequest",
                   "#4 error BadRequest", "#5 error BadRequest"}));
  EXPECT_TRUE(world.submitted.empty());
}

TEST(Conversations, FinalErrorsOfTheStoreAreToldAndNothingIsHeld) {
  ChatWorld world({.shards = 2});
  const Who ann = world.login(0, 1);
  send(world, ann, {1, 2}, 10, "to nobody");
  world.fail_store(store::StoreError::not_found);
  send(world, ann, {1, 2}, 11, "again");
  EXPECT_EQ(world.submitted.size(), 1u);
  world.fail_store(store::StoreError::conflict);
  EXPECT_EQ(world.got(ann), (Texts{"#10 error NotFound", "#11 error Conflict"}));
  EXPECT_EQ(session_of(world, ann).requests_in_flight, 0u);
}

TEST(Conversations, FencedSessionIsKicked) {
  ChatWorld world({.shards = 2});
  const Who ann = world.login(0, 1);
  send(world, ann, {1, 2}, 10, "stale");
  world.fail_store(store::StoreError::fenced);
  EXPECT_EQ(world.got(ann), Texts{"kicked LoggedInElsewhere"});
  EXPECT_FALSE(world.online(ann));
}

TEST(Conversations, AfterAFailureLaterSendsFailUntilTheFailedOneComesAgain) {
  ChatWorld world({.shards = 2});
  const Who ann = world.login(0, 1);
  send(world, ann, {1, 2}, 10, "first");
  world.fail_store(store::StoreError::unavailable);
  world.run();
  send(world, ann, {1, 2}, 11, "second");
  send(world, ann, {1, 3}, 12, "elsewhere");
  EXPECT_EQ(world.submitted.size(), 1u);  // the other conversation's
  EXPECT_EQ(world.got(ann), (Texts{"#10 error StoreUnavailable", "#11 error StoreUnavailable"}));
  send(world, ann, {1, 2}, 13, "first", 10);
  send(world, ann, {1, 2}, 14, "second", 11);
  world.answer_store();
  EXPECT_EQ(world.got(ann), (Texts{"#12 sent 1-3 1", "#13 sent 1-2 1", "#14 sent 1-2 2"}));
}

TEST(Conversations, FullStoreIsBusyAndHoldsTheOrderToo) {
  ChatWorld world({});
  const Who ann = world.login(0, 1);
  world.store_full = true;
  send(world, ann, {1, 2}, 10, "first");
  world.store_full = false;
  send(world, ann, {1, 2}, 11, "second");
  EXPECT_EQ(world.got(ann), (Texts{"#10 error ServerBusy", "#11 error ServerBusy"}));
  send(world, ann, {1, 2}, 12, "first", 10);
  world.answer_store();
  EXPECT_EQ(world.got(ann), Texts{"#12 sent 1-2 1"});
}

TEST(Conversations, WhatFailedInTheStoreComesBeforeWhatWasRefusedAtTheDoor) {
  ChatWorld world({});
  const Who ann = world.login(0, 1);
  send(world, ann, {1, 2}, 10, "first");
  world.store_full = true;
  send(world, ann, {1, 2}, 11, "second");
  world.store_full = false;
  world.fail_store(store::StoreError::unavailable);
  world.got(ann);
  send(world, ann, {1, 2}, 12, "second", 11);
  EXPECT_EQ(world.got(ann), Texts{"#12 error StoreUnavailable"});
  send(world, ann, {1, 2}, 13, "first", 10);
  send(world, ann, {1, 2}, 14, "second", 11);
  world.answer_store();
  EXPECT_EQ(world.got(ann), (Texts{"#13 sent 1-2 1", "#14 sent 1-2 2"}));
}

TEST(Conversations, GivenUpSendHoldsTheOthersOnlyForAWhile) {
  ChatWorld world({});
  const Who ann = world.login(0, 1);
  world.at(ann).send_wait_ms = 40;
  send(world, ann, {1, 2}, 10, "given up");
  EXPECT_EQ(world.got(ann), Texts{"#10 error TooManyRequests"});
  world.at(ann).send_wait_ms = 0;
  send(world, ann, {1, 2}, 11, "next");
  EXPECT_EQ(world.got(ann), Texts{"#11 error TooManyRequests"});
  world.clock_ns += 31'000'000'000;
  send(world, ann, {1, 2}, 12, "next", 11);
  world.answer_store();
  EXPECT_EQ(world.got(ann), Texts{"#12 sent 1-2 1"});
}

TEST(Conversations, HoldEndsWithTheSession) {
  ChatWorld world({});
  const Who ann = world.login(0, 1);
  world.store_full = true;
  send(world, ann, {1, 2}, 10, "first");
  world.store_full = false;
  world.close(ann);
  const Who again = world.login(0, 1);
  ASSERT_EQ(again.slot, ann.slot);
  send(world, again, {1, 2}, 11, "second");
  world.answer_store();
  EXPECT_EQ(world.got(again), Texts{"#11 sent 1-2 1"});
}

TEST(Conversations, AnswerForASessionThatHasGoneIsDropped) {
  ChatWorld world({.shards = 2});
  const Who ann = world.login(0, 1);
  const Who bob = world.login(1, 2);
  send(world, ann, {1, 2}, 10, "last words");
  world.close(ann);
  const Who next = world.login(0, 3);
  ASSERT_EQ(next.slot, ann.slot);
  world.answer_store();
  EXPECT_EQ(world.got(next), Texts{});
  EXPECT_EQ(world.got(bob), Texts{"message 1-2 1 1 last words"});
}

TEST(Conversations, SlowReaderGoesToPullModeAndIsHintedOnceForEachConversation) {
  ChatWorld world({.shards = 2, .outgoing = {.session_frames = 2}});
  const Who ann = world.login(0, 1);
  const Who cat = world.login(0, 3);
  const Who bob = world.login(1, 2);
  world.stop_reading(bob);
  for (uint64_t i = 1; i <= 6; i++) {
    send(world, ann, {1, 2}, i, "a");
    world.answer_store();
    world.run();
    send(world, cat, {2, 3}, i, "c");
    world.answer_store();
    world.run();
  }
  world.stop_reading(bob, false);
  const Texts got = world.got(bob);
  EXPECT_EQ(got, (Texts{"message 1-2 1 1 a", "message 2-3 1 3 c", "hint 1-2 6", "hint 2-3 6"}));
  EXPECT_EQ(session_of(world, bob).pushed, 2u);
  send(world, ann, {1, 2}, 7, "live again");
  world.answer_store();
  EXPECT_EQ(world.got(bob), Texts{"message 1-2 7 1 live again"});
}

TEST(Conversations, QueuedPushesThatPinTooMuchBecomeHints) {
  ChatWorld world({.outgoing = {.session_bytes = 1 << 20, .pinned_bytes = 256 * 1024}});
  const Who ann = world.login(0, 1);
  const Who bob = world.login(0, 2);
  world.stop_reading(bob);
  const std::string big(16'000, 'x');
  for (uint64_t i = 1; i <= 30; i++) {
    send(world, ann, {1, 2}, i, big);
    world.answer_store();
    world.run();
  }
  EXPECT_LE(world.at(bob).outgoing().pinned_bytes(), 320u * 1024);
  world.stop_reading(bob, false);
  const Texts got = world.got(bob);
  ASSERT_GE(got.size(), 2u);
  EXPECT_EQ(got.back(), "hint 1-2 30");
  EXPECT_EQ(session_of(world, bob).pushed, got.size() - 1);
}

TEST(Conversations, TooManyMarksEndTheSession) {
  ChatWorld world({.outgoing = {.session_frames = 1}});
  const Who bob = world.login(0, 500);
  world.stop_reading(bob);
  for (uint64_t user = 501; user < 800; user++) {
    const Who sender = world.login(0, user);
    send(world, sender, {500, user}, 0, "x", user);
    world.answer_store();
    world.close(sender);
  }
  world.run();
  EXPECT_FALSE(world.online(bob));
  EXPECT_EQ(session_of(world, bob).close_reason, CloseReason::slow_reader);
}

TEST(Conversations, PushWhoseWayIsFullBecomesAHint) {
  Limits limits;
  limits.mail_overflow = 0;
  for (const uint32_t bobs_shard : {1u, 2u}) {
    ChatWorld world({.shards = 3, .mailbox = 3, .limits = limits});
    const Who ann = world.login(0, 3);           // conversations {3, 5}: at home in shard 0
    const Who bob = world.login(bobs_shard, 5);  // at home in shard 2
    for (uint64_t i = 1; i <= 12; i++) {
      send(world, ann, {3, 5}, i, "x");
    }
    world.answer_store();
    const Texts got = world.got(bob);
    ASSERT_FALSE(got.empty());
    EXPECT_EQ(got.back(), "hint 3-5 12");
    EXPECT_LT(got.size(), 12u);
    EXPECT_EQ(world.got(ann).size(), 12u);  // answers are never refused
  }
}

TEST(Conversations, SessionThatIsOwedTooMuchIsEnded) {
  Limits limits;
  limits.mail_overflow = 0;
  ChatWorld world({.shards = 2, .mailbox = 1, .limits = limits});
  const Who bob = world.login(0, 1);  // at home in shard 1
  for (uint64_t user = 2; user < 65'540; user++) {
    world.shard(1).chat().take({.kind = MailKind::advanced,
                                .byte = static_cast<uint8_t>(PushSide::lower),
                                .generation = 5,
                                .a = 1,
                                .b = user});
  }
  // Told once, however often it was owed.
  EXPECT_LE(world.shard(1).chat().mail_kept(), 1u);
  world.run();
  EXPECT_FALSE(world.online(bob));
  EXPECT_EQ(session_of(world, bob).close_reason, CloseReason::slow_reader);
}

TEST(Conversations, SessionWithTooManyFailedSendsIsEnded) {
  ChatWorld world({});
  const Who ann = world.login(0, 1);
  world.store_full = true;
  for (uint64_t user = 2; user < 65'538; user++) send(world, ann, {1, user}, 0, "x", user);
  EXPECT_TRUE(world.online(ann));
  send(world, ann, {1, 70'000}, 10, "one more");
  EXPECT_FALSE(world.online(ann));
  EXPECT_EQ(world.got(ann), Texts{"#10 error ServerBusy"});
}

TEST(Conversations, SyncNamesWhatHasMoreThenOk) {
  ChatWorld world({});
  const Who ann = world.login(0, 1);
  send(world, ann, {1, 2}, 1, "a");
  send(world, ann, {1, 2}, 2, "b");
  send(world, ann, {1, 3}, 3, "c");
  world.answer_store();
  world.got(ann);
  const std::vector<wire::Cursor> cursors{{wire::Conv(1, 2), 1}, {wire::Conv(1, 3), 1}};
  world.request(ann, [&](auto& writer) { return writer.sync(20, cursors); });
  world.answer_store();
  EXPECT_EQ(world.got(ann), (Texts{"#20 hint 1-2 2", "#20 ok"}));
  world.request(ann, [&](auto& writer) { return writer.sync(21, {}); });
  world.fail_store(store::StoreError::unavailable);
  EXPECT_EQ(world.got(ann), Texts{"#21 error StoreUnavailable"});
}

TEST(Conversations, PullGivesPages) {
  ChatWorld world({});
  const Who ann = world.login(0, 1);
  for (uint64_t i = 1; i <= 5; i++) send(world, ann, {1, 2}, i, "m" + std::to_string(i));
  world.answer_store();
  world.got(ann);
  world.request(ann, [&](auto& writer) { return writer.pull(20, {1, 2}, 1, 2); });
  world.request(ann, [&](auto& writer) { return writer.pull(21, {1, 2}, 3, 0); });
  world.request(ann, [&](auto& writer) { return writer.pull(22, {2, 3}, 0, 0); });
  world.request(ann, [&](auto& writer) { return writer.pull(23, {0, 3}, 0, 0); });
  world.answer_store();
  EXPECT_EQ(world.got(ann), (Texts{"#22 error NotMember", "#23 error Unsupported",
                                   "#20 page 1-2 2=m2 3=m3 first 1 last 5 more",
                                   "#21 page 1-2 4=m4 5=m5 first 1 last 5"}));
}

TEST(Conversations, AskingWithoutReadingIsAnsweredWithTooManyRequests) {
  ChatWorld world({.outgoing = {.session_bytes = 40'000}});
  const Who ann = world.login(0, 1);
  const std::string big(16'000, 'x');
  for (uint64_t i = 1; i <= 3; i++) send(world, ann, {1, 2}, i, big);
  world.answer_store();
  world.got(ann);
  world.stop_reading(ann);
  for (uint64_t i = 20; i < 30; i++) {
    world.request(ann, [&](auto& writer) { return writer.pull(i, {1, 2}, 0, 0); });
  }
  world.answer_store();
  EXPECT_LE(world.at(ann).outgoing().queued_bytes(ann.slot), 40'000u + 65'536u);
  world.stop_reading(ann, false);
  const Texts got = world.got(ann);
  EXPECT_EQ(got.size(), 10u);
  EXPECT_EQ(got.back(), "#29 error TooManyRequests");
}

TEST(Conversations, UsersByIdAndWhatIsNoRequest) {
  ChatWorld world({});
  const Who ann = world.login(0, 1);
  const std::vector<proto::UserId> ids{5, 6};
  world.request(ann, [&](auto& writer) { return writer.users(20, ids, {}); });
  const std::vector<proto::UserId> many(201, 5);
  world.request(ann, [&](auto& writer) { return writer.users(21, many, {}); });
  const std::vector<proto::UserId> none{0};
  world.request(ann, [&](auto& writer) { return writer.users(22, none, {}); });
  world.answer_store();
  EXPECT_EQ(world.got(ann),
            (Texts{"#21 error BadRequest", "#22 error BadRequest", "#20 users 5=u5 6=u6"}));
}

}  // namespace
}  // namespace ringtalk::service
