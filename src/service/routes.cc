#include "service/routes.h"

#include <algorithm>

#include "base/assert.h"

namespace ringtalk::service {

namespace {

constexpr size_t kMarksMax = 65'536;

}  // namespace

Routes::Routes(Port& port, Postbox& postbox)
    : port_(port), postbox_(postbox), opened_(port.sessions().slots()) {}

// ---- a session's shard

void Routes::open(uint32_t slot) {
  const Session& session = port_.sessions()[slot];
  ASSERT(session.user != 0 && opened_[slot] == 0);
  const uint32_t home = port_.home_of_user(session.user);
  if (postbox_.busy(home)) return postbox_.wait(slot, home);
  opened_[slot] = 1;  // first: a home that is this very shard answers from within
  const Mail mail{.kind = MailKind::route_open,
                  .slot = slot,
                  .generation = session.generation,
                  .number = session.epoch,
                  .a = session.user,
                  .b = port_.sessions().rest(slot).device};
  if (postbox_.request(slot, home, mail, true)) return;
  opened_[slot] = 0;  // request() has made it wait
}

void Routes::open_if_new(uint32_t slot) {
  if (opened_[slot] == 0) open(slot);
}

void Routes::closing(uint32_t slot) {
  if (opened_[slot] == 0) return;
  opened_[slot] = 0;
  const Session& session = port_.sessions()[slot];
  postbox_.post(port_.home_of_user(session.user), {.kind = MailKind::route_close,
                                                   .slot = slot,
                                                   .generation = session.generation,
                                                   .a = session.user});
}

void Routes::opened(const Mail& mail) {
  const Session* session = port_.sessions().find(mail.slot, mail.generation);
  if (session != nullptr && opened_[mail.slot] != 0) port_.session_routed(mail.slot);
}

void Routes::kick_session(const Mail& mail) {
  const Session* session = port_.sessions().find(mail.slot, mail.generation);
  if (session == nullptr || opened_[mail.slot] == 0) return;
  port_.kick(mail.slot, static_cast<wire::KickReason>(mail.byte));
}

void Routes::end_session(const Mail& mail) {
  if (port_.sessions().find_online(mail.slot, mail.generation) == nullptr) return;
  port_.end(mail.slot, CloseReason::slow_reader);
}

void Routes::kick_user(proto::UserId user, uint32_t epoch_min, wire::KickReason reason) {
  kick({.kind = MailKind::kick_user, .user = user}, {epoch_min, reason});
}

void Routes::kick_device(const proto::UserDevice& device, uint32_t epoch_min,
                         wire::KickReason reason) {
  kick({.kind = MailKind::kick_device, .user = device.user, .device = device.device},
       {epoch_min, reason});
}

void Routes::kick(const Kicked& whom, const Kick& kick) {
  const auto at = kicks_.find(whom);
  if (at == kicks_.end() && post_kick(whom, kick)) return;
  Kick& kept = kicks_[whom];
  kept = {std::max(kept.epoch_min, kick.epoch_min), kick.reason};
}

bool Routes::post_kick(const Kicked& whom, const Kick& kick) {
  return postbox_.post(port_.home_of_user(whom.user),
                       {.kind = whom.kind,
                        .byte = static_cast<uint8_t>(kick.reason),
                        .number = kick.epoch_min,
                        .a = whom.user,
                        .b = whom.device},
                       Need::droppable);
}

// ---- the user's home

void Routes::take_open(const Mail& mail) {
  const proto::UserId user = mail.a;
  kicked_.clear();
  bool welcome = true;
  for (uint32_t at = table_.first(user); at != kNoIndex;) {
    const RouteEntry& known = table_[at];
    const uint32_t next = table_.next(at);
    if (known.device == mail.b && known.epoch > mail.number) {
      welcome = false;
    } else if (known.device == mail.b) {
      kicked_.push_back(known);
      table_.remove(at);
    }
    at = next;
  }
  RouteEntry& added = table_[table_.add(user)];
  added.device = mail.b;
  added.epoch = mail.number;
  added.slot = mail.slot;
  added.generation = mail.generation;
  added.shard = mail.from;
  added.leaving = !welcome;
  port_.directory().session_opened(user, mail.b, mail.number);
  // Kicks come back as route_close, at once from this very shard: nothing is held over them.
  const std::vector<RouteEntry> kicks = std::move(kicked_);
  for (const RouteEntry& old : kicks) {
    port_.directory().session_closed(user, old.device, old.epoch);
    if (!old.leaving) kick(old, wire::KickReason::LoggedInElsewhere);
  }
  postbox_.post(mail.from,
                {.kind = MailKind::route_opened, .slot = mail.slot, .generation = mail.generation});
  if (!welcome) {
    postbox_.post(mail.from, {.kind = MailKind::kick_session,
                              .byte = static_cast<uint8_t>(wire::KickReason::LoggedInElsewhere),
                              .slot = mail.slot,
                              .generation = mail.generation});
  }
}

void Routes::take_close(const Mail& mail) {
  for (uint32_t at = table_.first(mail.a); at != kNoIndex; at = table_.next(at)) {
    const RouteEntry known = table_[at];
    if (known.shard == mail.from && known.slot == mail.slot &&
        known.generation == mail.generation) {
      table_.remove(at);
      port_.directory().session_closed(mail.a, known.device, known.epoch);
      return;
    }
  }
}

void Routes::take_kick(const Mail& mail) {
  std::vector<RouteEntry> lower;
  for (uint32_t at = table_.first(mail.a); at != kNoIndex; at = table_.next(at)) {
    RouteEntry& known = table_[at];
    const bool meant = mail.kind == MailKind::kick_user || known.device == mail.b;
    if (!meant || known.epoch >= mail.number || known.leaving) continue;
    known.leaving = true;
    lower.push_back(known);
  }
  // They leave the list by their route_close.
  for (const RouteEntry& known : lower) kick(known, static_cast<wire::KickReason>(mail.byte));
}

void Routes::kick(const RouteEntry& known, wire::KickReason reason) {
  postbox_.post(known.shard, {.kind = MailKind::kick_session,
                              .byte = static_cast<uint8_t>(reason),
                              .slot = known.slot,
                              .generation = known.generation});
}

void Routes::push(const Mail& mail, const proto::Range& range) {
  const wire::Message* message = wire::GetSizePrefixedFrame(range.data())->body_as_Message();
  ASSERT(message != nullptr);
  const proto::ConversationId conversation{message->conv()->a(), message->conv()->b()};
  const proto::UserId user =
      static_cast<PushSide>(mail.byte) == PushSide::lower ? conversation.a : conversation.b;
  for (uint32_t at = table_.first(user); at != kNoIndex; at = table_.next(at)) {
    RouteEntry& known = table_[at];
    if (known.leaving) continue;
    if (known.shard == mail.b && known.slot == mail.slot && known.generation == mail.generation) {
      continue;  // it gets Sent
    }
    Mail deliver{.kind = MailKind::deliver, .slot = known.slot, .generation = known.generation};
    put_range(deliver, range);
    if (!postbox_.post(known.shard, deliver, Need::droppable)) {
      hint(known, conversation, message->seq());
    }
  }
}

void Routes::advanced(const Mail& mail) {
  const proto::ConversationId conversation{mail.a, mail.b};
  const proto::Seq seq = uint64_t{mail.slot} << 32 | mail.generation;
  const proto::UserId user =
      static_cast<PushSide>(mail.byte) == PushSide::lower ? conversation.a : conversation.b;
  for (uint32_t at = table_.first(user); at != kNoIndex; at = table_.next(at)) {
    if (!table_[at].leaving) hint(table_[at], conversation, seq);
  }
}

void Routes::sent(const Mail& mail, const proto::Range& frame) {
  Mail answer{.kind = MailKind::deliver_sent,
              .slot = mail.slot,
              .generation = mail.generation,
              .b = mail.b & UINT32_MAX};
  put_range(answer, frame);
  postbox_.post(static_cast<uint32_t>(mail.b >> 32), answer);
}

void Routes::hint(RouteEntry& known, const proto::ConversationId& conversation, proto::Seq seq) {
  if (marks_.size() >= kMarksMax) {
    known.leaving = true;  // its device syncs when it comes back
    postbox_.post(
        known.shard,
        {.kind = MailKind::end_session, .slot = known.slot, .generation = known.generation});
    return;
  }
  proto::Seq& marked = marks_[{known.shard, known.slot, known.generation, conversation}];
  marked = std::max(marked, seq);
}

void Routes::retry() {
  for (auto at = kicks_.begin(); at != kicks_.end() && post_kick(at->first, at->second);) {
    at = kicks_.erase(at);
  }
  while (!marks_.empty()) {
    const auto& [mark, seq] = *marks_.begin();
    const proto::Range frame =
        port_.outgoing().append(port_.frames().sync_hint(0, mark.conversation, seq));
    Mail deliver{.kind = MailKind::deliver, .slot = mark.slot, .generation = mark.generation};
    put_range(deliver, frame);
    if (!postbox_.post(mark.shard, deliver, Need::droppable)) return;
    marks_.erase(marks_.begin());
  }
}

}  // namespace ringtalk::service
