// What a shard does for all of its sessions at once.
#include <benchmark/benchmark.h>

#include <vector>

#include "service/heartbeat.h"

namespace ringtalk::service {
namespace {

// Goal: a million sessions in a millisecond.
void heartbeat_sweep(benchmark::State& state) {
  const auto sessions = static_cast<uint32_t>(state.range(0));
  std::vector<uint8_t> missed(sessions, 0);
  std::vector<uint32_t> dead;
  for (auto _ : state) {
    // Beats come in between: the counters stay low, as in a healthy server.
    if (missed[0] >= 4) {
      state.PauseTiming();
      std::fill(missed.begin(), missed.end(), uint8_t{0});
      state.ResumeTiming();
    }
    sweep_missed(missed.data(), sessions, 5, dead);
  }
  state.SetItemsProcessed(state.iterations() * state.range(0));
}
BENCHMARK(heartbeat_sweep)->Arg(1'000'000)->Unit(benchmark::kMicrosecond);

}  // namespace
}  // namespace ringtalk::service
