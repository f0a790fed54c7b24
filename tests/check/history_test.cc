#include "check/history.h"

#include <gtest/gtest.h>

#include <algorithm>
#include <functional>

#include "base/random.h"
#include "tests/support/seed.h"

namespace ringtalk::check {
namespace {

constexpr ConversationKey kRoom{1, 2};
constexpr DeviceKey kWriter{1, 7};
constexpr DeviceKey kReader{2, 8};

MessageKey id(uint64_t n) {
  return {1, 0, n};
}

// A run without faults, which the tests below break in one place each.
struct Trial {
  struct Entry {
    uint64_t seq;
    MessageKey id;
    uint64_t hash;
  };
  std::vector<Entry> sends, acks, shown, log;
  std::vector<MessageKey> rejected;

  explicit Trial(uint64_t count) {
    for (uint64_t n = 1; n <= count; n++) {
      for (auto* list : {&sends, &acks, &shown, &log}) list->push_back({n, id(n), n * 100});
    }
  }
  // One send after the other: each is acknowledged before the next is invoked.
  std::vector<Violation> judge() const {
    History history;
    uint64_t moment = 0;
    for (const Entry& send : sends) {
      history.invoked(kWriter, kRoom, send.id, send.hash, ++moment);
      ++moment;
      for (const Entry& ack : acks) {
        if (ack.id == send.id) history.acknowledged(ack.id, ack.seq, moment);
      }
    }
    for (const MessageKey& one : rejected) history.rejected(one);
    for (const Entry& one : shown) history.shown(kReader, kRoom, one.seq, one.id, one.hash);
    for (const Entry& row : log) history.logged(kRoom, row.seq, row.id, row.hash);
    history.complete(kReader, kRoom);
    return history.judge();
  }
};

std::vector<Broken> kinds(const std::vector<Violation>& found) {
  std::vector<Broken> list;
  for (const Violation& one : found) list.push_back(one.promise);
  std::sort(list.begin(), list.end());
  list.erase(std::unique(list.begin(), list.end()), list.end());
  return list;
}

using Kinds = std::vector<Broken>;

TEST(History, ACleanRunBreaksNothing) {
  EXPECT_TRUE(Trial(50).judge().empty());
  EXPECT_TRUE(History().judge().empty());
}

TEST(History, AcknowledgedAndNotInTheLogIsLost) {
  Trial run(5);
  run.log.pop_back();
  run.shown.pop_back();
  const auto found = run.judge();
  ASSERT_EQ(found.size(), 1u);
  EXPECT_EQ(found[0].promise, Broken::lost);
  EXPECT_EQ(found[0].seq, 5u);
}

TEST(History, AcknowledgedAtAnotherSeqIsMoved) {
  Trial run(5);
  run.acks[2].seq = 4;
  EXPECT_EQ(kinds(run.judge()), Kinds{Broken::moved});
  Trial twice(5);
  twice.acks.push_back({9, id(3), 300});
  EXPECT_EQ(kinds(twice.judge()), Kinds{Broken::moved});
}

TEST(History, OneIdHasOneSeq) {
  Trial run(5);
  run.log.push_back({6, id(3), 300});
  run.shown.push_back({6, id(3), 300});
  const auto found = run.judge();
  EXPECT_EQ(std::count_if(found.begin(), found.end(),
                          [](const Violation& v) { return v.promise == Broken::duplicated; }),
            1);
}

TEST(History, ContentIsWhatWasSent) {
  Trial run(5);
  run.log[1].hash++;
  run.shown[1].hash++;
  EXPECT_EQ(kinds(run.judge()), Kinds{Broken::altered});
}

TEST(History, NothingRejectedAppears) {
  Trial run(5);
  run.acks.erase(run.acks.begin() + 2);
  EXPECT_TRUE(run.judge().empty()) << "an unanswered send may be in the log";
  run.rejected.push_back(id(3));
  EXPECT_EQ(kinds(run.judge()), Kinds{Broken::rejected});
}

TEST(History, NothingIsMadeUp) {
  Trial run(5);
  run.log.push_back({6, id(99), 1});
  run.shown.push_back({6, id(99), 1});
  EXPECT_EQ(kinds(run.judge()), Kinds{Broken::made_up});
}

TEST(History, TheLogHasNoHole) {
  Trial run(3);
  for (auto* list : {&run.acks, &run.shown, &run.log}) list->back().seq = 4;
  EXPECT_EQ(kinds(run.judge()), (Kinds{Broken::gap, Broken::shown_gap}));
  Trial twice(3);
  for (auto* list : {&twice.acks, &twice.log}) list->back().seq = 2;
  twice.shown.pop_back();
  EXPECT_EQ(kinds(twice.judge()), Kinds{Broken::gap});
}

TEST(History, AcknowledgedBeforeInvokedMeansALowerSeq) {
  Trial run(4);
  for (auto* list : {&run.acks, &run.log, &run.shown}) {
    std::swap((*list)[1].id, (*list)[2].id);
    std::swap((*list)[1].hash, (*list)[2].hash);
  }
  EXPECT_EQ(kinds(run.judge()), Kinds{Broken::reordered});
}

TEST(History, ConcurrentSendsOfTwoDevicesHaveNoOrder) {
  History history;
  history.invoked(kWriter, kRoom, {1, 0, 1}, 1, 1);
  history.invoked(kReader, kRoom, {2, 0, 1}, 2, 2);
  history.acknowledged({1, 0, 1}, 2, 3);
  history.acknowledged({2, 0, 1}, 1, 4);
  history.logged(kRoom, 2, {1, 0, 1}, 1);
  history.logged(kRoom, 1, {2, 0, 1}, 2);
  EXPECT_TRUE(history.judge().empty());
}

TEST(History, OneDevicesSendsKeepTheirOrderAlsoInFlight) {
  History history;
  history.invoked(kWriter, kRoom, id(1), 1, 1);
  history.invoked(kWriter, kRoom, id(2), 2, 2);
  history.logged(kRoom, 1, id(2), 2);
  history.logged(kRoom, 2, id(1), 1);
  EXPECT_EQ(kinds(history.judge()), Kinds{Broken::reordered});
}

TEST(History, WhatIsShownAdvancesByOne) {
  Trial gap(5);
  gap.shown.erase(gap.shown.begin() + 2);
  EXPECT_EQ(kinds(gap.judge()), Kinds{Broken::shown_gap});
  Trial twice(5);
  twice.shown.insert(twice.shown.begin() + 2, twice.shown[2]);
  EXPECT_EQ(kinds(twice.judge()), Kinds{Broken::shown_twice});
  Trial swapped(5);
  std::swap(swapped.shown[2], swapped.shown[3]);
  EXPECT_EQ(kinds(swapped.judge()), (Kinds{Broken::shown_gap, Broken::shown_twice}));
  Trial other(5);
  other.shown[2].id = id(4);
  EXPECT_EQ(kinds(other.judge()), Kinds{Broken::shown_other});
}

TEST(History, AfterHealingNothingIsMissing) {
  Trial run(5);
  run.shown.pop_back();
  const auto found = run.judge();
  ASSERT_EQ(found.size(), 1u);
  EXPECT_EQ(found[0].promise, Broken::not_shown);
  EXPECT_EQ(found[0].seq, 5u);
}

TEST(History, ADeviceMayBeginLater) {
  Trial run(5);
  History history;
  for (const auto& send : run.sends) {
    history.invoked(kWriter, kRoom, send.id, send.hash, send.seq);
    history.logged(kRoom, send.seq, send.id, send.hash);
  }
  history.shows_from(kReader, kRoom, 3);
  for (size_t i = 3; i < 5; i++) {
    history.shown(kReader, kRoom, run.shown[i].seq, run.shown[i].id, run.shown[i].hash);
  }
  history.complete(kReader, kRoom);
  EXPECT_TRUE(history.judge().empty());
}

// A reader that misses, repeats and swaps at random: every single one is found.
TEST(History, PlantedFaultsOfAReaderAreFoundWithTheirCounts) {
  base::Random random(tests::test_seed(5));
  for (int round = 0; round < 50; round++) {
    Trial run(400);
    uint64_t dropped = 0, repeated = 0;
    std::vector<Trial::Entry> seen;
    for (size_t i = 0; i + 1 < run.shown.size(); i++) {
      const uint64_t fate = i % 4 == 1 ? random.below(10) : 9;
      if (fate == 0) {
        dropped++;
        continue;
      }
      seen.push_back(run.shown[i]);
      if (fate == 1) {
        seen.push_back(run.shown[i]);
        repeated++;
      }
    }
    seen.push_back(run.shown.back());
    run.shown = seen;
    uint64_t gaps = 0, twice = 0;
    for (const Violation& one : run.judge()) {
      gaps += one.promise == Broken::shown_gap;
      twice += one.promise == Broken::shown_twice;
    }
    EXPECT_EQ(gaps, dropped);
    EXPECT_EQ(twice, repeated);
  }
}

}  // namespace
}  // namespace ringtalk::check
