#include "client/conversations.h"

#include <algorithm>

#include "base/assert.h"
#include "client/request_id.h"
#include "proto/limits.h"
#include "proto/verifier.h"

namespace ringtalk::client {

bool is_retryable(wire::ErrorCode code) noexcept {
  switch (code) {
    case wire::ErrorCode::TooManyRequests:
    case wire::ErrorCode::ServerBusy:
    case wire::ErrorCode::StoreUnavailable:
    case wire::ErrorCode::Draining:
      return true;
    default:
      return false;
  }
}

// ---- which conversations there are

Conversations::List::const_iterator Conversations::position(
    const proto::ConversationId& id) const noexcept {
  return std::ranges::lower_bound(
      conversations_, id, {}, [](const auto& c) -> const auto& { return c->id; });
}

const Conversation* Conversations::find(const proto::ConversationId& id) const noexcept {
  const auto at = position(id);
  return at != conversations_.end() && (*at)->id == id ? at->get() : nullptr;
}

Conversation& Conversations::open(const proto::ConversationId& id) {
  const auto at = position(id);
  if (at != conversations_.end() && (*at)->id == id) return **at;
  const auto made = conversations_.insert(at, std::make_unique<Conversation>());
  (*made)->id = id;
  return **made;
}

void Conversations::set_cursor(const proto::ConversationId& id, proto::Seq seq) {
  Conversation& c = open(id);
  c.last = seq;
  c.head = std::max(c.head, seq);
}

// ---- of the session

void Conversations::online(const ClientRef& at, proto::UserId user) {
  offline();
  user_ = user;
  online_ = true;
  caught_up_ = false;
  sync_due_ms_ = at.context.now_ms() + at.context.between_ms(0, at.context.jitter_ms());
  note_due(sync_due_ms_);
  pump(at);
}

void Conversations::offline() noexcept {
  online_ = false;
  syncing_ = false;
  sync_again_ = false;
  outbox_.queue_all_again();
  for (const auto& conversation : conversations_) {
    Conversation& c = *conversation;
    c.in_flight = 0;
    c.retry_due_ms = kNever;
    c.gap_due_ms = kNever;
    c.pull_wanted = false;
    c.pulling = false;
  }
  pulls_wanted_ = 0;
  pulls_in_flight_ = 0;
  sync_due_ms_ = kNever;
  due_ms_ = kNever;
}

void Conversations::sync_soon(const ClientRef& at) {
  sync_due_ms_ = at.context.now_ms();
  note_due(sync_due_ms_);
}

void Conversations::tick(const ClientRef& at, uint32_t now_ms) {
  if (!online_ || now_ms < due_ms_) return;
  due_ms_ = kNever;
  bool released = false;
  for (const auto& conversation : conversations_) {
    Conversation& c = *conversation;
    if (c.retry_due_ms <= now_ms && c.in_flight == 0) {
      c.retry_due_ms = kNever;
      released = true;
    }
    if (c.gap_due_ms <= now_ms) {
      c.gap_due_ms = kNever;
      want_pull(c);
    }
    note_due(c.gap_due_ms);
    // With answers on their way it is looked at again when they have come.
    if (c.in_flight == 0) note_due(c.retry_due_ms);
  }
  if (sync_due_ms_ <= now_ms) transmit_sync(at);
  note_due(sync_due_ms_);
  if (released) pump(at);
  start_pulls(at);
}

bool Conversations::settled() const noexcept {
  if (!online_ || !caught_up_ || syncing_ || sync_due_ms_ != kNever) return false;
  if (outbox_.unfinished() > 0 || pulls_wanted_ + pulls_in_flight_ > 0) return false;
  return std::ranges::all_of(conversations_, [](const auto& c) { return c->last >= c->head; });
}

// ---- sending

Outgoing* Conversations::accept(const ClientRef& at, const proto::ConversationId& id) {
  Outgoing* message = outbox_.push(at.context.options.outbox_messages);
  if (message != nullptr) message->conversation = &open(id);
  return message;
}

void Conversations::pump(const ClientRef& at) {
  if (!online_ || !outbox_.any_queued()) return;
  const ClientOptions& options = at.context.options;
  outbox_.for_each_queued([&](Outgoing& m) {
    if (outbox_.in_flight() >= options.sends_in_flight) return false;
    const uint64_t bytes = outbox_.in_flight_bytes() + m.body.size();
    if (outbox_.in_flight() > 0 && bytes > options.sends_in_flight_bytes) return false;
    if (m.conversation->held_back()) return true;
    (m.tried ? at.context.stats.resends : at.context.stats.sends)++;
    outbox_.transmitted(m, ++next_request_);
    m.conversation->in_flight++;
    const uint64_t id = request_id(RequestKind::send, m.request);
    at.context.events.transmit(
        at.index, at.context.writer.send(id, m.conversation->id, m.id, m.kind, m.body, m.reply_to));
    return true;
  });
}

// One send of the conversation has its answer.
void Conversations::answered(Conversation& c) noexcept {
  ASSERT(c.in_flight > 0);
  c.in_flight--;
  if (c.in_flight == 0) note_due(c.retry_due_ms);
}

void Conversations::sent(const ClientRef& at, uint32_t request, const wire::Sent& sent) {
  Conversation& c = open_at(at, id_of(*sent.conv()), sent.seq());
  if (Outgoing* m = outbox_.find(request)) {
    const SendResult result{.conversation = c.id,
                            .id = m->id,
                            .tag = m->tag,
                            .seq = sent.seq(),
                            .time_ms = sent.time_ms(),
                            .duplicate = sent.duplicate()};
    answered(*m->conversation);
    outbox_.finish(*m);
    at.context.events.sent(at.index, result);
  }
  // Its place in the order: this was the showing of it.
  c.head = std::max(c.head, sent.seq());
  if (sent.seq() == c.last + 1) {
    c.last++;
    flush_held(at, c);
  } else if (sent.seq() > c.last) {
    hold(c, {.conversation = c.id, .seq = sent.seq(), .body = {}}, true);
  }
  look_for_gap(at, c);
  pump(at);
}

void Conversations::send_failed(const ClientRef& at, uint32_t request, const wire::Error& error,
                                bool retryable) {
  Outgoing* m = outbox_.find(request);
  if (m == nullptr) return;
  Conversation& c = *m->conversation;
  if (retryable) {
    // The server fails every later send of this conversation that is under way, too: all of them
    // are sent again, in order, once the last answer is here and the time has come.
    at.context.stats.retries++;
    const uint32_t due = at.context.retry_due_ms(error.retry_after_ms());
    c.retry_due_ms = c.held_back() ? std::max(c.retry_due_ms, due) : due;
    outbox_.queue_again(*m);
    answered(c);
    return;
  }
  const SendResult result{.conversation = c.id, .id = m->id, .tag = m->tag, .error = error.code()};
  answered(c);
  outbox_.finish(*m);
  at.context.events.sent(at.index, result);
  pump(at);
}

}  // namespace ringtalk::client
