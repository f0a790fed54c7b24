// src/service/node.h: internal to the service and for main.cc. What the shards of a process share.
//
// A node knows its shards, where a user or room is at home, the outside parts (store, relay,
// directory, workers, clock), the tokens' keys and revocations, and the node-wide count of
// connections. Ownership: owns the shards; is given everything else, which outlives it. Thread
// rule: built and started by one thread; const members by any shard; what changes is atomic or
// guarded as said there. Invariant: home_of_* depends on the id and the number of shards alone.
#pragma once

#include <atomic>
#include <cstdint>
#include <memory>
#include <vector>

#include "base/clock.h"
#include "base/workers.h"
#include "cluster/directory.h"
#include "cluster/relay.h"
#include "proto/ids.h"
#include "service/limits.h"
#include "store/store.h"

namespace ringtalk::service {

class Shard;

struct NodeIdentity {
  cluster::NodeId node = 1;
  uint32_t boot = 1;  // raised at each start
};

struct NodeOptions {
  NodeIdentity identity;
  Limits limits;
  uint64_t connections_max = 10'000;
  bool load_users = false;  // tokens of provisioned users are good (--token-key was given)
  uint64_t seed = 1;
};

class Node final : public store::ReplySink, public cluster::RelaySink {
 public:
  Node(const NodeOptions& options, const base::Clock& clock, base::Workers& passwords);
  ~Node() override;
  // Once, before the first shard is added.
  void attach(store::Store& store, cluster::Directory& directory, cluster::Relay& relay);

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
  store::Store& store() noexcept { return *store_; }
  cluster::Directory& directory() noexcept { return *directory_; }
  cluster::Relay& relay() noexcept { return *relay_; }

  // store::ReplySink and cluster::RelaySink: any thread; they post to a shard.
  void deliver(uint32_t shard, std::unique_ptr<store::ReplyBatch> batch) noexcept override;
  void store_failed(const std::string& reason) noexcept override;
  void room_message(proto::RoomId room, std::span<const std::byte> frame) noexcept override;
  void conversation_advanced(proto::UserId user, proto::ConversationId conversation,
                             proto::Seq last_seq) noexcept override;

 private:
  static constexpr uint64_t kRoomSalt = 0x726f6f6d;
  NodeIdentity identity_;
  const base::Clock& clock_;
  base::Workers& passwords_;
  store::Store* store_ = nullptr;
  cluster::Directory* directory_ = nullptr;
  cluster::Relay* relay_ = nullptr;
  std::vector<std::unique_ptr<Shard>> shards_;
};

}  // namespace ringtalk::service
