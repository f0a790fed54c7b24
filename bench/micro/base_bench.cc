// Queues between threads and the histogram.
#include <benchmark/benchmark.h>

#include "base/handoff.h"
#include "base/histogram.h"
#include "base/inbox.h"
#include "base/random.h"

namespace ringtalk::base {
namespace {

struct Entry {
  uint64_t words[4];
};

// One thread on both sides: what a mailbox entry costs without contention.
void inbox_push_and_pop(benchmark::State& state) {
  Inbox<Entry> inbox(4'096);
  Entry entry{};
  for (auto _ : state) {
    benchmark::DoNotOptimize(inbox.push(entry));
    benchmark::DoNotOptimize(inbox.pop(entry));
  }
}
BENCHMARK(inbox_push_and_pop);

struct Item {
  Item* handoff_next = nullptr;
};

void handoff_push_and_take(benchmark::State& state) {
  Handoff<Item> handoff;
  Item item;
  for (auto _ : state) {
    benchmark::DoNotOptimize(handoff.push(&item));
    benchmark::DoNotOptimize(handoff.take_all());
  }
}
BENCHMARK(handoff_push_and_take);

void histogram_record(benchmark::State& state) {
  Histogram histogram;
  Random random(1);
  for (auto _ : state) histogram.record(random.below(10'000'000));
}
BENCHMARK(histogram_record);

}  // namespace
}  // namespace ringtalk::base
