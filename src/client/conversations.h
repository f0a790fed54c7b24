// src/client/conversations.h: private to src/client. The durable half of a client: what it has
// seen of each conversation, what it still has to pull, and its outbox.
//
//   last          the view: everything up to here was shown        1 .. last
//   held          arrived beyond a gap, in order                   > last + 1, bounded
//   head          the highest seq heard of; last < head means that something is missing
//
// Thread rule: one owner. Invariants: last rises by one with each message shown (or jumps where
// retention took the rest away); sends of one conversation reach the wire in the order of send().
#pragma once

#include <cstdint>
#include <memory>
#include <utility>
#include <vector>

#include "client/context.h"
#include "client/outbox.h"

namespace ringtalk::client {

inline proto::ConversationId id_of(const wire::Conv& conv) noexcept {
  return {conv.a(), conv.b()};
}

// A message that arrived too early. `own`: acknowledged by Sent, it is only a place in the order.
struct Held {
  proto::Seq seq = 0;
  bool own = false;
  proto::MessageFields fields;
  std::vector<std::byte> body;
};

struct Conversation {
  proto::ConversationId id;
  proto::Seq last = 0;
  proto::Seq head = 0;
  std::vector<Held> held;
  uint32_t gap_due_ms = kNever;    // when to pull what is missing
  uint32_t retry_due_ms = kNever;  // sends are held back until then, after a retryable error
  uint32_t in_flight = 0;          // sends on the wire
  uint32_t pull_request = 0;
  bool pull_wanted = false;
  bool pulling = false;

  bool held_back() const noexcept { return retry_due_ms != kNever; }
  proto::Seq held_last() const noexcept { return held.empty() ? 0 : held.back().seq; }
};

class Conversations {
 public:
  Conversation& open(const proto::ConversationId& id);
  const Conversation* find(const proto::ConversationId& id) const noexcept;
  void set_cursor(const proto::ConversationId& id, proto::Seq seq);
  template <class Use>
  void for_each(Use&& use) const {
    for (const auto& c : conversations_) use(std::as_const(*c));
  }

  // ---- of the session
  void online(const ClientRef& at, proto::UserId user);
  void offline() noexcept;
  void tick(const ClientRef& at, uint32_t now_ms);
  uint32_t due_ms() const noexcept { return due_ms_; }
  void sync_soon(const ClientRef& at);
  bool settled() const noexcept;

  // ---- sending
  Outgoing* accept(const ClientRef& at, const proto::ConversationId& id);
  void pump(const ClientRef& at);
  uint32_t unacknowledged() const noexcept { return outbox_.unfinished(); }
  void sent(const ClientRef& at, uint32_t request, const wire::Sent& sent);
  void send_failed(const ClientRef& at, uint32_t request, const wire::Error& error, bool retryable);

  // ---- receiving
  void message(const ClientRef& at, const wire::Message& message);
  void page(const ClientRef& at, uint32_t request, const wire::Messages& page);
  void pull_failed(const ClientRef& at, uint32_t request, const wire::Error& error, bool retryable);
  void hint(const ClientRef& at, const wire::SyncHint& hint);
  void sync_done(const ClientRef& at, bool more);
  void sync_failed(const ClientRef& at, const wire::Error& error, bool retryable);

 private:
  using List = std::vector<std::unique_ptr<Conversation>>;

  List::const_iterator position(const proto::ConversationId& id) const noexcept;
  void note_due(uint32_t due_ms) noexcept { due_ms_ = due_ms < due_ms_ ? due_ms : due_ms_; }
  void answered(Conversation& c) noexcept;
  Conversation& open_at(const ClientRef& at, const proto::ConversationId& id, proto::Seq seq);
  void show(const ClientRef& at, const proto::MessageFields& m);
  bool hold(Conversation& c, const proto::MessageFields& m, bool own);
  void flush_held(const ClientRef& at, Conversation& c);
  void look_for_gap(const ClientRef& at, Conversation& c);
  void want_pull(Conversation& c) noexcept;
  void start_pulls(const ClientRef& at);
  void pull_ended(Conversation& c) noexcept;
  bool show_page(const ClientRef& at, Conversation& c, const wire::Messages& page);
  void transmit_sync(const ClientRef& at);
  void conclude(const ClientRef& at);

  List conversations_;  // sorted by id; the addresses stay
  Outbox outbox_;
  proto::UserId user_ = 0;
  uint32_t due_ms_ = kNever;
  uint32_t sync_due_ms_ = kNever;
  uint32_t next_request_ = 0;
  uint32_t pulls_wanted_ = 0;
  uint32_t pulls_in_flight_ = 0;
  bool online_ = false;
  bool syncing_ = false;
  bool sync_again_ = false;
  bool synced_ = false;     // once since the client was made
  bool caught_up_ = false;  // since the login
};

// Errors after which the same request may succeed later.
bool is_retryable(wire::ErrorCode code) noexcept;

}  // namespace ringtalk::client
