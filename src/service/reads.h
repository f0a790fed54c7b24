// src/service/reads.h: internal to the service. What a device asks of the past: Sync, Pull, Users.
//
// Each is one request to the store and one answer: SyncHints and Ok, a page, a list of users.
// Thread rule: the shard's thread. Invariants: nobody reads a conversation that they are not in; a
// page is at most kPageMessagesMax messages and one frame; an answer that finds the session's queue
// full is TooManyRequests, so that asking without reading grows nothing.
#pragma once

#include <cstdint>

#include "service/port.h"

namespace ringtalk::service {

class Reads {
 public:
  explicit Reads(Port& port) : port_(port) {}

  void sync(uint32_t slot, uint64_t id, uint32_t bytes, const wire::Sync& sync);
  void pull(uint32_t slot, uint64_t id, uint32_t bytes, const wire::Pull& pull);
  void users(uint32_t slot, uint64_t id, uint32_t bytes, const wire::Users& users);

  // The session of the ticket is this shard's, if it is still there.
  void answer(const store::Ticket& ticket, store::HeadList&& heads);
  void answer(const store::Ticket& ticket, store::Page&& page);
  void answer(const store::Ticket& ticket, store::Users&& users);
  void answer(const store::Ticket& ticket, const store::Failed& failed);

 private:
  void submit(uint32_t slot, uint64_t id, uint32_t bytes, store::Request&& request);
  // The request is no longer in flight. False: nobody waits for the answer, or its queue is full
  // and it has been told so.
  bool wanted(const store::Ticket& ticket);

  Port& port_;
  proto::PageBuilder page_;
};

}  // namespace ringtalk::service
