#include <gtest/gtest.h>

#include "base/random.h"
#include "frame_oracle.h"
#include "proto/frame_reader.h"
#include "proto/frame_writer.h"

namespace ringtalk::proto {
namespace {

using oracle::Event;

constexpr auto kAnySize = [] { return kFrameBytesMax; };

std::vector<std::byte> stream_of_every_message() {
  FrameWriter writer;
  std::vector<std::byte> stream;
  oracle::for_every_message(writer, [&](const char*, Bytes frame) {
    stream.insert(stream.end(), frame.begin(), frame.end());
  });
  return stream;
}

TEST(FrameReader, hands_out_whole_frames_in_place) {
  FrameWriter writer;
  std::vector<std::byte> stream;
  for (uint64_t id = 1; id <= 3; id++) {
    const Bytes frame = writer.heartbeat(id, id);
    stream.insert(stream.end(), frame.begin(), frame.end());
  }
  FrameReader reader(kFrameBytesMax);
  PartialFrame partial;
  size_t offset = 0;
  const ReadEnd end = reader.read(partial, stream, kAnySize, [&](Bytes frame) {
    EXPECT_EQ(frame.data(), stream.data() + offset);
    offset += frame.size();
    return true;
  });
  EXPECT_EQ(end, ReadEnd::consumed);
  EXPECT_EQ(offset, stream.size());
  EXPECT_EQ(reader.stats().frames, 3u);
  EXPECT_EQ(reader.stats().misaligned, 0u);
  EXPECT_EQ(reader.stats().carried_bytes, 0u);
}

TEST(FrameReader, copies_a_misaligned_frame_and_counts_it) {
  FrameWriter writer;
  const Bytes frame = writer.heartbeat(9, 1);
  std::vector<std::byte> stream(3);
  stream.insert(stream.end(), frame.begin(), frame.end());
  FrameReader reader(kFrameBytesMax);
  PartialFrame partial;
  reader.read(partial, std::span(stream).subspan(3), kAnySize, [&](Bytes got) {
    EXPECT_EQ(reinterpret_cast<uintptr_t>(got.data()) % kFrameAlignment, 0u);
    EXPECT_TRUE(verify(got, Role::server).ok());
    return true;
  });
  EXPECT_EQ(reader.stats().misaligned, 1u);
}

TEST(FrameReader, gives_the_same_events_wherever_the_stream_is_cut_once) {
  const std::vector<std::byte> stream = stream_of_every_message();
  const auto whole = oracle::read_whole(stream, Role::client);
  for (size_t cut = 1; cut < stream.size(); cut++) {
    bool first = true;
    const auto pieces = [&](size_t left) { return std::exchange(first, false) ? cut : left; };
    ASSERT_EQ(oracle::read_stream(stream, Role::client, pieces, cut % 8), whole) << cut;
  }
}

TEST(FrameReader, gives_the_same_events_byte_by_byte) {
  const std::vector<std::byte> stream = stream_of_every_message();
  EXPECT_EQ(oracle::read_stream(stream, Role::client, [](size_t) { return size_t{1}; }),
            oracle::read_whole(stream, Role::client));
}

TEST(FrameReader, grows_a_partial_frame_by_what_has_arrived) {
  FrameWriter writer;
  const std::vector<std::byte> body(60'000);
  const Bytes frame = writer.echo(1, body);
  FrameReader reader(2 * kFrameBytesMax);
  PartialFrame partial;
  const auto none = [](Bytes) { return ADD_FAILURE(), true; };
  EXPECT_EQ(reader.read(partial, frame.first(1), kAnySize, none), ReadEnd::consumed);
  EXPECT_EQ(reader.stats().carried_bytes, 256u);
  EXPECT_EQ(reader.read(partial, frame.subspan(1, 255), kAnySize, none), ReadEnd::consumed);
  EXPECT_EQ(reader.stats().carried_bytes, 256u);
  EXPECT_EQ(reader.read(partial, frame.subspan(256, 1), kAnySize, none), ReadEnd::consumed);
  EXPECT_EQ(reader.stats().carried_bytes, 4096u);
  EXPECT_EQ(reader.read(partial, frame.subspan(257, 4000), kAnySize, none), ReadEnd::consumed);
  EXPECT_EQ(reader.stats().carried_bytes, 65536u);
  int frames = 0;
  const auto one = [&](Bytes got) { return frames++, std::ranges::equal(got, frame); };
  EXPECT_EQ(reader.read(partial, frame.subspan(4257), kAnySize, one), ReadEnd::consumed);
  EXPECT_EQ(frames, 1);
  EXPECT_EQ(reader.stats().carried_bytes, 0u);
  EXPECT_EQ(partial.bytes, nullptr);
}

// Chunks of 64 KiB wait from the budget on and are refused beyond 1.75 times of it, those of 4 KiB
// from there to 1.9 times, and the least ones have the rest up to twice the budget.
TEST(FrameReader, asks_for_a_pause_over_its_budget_and_leaves_room_for_small_heads) {
  FrameWriter writer;
  const Bytes small = writer.heartbeat(1, 1);
  FrameWriter other;
  const std::vector<std::byte> body(kBodyBytesMax);
  const Bytes large = other.echo(1, body);
  FrameReader reader(128 * 1024);
  const auto none = [](Bytes) { return ADD_FAILURE(), true; };
  PartialFrame partial[4];
  const ReadEnd expected[4] = {ReadEnd::consumed, ReadEnd::over_budget, ReadEnd::over_budget,
                               ReadEnd::no_memory};
  for (int i = 0; i < 4; i++) {
    EXPECT_EQ(reader.read(partial[i], large.first(5'000), kAnySize, none), expected[i]) << i;
  }
  EXPECT_FALSE(reader.budget_free());
  EXPECT_FALSE(reader.has_room(partial[2]));
  PartialFrame medium[8];
  for (int i = 0; i < 8; i++) {
    const ReadEnd end = reader.read(medium[i], large.first(300), kAnySize, none);
    EXPECT_EQ(end, i < 7 ? ReadEnd::consumed : ReadEnd::over_budget) << i;
  }
  PartialFrame least;
  EXPECT_EQ(reader.read(least, small.first(9), kAnySize, none), ReadEnd::consumed);
  // What was kept over the budget is not lost.
  int frames = 0;
  const auto one = [&](Bytes got) { return frames++, std::ranges::equal(got, large); };
  EXPECT_EQ(reader.read(partial[2], large.subspan(5'000), kAnySize, one), ReadEnd::consumed);
  EXPECT_EQ(frames, 1);
  reader.release(least);
  for (PartialFrame& p : medium) reader.release(p);
  for (PartialFrame& p : partial) reader.release(p);
  EXPECT_TRUE(reader.budget_free());
  EXPECT_EQ(reader.stats().carried_bytes, 0u);
  EXPECT_EQ(reader.stats().no_memory, 1u);
}

TEST(FrameReader, refuses_prefixes_that_no_frame_has) {
  const auto read_prefix = [](uint32_t prefix, uint32_t max, size_t piece) {
    std::vector<std::byte> stream(64);
    std::memcpy(stream.data(), &prefix, sizeof prefix);
    FrameReader reader(kFrameBytesMax);
    PartialFrame partial;
    ReadEnd end = ReadEnd::consumed;
    for (size_t at = 0; at < stream.size() && end == ReadEnd::consumed; at += piece) {
      end = reader.read(
          partial, std::span(stream).subspan(at, piece), [=] { return max; },
          [](Bytes) { return true; });
    }
    reader.release(partial);
    return end;
  };
  for (const size_t piece : {64, 8, 1}) {
    EXPECT_EQ(read_prefix(0, kFrameBytesMax, piece), ReadEnd::bad_frame);
    EXPECT_EQ(read_prefix(kFrameBytesMin - kPrefixBytes - 1, kFrameBytesMax, piece),
              ReadEnd::bad_frame);
    EXPECT_EQ(read_prefix(0xffffffff, kFrameBytesMax, piece), ReadEnd::too_large);
    EXPECT_EQ(read_prefix(4096 - kPrefixBytes + 1, 4096, piece), ReadEnd::too_large);
    EXPECT_EQ(read_prefix(4096 - kPrefixBytes, 4096, piece), ReadEnd::consumed);
  }
}

TEST(FrameReader, asks_for_the_limit_before_each_frame) {
  // A login in the same receive raises the limit for the frame behind it.
  FrameWriter writer;
  std::vector<std::byte> stream;
  const Bytes small = writer.heartbeat(1, 1);
  stream.insert(stream.end(), small.begin(), small.end());
  const Bytes large = writer.echo(2, std::vector<std::byte>(5'000));
  stream.insert(stream.end(), large.begin(), large.end());
  for (const size_t piece : {stream.size(), size_t{100}}) {
    uint32_t max = kFrameBytesMaxBeforeLogin;
    FrameReader reader(2 * kFrameBytesMax);
    PartialFrame partial;
    int frames = 0;
    for (size_t at = 0; at < stream.size(); at += piece) {
      const size_t bytes = std::min(piece, stream.size() - at);
      EXPECT_EQ(reader.read(
                    partial, std::span(stream).subspan(at, bytes), [&] { return max; },
                    [&](Bytes) { return max = kFrameBytesMax, frames++, true; }),
                ReadEnd::consumed);
    }
    EXPECT_EQ(frames, 2);
  }
}

TEST(FrameReader, stops_when_the_sink_says_so) {
  const std::vector<std::byte> stream = stream_of_every_message();
  FrameReader reader(kFrameBytesMax);
  PartialFrame partial;
  int frames = 0;
  EXPECT_EQ(reader.read(partial, stream, kAnySize, [&](Bytes) { return ++frames < 2; }),
            ReadEnd::stopped);
  EXPECT_EQ(frames, 2);
}

// Damage at random: whatever comes, the events do not depend on the cuts, and what is accepted is
// safe to read (the sanitizers watch the walk).
TEST(FrameReader, survives_random_damage) {
  const std::vector<std::byte> sound = stream_of_every_message();
  for (uint64_t seed = 1; seed <= 3'000; seed++) {
    SCOPED_TRACE(testing::Message() << "seed " << seed);
    base::Random random(seed);
    std::vector<std::byte> stream = sound;
    const uint64_t flips = random.below(4);
    for (uint64_t i = 0; i < flips; i++) {
      stream[random.below(stream.size())] ^= static_cast<std::byte>(1 << random.below(8));
    }
    if (random.chance(0.3)) stream.resize(1 + random.below(stream.size()));
    if (random.chance(0.2)) {
      const size_t from = random.below(stream.size());
      for (size_t at = from; at < std::min(stream.size(), from + 40); at++) {
        stream[at] = static_cast<std::byte>(random.next());
      }
    }
    for (const Role role : {Role::server, Role::client}) {
      const size_t piece_max = 1 + random.below(600);
      const auto pieces = [&](size_t left) { return 1 + random.below(std::min(left, piece_max)); };
      ASSERT_EQ(oracle::read_stream(stream, role, pieces, random.below(8)),
                oracle::read_whole(stream, role));
    }
  }
}

}  // namespace
}  // namespace ringtalk::proto
