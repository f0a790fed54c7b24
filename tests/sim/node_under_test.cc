#include "tests/sim/node_under_test.h"

#include <algorithm>
#include <numeric>

#include "base/assert.h"
#include "service/shard.h"

namespace ringtalk::sim {
namespace {

ring::ProactorOptions proactor_options(const NodeLife& life) {
  ring::ProactorOptions options;
  options.connections = life.slots;
  options.buffers = life.buffers;
  options.buffer_bytes = 1'024;
  options.completion_entries = life.completions;
  return options;
}

}  // namespace

bool SteppedWorkers::submit(base::Job* job) noexcept {
  waiting_.push_back(job);
  return true;
}

bool SteppedWorkers::step() {
  if (waiting_.empty()) return false;
  base::Job* job = waiting_.front();
  waiting_.pop_front();
  job->run();
  job->finished();
  return true;
}

NodeUnderTest::NodeUnderTest(base::ManualClock& clock, ring::SimNetwork& network,
                             const proto::KeyRing& keys, tests::SimulatedDisk& disk,
                             const NodeLife& life)
    : clock_(clock) {
  service::NodeOptions options;
  options.connections_max = life.shards * life.slots;
  options.load_users = true;
  options.seed = life.seed;
  options.limits.heartbeat_interval_ms = life.heartbeat_ms;
  options.limits.reconnect_jitter_ms = 200;
  options.limits.mail_overflow = life.mail_overflow;
  options.mailbox_entries = life.mailbox_entries;
  service::NodeEvents events;
  events.store_failed = [this](const std::string&) { store_failed_ = true; };
  events.stats_for_main = [](std::unique_ptr<service::StatsRound>) {};
  node_ = std::make_unique<service::Node>(options, clock, workers_, keys, std::move(events));
  store_ = std::make_unique<tests::SimulatedStore>(disk, *node_, clock, life.seed + 1, life.store);
  port_ = switchboard_.join(1, *node_);
  service::NodeMemory memory{{1, life.boot}, {}};
  if (!life.forgets_revocations) memory.revocations = disk.revocations(clock.wall_ms());
  node_->attach(memory, *store_, *port_, *port_);
  std::vector<ring::Proactor*> proactors;
  for (uint32_t i = 0; i < life.shards; i++) {
    proactors_.push_back(
        std::make_unique<ring::SimProactor>(network, proactor_options(life), false, life.bugs));
    proactors.push_back(proactors_.back().get());
  }
  node_->add_shards(proactors, life.slots);
  address_ = ring::Address::loopback(life.port);
  for (uint32_t i = 0; i < life.shards; i++) {
    const auto listening = node_->shard(i).listen(address_);
    ASSERT(listening.ok());
    address_ = *listening;
  }
}

NodeUnderTest::~NodeUnderTest() {
  store_.reset();
  port_.reset();
  node_.reset();
}

void NodeUnderTest::turn(base::Random& random) {
  std::vector<uint32_t> order(node_->shard_count());
  std::iota(order.begin(), order.end(), 0);
  for (size_t i = order.size(); i > 1; i--) std::swap(order[i - 1], order[random.below(i)]);
  for (uint32_t shard : order) node_->shard(shard).turn(UINT64_MAX);
  if (store_->due_ns() <= clock_.now_ns()) store_->step();
  workers_.step();
}

bool NodeUnderTest::has_work() const {
  return std::any_of(proactors_.begin(), proactors_.end(), [this](const auto& proactor) {
    return proactor->has_work() || proactor->sleeps_until_ns() <= clock_.now_ns();
  });
}

uint64_t NodeUnderTest::next_due_ns() const {
  uint64_t due_ns = store_->due_ns();
  for (const auto& proactor : proactors_) due_ns = std::min(due_ns, proactor->sleeps_until_ns());
  return due_ns;
}

void NodeUnderTest::add_stats(ring::ProactorStats& sum, service::ShardStats& shards) const {
  const auto round = node_->snapshot();
  for (const service::StatsPart& part : round->parts) {
    shards.mail_full += part.shard.mail_full;
    shards.mail_refused += part.shard.mail_refused;
    shards.mail_paused += part.shard.mail_paused;
    shards.sync_hints += part.shard.sync_hints;
    shards.room_gaps += part.shard.room_gaps;
  }
  for (const auto& proactor : proactors_) {
    const ring::ProactorStats& stats = proactor->stats();
    sum.turns += stats.turns;
    sum.completions += stats.completions;
    sum.received += stats.received;
    sum.sends += stats.sends;
    sum.sends_short += stats.sends_short;
    sum.pool_empty += stats.pool_empty;
    sum.overflows += stats.overflows;
    sum.stale += stats.stale;
    sum.accepted += stats.accepted;
    sum.accept_parked += stats.accept_parked;
  }
}

}  // namespace ringtalk::sim
