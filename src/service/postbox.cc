#include "service/postbox.h"

#include "base/assert.h"

namespace ringtalk::service {

Postbox::Postbox(Port& port, MailTaker& self) : port_(port), self_(self) {}

Postbox::~Postbox() {
  release();
}

bool Postbox::post(uint32_t to, Mail mail, Need need) {
  ASSERT(mail.kind != MailKind::none);
  ASSERT(to < port_.shard_count());
  mail.from = static_cast<uint16_t>(port_.index());
  if (carries_range(mail.kind)) proto::share(range_in(mail));
  if (to == port_.index()) {
    self_.take(mail);
    return true;
  }
  if (overflows_.empty()) overflows_.resize(port_.shard_count());
  Overflow& overflow = overflows_[to];
  if (overflow.count() == 0 && port_.mail(to, mail)) return true;
  if (need == Need::must || overflow.count() < port_.limits().mail_overflow) {
    overflow.mails.push_back(mail);
    waiting_++;
    return true;
  }
  if (carries_range(mail.kind)) proto::drop(range_in(mail));
  refused_++;
  return false;
}

void Postbox::retry() {
  if (waiting_ == 0) return;
  for (uint32_t to = 0; to < overflows_.size(); to++) {
    Overflow& overflow = overflows_[to];
    while (overflow.count() > 0 && port_.mail(to, overflow.mails[overflow.first])) {
      overflow.first++;
      waiting_--;
    }
    if (overflow.count() == 0 && overflow.first > 0) {
      overflow.mails.clear();
      overflow.first = 0;
    }
  }
}

void Postbox::release() {
  for (Overflow& overflow : overflows_) {
    for (size_t i = overflow.first; i < overflow.mails.size(); i++) {
      const Mail& mail = overflow.mails[i];
      if (carries_range(mail.kind)) proto::drop(range_in(mail));
    }
    overflow.mails.clear();
    overflow.first = 0;
  }
  waiting_ = 0;
}

}  // namespace ringtalk::service
