// Conversations under random orders of the shards' mails.
#include <gtest/gtest.h>

#include <algorithm>
#include <cstdio>
#include <map>
#include <string>
#include <vector>

#include "chat_world.h"

namespace ringtalk::service {
namespace {

using Seqs = std::map<proto::ConversationId, uint64_t>;

// What a session was told: in order, and what it has not seen was hinted.
struct Told {
  Seqs seen;
  Seqs hinted;
  Seqs missing;

  void take(const std::string& text) {
    unsigned long long request = 0;
    unsigned long long a = 0;
    unsigned long long b = 0;
    unsigned long long seq = 0;
    const char* line = text.c_str();
    if (sscanf(line, "hint %llu-%llu %llu", &a, &b, &seq) == 3) {
      hinted[{a, b}] = std::max<uint64_t>(hinted[{a, b}], seq);
      return;
    }
    if (sscanf(line, "message %llu-%llu %llu", &a, &b, &seq) != 3) {
      ASSERT_EQ(sscanf(line, "#%llu sent %llu-%llu %llu", &request, &a, &b, &seq), 4) << text;
    }
    uint64_t& before = seen[{a, b}];
    EXPECT_GT(seq, before) << text;
    if (seq > before + 1) missing[{a, b}] = seq - 1;
    before = seq;
  }

  void expect_complete(proto::UserId user, const Seqs& last) {
    // A jump is only what a hint stands for.
    for (const auto& [conversation, seq] : missing) EXPECT_GE(hinted[conversation], seq);
    for (const auto& [conversation, seq] : last) {
      if (!conversation.has_user(user)) continue;
      EXPECT_EQ(std::max(seen[conversation], hinted[conversation]), seq)
          << conversation.a << "-" << conversation.b << " of " << user;
    }
  }
};

// Eight sessions of four users who send, stop reading and read again at random.
class Talkers {
 public:
  explicit Talkers(uint64_t seed)
      : random_(seed),
        limits_{.mail_overflow = static_cast<uint32_t>(random_.below(3) * 6)},
        world_({.shards = static_cast<uint32_t>(1 + random_.below(4)),
                .seed = seed,
                .mailbox = 3 + random_.below(20),
                .limits = limits_,
                .outgoing = {.session_frames = static_cast<uint32_t>(3 + random_.below(20))}}) {
    for (uint32_t i = 0; i < 8; i++) {
      users_.push_back(1 + i % 4);
      sessions_.push_back(
          world_.login(static_cast<uint32_t>(random_.below(world_.options.shards)), users_.back()));
    }
  }

  void step() {
    const size_t at = random_.below(sessions_.size());
    switch (random_.below(6)) {
      case 0:
      case 1:
      case 2: {
        const auto conversation = proto::ConversationId::between(users_[at], 1 + random_.below(4));
        send(sessions_[at], conversation);
        last_[conversation]++;
        break;
      }
      case 3:
        world_.answer_store();
        break;
      case 4:
        for (int i = 0; i < 5; i++) world_.step();
        if (random_.chance(0.3)) world_.run();
        break;
      case 5:
        world_.stop_reading(sessions_[at], random_.chance(0.5));
        break;
    }
  }

  void settle_and_compare() {
    for (const Who who : sessions_) world_.stop_reading(who, false);
    world_.answer_store();
    world_.run();
    for (size_t i = 0; i < sessions_.size(); i++) {
      SCOPED_TRACE("session " + std::to_string(i));
      Told told;
      for (const std::string& text : world_.got(sessions_[i])) told.take(text);
      told.expect_complete(users_[i], last_);
    }
  }

 private:
  void send(Who who, const proto::ConversationId& conversation) {
    const uint64_t id = ++id_;
    world_.request(who, [&](auto& writer) {
      return writer.send(id, conversation, {7, id}, wire::MessageKind::Text, kBody);
    });
  }

  static constexpr std::byte kBody[] = {std::byte{'x'}};
  base::Random random_;
  const Limits limits_;
  ChatWorld world_;
  std::vector<Who> sessions_;
  std::vector<proto::UserId> users_;
  Seqs last_;
  uint64_t id_ = 0;
};

// Whatever the shards' mails do to each other: each session sees a conversation's seqs in order,
// all of them between what it got, what it sent and what it was hinted to pull.
TEST(ConversationsProperty, EverySessionSeesEveryConversationInOrder) {
  for (uint64_t seed = 1; seed <= 60; seed++) {
    SCOPED_TRACE("seed " + std::to_string(seed));
    Talkers talkers(seed);
    for (int step = 0; step < 300; step++) talkers.step();
    talkers.settle_and_compare();
    ASSERT_FALSE(::testing::Test::HasFailure());
  }
}

}  // namespace
}  // namespace ringtalk::service
