// Segments and mails between shards on real threads: what the simulator's one thread cannot show.
#include <gtest/gtest.h>

#include <atomic>
#include <map>
#include <memory>
#include <string>
#include <thread>
#include <vector>

#include "base/inbox.h"
#include "describe_frame.h"
#include "recording_proactor.h"
#include "service/chat.h"

namespace ringtalk::service {
namespace {

constexpr uint32_t kShards = 3;
constexpr uint32_t kSessions = 8;    // of each shard
constexpr uint32_t kMessages = 300;  // of each session
constexpr proto::RoomId kRooms = 4;

class ThreadShard;
using Shards = std::vector<std::unique_ptr<ThreadShard>>;

struct SilentRelay final : cluster::Relay, cluster::Directory {
  void subscribe_room(proto::RoomId) override {}
  void unsubscribe_room(proto::RoomId) override {}
  void publish_room(proto::RoomId, std::span<const std::byte>) override {}
  void advance(cluster::NodeId, proto::UserId, proto::ConversationId, proto::Seq) override {}
  void session_opened(proto::UserId, proto::DeviceId, uint32_t) override {}
  void session_closed(proto::UserId, proto::DeviceId, uint32_t) override {}
  void other_nodes_of(proto::UserId, std::vector<cluster::NodeId>&) const override {}
};

// A shard with a real mailbox and nobody behind its sockets: a send completes in the next round.
class ThreadShard final : public Port {
 public:
  ThreadShard(uint32_t index, Shards& shards, proto::SegmentDepot& depot)
      : index_(index), shards_(shards), sessions_(kSessions), mailbox_(64) {
    chat_ = std::make_unique<Chat>(*this, depot, 1);
    outgoing_ = std::make_unique<Outgoing>(
        kSessions, OutgoingLimits{.session_bytes = 1 << 24, .session_frames = 60'000}, depot,
        *chat_);
    got_.resize(kSessions);
  }

  uint32_t index() const override { return index_; }
  uint32_t shard_count() const override { return kShards; }
  uint32_t home_of_user(proto::UserId user) const override { return user % kShards; }
  uint32_t home_of_room(proto::RoomId room) const override { return room % kShards; }
  uint16_t node() const override { return 1; }
  uint32_t boot() const override { return 1; }
  uint64_t now_ns() const override { return 1; }
  const Limits& limits() const override { return limits_; }
  Outgoing& outgoing() override { return *outgoing_; }
  Sessions& sessions() override { return sessions_; }
  ShardStats& stats() override { return stats_; }
  proto::FrameWriter& frames() override { return frames_; }
  cluster::Relay& relay() override { return relay_; }
  cluster::Directory& directory() override { return relay_; }
  bool mail(uint32_t to, const Mail& mail) override {
    return shards_[to]->mailbox_.push(mail) != base::Pushed::full;
  }
  void reply_ok(uint32_t slot, uint64_t id) override {
    if (id != 0) outgoing_->answer(slot, frames_.ok(id));
  }
  void reply_error(uint32_t, uint64_t, wire::ErrorCode, uint32_t) override { refused_++; }
  void kick(uint32_t, wire::KickReason) override {}
  void end(uint32_t, CloseReason) override {}
  void pause(uint32_t) override {}
  void resume(uint32_t) override {}
  void session_routed(uint32_t) override { routed_++; }
  uint32_t admit_send(uint32_t, const proto::ConversationId&) override { return 0; }
  bool submit(uint32_t, uint64_t, uint32_t, uint32_t, store::Request&&) override { return false; }
  void answered(uint32_t, uint32_t, uint32_t) override {}

  // ---- on the shard's thread
  void open_sessions() {
    for (uint32_t slot = 0; slot < kSessions; slot++) {
      const ring::ConnectionId connection{slot, 1};
      Session& session = sessions_.open(connection);
      session.phase = Phase::online;
      session.user = 1 + index_ * kSessions + slot;
      outgoing_->open(connection);
      chat_->open(slot);
      request(slot, frames_of_client_.room_join(1, room_of(slot)));
    }
  }
  static proto::RoomId room_of(uint32_t slot) { return 1 + slot % kRooms; }

  void request(uint32_t slot, proto::Bytes bytes) {
    const auto frame = proto::verify(bytes, proto::Role::server);
    ASSERT_TRUE(frame.ok());
    if (const auto* join = (*frame)->body_as_RoomJoin()) chat_->room_join(slot, 1, *join);
    if (const auto* publish = (*frame)->body_as_RoomPublish()) {
      chat_->room_publish(slot, 0, *publish);
    }
  }
  void publish(uint32_t slot) {
    const std::string body(64, 'x');
    request(slot,
            frames_of_client_.room_publish(0, room_of(slot), std::as_bytes(std::span(body)), true));
  }

  void round() {
    Mail mail;
    for (int i = 0; i < 32 && mailbox_.pop(mail); i++) chat_->take(mail);
    chat_->flush();
    outgoing_->flush(proactor_);
    for (const uint32_t slot : proactor_.flying()) {
      got_[slot] += proactor_.finish(slot).bytes;
      outgoing_->sent(slot, true);
    }
  }
  bool all_joined() const { return stats_joined() == kSessions && routed_ == kSessions; }
  uint64_t delivered() const { return stats_.room_deliveries; }
  uint32_t refused() const { return refused_; }
  const std::string& got(uint32_t slot) const { return got_[slot]; }

  void release() {
    Mail mail;
    while (mailbox_.pop(mail)) discard_mail(mail);
    chat_->release();
    outgoing_->release();
  }

 private:
  uint32_t stats_joined() const {
    uint32_t joined = 0;
    for (const std::string& bytes : got_) joined += !bytes.empty();
    return joined;
  }

  const uint32_t index_;
  Shards& shards_;
  Limits limits_;
  Sessions sessions_;
  ShardStats stats_;
  proto::FrameWriter frames_;
  proto::FrameWriter frames_of_client_;
  SilentRelay relay_;
  RecordingProactor proactor_;
  std::unique_ptr<Chat> chat_;
  std::unique_ptr<Outgoing> outgoing_;
  base::Inbox<Mail> mailbox_;
  std::vector<std::string> got_;
  uint32_t routed_ = 0;
  uint32_t refused_ = 0;
};

TEST(CrossShard, EveryMessageReachesEveryMemberOnceAndInOrder) {
  proto::SegmentDepot depot;
  {
    Shards shards;
    for (uint32_t i = 0; i < kShards; i++) {
      shards.push_back(std::make_unique<ThreadShard>(i, shards, depot));
    }
    constexpr uint64_t kMembers = kShards * kSessions / kRooms;  // of a room
    constexpr uint64_t kExpected = kSessions * kMembers * kMessages;
    std::atomic<uint32_t> joined{0};
    std::atomic<uint32_t> done{0};
    std::vector<std::thread> threads;
    for (auto& owned : shards) {
      threads.emplace_back([&shard = *owned, &joined, &done] {
        shard.open_sessions();
        while (!shard.all_joined()) shard.round();
        // Nobody publishes before everybody has joined, so that everybody gets everything.
        joined++;
        while (joined < kShards) shard.round();
        for (uint32_t n = 0; n < kMessages; n++) {
          for (uint32_t slot = 0; slot < kSessions; slot++) shard.publish(slot);
          shard.round();
        }
        while (shard.delivered() < kExpected) shard.round();
        done++;
        while (done < kShards) shard.round();
        shard.round();  // what the others flushed last
      });
    }
    for (std::thread& thread : threads) thread.join();

    for (const auto& shard : shards) {
      EXPECT_EQ(shard->delivered(), kExpected);
      EXPECT_EQ(shard->refused(), 0u);
      for (uint32_t slot = 0; slot < kSessions; slot++) {
        const auto texts = describe_all(shard->got(slot));
        ASSERT_EQ(texts.size(), 1 + kMembers * kMessages);
        for (size_t i = 1; i < texts.size(); i++) {
          const std::string start = "room " + std::to_string(ThreadShard::room_of(slot)) +
                                    " 1:" + std::to_string(i) + " ";
          ASSERT_EQ(texts[i].compare(0, start.size(), start), 0) << texts[i];
        }
      }
    }
    for (const auto& shard : shards) shard->release();
  }
  EXPECT_EQ(depot.bytes(), 0u);  // every segment came home
}

}  // namespace
}  // namespace ringtalk::service
