// src/service/postbox.h: internal to the service. A shard's outgoing mail, with room for a target
// whose mailbox is full.
//
// A mail to the shard itself is taken at once. For each other target there is an overflow, sent
// first as soon as the target takes mail again. While it holds more than a mailboxful, sessions
// whose requests feed the target are paused, and released in their order when it has drained.
// Ownership: a mail that was taken carries a reference for its range, or lies in the overflow, of
// which `held_` counts the segments. Thread rule: the shard's thread. Invariants: FIFO for each
// target, through the overflow or not; a session waits for one target at most. Bounds by target:
//   droppable mails: mail_overflow entries, ranges that pin a quarter of pinned_bytes (all targets)
//   must mails: must_max(), each small and copied side by side, see there.
#pragma once

#include <cstdint>
#include <vector>

#include "base/intrusive_list.h"
#include "service/mail.h"
#include "service/port.h"

namespace ringtalk::service {

class MailTaker {
 public:
  virtual ~MailTaker() = default;
  virtual void take(const Mail& mail) = 0;
  // A session has waited long enough for the target it fed.
  virtual void released(uint32_t slot) = 0;
};

enum class Need : uint8_t {
  droppable,  // refused beyond the bound
  must,       // never refused
};

class Postbox {
 public:
  // `self` takes what is for this shard.
  Postbox(Port& port, MailTaker& self, proto::SegmentDepot& depot);
  ~Postbox();

  // False: refused, nothing has been sent. A range in the mail must be held by the caller.
  bool post(uint32_t to, const Mail& mail, Need need = Need::must);

  // Sends what a request of this session asks of the target, droppable, and pauses the session when
  // the target is busy. `answer`: the target answers with one mail; see answered().
  bool request(uint32_t slot, uint32_t to, const Mail& mail, bool answer);
  // One of these answers has come.
  void answered(uint32_t from);
  // Requests for this target should wait: more than a mailboxful overflows, or its answers do.
  bool busy(uint32_t to) const;
  // Pauses a session until the target has drained, unless it waits already.
  void wait(uint32_t slot, uint32_t to);
  // It is going: it waits no longer.
  void leave(uint32_t slot);

  // Offers what has overflown again, and releases who waited for it.
  void retry();
  bool waiting() const noexcept { return kept_ > 0 || paused_ > 0; }
  // Mails that wait for a target.
  size_t kept() const noexcept { return kept_; }
  // Throws away what waits.
  void release();

  // Requests to one target that are not yet answered: what the overflow and both mailboxes hold.
  uint32_t asked_max() const { return port_.limits().mail_overflow + 2 * kMailboxEntries; }
  // How many must mails one target's overflow can hold, with A = asked_max(), S slots, N shards:
  //   room_joined, room_gap (at a join), answer_ok, route_opened   2 A: it asked for them
  //   deliver_sent, send_failed     A: its Sends in flight (Sends counts them)
  //   sent                        N A: all shards' Sends in flight
  // A mail about a session was posted when we knew the session. When the oldest mail here was
  // posted, it was known already, or we have heard of it since: then its open is unanswered still.
  //   route_close               S + A: one for each of our sessions
  //   kick_session, end_session  2S + 3A: one for each of its sessions (RouteEntry::leaving), those
  //                             whose route_close is on its way included
  uint64_t must_max() const;

 private:
  struct Links {
    Sessions* sessions;
    base::ListLinks& operator()(uint32_t slot) const { return sessions->rest(slot).waiting; }
  };
  struct Target {
    explicit Target(Sessions& sessions) : paused(Links{&sessions}) {}
    size_t count() const noexcept { return mails.size() - first; }
    std::vector<Mail> mails;
    size_t first = 0;
    uint32_t asked = 0;                 // requests that it has not answered
    base::IntrusiveList<Links> paused;  // sessions, in the order in which they are released
  };

  Target& target(uint32_t to);
  bool offer(uint32_t to, const Mail& mail);
  bool keep(Target& target, Mail mail, Need need);
  void drain(uint32_t to);
  void let_go(uint32_t to);
  bool busy(const Target& target) const;
  // A mailboxful; less when the overflow itself is small.
  size_t low_mark() const { return port_.limits().mail_overflow / 16; }

  Port& port_;
  MailTaker& self_;
  proto::SegmentWriter writer_;  // must mails that overflow: no one of them pins a whole segment
  proto::SegmentUses held_;      // ranges in overflows
  std::vector<Target> targets_;  // made at the first mail
  size_t kept_ = 0;
  size_t paused_ = 0;
};

}  // namespace ringtalk::service
