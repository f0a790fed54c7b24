// src/cluster/relay.h: public. Carries hints and room messages to other nodes.
//
// A doorbell: at most once, never truth. Nothing durable depends on a delivery.
// Thread rule: publish and subscribe from any shard; RelaySink is called on the relay's thread and
// only posts to a mailbox.
#pragma once

#include <cstddef>
#include <cstdint>
#include <span>

#include "cluster/directory.h"
#include "proto/ids.h"

namespace ringtalk::cluster {

class RelaySink {
 public:
  virtual ~RelaySink() = default;
  // Bytes are one whole RoomMessage or RoomMessages frame, not yet verified; valid only
  // during the call.
  virtual void room_message(proto::RoomId room, std::span<const std::byte> frame) noexcept = 0;
  // A conversation of a user with sessions here has advanced on another node.
  virtual void conversation_advanced(proto::UserId user, proto::ConversationId conversation,
                                     proto::Seq last_seq) noexcept = 0;
};

class Relay {
 public:
  virtual ~Relay() = default;
  // A room channel is subscribed while this node has members in it.
  virtual void subscribe_room(proto::RoomId room) = 0;
  virtual void unsubscribe_room(proto::RoomId room) = 0;
  virtual void publish_room(proto::RoomId room, std::span<const std::byte> frame) = 0;
  virtual void advance(NodeId node, proto::UserId user, proto::ConversationId conversation,
                       proto::Seq last_seq) = 0;
};

}  // namespace ringtalk::cluster
