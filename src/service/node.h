// src/service/node.h: internal to the service and for main.cc. What the shards of a process share.
//
// A node knows its shards, where a user or room is at home, the outside parts (store, relay,
// directory, workers, clock), the tokens' keys and revocations, and the node-wide count of
// connections. Ownership: owns the shards; is given everything else, which outlives it and is idle
// when it goes. Thread rule: built by one thread before the first turn; afterwards its members may
// be called by any shard. Invariant: home_of_* depends on the id and the number of shards alone.
#pragma once

#include <atomic>
#include <cstdint>
#include <functional>
#include <memory>
#include <mutex>
#include <string>
#include <vector>

#include "base/clock.h"
#include "base/workers.h"
#include "cluster/directory.h"
#include "cluster/relay.h"
#include "proto/ids.h"
#include "proto/segment.h"
#include "proto/token.h"
#include "ring/proactor.h"
#include "service/address_counts.h"
#include "service/limits.h"
#include "service/mail.h"
#include "service/revocations.h"
#include "service/stats.h"
#include "store/store.h"

namespace ringtalk::service {

class Shard;

struct NodeIdentity {
  cluster::NodeId node = 1;
  uint32_t boot = 1;  // raised at each start
};

struct NodeOptions {
  Limits limits;
  uint64_t connections_max = 10'000;
  bool load_users = false;  // tokens of provisioned users are good (--token-key was given)
  uint64_t seed = 1;
  uint32_t mailbox_entries = kMailboxEntries;  // of each shard; a test may want fewer
};

// What a store knew when it was opened.
struct NodeMemory {
  NodeIdentity identity;
  store::Revocations revocations;
};

// Called on a thread of the store, of a relay or of a shard: must not block.
struct NodeEvents {
  std::function<void(const std::string& reason)> store_failed;
  std::function<void(std::unique_ptr<StatsRound>)> stats_for_main;
};

class Node final : public store::ReplySink, public cluster::RelaySink {
 public:
  Node(const NodeOptions& options, const base::Clock& clock, base::Workers& passwords,
       const proto::KeyRing& keys, NodeEvents events);
  ~Node() override;
  Node(const Node&) = delete;
  Node& operator=(const Node&) = delete;

  // Once, before the first shard is added.
  void attach(const NodeMemory& memory, store::Store& store, cluster::Directory& directory,
              cluster::Relay& relay);
  // One for each proactor, all before the first turn. `slots` is its ProactorOptions::connections.
  void add_shards(const std::vector<ring::Proactor*>& proactors, uint32_t slots);

  uint32_t shard_count() const noexcept { return static_cast<uint32_t>(shards_.size()); }
  Shard& shard(uint32_t index) noexcept { return *shards_[index]; }
  uint32_t home_of_user(proto::UserId user) const noexcept {
    return static_cast<uint32_t>(proto::mix(user) % shards_.size());
  }
  uint32_t home_of_room(proto::RoomId room) const noexcept {
    return static_cast<uint32_t>(proto::mix(room ^ kRoomSalt) % shards_.size());
  }

  const NodeIdentity& identity() const noexcept { return identity_; }
  const base::Clock& clock() const noexcept { return clock_; }
  base::Workers& passwords() noexcept { return passwords_; }
  const proto::KeyRing& keys() const noexcept { return keys_; }
  bool load_users() const noexcept { return load_users_; }
  store::Store& store() noexcept { return *store_; }
  cluster::Directory& directory() noexcept { return *directory_; }
  cluster::Relay& relay() noexcept { return *relay_; }
  proto::SegmentDepot& depot() noexcept { return depot_; }

  std::shared_ptr<const Limits> limits() const;
  // The shards take them at their next turn.
  void reload(const Limits& limits);
  void order_all(uint32_t bits);
  bool stopped() const noexcept;

  // Counts the connection unless connections_max are open.
  [[nodiscard]] bool admit_connection() noexcept;
  void connection_closed() noexcept;
  uint64_t connections() const noexcept { return connections_.load(std::memory_order_relaxed); }

  Revocations& revocations() noexcept { return revocations_; }
  AddressCounts& addresses() noexcept { return addresses_; }

  // Asks every shard; the round comes back to the session that asked, or to stats_for_main.
  void ask_all(uint32_t shard, uint32_t slot, uint32_t generation, uint64_t request);
  void part_filled(StatsRound* round) noexcept;
  // Without asking: when no shard takes turns any more.
  std::unique_ptr<StatsRound> snapshot();

  // store::ReplySink and cluster::RelaySink: any thread; they post to a shard.
  void deliver(uint32_t shard, std::unique_ptr<store::ReplyBatch> batch) noexcept override;
  void store_failed(const std::string& reason) noexcept override;
  void room_message(proto::RoomId room, std::span<const std::byte> frame) noexcept override;
  void conversation_advanced(proto::UserId user, proto::ConversationId conversation,
                             proto::Seq last_seq) noexcept override;

 private:
  static constexpr uint64_t kRoomSalt = 0x726f6f6d;
  static constexpr uint64_t kAddressSalt = 0x61646472;

  const base::Clock& clock_;
  base::Workers& passwords_;
  const proto::KeyRing& keys_;
  const NodeEvents events_;
  const uint64_t connections_max_;
  const bool load_users_;
  const uint64_t seed_;
  const uint32_t mailbox_entries_;
  NodeIdentity identity_;
  store::Store* store_ = nullptr;
  cluster::Directory* directory_ = nullptr;
  cluster::Relay* relay_ = nullptr;
  proto::SegmentDepot depot_;
  std::mutex relayed_mutex_;
  proto::SegmentWriter relayed_{depot_};  // what the relay has brought
  std::atomic<uint64_t> connections_{0};
  mutable std::mutex limits_mutex_;
  std::shared_ptr<const Limits> limits_;
  Revocations revocations_;
  AddressCounts addresses_;
  std::vector<std::unique_ptr<Shard>> shards_;
};

}  // namespace ringtalk::service
