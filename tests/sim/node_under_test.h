// tests/sim/node_under_test.h: internal to tests/sim. One life of a node, between start and kill
// -9.
//
// Ownership: clock, network, keys and disk outlive it; destroying it is kill -9: what was queued,
// cached or on its way is gone, what the disk has committed stays. Thread rule: the simulation's
// one thread.
#pragma once

#include <deque>
#include <memory>
#include <vector>

#include "base/workers.h"
#include "cluster/in_process.h"
#include "proto/token.h"
#include "ring/sim_network.h"
#include "ring/sim_proactor.h"
#include "service/node.h"
#include "tests/support/simulated_store.h"

namespace ringtalk::sim {

struct NodeLife {
  uint32_t shards = 2;
  uint32_t slots = 512;  // of each shard
  uint32_t buffers = 8;
  uint32_t completions = 64;
  uint32_t mailbox_entries = 4'096;
  uint32_t mail_overflow = 65'536;
  uint32_t boot = 1;
  uint64_t seed = 1;
  uint16_t port = 0;  // 0: the first life chooses
  uint64_t heartbeat_ms = 2'000;
  ring::SimBugs bugs;
  tests::StoreFaults store;
  bool forgets_revocations = false;  // a planted bug: they are not loaded at the start
};

// The twin of make_thread_workers: runs jobs when it is stepped.
class SteppedWorkers final : public base::Workers {
 public:
  bool submit(base::Job* job) noexcept override;
  bool step();

 private:
  std::deque<base::Job*> waiting_;
};

class NodeUnderTest {
 public:
  NodeUnderTest(base::ManualClock& clock, ring::SimNetwork& network, const proto::KeyRing& keys,
                tests::SimulatedDisk& disk, const NodeLife& life);
  ~NodeUnderTest();

  // One turn of each shard in an order from `random`, a step of store and workers.
  void turn(base::Random& random);
  bool has_work() const;
  uint64_t next_due_ns() const;

  ring::Address address() const { return address_; }
  tests::SimulatedStore& store() { return *store_; }
  bool store_failed() const { return store_failed_; }
  void add_stats(ring::ProactorStats& sum, service::ShardStats& shards) const;

 private:
  base::ManualClock& clock_;
  SteppedWorkers workers_;
  cluster::Switchboard switchboard_;
  std::vector<std::unique_ptr<ring::SimProactor>> proactors_;
  std::unique_ptr<service::Node> node_;
  std::unique_ptr<cluster::Switchboard::Port> port_;
  std::unique_ptr<tests::SimulatedStore> store_;
  ring::Address address_;
  bool store_failed_ = false;
};

}  // namespace ringtalk::sim
