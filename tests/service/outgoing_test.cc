#include "service/outgoing.h"

#include <gtest/gtest.h>

#include <algorithm>
#include <cstring>
#include <map>
#include <memory>
#include <set>
#include <string>
#include <vector>

#include "base/counts.h"
#include "base/random.h"
#include "recording_proactor.h"

namespace ringtalk::service {
namespace {

// A frame as Outgoing sees it: a prefix, then `bytes` - 4 of a letter.
std::string frame_of(char letter, uint32_t bytes = 24) {
  std::string frame(bytes, letter);
  const uint32_t prefix = bytes - 4;
  std::memcpy(frame.data(), &prefix, sizeof prefix);
  return frame;
}

std::span<const std::byte> bytes_of(const std::string& text) {
  return std::as_bytes(std::span(text));
}

// Lower-case frames may be thrown away, others have to stay.
struct Sink final : OutgoingSink {
  bool drop(uint32_t slot, std::span<const std::byte> frame) override {
    const char letter = static_cast<char>(frame[4]);
    if (letter < 'a') return false;
    dropped[slot].push_back(letter);
    return true;
  }
  void drained(uint32_t slot) override { drained_slots.push_back(slot); }
  void too_slow(uint32_t slot) override { slow.push_back(slot); }

  std::map<uint32_t, std::string> dropped;
  std::vector<uint32_t> drained_slots;
  std::vector<uint32_t> slow;
};

class OutgoingTest : public ::testing::Test {
 protected:
  explicit OutgoingTest(OutgoingLimits limits = {}) : limits_(limits) { make(64); }
  ~OutgoingTest() override {
    if (outgoing_ == nullptr) return;
    for (const uint32_t slot : proactor_.flying()) finish(slot);
    outgoing_->release();
    EXPECT_EQ(outgoing_->pinned_bytes(), 0u);
    EXPECT_EQ(outgoing_->stats().queued_bytes, 0u);
  }
  void make(uint32_t slots) {
    outgoing_ = std::make_unique<Outgoing>(slots, limits_, depot_, sink_);
  }
  void open(uint32_t slot) { outgoing_->open({slot, ++generation_}); }
  void open_all(uint32_t count) {
    for (uint32_t slot = 0; slot < count; slot++) open(slot);
  }
  proto::Range append(char letter, uint32_t bytes = 24) {
    return outgoing_->append(bytes_of(frame_of(letter, bytes)));
  }
  std::string finish(uint32_t slot, bool good = true) {
    const auto send = proactor_.finish(slot);
    outgoing_->sent(slot, good);
    return send.bytes;
  }
  // Flushes and completes until nothing is left; what each slot got.
  std::map<uint32_t, std::string> drain() {
    std::map<uint32_t, std::string> got;
    do {
      outgoing_->flush(proactor_);
      for (const uint32_t slot : proactor_.flying()) got[slot] += finish(slot);
    } while (outgoing_->dirty());
    return got;
  }

