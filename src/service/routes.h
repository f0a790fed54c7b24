// src/service/routes.h: internal to the service. Which sessions each user has, and where.
//
// A user's home shard alone owns the list of that user's sessions on this node. Every durable push
// goes to the home and from there to the shards of the sessions, so that all of a user's sessions
// see a conversation in one order.
//   user -> entry {device, epoch, shard, slot, generation} -> entry -> ...
// Thread rule: the shard's thread. Invariants: one session for each (user, device): the higher
// epoch stays, at equal epoch the newcomer; the other is kicked; a push that finds the way to a
// session full leaves one mark for it and conversation, which becomes a SyncHint later.
#pragma once

#include <cstdint>
#include <map>
#include <vector>

#include "service/port.h"
#include "service/postbox.h"
#include "service/route_table.h"
#include "service/slot_array.h"

namespace ringtalk::service {

class Routes {
 public:
  Routes(Port& port, Postbox& postbox);

  // ---- a session's shard
  void open(uint32_t slot);
  // Its open had to wait for the home's mailbox, and need not any more.
  void open_if_new(uint32_t slot);
  void closing(uint32_t slot);
  void opened(const Mail& mail);
  void kick_session(const Mail& mail);
  void end_session(const Mail& mail);

  // ---- any shard
  void kick_user(proto::UserId user, uint32_t epoch_min, wire::KickReason reason);
  void kick_device(const proto::UserDevice& device, uint32_t epoch_min, wire::KickReason reason);

  // ---- the user's home
  void take_open(const Mail& mail);
  void take_close(const Mail& mail);
  void take_kick(const Mail& mail);
  void push(const Mail& mail, const proto::Range& frame);
  void advanced(const Mail& mail);
  void sent(const Mail& mail, const proto::Range& frame);

  // Sends the hints that stand for pushes whose way was full.
  void retry();
  bool waiting() const noexcept { return !marks_.empty() || !kicks_.empty(); }
  uint32_t users() const noexcept { return table_.users(); }

 private:
  // A session elsewhere and a conversation of which it has missed something.
  struct Mark {
    uint32_t shard;
    uint32_t slot;
    uint32_t generation;
    proto::ConversationId conversation;
    auto operator<=>(const Mark&) const = default;
  };

  struct Kicked {
    MailKind kind;  // kick_user or kick_device
    proto::UserId user = 0;
    proto::DeviceId device = 0;
    auto operator<=>(const Kicked&) const = default;
  };
  struct Kick {
    uint32_t epoch_min = 0;
    wire::KickReason reason{};
  };

  void kick(const Kicked& whom, const Kick& kick);
  bool post_kick(const Kicked& whom, const Kick& kick);
  void kick(const RouteEntry& entry, wire::KickReason reason);
  void hint(RouteEntry& entry, const proto::ConversationId& conversation, proto::Seq seq);

  Port& port_;
  Postbox& postbox_;
  SlotArray<uint8_t> opened_;
  RouteTable table_;
  std::vector<RouteEntry> kicked_;
  std::map<Mark, proto::Seq> marks_;
  // Whose way is full: no more than the epochs that Node keeps in memory anyway (Revocations).
  std::map<Kicked, Kick> kicks_;
};

}  // namespace ringtalk::service
