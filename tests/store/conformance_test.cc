// What every store does, whatever is behind it: one suite, run on each of them.
#include <gtest/gtest.h>

#include <algorithm>
#include <set>

#include "proto/limits.h"
#include "tests/store/messages.h"
#include "tests/store/store_under_test.h"
#include "tests/support/process.h"

namespace ringtalk::store::test {
namespace {

class Conformance : public testing::TestWithParam<Maker> {
 protected:
  Conformance() : under_test_(GetParam().make(folder_.path())) {}

  StoreUnderTest& store() { return *under_test_; }
  proto::UserId user(const std::string& name) {
    return store().get<UserCreated>(CreateUser{name, "hash of " + name}).user;
  }
  Holder login(proto::UserId user, uint64_t session) {
    const uint32_t epoch = store().get<EpochRaised>(RaiseEpoch{user, 7, 1}).epoch;
    return {epoch, 1, 1, session, true};
  }

  tests::TemporaryFolder folder_;
  std::unique_ptr<StoreUnderTest> under_test_;
};

TEST_P(Conformance, UsersGetRisingIdsAndKeepTheirNames) {
  const proto::UserId anna = user("Anna");
  const proto::UserId bert = user("Bert");
  EXPECT_GT(anna, 0u);
  EXPECT_GT(bert, anna);
  const Users users = store().get<Users>(FindUsers{{bert, 999}, {"ANNA", "nobody"}});
  ASSERT_EQ(users.list.size(), 2u);
  EXPECT_EQ(users.list[0].id, bert);
  EXPECT_EQ(users.list[0].name, "Bert");
  EXPECT_EQ(users.list[1].id, anna);
  EXPECT_EQ(users.list[1].name, "Anna");
  EXPECT_EQ(store().get<UserCount>(CountUsers{}).users, 2u);
}

TEST_P(Conformance, NamesAreTakenWhateverTheirCaseAndComposition) {
  user("Straße");
  EXPECT_EQ(store().refused(CreateUser{"STRASSE", "x"}), StoreError::name_taken);
  user("caf\u00e9");
  EXPECT_EQ(store().refused(CreateUser{"CAFE\u0301", "x"}), StoreError::name_taken);
  EXPECT_EQ(store().refused(CreateUser{"a\nb", "x"}), StoreError::bad_request);
  EXPECT_EQ(store().refused(CreateUser{"", "x"}), StoreError::bad_request);
}

TEST_P(Conformance, TwoOfOneNameInOneBatchMakeOneUser) {
  const auto replies = store().ask_all({CreateUser{"carla", "a"}, CreateUser{"Carla", "b"}});
  ASSERT_EQ(replies.size(), 2u);
  EXPECT_TRUE(std::holds_alternative<UserCreated>(replies[0].answer));
  ASSERT_TRUE(std::holds_alternative<Failed>(replies[1].answer));
  EXPECT_EQ(std::get<Failed>(replies[1].answer).error, StoreError::name_taken);
}

TEST_P(Conformance, CredentialsAreFoundByNameAndByUser) {
  const proto::UserId anna = user("Anna");
  const Credential by_name = store().get<Credential>(FindCredential{"anna", 0});
  EXPECT_EQ(by_name.user, anna);
  EXPECT_EQ(by_name.name, "Anna");
  EXPECT_EQ(by_name.password_hash, "hash of Anna");
  EXPECT_EQ(store().get<Credential>(FindCredential{"", anna}).password_hash, "hash of Anna");
  EXPECT_EQ(store().refused(FindCredential{"nobody", 0}), StoreError::not_found);
  EXPECT_EQ(store().refused(FindCredential{"", anna + 1}), StoreError::not_found);
  EXPECT_EQ(store().refused(FindCredential{"", UINT64_MAX}), StoreError::bad_request);
}

TEST_P(Conformance, NamesAndBodiesAreValuesNeverSql) {
  const std::string hostile = "x'); DROP TABLE user; --";
  const proto::UserId id = user(hostile);
  EXPECT_EQ(store().get<Users>(FindUsers{{id}, {}}).list.at(0).name, hostile);
  std::string body("\0'\"; \xff\xfe%s", 9);
  store().get<Appended>(load_append(1, 2, 1, body));
  const auto conversation = proto::ConversationId::between(load_user(1), load_user(2));
  EXPECT_EQ(store().get<Page>(pull(load_user(1), conversation)).messages.at(0).body, body);
}

TEST_P(Conformance, SeqsAreDenseInEachConversation) {
  for (uint64_t i = 1; i <= 5; i++) {
    EXPECT_EQ(store().get<Appended>(load_append(1, 2, i)).seq, i);
    EXPECT_EQ(store().get<Appended>(load_append(1, 3, 100 + i)).seq, i);
  }
  EXPECT_EQ(store().get<Appended>(load_append(2, 1, 1)).seq, 6u);
}

TEST_P(Conformance, TheWholeMessageComesBack) {
  Append sent = load_append(1, 2, 9, std::string(1'000, 'x'));
  sent.kind = 2;
  sent.reply_to = 77;
  const Appended done = store().get<Appended>(sent);
  EXPECT_EQ(done.message.body, sent.body);
  EXPECT_EQ(done.message.id, sent.id);
  EXPECT_EQ(done.message.conversation, sent.conversation);
  EXPECT_EQ(done.message.reply_to, 77u);
  EXPECT_FALSE(done.duplicate);
  EXPECT_GT(done.server_ms, 0u);
}

TEST_P(Conformance, ARepeatedSendHasOneRowAndTheOldSeq) {
  const Appended first = store().get<Appended>(load_append(1, 2, 1, "once"));
  store().get<Appended>(load_append(1, 2, 2, "between"));
  const Appended again = store().get<Appended>(load_append(1, 2, 1, "once"));
  EXPECT_EQ(again.seq, first.seq);
  EXPECT_EQ(again.server_ms, first.server_ms);
  EXPECT_TRUE(again.duplicate);
  const Page page = store().get<Page>(pull(load_user(2), first.message.conversation));
  EXPECT_EQ(page.messages.size(), 2u);
}

TEST_P(Conformance, ARepeatedSendInOneBatchIsFoundToo) {
  const auto replies = store().ask_all(
      {load_append(1, 2, 1), load_append(1, 2, 1), load_append(1, 2, 2), load_append(1, 2, 1)});
  ASSERT_EQ(replies.size(), 4u);
  const uint64_t seqs[] = {1, 1, 2, 1};
  const bool duplicates[] = {false, true, false, true};
  for (size_t i = 0; i < 4; i++) {
    const Appended& done = std::get<Appended>(replies[i].answer);
    EXPECT_EQ(done.seq, seqs[i]);
    EXPECT_EQ(done.duplicate, duplicates[i]);
  }
}

TEST_P(Conformance, AnIdUsedForAnotherMessageIsAConflict) {
  store().get<Appended>(load_append(1, 2, 1, "one"));
  EXPECT_EQ(store().refused(load_append(1, 2, 1, "two")), StoreError::conflict);
  EXPECT_EQ(store().refused(load_append(1, 3, 1, "one")), StoreError::conflict);
  Append other_kind = load_append(1, 2, 1, "one");
  other_kind.kind = 2;
  EXPECT_EQ(store().refused(other_kind), StoreError::conflict);
  // The scope of an id is its sender.
  Append of_another = load_append(2, 1, 0, "two");
  of_another.id = load_append(1, 2, 1).id;
  EXPECT_EQ(store().get<Appended>(of_another).seq, 2u);
}

TEST_P(Conformance, ABadRowFailsAlone) {
  Append foreign = load_append(1, 2, 2);
  foreign.conversation = proto::ConversationId::between(load_user(3), load_user(4));
  Append huge = load_append(1, 2, 3, std::string(proto::kBodyBytesMax + 1, 'x'));
  Append no_kind = load_append(1, 2, 4);
  no_kind.kind = 0;
  const auto replies =
      store().ask_all({load_append(1, 2, 1), foreign, huge, no_kind, load_append(1, 2, 5)});
  ASSERT_EQ(replies.size(), 5u);
  EXPECT_EQ(std::get<Appended>(replies[0].answer).seq, 1u);
  EXPECT_EQ(std::get<Failed>(replies[1].answer).error, StoreError::not_member);
  EXPECT_EQ(std::get<Failed>(replies[2].answer).error, StoreError::bad_request);
  EXPECT_EQ(std::get<Failed>(replies[3].answer).error, StoreError::bad_request);
  EXPECT_EQ(std::get<Appended>(replies[4].answer).seq, 2u);
}

TEST_P(Conformance, OnlyUsersThatExistGetMessages) {
  const proto::UserId anna = user("anna");
  const Holder holder = login(anna, 1);
  EXPECT_EQ(store().refused(user_append(anna, anna + 1, 1, holder)), StoreError::not_found);
  EXPECT_EQ(store().refused(user_append(anna, load_user(1), 2, holder)), StoreError::not_found);
  EXPECT_EQ(store().get<Appended>(user_append(anna, anna, 3, holder)).seq, 1u);
  const proto::UserId bert = user("bert");
  EXPECT_EQ(store().get<Appended>(user_append(anna, bert, 4, holder)).seq, 1u);
}

TEST_P(Conformance, TheNewestLoginOfADeviceWrites) {
  const proto::UserId anna = user("anna");
  Holder old_login = login(anna, 1);
  store().get<Appended>(user_append(anna, anna, 1, old_login));
  old_login.claim = false;
  store().get<Appended>(user_append(anna, anna, 2, old_login));

  const Holder new_login = login(anna, 2);
  EXPECT_GT(new_login.epoch, old_login.epoch);
  EXPECT_EQ(store().refused(user_append(anna, anna, 3, old_login)), StoreError::fenced);
  old_login.claim = true;
  EXPECT_EQ(store().refused(user_append(anna, anna, 3, old_login)), StoreError::fenced);
  EXPECT_EQ(store().get<Appended>(user_append(anna, anna, 4, new_login)).seq, 3u);
}

TEST_P(Conformance, AtEqualEpochTheLastClaimWins) {
  const proto::UserId anna = user("anna");
  Holder first = login(anna, 1);
  Holder second = first;
  second.session = 2;
  store().get<Appended>(user_append(anna, anna, 1, first));
  store().get<Appended>(user_append(anna, anna, 2, second));
  first.claim = false;
  EXPECT_EQ(store().refused(user_append(anna, anna, 3, first)), StoreError::fenced);
  second.claim = false;
  EXPECT_EQ(store().get<Appended>(user_append(anna, anna, 4, second)).seq, 3u);
}

TEST_P(Conformance, TheFenceHoldsInsideABatch) {
  Append one = load_append(1, 2, 1);
  Append other = load_append(1, 2, 2);
  other.holder.session = 900;
  Append late = load_append(1, 2, 3);
  late.holder.claim = false;
  const auto replies = store().ask_all({one, other, late});
  EXPECT_TRUE(std::holds_alternative<Appended>(replies.at(0).answer));
  EXPECT_TRUE(std::holds_alternative<Appended>(replies.at(1).answer));
  EXPECT_EQ(std::get<Failed>(replies.at(2).answer).error, StoreError::fenced);
}

TEST_P(Conformance, WithoutALoginNothingIsWritten) {
  const proto::UserId anna = user("anna");
  EXPECT_EQ(store().refused(user_append(anna, anna, 1, {5, 1, 1, 1, true})), StoreError::fenced);
  EXPECT_EQ(store().refused(RaiseEpoch{anna + 1, 7, 1}), StoreError::not_found);
}

TEST_P(Conformance, RevokedSessionsWriteNoMore) {
  const proto::UserId anna = user("anna");
  const Holder holder = login(anna, 1);
  store().get<Appended>(user_append(anna, anna, 1, holder));
  const uint32_t epoch_min = store().get<Revoked>(RevokeSessions{anna, holder.epoch}).epoch_min;
  EXPECT_GT(epoch_min, holder.epoch);
  EXPECT_EQ(store().refused(user_append(anna, anna, 2, holder)), StoreError::fenced);
  const Holder again = login(anna, 2);
  EXPECT_GE(again.epoch, epoch_min);
  EXPECT_EQ(store().get<Appended>(user_append(anna, anna, 3, again)).seq, 2u);
  const Revocations all = store().get<Revocations>(LoadRevocations{});
  ASSERT_EQ(all.users.size(), 1u);
  EXPECT_EQ(all.users[0].user, anna);
  EXPECT_EQ(all.users[0].epoch_min, epoch_min);
}

TEST_P(Conformance, RevokedLoadUsersWriteNoMoreFromAnyDevice) {
  store().get<Appended>(load_append(1, 2, 1));
  store().get<Revoked>(RevokeSessions{load_user(1), 1});
  EXPECT_EQ(store().refused(load_append(1, 2, 2)), StoreError::fenced);
  Append other_device = load_append(1, 2, 3);
  other_device.device = 8;
  EXPECT_EQ(store().refused(other_device), StoreError::fenced);
  // One that never wrote has no row yet.
  store().get<Revoked>(RevokeSessions{load_user(5), 1});
  EXPECT_EQ(store().refused(load_append(5, 2, 1)), StoreError::fenced);
}

// What ends a device's tokens is known for as long as one of them could be shown.
TEST_P(Conformance, VoidTokensOfADeviceAreKnownUntilTheyExpire) {
  const proto::UserId anna = user("anna");
  const auto revoked = [this](uint64_t now_ms) {
    return store().get<Revocations>(LoadRevocations{now_ms}).devices;
  };
  const auto raise = [&](proto::DeviceId device, uint64_t expires_ms) {
    return store().get<EpochRaised>(RaiseEpoch{anna, device, 1, expires_ms});
  };
  const EpochRaised first = raise(7, 1'000);
  EXPECT_EQ(first.expires_ms, 1'000u);
  EXPECT_EQ(first.older.until_ms, 0u) << "there is no older token";
  raise(8, 5'000);
  EXPECT_TRUE(revoked(0).empty());

  const EpochRaised logout = raise(7, 0);
  EXPECT_GT(logout.epoch, first.epoch);
  EXPECT_GE(logout.older.until_ms, 1'000u);
  ASSERT_EQ(revoked(999).size(), 1u);
  EXPECT_EQ(revoked(999)[0].device, (proto::UserDevice{anna, 7}));
  EXPECT_EQ(revoked(999)[0].epoch_min, logout.epoch);
  EXPECT_TRUE(revoked(5'000).empty()) << "expired";

  // A longer token, a shorter one and a logout: the longest counts.
  raise(7, 4'000);
  raise(7, 2'000);
  const EpochRaised again = raise(7, 0);
  EXPECT_EQ(again.older.until_ms, 4'000u);
  ASSERT_EQ(revoked(3'999).size(), 1u);
  EXPECT_EQ(revoked(3'999)[0].epoch_min, again.epoch);
  EXPECT_TRUE(revoked(4'000).empty());
  EXPECT_EQ(store().refused(RaiseEpoch{anna, 7, 1, proto::kIdMax + 1}), StoreError::bad_request);

  // All devices: the user's own lowest epoch says it for each.
  raise(8, 6'000);
  EXPECT_EQ(revoked(4'500).size(), 1u);
  store().get<Revoked>(RevokeSessions{anna, again.epoch});
  EXPECT_TRUE(revoked(0).empty());
}

TEST_P(Conformance, PagesGoBothWaysAndSayWhetherThereIsMore) {
  std::vector<Request> sends;
  for (uint64_t i = 1; i <= 10; i++) sends.push_back(load_append(1, 2, i, std::to_string(i)));
  const auto replies = store().ask_all(std::move(sends));
  const auto conversation = std::get<Appended>(replies.at(0).answer).message.conversation;
  const auto seqs = [](const Page& page) {
    std::vector<uint64_t> list;
    for (const StoredMessage& message : page.messages) list.push_back(message.seq);
    return list;
  };
  Page page = store().get<Page>(pull(load_user(1), conversation, 0, 4));
  EXPECT_EQ(seqs(page), (std::vector<uint64_t>{1, 2, 3, 4}));
  EXPECT_TRUE(page.more);
  EXPECT_EQ(page.last_seq, 10u);
  EXPECT_EQ(page.first_available, 1u);
  page = store().get<Page>(pull(load_user(2), conversation, 8, 4));
  EXPECT_EQ(seqs(page), (std::vector<uint64_t>{9, 10}));
  EXPECT_FALSE(page.more);
  page = store().get<Page>(pull(load_user(2), conversation, 0, 3, true));
  EXPECT_EQ(seqs(page), (std::vector<uint64_t>{8, 9, 10}));
  EXPECT_TRUE(page.more);
  page = store().get<Page>(pull(load_user(2), conversation, 3, 3, true));
  EXPECT_EQ(seqs(page), (std::vector<uint64_t>{1, 2}));
  EXPECT_FALSE(page.more);
  EXPECT_EQ(page.messages.at(0).sender, load_user(1));
  EXPECT_EQ(page.messages.at(0).id, (proto::ClientMessageId{1, 1}));
}

TEST_P(Conformance, PagesAreBoundedByBytesButNeverEmptyBecauseOfThem) {
  for (uint64_t i = 1; i <= 3; i++)
    store().get<Appended>(load_append(1, 2, i, std::string(100, 'x')));
  const auto conversation = proto::ConversationId::between(load_user(1), load_user(2));
  Pull request = pull(load_user(1), conversation);
  request.bytes_max = 250;
  EXPECT_EQ(store().get<Page>(request).messages.size(), 2u);
  request.bytes_max = 10;
  const Page page = store().get<Page>(request);
  EXPECT_EQ(page.messages.size(), 1u);
  EXPECT_TRUE(page.more);
}

TEST_P(Conformance, NobodyReadsOutsideTheirConversations) {
  store().get<Appended>(load_append(1, 2, 1));
  const auto conversation = proto::ConversationId::between(load_user(1), load_user(2));
  EXPECT_EQ(store().refused(pull(load_user(3), conversation)), StoreError::not_member);
  EXPECT_EQ(store().refused(pull(load_user(3), {0, 5})), StoreError::not_member);
  EXPECT_EQ(store().refused(pull(load_user(3), {UINT64_MAX, 5})), StoreError::bad_request);
  EXPECT_EQ(store().refused(pull(load_user(1), conversation, 0, 0)), StoreError::bad_request);
}

TEST_P(Conformance, AConversationWithoutMessagesIsAnEmptyPage) {
  const auto conversation = proto::ConversationId::between(load_user(1), load_user(2));
  const Page page = store().get<Page>(pull(load_user(1), conversation));
  EXPECT_TRUE(page.messages.empty());
  EXPECT_EQ(page.last_seq, 0u);
  EXPECT_FALSE(page.more);
}

TEST_P(Conformance, HeadsNameWhatADeviceLacks) {
  for (uint64_t peer = 2; peer <= 6; peer++) store().get<Appended>(load_append(1, peer, peer));
  store().get<Appended>(load_append(1, 3, 100));
  const auto with = [](uint64_t peer) {
    return proto::ConversationId::between(load_user(1), load_user(peer));
  };
  const std::vector<Known> known = {{with(2), 1}, {with(3), 1}};
  HeadList heads = store().get<HeadList>(Heads{load_user(1), known, 10});
  ASSERT_EQ(heads.list.size(), 4u);
  EXPECT_FALSE(heads.more);
  const auto third = std::find_if(heads.list.begin(), heads.list.end(),
                                  [&](const Known& k) { return k.conversation == with(3); });
  ASSERT_NE(third, heads.list.end());
  EXPECT_EQ(third->seq, 2u);
  heads = store().get<HeadList>(Heads{load_user(1), known, 3});
  EXPECT_EQ(heads.list.size(), 3u);
  EXPECT_TRUE(heads.more);
  EXPECT_EQ(store().get<HeadList>(Heads{load_user(6), {}, 10}).list.size(), 1u);
  EXPECT_EQ(store().get<HeadList>(Heads{load_user(77), {}, 10}).list.size(), 0u);
}

TEST_P(Conformance, TicketsComeBackAsTheyWere) {
  const Ticket ticket{3, 44, 5, 66, 777, 8};
  ASSERT_TRUE(store().store().submit(load_append(1, 2, 1), ticket));
  const auto replies = store().wait(1);
  ASSERT_EQ(replies.size(), 1u);
  EXPECT_EQ(replies[0].ticket.shard, 3u);
  EXPECT_EQ(replies[0].ticket.slot, 44u);
  EXPECT_EQ(replies[0].ticket.generation, 5u);
  EXPECT_EQ(replies[0].ticket.bytes, 66u);
  EXPECT_EQ(replies[0].ticket.request, 777u);
  EXPECT_EQ(replies[0].ticket.origin, 8u);
}

// A database in memory ends with its store.
class Durability : public Conformance {};

TEST_P(Durability, WhatWasCommittedIsThereAfterAReopen) {
  const proto::UserId anna = user("anna");
  for (uint64_t i = 1; i <= 20; i++) store().get<Appended>(load_append(1, 2, i));
  under_test_->reopen();
  const auto conversation = proto::ConversationId::between(load_user(1), load_user(2));
  EXPECT_EQ(store().get<Page>(pull(load_user(1), conversation)).messages.size(), 20u);
  EXPECT_TRUE(store().get<Appended>(load_append(1, 2, 20)).duplicate);
  EXPECT_EQ(store().get<Appended>(load_append(1, 2, 21)).seq, 21u);
  EXPECT_GT(user("bert"), anna);
}

constexpr Maker kSqliteFile{"SqliteFile", make_sqlite_file};
constexpr Maker kSqliteMemory{"SqliteMemory", make_sqlite_memory};
constexpr Maker kSimulated{"Simulated", make_simulated};

std::string name_of(const testing::TestParamInfo<Maker>& one) {
  return one.param.name;
}

INSTANTIATE_TEST_SUITE_P(Stores, Conformance,
                         testing::Values(kSqliteFile, kSqliteMemory, kSimulated), name_of);
INSTANTIATE_TEST_SUITE_P(Stores, Durability, testing::Values(kSqliteFile, kSimulated), name_of);

}  // namespace
}  // namespace ringtalk::store::test