  OutgoingLimits limits_;
  proto::SegmentDepot depot_;
  Sink sink_;
  RecordingProactor proactor_;
  std::unique_ptr<Outgoing> outgoing_;
  uint32_t generation_ = 0;
};

TEST_F(OutgoingTest, BurstLeavesAsOneContiguousSend) {
  open(3);
  std::string expected;
  for (char letter = 'a'; letter < 'k'; letter++) {
    ASSERT_TRUE(outgoing_->push(3, append(letter)));
    expected += frame_of(letter);
  }
  EXPECT_EQ(outgoing_->queued_frames(3), 10u);
  EXPECT_EQ(outgoing_->stats().merged, 9u);
  EXPECT_FALSE(outgoing_->flush(proactor_));
  const auto send = proactor_.finish(3);
  EXPECT_EQ(send.vectors, 1u);
  EXPECT_EQ(send.bytes, expected);
  outgoing_->sent(3, true);
  EXPECT_TRUE(outgoing_->idle(3));
}

TEST_F(OutgoingTest, WhatIsInFlightIsNotTouched) {
  open(1);
  ASSERT_TRUE(outgoing_->push(1, append('a')));
  outgoing_->flush(proactor_);
  ASSERT_TRUE(outgoing_->push(1, append('b')));  // lies right behind and must not merge
  EXPECT_FALSE(outgoing_->dirty());
  EXPECT_EQ(finish(1), frame_of('a'));
  EXPECT_TRUE(outgoing_->dirty());
  outgoing_->flush(proactor_);
  EXPECT_EQ(finish(1), frame_of('b'));
}

TEST_F(OutgoingTest, SixteenVectorsAtMost) {
  open_all(2);
  std::string expected;
  for (int i = 0; i < 40; i++) {
    const char letter = static_cast<char>('a' + i % 26);
    ASSERT_TRUE(outgoing_->push(0, append(letter)));
    append('z');  // in between: ranges of slot 0 are not adjacent
    expected += frame_of(letter);
  }
  std::string got;
  std::vector<size_t> vectors;
  while (outgoing_->dirty()) {
    outgoing_->flush(proactor_);
    const auto send = proactor_.finish(0);
    vectors.push_back(send.vectors);
    got += send.bytes;
    outgoing_->sent(0, true);
  }
  EXPECT_EQ(vectors, (std::vector<size_t>{16, 16, 8}));
  EXPECT_EQ(got, expected);
}

TEST_F(OutgoingTest, FanOutGivesEverybodyTheSameBytesWithoutACopy) {
  open_all(50);
  std::vector<uint32_t> slots(50);
  for (uint32_t i = 0; i < 50; i++) slots[i] = i;
  std::vector<uint32_t> refused;
  refused.reserve(50);
  const proto::Range range = append('a');
  outgoing_->uses().hold(range);
  const base::ThreadCounts before = base::thread_counts();
  outgoing_->fan_out(slots, range, 1, 7, refused);
  EXPECT_EQ(base::thread_counts().allocations, before.allocations);
  EXPECT_EQ(base::thread_counts().copies, before.copies);
  outgoing_->uses().release(range);
  EXPECT_TRUE(refused.empty());
  const auto got = drain();
  EXPECT_EQ(got.size(), 49u);
  EXPECT_FALSE(got.contains(7));
  for (const auto& [slot, bytes] : got) EXPECT_EQ(bytes, frame_of('a'));
}

// P11: from a frame in its segment to the kernel, nothing is copied or allocated for a recipient,
// and the counters are able to see it if something is.
struct CountedProactor final : RecordingProactor {
  explicit CountedProactor(bool planted_here) : planted(planted_here) { slots.reserve(1'000); }
  void send(ring::ConnectionId connection, std::span<const iovec> vectors) override {
    slots.push_back(connection.slot);
    if (!planted) return;
    char to[24];
    base::counted_copy(to, vectors[0].iov_base, sizeof to);
    delete new std::string(100, to[4]);
  }
  const bool planted;
  std::vector<uint32_t> slots;
};

TEST(OutgoingCounts, NoneForARecipientAndPlantedOnesAreSeen) {
  proto::SegmentDepot depot;
  Sink sink;
  Outgoing outgoing(1'000, {.flush_slice = 1'000}, depot, sink);
  std::vector<uint32_t> slots;
  for (uint32_t slot = 0; slot < 1'000; slot++) {
    outgoing.open({slot, slot + 1});
    slots.push_back(slot);
  }
  std::vector<uint32_t> refused;
  const auto round = [&](bool planted) {
    CountedProactor proactor(planted);
    outgoing.fan_out(slots, outgoing.append(bytes_of(frame_of('a'))), 1, base::kNoSlot, refused);
    outgoing.flush(proactor);
    EXPECT_EQ(proactor.slots.size(), slots.size());
    for (const uint32_t slot : proactor.slots) outgoing.sent(slot, true);
  };
  round(false);  // the first touch of the shard's tables
  const OutgoingStats before = outgoing.stats();
  for (int i = 0; i < 100; i++) round(false);
  EXPECT_EQ(outgoing.stats().recipient_copies, before.recipient_copies);
  EXPECT_EQ(outgoing.stats().recipient_allocations, before.recipient_allocations);
  round(true);
  EXPECT_EQ(outgoing.stats().recipient_copies - before.recipient_copies, 1'000u);
  EXPECT_EQ(outgoing.stats().recipient_allocations - before.recipient_allocations, 2'000u);
}

TEST_F(OutgoingTest, MarkedAndDiscardedSessionsAreRefused) {
  open_all(3);
  outgoing_->mark(1, true);
  outgoing_->discard(2);
  std::vector<uint32_t> refused;
  const std::vector<uint32_t> slots{0, 1, 2};
  outgoing_->fan_out(slots, append('a'), 1, base::kNoSlot, refused);
  EXPECT_EQ(refused, (std::vector<uint32_t>{1, 2}));
  outgoing_->mark(1, false);
  refused.clear();
  outgoing_->fan_out(slots, append('b'), 1, base::kNoSlot, refused);
  EXPECT_EQ(refused, std::vector<uint32_t>{2});
}

TEST_F(OutgoingTest, FailedSendThrowsAwayWhatWaits) {
  open(0);
  ASSERT_TRUE(outgoing_->push(0, append('a')));
  outgoing_->flush(proactor_);
  ASSERT_TRUE(outgoing_->push(0, append('b')));
  finish(0, false);
  EXPECT_FALSE(outgoing_->dirty());
  EXPECT_TRUE(outgoing_->idle(0));
  EXPECT_FALSE(outgoing_->push(0, append('c')));
  outgoing_->answer(0, append('d'));
  EXPECT_TRUE(outgoing_->idle(0));
}

TEST_F(OutgoingTest, DiscardKeepsWhatIsInFlightUntilItsCompletion) {
  open_all(2);
  ASSERT_TRUE(outgoing_->push(0, append('a')));
  outgoing_->flush(proactor_);
  ASSERT_TRUE(outgoing_->push(0, append('b')));
  ASSERT_TRUE(outgoing_->push(1, append('c')));
  outgoing_->discard(0);
  outgoing_->discard(1);  // dirty: leaves the list
  EXPECT_FALSE(outgoing_->dirty());
  EXPECT_EQ(finish(0), frame_of('a'));
  outgoing_->closed(0);
  outgoing_->closed(1);
  open(0);  // the slot's next tenant starts empty
  ASSERT_TRUE(outgoing_->push(0, append('d')));
  EXPECT_EQ(drain()[0], frame_of('d'));
}

TEST_F(OutgoingTest, TellsWhenDrainedOnce) {
  open(0);
  ASSERT_TRUE(outgoing_->push(0, append('a')));
  outgoing_->flush(proactor_);
  ASSERT_TRUE(outgoing_->push(0, append('b')));
  outgoing_->notify_drained(0);
  finish(0);
  EXPECT_TRUE(sink_.drained_slots.empty());
  drain();
  EXPECT_EQ(sink_.drained_slots, std::vector<uint32_t>{0});
  ASSERT_TRUE(outgoing_->push(0, append('c')));
  drain();
  EXPECT_EQ(sink_.drained_slots.size(), 1u);
}

class SmallQueues : public OutgoingTest {
 protected:
  SmallQueues()
      : OutgoingTest({.session_bytes = 100,
                      .session_frames = 3,
                      .flush_slice = 4,
                      .sends_in_flight = 6,
                      .nodes = 40}) {}
};

TEST_F(SmallQueues, PushesStopAtTheLimitsAndAnswersDoNot) {
  open_all(2);
  EXPECT_TRUE(outgoing_->push(0, append('a')));
  EXPECT_TRUE(outgoing_->push(0, append('b')));
  EXPECT_TRUE(outgoing_->push(0, append('c')));
  EXPECT_FALSE(outgoing_->push(0, append('d')));  // frames
  outgoing_->answer(0, append('E'));
  EXPECT_EQ(outgoing_->queued_frames(0), 4u);
  EXPECT_TRUE(outgoing_->push(1, append('a', 96)));
  EXPECT_FALSE(outgoing_->push(1, append('b', 24)));  // bytes
  EXPECT_EQ(outgoing_->stats().refused, 2u);
  EXPECT_EQ(drain()[0], frame_of('a') + frame_of('b') + frame_of('c') + frame_of('E'));
}

TEST_F(SmallQueues, OneFrameBeyondTheLimitStillFitsAnEmptyQueue) {
  open(0);
  EXPECT_TRUE(outgoing_->push(0, append('a', 4'096)));
}

TEST_F(SmallQueues, FlushGoesInSlicesAndBoundsOperationsInFlight) {
  open_all(10);
  for (uint32_t slot = 0; slot < 10; slot++) ASSERT_TRUE(outgoing_->push(slot, append('a')));
  EXPECT_TRUE(outgoing_->flush(proactor_));
  EXPECT_EQ(proactor_.flying().size(), 4u);
  EXPECT_FALSE(outgoing_->flush(proactor_));  // two more, then the bound
  EXPECT_EQ(proactor_.flying().size(), 6u);
  EXPECT_TRUE(outgoing_->dirty());
  EXPECT_FALSE(outgoing_->flush(proactor_));
  finish(0);
  EXPECT_FALSE(outgoing_->flush(proactor_));
  EXPECT_EQ(proactor_.flying().size(), 6u);
  EXPECT_EQ(drain().size(), 9u);
}

TEST_F(SmallQueues, WithoutNodesPushesAreRefusedAndAnswersEndTheSession) {
  open_all(50);
  uint32_t taken = 0;
  while (taken < 50 && outgoing_->push(taken, append('a'))) taken++;
  EXPECT_EQ(taken, 39u);
  outgoing_->answer(49, append('A'));
  EXPECT_EQ(sink_.slow, std::vector<uint32_t>{49});
}

// Segments are 64 KiB: two of them are the cap, so that a handful of frames reaches it.
class LittleMemory : public OutgoingTest {
 protected:
  LittleMemory() : OutgoingTest({.session_bytes = 1 << 20, .pinned_bytes = 4 * 64 * 1024}) {}

  void turns(int count) {
    for (int i = 0; i < count; i++) outgoing_->flush(proactor_);
  }
};

TEST_F(LittleMemory, SlowReadersLoseTheirPushesAndKeepTheirAnswers) {
  open_all(2);
  ASSERT_TRUE(outgoing_->push(0, append('a', 32'000)));
  outgoing_->flush(proactor_);  // and never completes
  for (const char letter : {'b', 'C', 'd', 'e', 'F', 'g', 'h'}) {
    if (letter < 'a') {
      outgoing_->answer(0, append(letter, 32'000));
    } else {
      ASSERT_TRUE(outgoing_->push(0, append(letter, 32'000)));
    }
  }
  EXPECT_GT(outgoing_->pinned_bytes(), limits_.pinned_bytes / 4 * 3);
  turns(10);
  outgoing_->relieve();
  EXPECT_EQ(sink_.dropped[0], "bdegh");
  EXPECT_EQ(outgoing_->stats().evictions, 1u);
  EXPECT_EQ(outgoing_->stats().dropped, 5u);
  EXPECT_TRUE(sink_.slow.empty());
  EXPECT_EQ(finish(0), frame_of('a', 32'000));
  EXPECT_EQ(drain()[0], frame_of('C', 32'000) + frame_of('F', 32'000));
}

TEST_F(LittleMemory, YoungSendsAreLeftAlone) {
  open(0);
  ASSERT_TRUE(outgoing_->push(0, append('a', 64'000)));
  outgoing_->flush(proactor_);
  for (const char letter : {'b', 'c', 'd'}) {
    ASSERT_TRUE(outgoing_->push(0, append(letter, 64'000)));
  }
  outgoing_->relieve();
  EXPECT_TRUE(sink_.dropped.empty());
}

TEST_F(LittleMemory, BeyondTheCapOnlyEmptyQueuesTakePushes) {
  open_all(3);
  outgoing_->answer(0, append('A', 64'000));
  for (const char letter : {'B', 'C', 'D', 'E'}) outgoing_->answer(0, append(letter, 64'000));
  ASSERT_GT(outgoing_->pinned_bytes(), limits_.pinned_bytes);
  EXPECT_FALSE(outgoing_->push(0, append('f')));
  EXPECT_TRUE(outgoing_->push(1, append('f')));
  EXPECT_FALSE(outgoing_->push(1, append('g')));
}

TEST_F(LittleMemory, WhoHoldsTheMemoryInFlightIsGivenUpAtTheCap) {
  open_all(3);
  for (const char letter : {'A', 'B', 'C', 'D', 'E'}) outgoing_->answer(2, append(letter, 64'000));
  outgoing_->flush(proactor_);
  ASSERT_GT(outgoing_->pinned_bytes(), limits_.pinned_bytes);
  turns(20);
  outgoing_->answer(1, append('F'));  // younger, and it pins next to nothing
  turns(60);
  outgoing_->relieve();
  EXPECT_EQ(sink_.slow, std::vector<uint32_t>{2});
  EXPECT_EQ(outgoing_->stats().too_slow, 1u);
}

// Sessions of which each remembers what it was given and what has arrived.
class GivenAndGot {
 public:
  static constexpr uint32_t kSlots = 8;

  explicit GivenAndGot(uint64_t seed)
      : random_(seed),
        outgoing_(kSlots,
                  {.session_bytes = 2'000,
                   .session_frames = static_cast<uint32_t>(3 + random_.below(60)),
                   .flush_slice = 3,
                   .sends_in_flight = 5},
                  depot_, sink_) {
    for (uint32_t slot = 0; slot < kSlots; slot++) outgoing_.open({slot, ++generation_});
  }

  void step() {
    const auto slot = static_cast<uint32_t>(random_.below(kSlots));
    const std::string frame = frame_of(static_cast<char>('a' + random_.below(26)),
                                       static_cast<uint32_t>(8 * (3 + random_.below(20))));
    switch (random_.below(6)) {
      case 0:
        outgoing_.answer(slot, bytes_of(frame));
        given_[slot] += frame;
        break;
      case 1:
        if (outgoing_.push(slot, outgoing_.append(bytes_of(frame)))) given_[slot] += frame;
        break;
      case 2:
        fan_out_but(slot, frame);
        break;
      case 3:
        outgoing_.flush(proactor_);
        break;
      case 4:
        for (const uint32_t flying : proactor_.flying()) {
          if (random_.chance(0.5)) finish(flying);
        }
        break;
      case 5:
        if (random_.chance(0.05)) reuse(slot);
        break;
    }
  }

  void drain_and_compare() {
    do {
      outgoing_.flush(proactor_);
      for (const uint32_t flying : proactor_.flying()) finish(flying);
    } while (outgoing_.dirty());
    for (uint32_t slot = 0; slot < kSlots; slot++) EXPECT_EQ(got_[slot], given_[slot]);
    EXPECT_EQ(outgoing_.stats().queued_bytes, 0u);
    EXPECT_EQ(outgoing_.pinned_bytes(), 0u);
  }

 private:
  void fan_out_but(uint32_t slot, const std::string& frame) {
    const std::vector<uint32_t> members{0, 2, 3, 5, 7};
    std::vector<uint32_t> refused;
    outgoing_.fan_out(members, outgoing_.append(bytes_of(frame)), 1, slot, refused);
    for (uint32_t i = 0; i < members.size(); i++) {
      const bool took = std::find(refused.begin(), refused.end(), i) == refused.end();
      if (members[i] != slot && took) given_[members[i]] += frame;
    }
  }
  void finish(uint32_t slot) {
    got_[slot] += proactor_.finish(slot).bytes;
    outgoing_.sent(slot, true);
  }
  // The session ends and another has its slot.
  void reuse(uint32_t slot) {
    outgoing_.discard(slot);
    if (proactor_.in_flight(slot)) finish(slot);
    EXPECT_TRUE(given_[slot].starts_with(got_[slot]));
    outgoing_.closed(slot);
    given_[slot].clear();
    got_[slot].clear();
    outgoing_.open({slot, ++generation_});
  }

  base::Random random_;
  proto::SegmentDepot depot_;
  Sink sink_;
  RecordingProactor proactor_;
  Outgoing outgoing_;
  std::string given_[kSlots];
  std::string got_[kSlots];
  uint32_t generation_ = 0;
};

// Whatever is pushed, completed, discarded and reused in whatever order: a session gets exactly
// what it was given, in order.
TEST(OutgoingProperty, EverySessionGetsWhatItWasGivenInOrder) {
  for (uint64_t seed = 1; seed <= 200; seed++) {
    SCOPED_TRACE(seed);
    GivenAndGot sessions(seed);
    for (int step = 0; step < 2'000; step++) sessions.step();
    sessions.drain_and_compare();
    ASSERT_FALSE(::testing::Test::HasFailure());
  }
}

}  // namespace
}  // namespace ringtalk::service
