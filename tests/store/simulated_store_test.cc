// The promises of the store under every fault that the simulated one has, judged by the checker.
#include "tests/support/simulated_store.h"

#include <gtest/gtest.h>

#include <algorithm>

#include "tests/store/chatters.h"
#include "tests/store/reply_collector.h"
#include "tests/support/seed.h"

namespace ringtalk::store::test {
namespace {

using tests::SimulatedDisk;
using tests::SimulatedStore;
using tests::StoreFaults;

struct Outcome {
  std::vector<check::Violation> violations;
  uint64_t sends = 0;
  uint64_t kills = 0;
  uint64_t unavailable = 0;
  uint64_t hash = 0;  // of every reply, in order
};

class World {
 public:
  World(uint64_t seed, const StoreFaults& faults, double kill)
      : random_(seed), faults_(faults), kill_(kill), chatters_(4, 30, random_.fork()) {
    start();
  }

  Outcome run() {
    for (int turn = 0; turn < 600; turn++) {
      chatters_.act();
      if (random_.chance(0.02)) store_->set_away(random_.chance(0.5));
      if (random_.chance(0.02)) clock_.jump_wall_ms(random_.chance(0.5) ? 5'000 : -5'000);
      if (random_.chance(kill_)) restart();
      pass(random_.below(600'000));
    }
    heal();
    read_log();
    outcome_.violations = chatters_.history.judge();
    outcome_.sends = chatters_.history.sends();
    outcome_.unavailable = chatters_.errors[StoreError::unavailable];
    return outcome_;
  }

 private:
  void start() {
    store_ = std::make_unique<SimulatedStore>(disk_, replies_, clock_, random_.next(), faults_);
    chatters_.connect(*store_);
  }
  void restart() {
    outcome_.kills++;
    store_.reset();
    start();
  }
  void pass(uint64_t ns) {
    clock_.advance_ns(ns);
    while (store_->step()) {
    }
    for (Reply& reply : replies_.take()) {
      outcome_.hash =
          proto::mix(outcome_.hash ^ reply.answer.index() ^ (reply.ticket.request << 8));
      if (!std::holds_alternative<Page>(reply.answer)) chatters_.take(reply);
    }
    if (!replies_.failure().empty()) {
      replies_.forget_failure();
      restart();
    }
  }
  void heal() {
    store_->set_faults({});
    store_->set_away(false);
    if (faults_.acknowledge_before_commit) restart();
    for (int turn = 0; turn < 2'000 && !chatters_.quiet(); turn++) {
      chatters_.push_all();
      pass(1'000'000);
    }
    EXPECT_TRUE(chatters_.quiet());
  }
  void read_log() {
    auto conversations = chatters_.conversations();
    std::sort(conversations.begin(), conversations.end());
    conversations.erase(std::unique(conversations.begin(), conversations.end()),
                        conversations.end());
    for (const auto& conversation : conversations) {
      ASSERT_TRUE(store_->submit(pull(conversation.a, conversation, 0, 200), Ticket{}));
      clock_.advance_ms(100);
      while (store_->step() || store_->due_ns() != UINT64_MAX) clock_.advance_ms(100);
      auto replies = replies_.take();
      ASSERT_EQ(replies.size(), 1u);
      const Page& page = std::get<Page>(replies[0].answer);
      EXPECT_FALSE(page.more);
      uint64_t last_ms = 0;
      for (const StoredMessage& row : page.messages) {
        EXPECT_GE(row.server_ms, last_ms) << "server time went back";
        last_ms = row.server_ms;
        chatters_.history.logged(key_of(conversation), row.seq, key_of(row.sender, row.id),
                                 hash_of(row.body));
      }
    }
  }

  base::Random random_;
  const StoreFaults faults_;
  const double kill_;
  base::ManualClock clock_;
  ReplyCollector replies_;
  SimulatedDisk disk_;
  Chatters chatters_;
  std::unique_ptr<SimulatedStore> store_;
  Outcome outcome_;
};

StoreFaults every_fault() {
  StoreFaults faults;
  faults.busy = 0.05;
  faults.full = 0.05;
  faults.unknown_before = 0.05;
  faults.unknown_after = 0.05;
  faults.race = 0.05;
  faults.broken = 0.01;
  faults.batch_max = 8;
  faults.requests_max = 16;
  return faults;
}

TEST(SimulatedStore, KeepsEveryPromiseUnderEveryFault) {
  const uint64_t first = tests::test_seed(1);
  uint64_t kills = 0, unavailable = 0, sends = 0;
  for (uint64_t seed = first; seed < first + 100; seed++) {
    const Outcome outcome = World(seed, every_fault(), 0.01).run();
    for (const check::Violation& one : outcome.violations) {
      ADD_FAILURE() << "seed " << seed << ": " << to_string(one.promise) << " seq " << one.seq
                    << ": " << one.text;
    }
    kills += outcome.kills;
    unavailable += outcome.unavailable;
    sends += outcome.sends;
    if (HasFailure()) break;
  }
  // The faults did happen.
  EXPECT_GT(kills, 100u);
  EXPECT_GT(unavailable, 100u);
  EXPECT_GT(sends, 5'000u);
}

TEST(SimulatedStore, ASeedReplays) {
  const Outcome one = World(77, every_fault(), 0.01).run();
  const Outcome two = World(77, every_fault(), 0.01).run();
  const Outcome other = World(78, every_fault(), 0.01).run();
  EXPECT_EQ(one.hash, two.hash);
  EXPECT_NE(one.hash, other.hash);
}

bool found_in(const StoreFaults& faults, double kill, check::Broken promise) {
  const uint64_t first = tests::test_seed(1);
  for (uint64_t seed = first; seed < first + 50; seed++) {
    for (const check::Violation& one : World(seed, faults, kill).run().violations) {
      if (one.promise == promise) return true;
    }
  }
  return false;
}

TEST(SimulatedStore, AcknowledgingBeforeTheCommitIsFound) {
  StoreFaults faults;
  faults.acknowledge_before_commit = true;
  EXPECT_TRUE(found_in(faults, 0.02, check::Broken::moved) ||
              found_in(faults, 0.02, check::Broken::lost));
}

}  // namespace
}  // namespace ringtalk::store::test
