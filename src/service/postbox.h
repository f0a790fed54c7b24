// src/service/postbox.h: internal to the service. A shard's outgoing mail, with room for a target
// whose mailbox is full.
//
// A mail to the shard itself is taken at once. For each other target there is a bounded overflow,
// sent first as soon as the target takes mail again. What is beyond the bound is the sender's
// policy: room messages are skipped and counted, durable ones become a mark; answers are taken
// always, as they are bounded by the requests in flight. Ownership: a mail that was accepted
// carries a reference of its own for its range, made here. Thread rule: the shard's thread.
// Invariant: FIFO for each target, whether a mail went through the overflow or not.
#pragma once

#include <cstdint>
#include <vector>

#include "service/mail.h"
#include "service/port.h"

namespace ringtalk::service {

class MailTaker {
 public:
  virtual ~MailTaker() = default;
  virtual void take(const Mail& mail) = 0;
};

enum class Need : uint8_t {
  droppable,  // refused beyond the bound
  must,       // never refused
};

class Postbox {
 public:
  // `self` takes what is for this shard.
  Postbox(Port& port, MailTaker& self);
  ~Postbox();

  // False: refused, nothing has been sent. A range in the mail must be held by the caller.
  bool post(uint32_t to, Mail mail, Need need = Need::must);
  // Offers what has overflown again.
  void retry();

  bool waiting() const noexcept { return waiting_ > 0; }
  uint64_t refused() const noexcept { return refused_; }
  // Throws away what waits.
  void release();

 private:
  struct Overflow {
    std::vector<Mail> mails;
    size_t first = 0;
    size_t count() const noexcept { return mails.size() - first; }
  };

  Port& port_;
  MailTaker& self_;
  std::vector<Overflow> overflows_;  // by target; made at the first mail
  size_t waiting_ = 0;
  uint64_t refused_ = 0;
};

}  // namespace ringtalk::service
