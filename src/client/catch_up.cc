// The receiving half of Conversations: the view, gaps, pulls and syncs.

#include <algorithm>

#include "base/assert.h"
#include "client/conversations.h"
#include "client/request_id.h"
#include "proto/limits.h"
#include "proto/verifier.h"

namespace ringtalk::client {
namespace {

// As many cursors as fit into one frame; conversations beyond them are named by the server anyway.
constexpr size_t kSyncCursorsMax = 2'000;
// Beyond it an early message is forgotten and pulled later.
constexpr size_t kHeldMax = 64;

proto::ClientMessageId id_of(const wire::MessageId& id) noexcept {
  return {id.high(), id.low()};
}

}  // namespace

// A conversation that was never heard of starts at 0 or, for a device that wants no history and has
// not synced yet, right before `seq`.
Conversation& Conversations::open_at(const ClientRef& at, const proto::ConversationId& id,
                                     proto::Seq seq) {
  const bool known = find(id) != nullptr;
  Conversation& c = open(id);
  const bool from_now = !at.context.options.whole_history && !synced_;
  if (!known && from_now && seq > 0) c.last = c.head = seq - 1;
  return c;
}

// ---- the view

void Conversations::show(const ClientRef& at, const proto::MessageFields& m) {
  // Ours, and still waiting for its Sent: that will show it.
  if (m.sender == user_ && outbox_.contains(m.client_msg_id)) return;
  at.context.events.message(at.index, m);
}

void Conversations::message(const ClientRef& at, const wire::Message& message) {
  const proto::MessageFields m{.conversation = id_of(*message.conv()),
                               .seq = message.seq(),
                               .sender = message.sender(),
                               .client_msg_id = id_of(*message.client_msg_id()),
                               .time_ms = message.time_ms(),
                               .kind = message.kind(),
                               .reply_to = message.reply_to(),
                               .body = proto::bytes_of(message.body())};
  Conversation& c = open_at(at, m.conversation, m.seq);
  if (m.seq <= c.last) {
    at.context.stats.wire_duplicates++;
    return;
  }
  if (m.seq == c.last + 1) {
    // What is held came before this one.
    if (!c.held.empty()) at.context.stats.wire_reordered++;
    c.head = std::max(c.head, m.seq);
    c.last++;
    show(at, m);
    flush_held(at, c);
  } else {
    const bool late = m.seq < c.held_last();
    if (m.seq > c.head + 1) at.context.stats.gaps++;
    c.head = std::max(c.head, m.seq);
    if (!hold(c, m, false)) {
      at.context.stats.wire_duplicates++;
    } else if (late) {
      at.context.stats.wire_reordered++;
    }
  }
  look_for_gap(at, c);
}

// False: it is held already. Its Sent may come behind a push of it to this device's new connection.
bool Conversations::hold(Conversation& c, const proto::MessageFields& m, bool own) {
  const auto at = std::ranges::lower_bound(c.held, m.seq, {}, &Held::seq);
  if (at != c.held.end() && at->seq == m.seq) {
    at->own |= own;
    return false;
  }
  if (c.held.size() >= kHeldMax && !own) return true;
  Held& held = *c.held.insert(at, Held{});
  held.seq = m.seq;
  held.own = own;
  held.fields = m;
  held.body.assign(m.body.begin(), m.body.end());
  return true;
}

void Conversations::flush_held(const ClientRef& at, Conversation& c) {
  while (!c.held.empty() && c.held.front().seq <= c.last + 1) {
    Held held = std::move(c.held.front());
    c.held.erase(c.held.begin());
    if (held.seq <= c.last) continue;
    c.last++;
    held.fields.body = held.body;
    if (!held.own) show(at, held.fields);
  }
}

void Conversations::look_for_gap(const ClientRef& at, Conversation& c) {
  if (c.last >= c.head) {
    c.gap_due_ms = kNever;
    return;
  }
  if (c.gap_due_ms != kNever || c.pulling || c.pull_wanted) return;
  const ClientOptions& options = at.context.options;
  c.gap_due_ms =
      at.context.now_ms() + at.context.between_ms(options.gap_wait_min_ms, options.gap_wait_max_ms);
  note_due(c.gap_due_ms);
}

// ---- pulls

void Conversations::want_pull(Conversation& c) noexcept {
  c.gap_due_ms = kNever;
  if (c.pull_wanted || c.pulling || c.last >= c.head) return;
  c.pull_wanted = true;
  pulls_wanted_++;
}

void Conversations::start_pulls(const ClientRef& at) {
  if (!online_) return;
  const ClientOptions& options = at.context.options;
  for (size_t i = 0; i < conversations_.size(); i++) {
    if (pulls_wanted_ == 0 || pulls_in_flight_ >= options.pulls_in_flight) return;
    Conversation& c = *conversations_[i];
    if (!c.pull_wanted) continue;
    c.pull_wanted = false;
    c.pulling = true;
    c.pull_request = ++next_request_;
    pulls_wanted_--;
    pulls_in_flight_++;
    at.context.stats.pulls++;
    const uint64_t id = request_id(RequestKind::pull, c.pull_request);
    at.context.events.transmit(at.index,
                               at.context.writer.pull(id, c.id, c.last, proto::kPageMessagesMax));
  }
}

void Conversations::pull_ended(Conversation& c) noexcept {
  ASSERT(c.pulling && pulls_in_flight_ > 0);
  c.pulling = false;
  pulls_in_flight_--;
}

// False: the page contradicts itself.
bool Conversations::show_page(const ClientRef& at, Conversation& c, const wire::Messages& page) {
  const Bytes bodies = proto::bytes_of(page.bodies());
  uint32_t from = 0;
  for (const wire::MessageHead* head : *page.heads()) {
    const uint32_t end = head->body_end();
    if (end < from || end > bodies.size()) return false;
    const Bytes body = bodies.subspan(from, end - from);
    from = end;
    if (head->seq() <= c.last) continue;
    if (head->seq() != c.last + 1) return false;
    if (!c.held.empty() && c.held.front().seq == head->seq()) {
      flush_held(at, c);  // here already, and if it is our own it was shown by sent()
      continue;
    }
    c.last++;
    show(at, {.conversation = c.id,
              .seq = head->seq(),
              .sender = head->sender(),
              .client_msg_id = id_of(head->client_msg_id()),
              .time_ms = head->time_ms(),
              .kind = head->kind(),
              .reply_to = head->reply_to(),
              .body = body});
    flush_held(at, c);
  }
  return true;
}

void Conversations::page(const ClientRef& at, uint32_t request, const wire::Messages& page) {
  const proto::ConversationId id = id_of(*page.conv());
  if (find(id) == nullptr) return;
  Conversation& c = open(id);
  if (!c.pulling || c.pull_request != request) return;
  pull_ended(c);
  const proto::Seq before = c.last;
  if (page.first_available() > c.last + 1) {
    c.last = page.first_available() - 1;
    at.context.events.history_lost(at.index, c.id, page.first_available());
    flush_held(at, c);
  }
  const bool sound = show_page(at, c, page);
  if (!sound) at.context.stats.bad_frames++;
  c.head = std::max({c.head, c.last, page.last_seq()});
  if (c.last > before && sound) {
    want_pull(c);  // if there is more
  } else if (c.last < c.head) {
    // A page that does not help: what was heard of does not exist, or not for us.
    c.head = std::max(c.last, page.last_seq());
    look_for_gap(at, c);
  }
  start_pulls(at);
  conclude(at);
}

void Conversations::pull_failed(const ClientRef& at, uint32_t request, const wire::Error& error,
                                bool retryable) {
  const auto found = std::ranges::find_if(conversations_, [request](const auto& c) {
    return c->pulling && c->pull_request == request;
  });
  if (found == conversations_.end()) return;
  Conversation& c = **found;
  pull_ended(c);
  if (retryable) {
    c.gap_due_ms = at.context.retry_due_ms(error.retry_after_ms());
    note_due(c.gap_due_ms);
  } else {
    c.head = c.last;  // not ours to read, until a push or a hint says otherwise
  }
  start_pulls(at);
  conclude(at);
}

// ---- syncs

void Conversations::transmit_sync(const ClientRef& at) {
  ASSERT(online_);
  sync_due_ms_ = kNever;
  if (syncing_) {
    sync_again_ = true;
    return;
  }
  syncing_ = true;
  std::vector<wire::Cursor> cursors;
  cursors.reserve(std::min(conversations_.size(), kSyncCursorsMax));
  for (const auto& c : conversations_) {
    if (cursors.size() == kSyncCursorsMax) break;
    cursors.emplace_back(wire::Conv(c->id.a, c->id.b), c->last);
  }
  at.context.stats.syncs++;
  const uint64_t id = request_id(RequestKind::sync, ++next_request_);
  at.context.events.transmit(at.index, at.context.writer.sync(id, cursors));
}

void Conversations::hint(const ClientRef& at, const wire::SyncHint& hint) {
  Conversation& c = open_at(at, id_of(*hint.conv()), hint.last_seq() + 1);
  c.head = std::max(c.head, hint.last_seq());
  want_pull(c);
  start_pulls(at);
}

void Conversations::sync_done(const ClientRef& at, bool more) {
  if (!syncing_) return;
  syncing_ = false;
  sync_again_ |= more;
  synced_ |= !more;
  if (!more) {
    for (const auto& c : conversations_) want_pull(*c);
    start_pulls(at);
  }
  conclude(at);
}

void Conversations::sync_failed(const ClientRef& at, const wire::Error& error, bool retryable) {
  if (!syncing_) return;
  syncing_ = false;
  if (!retryable) return;
  sync_due_ms_ = at.context.retry_due_ms(error.retry_after_ms());
  note_due(sync_due_ms_);
}

// After a sync or a pull: goes on with the next round, or is done.
void Conversations::conclude(const ClientRef& at) {
  if (!online_ || syncing_ || sync_due_ms_ != kNever || pulls_wanted_ + pulls_in_flight_ > 0)
    return;
  if (sync_again_) {
    sync_again_ = false;
    transmit_sync(at);
    return;
  }
  if (caught_up_ || !synced_) return;
  caught_up_ = true;
  at.context.events.caught_up(at.index);
}

}  // namespace ringtalk::client
