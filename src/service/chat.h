// src/service/chat.h: internal to the service. Everything that one shard does for its users' chats.
//
// The door between Shard and the parts of chat: rooms, routes (who is where) and conversations.
// Frames of online sessions, mails, replies of the store and the life of sessions come in here;
// what goes out is queued in Outgoing or mailed. Ownership: owns its parts; the port outlives it.
// Thread rule: the shard's thread. Invariants: every mail is taken exactly once (the range in it is
// adopted here); all work of a turn is in the queues after flush().
#pragma once

#include <cstdint>
#include <memory>
#include <span>

#include "service/outgoing.h"
#include "service/port.h"
#include "service/postbox.h"

namespace ringtalk::service {

class Pushes;
class Reads;
class RoomHome;
class Rooms;
class Routes;
class Sends;

class Chat final : public OutgoingSink, public MailTaker {
 public:
  // `origin`: the first of the room messages that this node numbers (kOriginsPerBoot may follow).
  Chat(Port& port, proto::SegmentDepot& depot, uint64_t origin);
  ~Chat() override;

  // ---- sessions
  // After the login: Port::session_routed() follows, at once where the user's home is this shard.
  void open(uint32_t slot);
  // It gets nothing more: leaves its rooms and its home's list. Also without an open().
  void closing(uint32_t slot);
  // Ends every session of the user with a lower epoch, wherever it is.
  void kick_user(proto::UserId user, uint32_t epoch_min, wire::KickReason reason);
  void kick_device(const proto::UserDevice& device, uint32_t epoch_min, wire::KickReason reason);

  // ---- frames of online sessions; `bytes` is the frame's size
  void room_join(uint32_t slot, uint64_t id, const wire::RoomJoin& join);
  void room_leave(uint32_t slot, uint64_t id, const wire::RoomLeave& leave);
  void room_publish(uint32_t slot, uint64_t id, const wire::RoomPublish& publish);
  void send(uint32_t slot, uint64_t id, uint32_t bytes, const wire::Send& send);
  void sync(uint32_t slot, uint64_t id, uint32_t bytes, const wire::Sync& sync);
  void pull(uint32_t slot, uint64_t id, uint32_t bytes, const wire::Pull& pull);
  void users(uint32_t slot, uint64_t id, uint32_t bytes, const wire::Users& users);

  // ---- from elsewhere
  void take(const Mail& mail) override;
  void released(uint32_t slot) override;
  // Replies to Append (the ticket's session may be another shard's, see Ticket::origin), Heads,
  // Pull and FindUsers.
  void take(const store::Ticket& ticket, store::Answer&& answer);
  // Whether take() is the one for it.
  static bool takes(const store::Answer& answer) noexcept;

  // ---- once a turn, after completions, mail and replies, before Outgoing::flush()
  void flush();
  // Something waits for a full mailbox to empty: the shard should not sleep long.
  bool waiting() const noexcept;
  // Before the shards are destroyed: gives back what it holds of other shards' segments.
  void release();

  // ---- OutgoingSink
  bool drop(uint32_t slot, std::span<const std::byte> frame) override;
  void drained(uint32_t slot) override;
  void too_slow(uint32_t slot) override;

  uint32_t rooms() const noexcept;
  uint32_t users_homed() const noexcept;
  size_t mail_kept() const noexcept;

 private:
  void serve(const Mail& mail, const proto::Range& range);

  Port& port_;
  std::unique_ptr<Postbox> postbox_;
  std::unique_ptr<RoomHome> room_home_;
  std::unique_ptr<Rooms> rooms_;
  std::unique_ptr<Routes> routes_;
  std::unique_ptr<Sends> sends_;
  std::unique_ptr<Pushes> pushes_;
  std::unique_ptr<Reads> reads_;
};

// Throws a mail away that will never be taken (at the end of the process): drops its reference.
inline void discard_mail(const Mail& mail) noexcept {
  if (carries_range(mail.kind)) proto::drop(range_in(mail));
}

}  // namespace ringtalk::service
