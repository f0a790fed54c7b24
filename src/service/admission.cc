#include "service/admission.h"

#include "base/clock.h"

namespace ringtalk::service {
namespace {

// Deadlines are kept as the low 32 bits of milliseconds: near in time, whatever the clock says.
uint32_t to_ms(uint64_t ns) noexcept {
  return static_cast<uint32_t>(ns / base::kNsPerMs);
}
int32_t remaining_ms(uint32_t deadline_ms, uint64_t now_ns) noexcept {
  return static_cast<int32_t>(deadline_ms - to_ms(now_ns));
}

}  // namespace

bool parse_trusted(const std::string& text, ring::Address& address) {
  const bool v6 = text.find(':') != std::string::npos;
  const auto parsed = ring::Address::parse(v6 ? "[" + text + "]:0" : text + ":0");
  if (!parsed) return false;
  address = *parsed;
  return true;
}

Admission::Admission(Sessions& sessions, const Limits& limits, AddressCounts& addresses)
    : sessions_(sessions),
      limits_(&limits),
      addresses_(addresses),
      before_login_(Links{&sessions}),
      ending_(Links{&sessions}) {
  configure(limits);
}

void Admission::configure(const Limits& limits) {
  limits_ = &limits;
  trust_loopback_ = false;
  trusted_.clear();
  for (const std::string& text : limits.trusted_addresses) {
    ring::Address address;
    if (text == "loopback") {
      trust_loopback_ = true;
    } else if (parse_trusted(text, address)) {
      trusted_.push_back(address);
    }
  }
}

bool Admission::trusted(const ring::Address& peer) const {
  if (trust_loopback_ && peer.is_loopback()) return true;
  for (const ring::Address& address : trusted_) {
    if (address.family == peer.family && address.bytes == peer.bytes) return true;
  }
  return false;
}

bool Admission::enter(uint32_t slot, const ring::Address& peer, uint64_t now_ns) {
  SessionRest& rest = sessions_.rest(slot);
  ASSERT(sessions_[slot].list == WaitList::none);
  rest.address_key = AddressCounts::kNoAddress;
  if (limits_->prelogin_per_address != 0 && !trusted(peer)) {
    rest.address_key = addresses_.enter(peer, limits_->prelogin_per_address);
    if (rest.address_key == AddressCounts::kNoAddress) return false;
  }
  rest.deadline_ms = to_ms(now_ns) + static_cast<uint32_t>(limits_->login_timeout_ms);
  move(slot, WaitList::before_login);
  return true;
}

uint32_t Admission::to_evict() const {
  if (before_login() <= limits_->prelogin_sockets) return base::kNoSlot;
  uint32_t greeted = base::kNoSlot;
  for (uint32_t slot = before_login_.first(); slot != base::kNoSlot;
       slot = before_login_.next(slot)) {
    const Phase phase = sessions_[slot].phase;
    if (phase == Phase::connected) return slot;
    if (phase == Phase::greeted && greeted == base::kNoSlot) greeted = slot;
  }
  return greeted;
}

void Admission::leave(uint32_t slot) {
  const WaitList from = sessions_[slot].list;
  if (from == WaitList::none) return;
  SessionRest& rest = sessions_.rest(slot);
  if (from == WaitList::before_login && rest.address_key != AddressCounts::kNoAddress) {
    addresses_.leave(rest.address_key);
  }
  rest.address_key = AddressCounts::kNoAddress;
  move(slot, WaitList::none);
}

void Admission::begin_ending(uint32_t slot, uint64_t now_ns) {
  leave(slot);
  sessions_.rest(slot).deadline_ms = to_ms(now_ns) + static_cast<uint32_t>(limits_->discard_ms);
  move(slot, WaitList::ending);
}

uint64_t Admission::next_deadline(uint64_t now_ns) const {
  uint64_t next = 0;
  for (const List* each : {&before_login_, &ending_}) {
    if (each->empty()) continue;
    const int32_t left_ms = remaining_ms(sessions_.rest(each->first()).deadline_ms, now_ns);
    const uint64_t deadline =
        left_ms <= 0 ? now_ns
                     : (now_ns / base::kNsPerMs + static_cast<uint32_t>(left_ms)) * base::kNsPerMs;
    if (next == 0 || deadline < next) next = deadline;
  }
  return next;
}

uint32_t Admission::expired(uint64_t now_ns) const {
  for (const List* each : {&before_login_, &ending_}) {
    const uint32_t slot = each->first();
    if (slot == base::kNoSlot) continue;
    if (remaining_ms(sessions_.rest(slot).deadline_ms, now_ns) <= 0) return slot;
  }
  return base::kNoSlot;
}

Admission::List& Admission::list(WaitList which) {
  switch (which) {
    case WaitList::before_login:
      return before_login_;
    case WaitList::ending:
      return ending_;
    case WaitList::none:
    case WaitList::mailbox:  // the postbox's
      break;
  }
  UNREACHABLE();
}

void Admission::move(uint32_t slot, WaitList to) {
  WaitList& from = sessions_[slot].list;
  if (from != WaitList::none) list(from).remove(slot);
  from = to;
  if (to != WaitList::none) list(to).push_back(slot);
}

}  // namespace ringtalk::service
