// Register, login, logout: names, passwords, epochs, and a store that is away.
#include <gtest/gtest.h>

#include "shard_world.h"

namespace ringtalk::service {
namespace {

class Accounts : public ::testing::Test {
 protected:
  static void SetUpTestSuite() { ASSERT_TRUE(start_password_library()); }

  proto::UserId sign_up(TestClient& client, const char* name = "Ada",
                        const char* password = "correct horse") {
    world_.send(client, world_.write.register_user(20, name, password));
    world_.settle();
    const auto* registered = world_.next_as<wire::Registered>(client);
    return registered == nullptr ? 0 : registered->user();
  }

  bool resumes(proto::UserId user, proto::DeviceId device, uint32_t epoch = 1) {
    TestClient& client = world_.greeted();
    world_.send(client, world_.write.resume(3, world_.token(user, device, 0, epoch)));
    world_.settle();
    return world_.next_as<wire::LoggedIn>(client) != nullptr;
  }

  ShardWorld world_{ShardWorld::Options{}};
};

TEST_F(Accounts, RegisterThenLoginByNameAndByUser) {
  TestClient& client = world_.greeted();
  const proto::UserId user = sign_up(client);
  ASSERT_NE(user, 0u);
  world_.send(client, world_.write.login(21, "Ada", 0, "correct horse"));
  world_.settle();
  const wire::Frame* frame = world_.next(client);
  ASSERT_NE(frame, nullptr);
  EXPECT_EQ(frame->head()->id(), 21u);
  ASSERT_NE(frame->body_as_LoggedIn(), nullptr);
  EXPECT_EQ(frame->body_as_LoggedIn()->user(), user);
  // The token that came back opens another session without a password.
  const auto* token = frame->body_as_LoggedIn()->token();
  const std::string copy(reinterpret_cast<const char*>(token->data()), token->size());
  TestClient& again = world_.greeted();
  world_.send(again, world_.write.resume(
                         22, {reinterpret_cast<const std::byte*>(copy.data()), copy.size()}));
  world_.settle();
  ASSERT_NE(world_.next_as<wire::LoggedIn>(again), nullptr);

  TestClient& by_user = world_.greeted();
  world_.send(by_user, world_.write.login(23, "", user, "correct horse"));
  world_.settle();
  EXPECT_NE(world_.next_as<wire::LoggedIn>(by_user), nullptr);
}

TEST_F(Accounts, AWrongPasswordAndAnUnknownNameLookAlike) {
  TestClient& client = world_.greeted();
  sign_up(client);
  const uint64_t jobs = world_.workers.jobs_run;
  world_.send(client, world_.write.login(21, "Ada", 0, "wrong"));
  world_.settle();
  const auto* wrong = world_.next_as<wire::Error>(client);
  ASSERT_NE(wrong, nullptr);
  EXPECT_EQ(wrong->code(), wire::ErrorCode::WrongCredentials);
  const std::string wrong_text = wrong->text()->str();
  EXPECT_EQ(world_.workers.jobs_run, jobs + 1);
  world_.send(client, world_.write.login(22, "Nobody", 0, "wrong"));
  world_.settle();
  const auto* unknown = world_.next_as<wire::Error>(client);
  ASSERT_NE(unknown, nullptr);
  EXPECT_EQ(unknown->code(), wire::ErrorCode::WrongCredentials);
  EXPECT_EQ(unknown->text()->str(), wrong_text);
  EXPECT_EQ(world_.workers.jobs_run, jobs + 2) << "it costs a verification too";
}

TEST_F(Accounts, NamesAndPasswordsThatAreRefused) {
  TestClient& client = world_.greeted();
  const std::string long_name(65, 'n');
  const std::string long_password(1'025, 'p');
  world_.send(client, world_.write.register_user(1, "", "password"));
  world_.send(client, world_.write.register_user(2, long_name, "password"));
  world_.send(client, world_.write.register_user(3, " border", "password"));
  world_.send(client, world_.write.register_user(4, "fine", ""));
  world_.send(client, world_.write.register_user(5, "fine", long_password));
  world_.send(client, world_.write.login(6, "", 0, "password"));
  world_.settle();
  for (int i = 0; i < 6; i++) EXPECT_EQ(world_.next_error(client), wire::ErrorCode::BadRequest);
  EXPECT_EQ(world_.workers.jobs_run, 0u);
  EXPECT_NE(sign_up(client), 0u);
  world_.send(client, world_.write.register_user(7, "Ada", "other"));
  world_.settle();
  EXPECT_EQ(world_.next_error(client), wire::ErrorCode::NameTaken);
}

TEST_F(Accounts, OneRequestAtATimeAndBusyWorkersSaySo) {
  world_.workers.held = true;
  TestClient& one = world_.greeted();
  world_.send(one, world_.write.register_user(1, "One", "password"));
  world_.send(one, world_.write.login(2, "One", 0, "password"));
  world_.settle();
  EXPECT_EQ(world_.next_error(one), wire::ErrorCode::TooManyRequests);
  TestClient& two = world_.greeted();
  world_.send(two, world_.write.register_user(1, "Two", "password"));
  TestClient& three = world_.greeted();
  world_.send(three, world_.write.register_user(1, "Three", "password"));
  world_.settle();
  const auto* busy = world_.next_as<wire::Error>(three);
  ASSERT_NE(busy, nullptr);
  EXPECT_EQ(busy->code(), wire::ErrorCode::ServerBusy);
  EXPECT_GT(busy->retry_after_ms(), 0u);
  EXPECT_EQ(world_.stats().hashes_refused, 1u);
  // The one who was refused may try again when there is room.
  world_.workers.held = false;
  world_.settle();
  EXPECT_NE(world_.next_as<wire::Registered>(one), nullptr);
  EXPECT_NE(world_.next_as<wire::Registered>(two), nullptr);
  EXPECT_NE(sign_up(three, "Three"), 0u);
}

TEST_F(Accounts, AClientThatLeavesWhileItsPasswordIsChecked) {
  world_.workers.held = true;
  TestClient& client = world_.greeted();
  world_.send(client, world_.write.register_user(1, "Gone", "password"));
  world_.settle();
  world_.hang_up(client);
  world_.settle();
  EXPECT_EQ(world_.stats().sessions, 0u);
  world_.workers.held = false;
  world_.settle();
  EXPECT_EQ(world_.store.submitted, 0u);
}

TEST_F(Accounts, AStoreThatIsAwayOrFull) {
  TestClient& client = world_.greeted();
  sign_up(client);
  world_.store.away = true;
  world_.send(client, world_.write.login(1, "Ada", 0, "correct horse"));
  world_.settle();
  const auto* error = world_.next_as<wire::Error>(client);
  ASSERT_NE(error, nullptr);
  EXPECT_EQ(error->code(), wire::ErrorCode::StoreUnavailable);
  EXPECT_GT(error->retry_after_ms(), 0u);
  world_.store.away = false;
  world_.store.full = true;
  world_.send(client, world_.write.login(2, "Ada", 0, "correct horse"));
  world_.settle();
  EXPECT_EQ(world_.next_error(client), wire::ErrorCode::ServerBusy);
  world_.store.full = false;
  world_.send(client, world_.write.login(3, "Ada", 0, "correct horse"));
  world_.settle();
  EXPECT_NE(world_.next_as<wire::LoggedIn>(client), nullptr);
}

TEST_F(Accounts, LogoutRaisesTheEpochAndEnds) {
  TestClient& client = world_.online(5);
  world_.send(client, world_.write.logout(9, false));
  world_.settle();
  const wire::Frame* frame = world_.next(client);
  ASSERT_NE(frame, nullptr);
  EXPECT_EQ(frame->head()->id(), 9u);
  EXPECT_NE(frame->body_as_Ok(), nullptr);
  EXPECT_TRUE(client.ended);
  EXPECT_EQ(world_.store.epochs[5], 1u);
  world_.finish(client);
  world_.settle();
  EXPECT_EQ(world_.closes(CloseReason::logged_out), 1u);
}

// Once a token that was logged out could come back and read until it expired: it was fenced for
// writes alone.
TEST_F(Accounts, LogoutMakesTheTokenOfThatDeviceVoid) {
  TestClient& client = world_.online(5, 1);
  TestClient& other = world_.online(5, 2);
  world_.store.epochs[5] = 1;
  world_.send(client, world_.write.logout(9, false));
  world_.settle();
  EXPECT_NE(world_.next_as<wire::Ok>(client), nullptr);
  EXPECT_FALSE(other.ended);
  TestClient& late = world_.greeted();
  world_.send(late, world_.write.resume(3, world_.token(5, 1)));
  world_.settle();
  EXPECT_EQ(world_.next_error(late), wire::ErrorCode::TokenInvalid);
  EXPECT_TRUE(resumes(5, 2)) << "another device";
  EXPECT_TRUE(resumes(6, 1)) << "another user";
  EXPECT_TRUE(resumes(5, 1, 2)) << "the next login's";
}

// It counts also when the session that asked has gone before the store answered.
TEST_F(Accounts, ALogoutOutlivesTheSessionThatAsked) {
  TestClient& client = world_.online(5, 1);
  world_.store.epochs[5] = 1;
  world_.store.held = true;
  world_.send(client, world_.write.logout(0, false));
  world_.settle();
  world_.hang_up(client);
  world_.settle();
  EXPECT_TRUE(resumes(5, 1)) << "not yet";
  TestClient& newcomer = world_.online(5, 1);
  world_.store.held = false;
  world_.settle();
  const auto* kicked = world_.next_as<wire::Kicked>(newcomer);
  ASSERT_NE(kicked, nullptr) << "it came with the same token meanwhile";
  EXPECT_EQ(kicked->reason(), wire::KickReason::LoggedOut);
  EXPECT_FALSE(resumes(5, 1));
}

// The token is looked at on the session's shard, and the session is kicked by its user's home: a
// logout between the two would find nobody.
TEST(AccountsOnTwoShards, ALogoutBetweenTokenAndRouteIsSeen) {
  ShardWorld world(ShardWorld::Options{.shards = 2});
  TestClient& client = world.greeted();
  const uint32_t here = world.node->snapshot()->parts[0].shard.sessions == 1 ? 0 : 1;
  proto::UserId user = 1;
  while (world.node->home_of_user(user) == here) user++;
  world.send(client, world.write.resume(2, world.token(user, 7)));
  for (int turns = 0; world.node->snapshot()->parts[here].shard.resumes == 0; turns++) {
    ASSERT_LT(turns, 1'000);
    world.clock.advance_ns(1'000);
    world.network.run_due();
    world.node->shard(here).turn(0);
  }
  world.node->revocations().revoke_device({{user, 7}, 2, proto::kIdMax}, world.clock.wall_ms());
  world.settle();
  const auto* kicked = world.next_as<wire::Kicked>(client);
  ASSERT_NE(kicked, nullptr);
  EXPECT_EQ(kicked->reason(), wire::KickReason::LoggedOut);
  EXPECT_TRUE(client.ended);
}

TEST_F(Accounts, ANewPasswordLoginMakesTheOlderTokenOfThatDeviceVoid) {
  TestClient& first = world_.greeted();
  const proto::UserId user = sign_up(first);
  world_.send(first, world_.write.login(1, "Ada", 0, "correct horse"));
  world_.settle();
  ASSERT_NE(world_.next_as<wire::LoggedIn>(first), nullptr);
  EXPECT_TRUE(resumes(user, 7, 1));
  TestClient& second = world_.greeted();
  world_.send(second, world_.write.login(1, "Ada", 0, "correct horse"));
  world_.settle();
  ASSERT_NE(world_.next_as<wire::LoggedIn>(second), nullptr);
  EXPECT_FALSE(resumes(user, 7, 1));
  EXPECT_TRUE(resumes(user, 7, 2));
}

TEST_F(Accounts, LogoutOfAllDevicesEndsThemAndTheirTokens) {
  TestClient& one = world_.online(5, 1);
  TestClient& two = world_.online(5, 2);
  TestClient& other = world_.online(6, 1);
  world_.store.epochs[5] = 1;
  world_.send(one, world_.write.logout(9, true));
  world_.settle();
  EXPECT_NE(world_.next_as<wire::Ok>(one), nullptr);
  const auto* kicked = world_.next_as<wire::Kicked>(two);
  ASSERT_NE(kicked, nullptr);
  EXPECT_EQ(kicked->reason(), wire::KickReason::LoggedOut);
  EXPECT_TRUE(one.ended);
  EXPECT_TRUE(two.ended);
  EXPECT_FALSE(other.ended);
  TestClient& late = world_.greeted();
  world_.send(late, world_.write.resume(3, world_.token(5)));
  world_.settle();
  EXPECT_EQ(world_.next_error(late), wire::ErrorCode::TokenInvalid);
  world_.send(late, world_.write.resume(4, world_.token(5, 7, 0, 2)));
  world_.settle();
  EXPECT_NE(world_.next_as<wire::LoggedIn>(late), nullptr);
}

// The revocation counts also when the session that asked has gone before the store answered.
TEST_F(Accounts, ARevocationOutlivesTheSessionThatAsked) {
  TestClient& client = world_.online(5);
  world_.store.epochs[5] = 1;
  world_.store.held = true;
  world_.send(client, world_.write.logout(9, true));
  world_.settle();
  world_.hang_up(client);
  world_.settle();
  world_.store.held = false;
  world_.settle();
  EXPECT_EQ(world_.node->revocations().epoch_min({5, 1}), 2u);
}

TEST_F(Accounts, ANewLoginOfADeviceKicksTheOldOne) {
  TestClient& old = world_.online(5, 1);
  TestClient& fresh = world_.greeted();
  world_.send(fresh, world_.write.resume(2, world_.token(5, 1, 0, 2)));
  world_.settle();
  EXPECT_NE(world_.next_as<wire::LoggedIn>(fresh), nullptr);
  const auto* kicked = world_.next_as<wire::Kicked>(old);
  ASSERT_NE(kicked, nullptr);
  EXPECT_EQ(kicked->reason(), wire::KickReason::LoggedInElsewhere);
  EXPECT_TRUE(old.ended);
}

}  // namespace
}  // namespace ringtalk::service
