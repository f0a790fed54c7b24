// src/store/store.h: public. What the chat needs from durable storage, and nothing of how it is
// kept.
//
// A shard submits a Request with a Ticket and gets exactly one Reply for it later, in a batch,
// through the ReplySink. No callback, future or coroutine crosses this interface. Ownership:
// requests and replies are moved; a ReplyBatch belongs to whom it was delivered. Thread rule:
// submit from any shard; deliver is called on the store's own threads and must not block.
// Invariants: Sent is answered only after the durable commit; per conversation, replies to appends
// come in seq order; a batch never fails whole for one bad row; every accepted ticket is answered
// once, also when the store stops; after an append failed as unavailable, later ones of that
// session to that conversation fail too until it comes again, so that nothing overtakes it.
#pragma once

#include <cstdint>
#include <memory>
#include <string>
#include <vector>

#include "store/answer.h"
#include "store/request.h"

namespace ringtalk::store {

struct Reply {
  Ticket ticket;
  Answer answer;
};

// All replies of one batch for one shard.
struct ReplyBatch {
  std::vector<Reply> replies;
  ReplyBatch* handoff_next = nullptr;  // base::Handoff
};

class ReplySink {
 public:
  virtual ~ReplySink() = default;
  virtual void deliver(uint32_t shard, std::unique_ptr<ReplyBatch> batch) noexcept = 0;
  // A commit could not be made durable (fsync failed): acknowledging has ended for good. The
  // process stops with `reason`; nothing is delivered afterwards.
  virtual void store_failed(const std::string& reason) noexcept = 0;
};

class Store {
 public:
  virtual ~Store() = default;
  // False: the queue is full, answer "busy". Otherwise exactly one reply follows.
  [[nodiscard]] virtual bool submit(Request&& request, const Ticket& ticket) noexcept = 0;
  // Ends after everything that was accepted has been answered.
  virtual void stop() noexcept = 0;
  // "sqlite:/path" for the ready line.
  virtual std::string describe() const = 0;
};

}  // namespace ringtalk::store
