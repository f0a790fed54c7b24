// src/service/shard_port.h: internal to the service. What a shard's chat sees of its shard.
//
// Thread rule: the shard's thread. Invariant: holds nothing of its own.
#pragma once

#include "service/port.h"

namespace ringtalk::service {

class Shard;

class ShardPort final : public Port {
 public:
  explicit ShardPort(Shard& shard) : shard_(shard) {}

  uint32_t index() const override;
  uint32_t shard_count() const override;
  uint32_t home_of_user(proto::UserId user) const override;
  uint32_t home_of_room(proto::RoomId room) const override;
  uint16_t node() const override;
  uint32_t boot() const override;
  uint64_t now_ns() const override;
  const Limits& limits() const override;
  Outgoing& outgoing() override;
  Sessions& sessions() override;
  ShardStats& stats() override;
  proto::FrameWriter& frames() override;
  cluster::Relay& relay() override;
  cluster::Directory& directory() override;
  bool mail(uint32_t to, const Mail& mail) override;
  void reply_ok(uint32_t slot, uint64_t id) override;
  void reply_error(uint32_t slot, uint64_t id, wire::ErrorCode code,
                   uint32_t retry_after_ms) override;
  void kick(uint32_t slot, wire::KickReason reason) override;
  void end(uint32_t slot, CloseReason reason) override;
  void pause(uint32_t slot) override;
  void resume(uint32_t slot) override;
  void session_routed(uint32_t slot) override;
  uint32_t admit_send(uint32_t slot, const proto::ConversationId& conversation) override;
  bool submit(uint32_t slot, uint64_t id, uint32_t bytes, uint32_t reply_to,
              store::Request&& request) override;
  void answered(uint32_t slot, uint32_t generation, uint32_t bytes) override;

 private:
  Shard& shard_;
};

}  // namespace ringtalk::service
