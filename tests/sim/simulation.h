// tests/sim/simulation.h: internal to tests/sim. A whole node and its clients on one thread, from a
// seed.
//
// The real shards, sessions, rooms, conversations and clients over SimProactors, one simulated
// network, clock and store. Phase 1 plays random actions under random faults, kills the node and
// brings it back; phase 2 heals everything, waits until all clients have converged, and the checker
// judges. Thread rule: none is started. Invariant: two runs of the same options give the same trace
// hash.
#pragma once

#include <cstdint>
#include <string>
#include <vector>

#include "ring/sim_network.h"
#include "ring/sim_proactor.h"
#include "service/stats.h"
#include "tests/support/simulated_store.h"

namespace ringtalk::sim {

struct SimulationOptions {
  uint64_t seed = 1;
  uint32_t clients = 200;
  uint32_t shards = 2;
  uint64_t chaos_ms = 3'000;         // phase 1, simulated time
  uint32_t actions = 1'500;          // spread over it
  uint32_t kills = 1;                // kill -9 of the node, and a start on the same disk
  uint32_t cuts = 1;                 // every connection is reset at once
  uint64_t heal_ms = 120'000;        // to converge within, simulated time
  ring::SimFaults network;           // of phase 1
  tests::StoreFaults store;          // of phase 1; acknowledge_before_commit stays in phase 2
  uint32_t buffers = 8;              // of each of the server's proactors: runs empty
  uint32_t completions = 64;         // and its completion queue: overflows
  ring::SimBugs bugs;                // planted in them
  uint32_t mailbox_entries = 4'096;  // of each shard
  uint32_t mail_overflow = 65'536;
  uint32_t accounts = 8;             // users beside the clients, who log in and out
  bool forgets_revocations = false;  // planted in the node: a restart makes void tokens good
};

// Faults drawn from the seed: a mix of some, none of the others.
SimulationOptions random_options(uint64_t seed);

struct Outcome {
  bool converged = false;
  std::vector<std::string> violations;
  uint64_t trace_hash = 0;
  uint64_t sends = 0;
  uint64_t acknowledged = 0;
  uint64_t shown = 0;
  uint64_t room_messages = 0;
  uint64_t reconnects = 0;
  uint64_t void_refused = 0;   // tokens that were shown although they were known to be void
  ring::ProactorStats server;  // of all shards and lives together
  service::ShardStats shards;  // of mail, hints and gaps
  uint64_t simulated_ms = 0;
  std::string log;  // why it did not converge

  bool good() const { return converged && violations.empty(); }
  std::string text() const;
};

Outcome simulate(const SimulationOptions& options);

}  // namespace ringtalk::sim
