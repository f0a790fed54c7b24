// src/service/shard.h: internal to the service. One proactor, its sessions and the parts that serve
// them.
//
// A shard takes completions (ring::Handler), cuts and verifies frames and hands each message to the
// part that serves it. Ownership: the shard owns its parts and sessions; the node, the proactor and
// the store outlive it. Thread rule: one thread calls turn(), and everything else but door(). It
// starts no thread and reads no clock but the node's, so the simulator runs the real one.
// Invariants: every connection is closed once and for one reason; a slot is reused only after the
// proactor's `close`; what waits over a turn holds (slot, generation), never a Session&.
#pragma once

#include <atomic>
#include <cstddef>
#include <cstdint>
#include <memory>
#include <span>
#include <string_view>
#include <vector>

#include "base/random.h"
#include "proto/frame_reader.h"
#include "proto/frame_writer.h"
#include "ring/proactor.h"
#include "ringtalk_generated.h"
#include "service/close_reason.h"
#include "service/door.h"
#include "service/limits.h"
#include "service/outgoing.h"
#include "service/session.h"
#include "service/stats.h"
#include "store/store.h"

namespace ringtalk::service {

class Accounts;   // register, login, resume, logout
class Admission;  // deadlines before login and after an error, connections by address
class Chat;       // rooms, routes, conversations
class Drain;      // stopping
class Node;
class SendBuckets;
class ShardPort;

struct ShardOptions {
  uint32_t slots;  // ProactorOptions::connections
  uint64_t seed;
  uint32_t mailbox_entries;
};

class Shard final : public ring::Handler {
 public:
  Shard(Node& node, uint32_t index, ring::Proactor& proactor, const ShardOptions& options);
  ~Shard() override;
  Shard(const Shard&) = delete;
  Shard& operator=(const Shard&) = delete;

  // ---- the driver: a thread of main, or the simulator
  // Before the first turn. Answers the address with the port that was taken.
  base::Result<ring::Address, ring::Error> listen(const ring::Address& at);
  // One round: completions, mail, replies of the store, flush, timers. Sleeps until `deadline_ns`
  // at most, less when a timer of the shard is due or work is left.
  void turn(uint64_t deadline_ns);
  bool stopping() const noexcept;
  // Any thread: ordered to drain, and no listener and no connection is left.
  bool stopped() const noexcept { return stopped_.load(std::memory_order_acquire); }
  // Not while a turn is under way.
  void snapshot(StatsPart& part);
  // When no shard takes turns any more, before the first is destroyed: what it holds of others.
  void release();
  void complete(const ring::Completion& completion) override;

  // Any thread: mail, replies, orders.
  Door& door() noexcept { return door_; }

  // ---- what the parts use
  uint32_t index() const noexcept { return index_; }
  Node& node() noexcept { return node_; }
  const Limits& limits() const noexcept { return *limits_; }
  Sessions& sessions() noexcept { return sessions_; }
  Chat& chat() noexcept { return *chat_; }
  Outgoing& outgoing() noexcept { return *outgoing_; }
  SendBuckets& send_buckets() noexcept { return *send_buckets_; }
  base::Random& random() noexcept { return random_; }
  ShardStats& stats() noexcept { return stats_; }
  proto::FrameWriter& frames() noexcept { return frames_; }
  // Read once a turn, after the wait.
  uint64_t now_ns() const noexcept { return now_ns_; }
  uint64_t wall_ms() const noexcept { return wall_ms_; }

  // Queues a finished frame for one session; does nothing when the session is already going.
  void reply(uint32_t slot, std::span<const std::byte> frame);
  // A request with id 0 wants no answer: it gets no Ok, but is told of errors.
  void reply_ok(uint32_t slot, uint64_t id);
  void reply_error(uint32_t slot, uint64_t id, wire::ErrorCode code, uint32_t retry_after_ms = 0,
                   std::string_view text = {});
  void reply_busy(uint32_t slot, uint64_t id);

