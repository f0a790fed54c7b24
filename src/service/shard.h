// src/service/shard.h: internal to the service. One proactor, its sessions and the parts that serve
// them.
//
// A shard takes completions (ring::Handler), cuts and verifies frames and hands each message to the
// part that serves it. Parts (Outgoing, Rooms, Routes, Conversations, Accounts) keep a Shard& and
// reach everything through it. Ownership: the shard owns its parts and sessions; the node, the
// proactor and the store outlive it. Thread rule: one thread calls turn(), and everything else but
// the members under "any thread". It starts no thread and reads no clock but the node's, so the
// simulator runs the real one. Invariants: a session's parts hear of it in this order:
// session_online once at most, session_closing once, session_closed once; between the last two the
// slot cannot be reused; nothing holds a Session& over a turn.
#pragma once

#include <atomic>
#include <cstddef>
#include <cstdint>
#include <memory>
#include <span>
#include <string_view>

#include "base/handoff.h"
#include "base/inbox.h"
#include "base/random.h"
#include "proto/frame_writer.h"
#include "proto/segment.h"
#include "ring/proactor.h"
#include "ringtalk_generated.h"
#include "service/close_reason.h"
#include "service/limits.h"
#include "service/mail.h"
#include "service/session.h"
#include "service/stats.h"
#include "store/store.h"

namespace ringtalk::service {

class Accounts;       // core: register, login, resume, logout
class Admission;      // core: who may connect, deadlines before login and after an error
class Conversations;  // chat: send, sync, pull, users, push
class Heartbeat;      // core: counts missed beats
class Node;
class Outgoing;     // chat: queues, flush, pinned memory
class Rooms;        // chat
class Routes;       // chat: home shard of the user: who is where
class SendBuckets;  // core: rates of Send
struct PasswordJob;

// Orders of the main thread, as bits; they need no room in a mailbox.
namespace orders {
inline constexpr uint32_t kDrain = 1;
inline constexpr uint32_t kHurry = 2;
inline constexpr uint32_t kReload = 4;
}  // namespace orders

class Shard final : public ring::Handler {
 public:
  Shard(Node& node, uint32_t index, ring::Proactor& proactor, uint64_t seed);
  ~Shard() override;
  Shard(const Shard&) = delete;
  Shard& operator=(const Shard&) = delete;

  // ---- the driver (a thread of main, or the simulator)

  // One round: completions, mail, replies of the store, flush, timers. Sleeps until `deadline_ns`
  // at most, less when a timer of the shard is due or work is left.
  void turn(uint64_t deadline_ns);
  // After an order to drain: no listener, no connection, nothing in flight.
  bool stopped() const noexcept;
  void complete(const ring::Completion& completion) override;

  // ---- any thread

  void order(uint32_t bits) noexcept;
  void deliver(std::unique_ptr<store::ReplyBatch> batch) noexcept;
  void deliver(PasswordJob* job) noexcept;
  void ask(StatsPart* part) noexcept;
  // From another shard (its index in mail.from). Never blocks; wakes this shard if it sleeps.
  base::Pushed post(const Mail& mail) noexcept;

  // ---- what parts use

  uint32_t index() const noexcept { return index_; }
  Node& node() noexcept { return node_; }
  const Limits& limits() const noexcept { return *limits_; }
  ring::Proactor& proactor() noexcept { return proactor_; }
  Sessions& sessions() noexcept { return sessions_; }
  base::Random& random() noexcept { return random_; }
  ShardStats& stats() noexcept { return stats_; }
  // Read once a turn.
  uint64_t now_ns() const noexcept { return now_ns_; }
  uint64_t wall_ms() const noexcept { return wall_ms_; }

  Accounts& accounts() noexcept { return *accounts_; }
  Admission& admission() noexcept { return *admission_; }
  Conversations& conversations() noexcept { return *conversations_; }
  proto::FrameWriter& frames() noexcept { return frames_; }
  Outgoing& outgoing() noexcept { return *outgoing_; }
  Rooms& rooms() noexcept { return *rooms_; }
  Routes& routes() noexcept { return *routes_; }
  SendBuckets& send_buckets() noexcept { return *send_buckets_; }

  // Queues a finished frame for one session and marks it dirty. The frame is copied into the
  // shard's own segment; nothing to do when the session is already ending.
  void reply(uint32_t slot, std::span<const std::byte> frame);
  // The same with nothing in the body. A request with id 0 wants no answer and gets none.
  void reply_ok(uint32_t slot, uint64_t id);
  void reply_error(uint32_t slot, uint64_t id, wire::ErrorCode code, uint32_t retry_after_ms = 0,
                   std::string_view text = {});

  // Tells why (nothing, Error, Kicked or Goaway, queued last), lets the queue leave, half-closes,
  // discards input for a while and closes. Does nothing to a session that is already going.
  void end(uint32_t slot, CloseReason reason);
  void end_with_error(uint32_t slot, uint64_t id, wire::ErrorCode code, CloseReason reason,
                      uint32_t retry_after_ms = 0);
  void kick(uint32_t slot, wire::KickReason reason);
  // At once: what is queued is dropped.
  void close(uint32_t slot, CloseReason reason);

  // Submits for a session and counts the request as in flight until its reply has come; `bytes` is
  // its frame's size. False: the store's queue is full and the caller answers ServerBusy.
  [[nodiscard]] bool submit(uint32_t slot, uint64_t id, uint32_t bytes, store::Request&& request);

  // To another shard or to this one (then it is taken within this turn). False: the target's
  // mailbox is full; what to do then is the sender's policy.
  [[nodiscard]] bool mail(uint32_t to, Mail mail);

  // Routes calls it when the session stands in its home shard's list (at once with one shard).
  void session_routed(uint32_t slot);

 private:
  friend class Dispatch;
  Node& node_;
  const uint32_t index_;
  ring::Proactor& proactor_;
  const Limits* limits_;
  base::Random random_;
  Sessions sessions_;
  ShardStats stats_;
  uint64_t now_ns_ = 0;
  uint64_t wall_ms_ = 0;
  proto::FrameWriter frames_;
  std::unique_ptr<Outgoing> outgoing_;
  std::unique_ptr<Rooms> rooms_;
  std::unique_ptr<Routes> routes_;
  std::unique_ptr<Conversations> conversations_;
  std::unique_ptr<Accounts> accounts_;
  std::unique_ptr<Admission> admission_;
  std::unique_ptr<Heartbeat> heartbeat_;
  std::unique_ptr<SendBuckets> send_buckets_;
  base::Inbox<Mail> mailbox_{kMailboxEntries};
  base::Handoff<store::ReplyBatch> replies_;
  base::Handoff<PasswordJob> passwords_;
  base::Handoff<StatsPart> questions_;
  std::atomic<uint32_t> orders_{0};
};

}  // namespace ringtalk::service

// What a shard calls on the parts of chat, each in its own header:
//   Outgoing       push(slot, Range) for answers (never dropped), sent(slot, Error) on a send
//                  completion, flush(slice), dirty(), idle(slot), queued_bytes(slot),
//                  session_closed(slot)
//   Rooms          join, leave, publish (slot, id, const wire::…&); session_closing(slot);
//                  take(const Mail&)
//   Routes         open(slot) -> bool; session_closing(slot); kick_user(user, epoch_min, reason);
//                  take(const Mail&)
//   Conversations  send, sync, pull, users (slot, id, bytes, const wire::…&);
//                  take(slot, const store::Ticket&, store::Answer&&); session_closing(slot);
//                  take(const Mail&)
// and on all of them uint64_t next_deadline() (0 = none) and tick() when it has passed.
