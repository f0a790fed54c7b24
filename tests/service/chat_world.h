// tests/service/chat_world.h: for tests. The chat halves of several shards on one thread.
//
// Real Chat and Outgoing on each shard; mailboxes, proactors and the store are the test's: mails
// lie in one queue for each pair of shards and are delivered in a seeded order (FIFO for each
// pair), sends complete when asked, the store answers when told to.
#pragma once

#include <deque>
#include <functional>
#include <map>
#include <memory>
#include <string>
#include <vector>

#include "base/random.h"
#include "describe_frame.h"
#include "recording_proactor.h"
#include "service/chat.h"

namespace ringtalk::service {

class ChatWorld;

inline constexpr uint64_t kOrigin = 9;

// What the relay was told, as text.
struct RecordingRelay final : cluster::Relay, cluster::Directory {
  void subscribe_room(proto::RoomId room) override { log("+" + std::to_string(room)); }
  void unsubscribe_room(proto::RoomId room) override { log("-" + std::to_string(room)); }
  void publish_room(proto::RoomId, std::span<const std::byte> frame) override {
    for (const auto& text :
         describe_all({reinterpret_cast<const char*>(frame.data()), frame.size()})) {
      log(text);
    }
  }
  void advance(cluster::NodeId node, proto::UserId user, proto::ConversationId,
               proto::Seq seq) override {
    log("node " + std::to_string(node) + " user " + std::to_string(user) + " seq " +
        std::to_string(seq));
  }
  void session_opened(proto::UserId user, proto::DeviceId, uint32_t) override { online[user]++; }
  void session_closed(proto::UserId user, proto::DeviceId, uint32_t) override {
    if (--online[user] == 0) online.erase(user);
  }
  void other_nodes_of(proto::UserId user, std::vector<cluster::NodeId>& nodes) const override {
    if (elsewhere.contains(user)) nodes.push_back(elsewhere.at(user));
  }
  void log(std::string text) { said.push_back(std::move(text)); }

  std::vector<std::string> said;
  std::map<proto::UserId, int> online;
  std::map<proto::UserId, cluster::NodeId> elsewhere;
};

class WorldShard final : public Port {
 public:
  WorldShard(ChatWorld& world, uint32_t index, uint32_t slots, const OutgoingLimits& limits);

  uint32_t index() const override { return index_; }
  uint32_t shard_count() const override;
  uint32_t home_of_user(proto::UserId user) const override;
  uint32_t home_of_room(proto::RoomId room) const override;
  uint16_t node() const override { return 1; }
  uint32_t boot() const override { return 1; }
  uint64_t now_ns() const override;
  const Limits& limits() const override;
  Outgoing& outgoing() override { return *outgoing_; }
  Sessions& sessions() override { return sessions_; }
  ShardStats& stats() override { return stats_; }
  proto::FrameWriter& frames() override { return frames_; }
  cluster::Relay& relay() override;
  cluster::Directory& directory() override;
  bool mail(uint32_t to, const Mail& mail) override;
  void reply_ok(uint32_t slot, uint64_t id) override;
  void reply_error(uint32_t slot, uint64_t id, wire::ErrorCode code, uint32_t) override;
  void kick(uint32_t slot, wire::KickReason reason) override;
  void end(uint32_t slot, CloseReason reason) override;
  void pause(uint32_t slot) override;
  void resume(uint32_t slot) override;
  void session_routed(uint32_t slot) override { routed.push_back(slot); }
  uint32_t admit_send(uint32_t, const proto::ConversationId&) override { return send_wait_ms; }
  bool submit(uint32_t slot, uint64_t id, uint32_t bytes, uint32_t reply_to,
              store::Request&& request) override;
  void answered(uint32_t slot, uint32_t generation, uint32_t bytes) override;

  Chat& chat() { return *chat_; }

  uint32_t send_wait_ms = 0;
  std::vector<uint32_t> routed;
  std::vector<uint32_t> paused;   // in the order in which they were
  std::vector<uint32_t> resumed;  // and these
  RecordingProactor proactor;
  std::map<uint32_t, std::string> received;  // by slot

 private:
  ChatWorld& world_;
  const uint32_t index_;
  Sessions sessions_;
  ShardStats stats_;
  proto::FrameWriter frames_;
  std::unique_ptr<Chat> chat_;
  std::unique_ptr<Outgoing> outgoing_;
};

// A session, by where it is.
struct Who {
  uint32_t shard = 0;
  uint32_t slot = 0;
};

class ChatWorld {
 public:
  struct Options {
    uint32_t shards = 1;
    uint32_t slots = 32;
    uint64_t seed = 1;
    size_t mailbox = 4'096;
    Limits limits{};
    OutgoingLimits outgoing{};
  };
  struct Submitted {
    store::Ticket ticket;
    store::Request request;
  };

  explicit ChatWorld(const Options& options);
  ~ChatWorld();

  WorldShard& shard(uint32_t index) { return *shards_[index]; }
  WorldShard& at(Who who) { return *shards_[who.shard]; }
  Chat& chat(Who who) { return at(who).chat(); }

  // An online session; mails run until it is routed.
  Who login(uint32_t shard, proto::UserId user, proto::DeviceId device = 0, uint32_t epoch = 1);
  // As a shard does when a connection has gone.
  void close(Who who);
  bool online(Who who) { return at(who).sessions()[who.slot].phase == Phase::online; }

  // Frames of a client, by their encoder.
  void request(Who who, const std::function<proto::Bytes(proto::FrameWriter&)>& encode);

  // Delivers one mail of a random pair of shards. False: there is none.
  bool step();
  // Mails, flushes and, unless `reading` is false for a session, completes sends, until nothing is
  // left to do.
  void run();
  void stop_reading(Who who, bool stopped = true);
  // What has come since the last call.
  std::vector<std::string> got(Who who);

  // Answers what was submitted as a store would that has all users below 1,000.
  void answer_store();
  // Fails everything that was submitted.
  void fail_store(store::StoreError error);

  const Options options;
  RecordingRelay relay;
  base::Random random;
  uint64_t clock_ns = 1'000'000'000;
  bool store_full = false;
  std::deque<Submitted> submitted;

 private:
  friend class WorldShard;
  void complete_sends();

  proto::SegmentDepot depot_;
  std::vector<std::unique_ptr<WorldShard>> shards_;
  std::map<std::pair<uint32_t, uint32_t>, std::deque<Mail>> mail_;  // from, to
  std::map<std::pair<uint32_t, uint32_t>, bool> stopped_;
  std::map<proto::ConversationId, std::vector<store::StoredMessage>> log_;
  uint32_t generation_ = 0;
};

}  // namespace ringtalk::service