  // Lets the queue leave, half-closes, discards input for a while and closes. Does nothing to a
  // session that is already going.
  void end(uint32_t slot, CloseReason reason);
  void end_with_error(uint32_t slot, uint64_t id, wire::ErrorCode code, CloseReason reason,
                      uint32_t retry_after_ms = 0);
  void kick(uint32_t slot, wire::KickReason reason);
  // At once: what is queued is dropped.
  void close(uint32_t slot, CloseReason reason);
  void stop_listening();
  // Stops reading; goes on as soon as nothing is against it.
  void pause(uint32_t slot);
  void resume_if_free(uint32_t slot);

  // Submits for a session and counts the request as in flight until answered(); `bytes` is its
  // frame's size, `reply_to` the shard that gets the reply. False: the store's queue is full.
  [[nodiscard]] bool submit(uint32_t slot, uint64_t id, uint32_t bytes, uint32_t reply_to,
                            store::Request&& request);
  void answered(uint32_t slot, uint32_t generation, uint32_t bytes);
  // To any shard, this one too. False: the target's mailbox is full.
  [[nodiscard]] bool mail(uint32_t to, Mail mail);

  // The user of the session is known, and then: it stands in its user's home shard's list.
  void session_online(uint32_t slot);
  void session_routed(uint32_t slot);

 private:
  // shard.cc: one turn
  void read_clock() noexcept;
  uint64_t sleep_until(uint64_t deadline_ns) noexcept;
  bool work_left() const noexcept;
  void take_orders();
  void take_mail();
  void take_replies();
  void take(store::Reply& reply);
  void take_passwords();
  void take_questions();
  void run_timers();
  void sweep_heartbeats();
  void end_lost_sessions();
  OutgoingLimits outgoing_limits() const;

  // shard_sessions.cc: from accept to close
  void opened(ring::ConnectionId connection, const ring::Address& peer);
  void received(const ring::Completion& completion);
  void discard(uint32_t slot, size_t bytes);
  void input_ended(uint32_t slot, ring::Error error);
  bool may_read(uint32_t slot);
  void read_on(uint32_t slot);
  void wait_for_budget(uint32_t slot);
  void resume_for_budget();
  void look_at_cut_frames();
  void sent(uint32_t slot, ring::Error error);
  void half_close_if_flushed(uint32_t slot);
  void half_closed(uint32_t slot);
  void leave_parts(uint32_t slot);
  void closed(uint32_t slot);

  // dispatch.cc: one frame, one answer of the store
  struct Requests;
  bool frame(uint32_t slot, std::span<const std::byte> bytes);
  void dispatch(uint32_t slot, const wire::Frame& frame, uint32_t bytes);
  void unsupported(uint32_t slot, uint64_t id);
  bool greeted(uint32_t slot, uint64_t id);
  bool online(uint32_t slot, uint64_t id);
  void hello(uint32_t slot, uint64_t id, const wire::Hello& hello);
  void heartbeat(uint32_t slot, uint64_t id);
  void echo(uint32_t slot, uint64_t id, const wire::Echo& echo);
  void question(uint32_t slot, uint64_t id);
  void take_own(store::Reply& reply);

  Node& node_;
  const uint32_t index_;
  ring::Proactor& proactor_;
  std::shared_ptr<const Limits> limits_;
  base::Random random_;
  Sessions sessions_;
  ShardStats stats_;
  uint64_t now_ns_ = 0;
  uint64_t wall_ms_ = 0;
  bool clock_read_ = false;  // in this turn
  proto::FrameReader reader_;
  proto::FrameWriter frames_;
  std::unique_ptr<ShardPort> port_;
  std::unique_ptr<Chat> chat_;
  std::unique_ptr<Outgoing> outgoing_;
  std::unique_ptr<Accounts> accounts_;
  std::unique_ptr<Admission> admission_;
  std::unique_ptr<Drain> drain_;
  std::unique_ptr<SendBuckets> send_buckets_;
  std::vector<ring::ListenerId> listeners_;
  uint32_t online_ = 0;
  std::atomic<bool> stopped_{false};
  uint64_t next_sweep_ns_ = 0;
  uint64_t sessions_numbered_ = 0;
  std::vector<uint32_t> lost_;                      // slots found by a sweep, not yet ended
  std::vector<ring::ConnectionId> budget_waiters_;  // paused until partial frames have room
  uint64_t next_look_ns_ = 0;                       // at cut frames, while there are waiters
  Door door_;
};

}  // namespace ringtalk::service
