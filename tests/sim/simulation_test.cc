// A node and 200 clients under every fault that the simulated parts can make.
//
// Seeds 1 .. RINGTALK_SIM_SEEDS (500) run in every test; RINGTALK_SEED runs one of them alone.
#include <gtest/gtest.h>

#include <cstdlib>

#include "tests/sim/simulation.h"

namespace ringtalk::sim {
namespace {

uint64_t number_from_environment(const char* name, uint64_t usual) {
  const char* text = std::getenv(name);
  return text == nullptr ? usual : std::strtoull(text, nullptr, 0);
}

TEST(Simulation, KeepsEveryPromiseUnderRandomFaults) {
  const uint64_t only = number_from_environment("RINGTALK_SEED", 0);
  const uint64_t first = only != 0 ? only : 1;
  const uint64_t last = only != 0 ? only : number_from_environment("RINGTALK_SIM_SEEDS", 500);
  Outcome all{.converged = true};
  for (uint64_t seed = first; seed <= last; seed++) {
    const Outcome outcome = simulate(random_options(seed));
    ASSERT_TRUE(outcome.good()) << "seed " << seed << "\n" << outcome.text();
    if (only != 0) std::printf("seed %llu: %s", (unsigned long long)seed, outcome.text().c_str());
    all.acknowledged += outcome.acknowledged;
    all.shown += outcome.shown;
    all.room_messages += outcome.room_messages;
    all.reconnects += outcome.reconnects;
    all.void_refused += outcome.void_refused;
    all.server.pool_empty += outcome.server.pool_empty;
    all.server.overflows += outcome.server.overflows;
    all.server.sends_short += outcome.server.sends_short;
    all.server.stale += outcome.server.stale;
    all.shards.mail_full += outcome.shards.mail_full;
    all.shards.mail_refused += outcome.shards.mail_refused;
    all.shards.mail_paused += outcome.shards.mail_paused;
    all.shards.room_gaps += outcome.shards.room_gaps;
  }
  std::printf("seeds %llu to %llu: %s", (unsigned long long)first, (unsigned long long)last,
              all.text().c_str());
  if (only != 0) return;
  // The rare paths were taken, or the simulation shows nothing.
  EXPECT_GT(all.acknowledged, 0U);
  EXPECT_GT(all.room_messages, 0U);
  EXPECT_GT(all.reconnects, 0U);
  EXPECT_GT(all.void_refused, 0U);
  EXPECT_GT(all.server.pool_empty, 0U);
  EXPECT_GT(all.server.overflows, 0U);
  EXPECT_GT(all.server.sends_short, 0U);
  EXPECT_GT(all.server.stale, 0U);
  EXPECT_GT(all.shards.mail_full, 0U);
  EXPECT_GT(all.shards.mail_refused, 0U);
  EXPECT_GT(all.shards.mail_paused, 0U);
  EXPECT_GT(all.shards.room_gaps, 0U);
}

TEST(Simulation, RepeatsASeedBitForBit) {
  for (uint64_t seed : {3, 17, 40}) {
    const Outcome once = simulate(random_options(seed));
    const Outcome again = simulate(random_options(seed));
    EXPECT_EQ(once.trace_hash, again.trace_hash) << "seed " << seed;
    EXPECT_EQ(once.acknowledged, again.acknowledged) << "seed " << seed;
    EXPECT_NE(once.trace_hash, simulate(random_options(seed + 1)).trace_hash);
  }
}

// Planted bugs: within these seeds at least one run must fail, with `words` if there are any.
bool found(void (*plant)(SimulationOptions&), const char* words = "") {
  for (uint64_t seed = 1; seed <= 40; seed++) {
    SimulationOptions options = random_options(seed);
    options.heal_ms = 30'000;
    plant(options);
    const Outcome outcome = simulate(options);
    if (!outcome.good() && outcome.text().find(words) != std::string::npos) return true;
  }
  return false;
}

TEST(Simulation, FindsAReceiveThatIsNotRearmedAfterAnEmptyPool) {
  EXPECT_TRUE(
      found([](SimulationOptions& options) { options.bugs.no_rearm_after_empty_pool = true; }));
}

TEST(Simulation, FindsANodeThatForgetsWhichTokensAreVoid) {
  const auto plant = [](SimulationOptions& options) {
    options.forgets_revocations = true;
    options.kills = 2;
  };
  EXPECT_TRUE(found(plant, "a void token came in"));
}

TEST(Simulation, FindsAnAcknowledgementBeforeTheCommit) {
  EXPECT_TRUE(found([](SimulationOptions& options) {
    options.store.acknowledge_before_commit = true;
    options.kills = 2;
  }));
}

}  // namespace
}  // namespace ringtalk::sim
