// Frames in and out, segments, tokens.
#include <benchmark/benchmark.h>

#include <cstring>
#include <vector>

#include "proto/frame_reader.h"
#include "proto/frame_writer.h"
#include "proto/segment.h"
#include "proto/token.h"
#include "proto/verifier.h"

namespace ringtalk::proto {
namespace {

const std::vector<std::byte> kBody(64, std::byte{'x'});

// 8-aligned, as a receive buffer is.
struct Stream {
  explicit Stream(size_t frames) {
    FrameWriter writer;
    const Bytes frame = writer.echo(1, kBody);
    words.resize(frames * frame.size() / sizeof(uint64_t));
    for (size_t i = 0; i < frames; i++) {
      std::memcpy(reinterpret_cast<std::byte*>(words.data()) + i * frame.size(), frame.data(),
                  frame.size());
    }
  }
  Bytes bytes() const { return std::as_bytes(std::span(words)); }
  std::vector<uint64_t> words;
};

void frame_reader_read(benchmark::State& state) {
  const Stream stream(static_cast<size_t>(state.range(0)));
  FrameReader reader(1 << 20);
  PartialFrame partial;
  for (auto _ : state) {
    reader.read(
        partial, stream.bytes(), [] { return kFrameBytesMax; },
        [](Bytes frame) { return frame.size() > 0; });
  }
  state.SetItemsProcessed(state.iterations() * state.range(0));
}
BENCHMARK(frame_reader_read)->Arg(1)->Arg(16);

void verify_echo(benchmark::State& state) {
  const Stream stream(1);
  for (auto _ : state) benchmark::DoNotOptimize(verify(stream.bytes(), Role::server));
}
BENCHMARK(verify_echo);

void write_echo(benchmark::State& state) {
  FrameWriter writer;
  for (auto _ : state) benchmark::DoNotOptimize(writer.echo(1, kBody));
  if (writer.allocations() != 1) state.SkipWithError("the writer has allocated");
}
BENCHMARK(write_echo);

void write_room_message(benchmark::State& state) {
  FrameWriter writer;
  uint64_t n = 0;
  for (auto _ : state) benchmark::DoNotOptimize(writer.room_message(7, 1, ++n, 1, kBody));
}
BENCHMARK(write_room_message);

void segment_append(benchmark::State& state) {
  SegmentDepot depot;
  SegmentWriter writer(depot);
  for (auto _ : state) benchmark::DoNotOptimize(writer.append(kBody));
}
BENCHMARK(segment_append);

// What a range costs for each recipient.
void segment_hold_and_release(benchmark::State& state) {
  SegmentDepot depot;
  SegmentWriter writer(depot);
  SegmentUses uses;
  const Range range = writer.append(kBody);
  uses.hold(range);
  for (auto _ : state) {
    uses.hold(range);
    uses.release(range);
  }
  uses.release(range);
}
BENCHMARK(segment_hold_and_release);

void token_check(benchmark::State& state) {
  KeyRing keys;
  keys.add(1, TokenKey{1, 2, 3});
  const TokenBytes token = keys.mint({.user = 1, .device = 1, .expires_ms = 1'000});
  for (auto _ : state) benchmark::DoNotOptimize(keys.check(token, 1));
}
BENCHMARK(token_check);

}  // namespace
}  // namespace ringtalk::proto
