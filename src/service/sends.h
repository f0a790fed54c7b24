// src/service/sends.h: internal to the service. Durable messages from one user to another.
//
// session's shard -> store's writer -> the conversation's home (the home of its lower user)
//   -> home of the recipient: Message      -> its sessions
//   -> home of the sender: Message, Sent   -> its other sessions, the sending session
// Every reader of a conversation is reached over its home, so all see one order. After a send has
// failed in a way that can be tried again, later sends of that session to that conversation fail
// too until the failed one comes again (or for a while nothing has): what is sent again in order
// stays in order. Thread rule: the shard's thread. Invariants: nothing is said to be sent before
// the store has answered; Sent and Message of a conversation reach a session in seq order.
#pragma once

#include <cstdint>
#include <map>
#include <vector>

#include "service/port.h"
#include "service/postbox.h"

namespace ringtalk::service {

class Sends {
 public:
  Sends(Port& port, Postbox& postbox);

  // ---- the session's shard
  void send(uint32_t slot, uint64_t id, uint32_t bytes, const wire::Send& send);
  void delivered_sent(const Mail& mail, const proto::Range& frame);
  void send_failed(const Mail& mail, const proto::Range& range);
  void closing(uint32_t slot);

  // ---- the conversation's home
  void appended(const store::Ticket& ticket, store::Appended&& appended);
  void failed(const store::Ticket& ticket, const store::Failed& failed);
  // Sends the hints that stand for pushes whose way was full.
  void retry();
  bool waiting() const noexcept { return !marks_.empty(); }

 private:
  using Key = std::pair<uint32_t, proto::ConversationId>;  // slot and conversation
  // Everything but the send `first` fails until then.
  struct Hold {
    proto::ClientMessageId first;
    wire::ErrorCode code;
    bool from_store;
    uint64_t until_ns;
  };

  bool held(uint32_t slot, uint64_t id, const proto::ConversationId& conversation,
            const proto::ClientMessageId& message);
  void hold(uint32_t slot, const proto::ConversationId& conversation, const Hold& hold);
  void push(PushSide side, const store::Ticket& ticket, const store::Appended& appended,
            const proto::Range& frame);

  Port& port_;
  Postbox& postbox_;
  uint32_t in_flight_ = 0;  // of this shard's sessions, also of those that have gone
  std::map<Key, Hold> holds_;
  std::vector<cluster::NodeId> nodes_;
  std::map<std::pair<proto::ConversationId, PushSide>, proto::Seq> marks_;
};

}  // namespace ringtalk::service
