// src/service/pushes.h: internal to the service. The last step of a durable push: into a session's
// queue, or into pull mode.
//
// A session that is over its limits gets no further messages of a conversation. One mark for each
// such conversation keeps the highest seq, and when the queue has drained each becomes a SyncHint:
// the client pulls what it missed. Thread rule: the shard's thread.
// Invariants: a message is queued or marked, never lost; what was marked is hinted before anything
// newer of that conversation is queued; too many marks end the session.
#pragma once

#include <cstdint>
#include <map>
#include <vector>

#include "service/port.h"

namespace ringtalk::service {

class Pushes {
 public:
  explicit Pushes(Port& port) : port_(port) {}

  // A Message or a SyncHint for a session of this shard.
  void deliver(const Mail& mail, const proto::Range& frame);
  // One of them has been thrown away from the session's queue.
  void dropped(uint32_t slot, const wire::Message& message);
  void dropped(uint32_t slot, const wire::SyncHint& hint);
  // The queue is empty: says what was marked.
  void drained(uint32_t slot);
  void closing(uint32_t slot);
  // Ends the sessions that had too many marks; outside of any fan-out.
  void end_overmarked();

  size_t marks() const noexcept { return marks_.size(); }

 private:
  using Key = std::pair<uint32_t, proto::ConversationId>;

  void mark(uint32_t slot, const proto::ConversationId& conversation, proto::Seq seq);

  Port& port_;
  std::map<Key, proto::Seq> marks_;
  std::map<uint32_t, uint32_t> marked_;                    // how many by slot
  std::vector<std::pair<uint32_t, uint32_t>> overmarked_;  // slot, generation
};

}  // namespace ringtalk::service
