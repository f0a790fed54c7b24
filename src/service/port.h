// src/service/port.h: internal to the service. What the parts of chat need from their shard.
//
// Rooms, Routes and Conversations see their shard through this, so that a test can put a few lines
// in its place. Shard's own is ShardPort. Thread rule: the shard's thread.
// Invariant: mails from one shard to another arrive in the order in which they were accepted.
#pragma once

#include <cstdint>
#include <span>
#include <string_view>

#include "cluster/relay.h"
#include "proto/frame_writer.h"
#include "proto/ids.h"
#include "ringtalk_generated.h"
#include "service/close_reason.h"
#include "service/limits.h"
#include "service/mail.h"
#include "service/outgoing.h"
#include "service/session.h"
#include "service/stats.h"
#include "store/store.h"

namespace ringtalk::service {

class Port {
 public:
  virtual ~Port() = default;

  virtual uint32_t index() const = 0;
  virtual uint32_t shard_count() const = 0;
  virtual uint32_t home_of_user(proto::UserId user) const = 0;
  virtual uint32_t home_of_room(proto::RoomId room) const = 0;
  virtual uint16_t node() const = 0;
  virtual uint32_t boot() const = 0;
  virtual uint64_t now_ns() const = 0;
  virtual const Limits& limits() const = 0;

  virtual Outgoing& outgoing() = 0;
  virtual Sessions& sessions() = 0;
  virtual ShardStats& stats() = 0;
  virtual proto::FrameWriter& frames() = 0;
  virtual cluster::Relay& relay() = 0;
  virtual cluster::Directory& directory() = 0;

  // To another shard. False: its mailbox is full and nothing was sent.
  [[nodiscard]] virtual bool mail(uint32_t to, const Mail& mail) = 0;

  // A request with id 0 wants no answer and gets none.
  virtual void reply_ok(uint32_t slot, uint64_t id) = 0;
  virtual void reply_error(uint32_t slot, uint64_t id, wire::ErrorCode code,
                           uint32_t retry_after_ms) = 0;
  virtual void kick(uint32_t slot, wire::KickReason reason) = 0;
  virtual void end(uint32_t slot, CloseReason reason) = 0;
  // Stops reading from a session that waits in a list of the postbox, and goes on with one that has
  // left it (and that nothing else keeps paused).
  virtual void pause(uint32_t slot) = 0;
  virtual void resume(uint32_t slot) = 0;
  // The session stands in the list of its user's home.
  virtual void session_routed(uint32_t slot) = 0;

  // 0: the rates let this send through. Otherwise when to try again, in milliseconds.
  virtual uint32_t admit_send(uint32_t slot, const proto::ConversationId& conversation) = 0;
  // Submits for a session and counts the request as in flight until answered(). The reply goes to
  // shard `reply_to`. False: the store's queue is full; nothing was counted.
  [[nodiscard]] virtual bool submit(uint32_t slot, uint64_t id, uint32_t bytes, uint32_t reply_to,
                                    store::Request&& request) = 0;
  virtual void answered(uint32_t slot, uint32_t generation, uint32_t bytes) = 0;
};

}  // namespace ringtalk::service
