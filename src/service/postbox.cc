#include "service/postbox.h"

#include "base/assert.h"

namespace ringtalk::service {

namespace {

// Sessions that one turn releases for a target, so that those who waited do not fill it again
// before it can be seen.
constexpr uint32_t kReleasedPerTurn = 64;
// An overflow that never empties moves its mails to the front now and then.
constexpr size_t kCompactFrom = 1'024;

}  // namespace

Postbox::Postbox(Port& port, MailTaker& self, proto::SegmentDepot& depot)
    : port_(port), self_(self), writer_(depot) {}

Postbox::~Postbox() {
  release();
}

uint64_t Postbox::must_max() const {
  const uint64_t asked = asked_max();
  return (port_.shard_count() + 7) * asked + uint64_t{3} * port_.sessions().slots();
}

Postbox::Target& Postbox::target(uint32_t to) {
  ASSERT(to < port_.shard_count() && to != port_.index());
  while (targets_.size() < port_.shard_count()) targets_.emplace_back(port_.sessions());
  return targets_[to];
}

bool Postbox::post(uint32_t to, const Mail& mail, Need need) {
  ASSERT(mail.kind != MailKind::none);
  if (to == port_.index()) {
    Mail own = mail;
    own.from = static_cast<uint16_t>(to);
    if (carries_range(mail.kind)) proto::share(range_in(mail));
    self_.take(own);
    return true;
  }
  Target& there = target(to);
  if (there.count() == 0 && offer(to, mail)) return true;
  return keep(there, mail, need);
}

bool Postbox::offer(uint32_t to, const Mail& mail) {
  Mail sent = mail;
  sent.from = static_cast<uint16_t>(port_.index());
  if (!carries_range(mail.kind)) return port_.mail(to, sent);
  // Before it is sent: the target may be done with it at once.
  proto::share(range_in(mail));
  if (port_.mail(to, sent)) return true;
  proto::drop(range_in(mail));
  return false;
}

bool Postbox::keep(Target& target, Mail mail, Need need) {
  const Limits& limits = port_.limits();
  const bool ranged = carries_range(mail.kind);
  if (need == Need::droppable) {
    if (target.count() >= limits.mail_overflow ||
        (ranged && held_.pinned_bytes() >= limits.pinned_bytes / 4)) {
      port_.stats().mail_refused++;
      return false;
    }
  } else {
    ASSERT(target.count() < limits.mail_overflow + must_max());
    if (ranged) put_range(mail, writer_.append(range_in(mail).span()));
  }
  if (ranged) held_.hold(range_in(mail));
  target.mails.push_back(mail);
  kept_++;
  return true;
}

// ---- requests

bool Postbox::request(uint32_t slot, uint32_t to, const Mail& mail, bool answer) {
  if (to == port_.index()) return post(to, mail);
  Target& there = target(to);
  const bool may_ask = !answer || there.asked < asked_max();
  if (!may_ask) port_.stats().mail_refused++;
  const bool taken = may_ask && post(to, mail, Need::droppable);
  if (taken && answer) there.asked++;
  if (!taken || busy(there)) [[unlikely]]
    wait(slot, to);
  return taken;
}

void Postbox::answered(uint32_t from) {
  if (from == port_.index()) return;
  Target& there = target(from);
  ASSERT(there.asked > 0);
  there.asked--;
}

bool Postbox::busy(uint32_t to) const {
  return to != port_.index() && to < targets_.size() && busy(targets_[to]);
}

bool Postbox::busy(const Target& target) const {
  if (target.count() > low_mark() || target.asked > low_mark() + 2 * kMailboxEntries) return true;
  return target.count() > 0 && held_.pinned_bytes() >= port_.limits().pinned_bytes / 16;
}

void Postbox::wait(uint32_t slot, uint32_t to) {
  Session& session = port_.sessions()[slot];
  ASSERT(session.phase == Phase::online);
  if (session.list == WaitList::mailbox) return;
  ASSERT(session.list == WaitList::none);
  session.list = WaitList::mailbox;
  port_.sessions().rest(slot).mailbox = to;
  target(to).paused.push_back(slot);
  paused_++;
  port_.stats().mail_paused++;
  port_.pause(slot);
}

void Postbox::leave(uint32_t slot) {
  Session& session = port_.sessions()[slot];
  if (session.list != WaitList::mailbox) return;
  session.list = WaitList::none;
  target(port_.sessions().rest(slot).mailbox).paused.remove(slot);
  ASSERT(paused_ > 0);
  paused_--;
}

// ---- once a turn

void Postbox::retry() {
  if (!waiting()) return;
  for (uint32_t to = 0; to < targets_.size(); to++) {
    if (targets_[to].count() > 0) drain(to);
    if (!targets_[to].paused.empty()) let_go(to);
  }
}

void Postbox::drain(uint32_t to) {
  Target& there = targets_[to];
  while (there.count() > 0) {
    const Mail& mail = there.mails[there.first];
    if (!offer(to, mail)) break;
    if (carries_range(mail.kind)) held_.release(range_in(mail));
    there.first++;
    kept_--;
  }
  // Never more than twice what waits: an overflow may be long without ever being empty.
  if (there.count() > 0 && (there.first < kCompactFrom || there.first < there.count())) return;
  there.mails.erase(there.mails.begin(),
                    there.mails.begin() + static_cast<std::ptrdiff_t>(there.first));
  there.first = 0;
}

void Postbox::let_go(uint32_t to) {
  for (uint32_t n = 0; n < kReleasedPerTurn; n++) {
    const Target& there = targets_[to];
    const uint32_t slot = there.paused.first();
    if (slot == base::kNoSlot || there.count() > 0 || busy(there)) return;
    leave(slot);
    self_.released(slot);
  }
}

void Postbox::release() {
  for (Target& each : targets_) {
    for (size_t i = each.first; i < each.mails.size(); i++) {
      if (carries_range(each.mails[i].kind)) held_.release(range_in(each.mails[i]));
    }
    each.mails.clear();
    each.first = 0;
  }
  kept_ = 0;
}

}  // namespace ringtalk::service
