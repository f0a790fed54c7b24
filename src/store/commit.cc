#include "store/commit.h"

#include <algorithm>
#include <utility>

#include "base/assert.h"
#include "store/accounts.h"
#include "store/message_key.h"
#include "store/reads.h"

namespace ringtalk::store {
namespace {

// Races are rare; a batch that still loses then is answered "try again later".
constexpr int kRacesMax = 8;
constexpr uint64_t kDayMs = 86'400'000;

}  // namespace

Ended Commit::run(std::span<Work> batch, std::vector<Answer>& answers) {
  ASSERT(!batch.empty());
  batch_ = batch;
  answers.assign(batch.size(), Answer{});
  answers_ = answers;
  prepare();
  // A bad row may cost every other row a try, a race only a few.
  for (int races = 0; races < kRacesMax;) {
    switch (run_once()) {
      case Try::good:
        answer_committed();
        return Ended::answered;
      case Try::without_bad_row:
        continue;
      case Try::again:
        races++;
        continue;
      case Try::unknown:
        races++;
        remember_unknown();
        if (connection_.reconnect() == SqlError::none) continue;
        answer_away();
        return Ended::answered;
      case Try::away:
        answer_away();
        return Ended::answered;
      case Try::broken:
        return Ended::broken;
    }
  }
  answer_away();
  return Ended::answered;
}

// A row that the next try finds at the same place is this batch's own and no duplicate.
void Commit::remember_unknown() {
  for (Item& item : items_) {
    if (item.appended && !item.duplicate) item.unknown = item.seq;
    if (item.dealt != 0) item.unknown = item.dealt;
  }
}

// What can be decided and computed outside of the transaction.
void Commit::prepare() {
  items_.assign(batch_.size(), Item{});
  now_ms_ = clock_.wall_ms();
  for (size_t i = 0; i < batch_.size(); i++) {
    Request& request = batch_[i].request;
    if (!is_valid(request)) {
      answers_[i] = failed(request, StoreError::bad_request);
      items_[i].decided = true;
      continue;
    }
    const auto* append = std::get_if<Append>(&request);
    if (append == nullptr) continue;
    if (holds_.holds_back(*append, clock_.now_ns())) {
      answers_[i] = failed(request, StoreError::unavailable);
      items_[i].decided = true;
      continue;
    }
    items_[i].hash = body_hash(append->conversation, append->kind, append->reply_to, append->body);
  }
}

Try Commit::run_once() {
  sessions_.clear();
  conversations_.clear();
  for (Item& item : items_) {
    item.appended = false;
    item.duplicate = false;
    item.seq = 0;
    item.dealt = 0;
  }
  if (connection_.begin_write() != SqlError::none) return after_error(kNoItem);
  const Try rows = run_rows();
  if (rows != Try::good) {
    connection_.rollback();
    return rows;
  }
  if (connection_.commit() == SqlError::none) return Try::good;
  const Try end = after_error(kNoItem);
  if (end == Try::unknown || end == Try::broken) return end;
  connection_.rollback();
  return end;
}

Try Commit::run_rows() {
  for (size_t i = 0; i < batch_.size(); i++) {
    if (items_[i].decided || !std::holds_alternative<Append>(batch_[i].request)) continue;
    const Try one = fence(i);
    if (one != Try::good) return one;
  }
  Try end = lock_conversations();
  if (end != Try::good) return end;
  for (size_t i = 0; i < batch_.size(); i++) {
    if (!items_[i].appended) continue;
    end = append(i);
    if (end != Try::good) return end;
  }
  end = move_conversations();
  if (end != Try::good) return end;
  for (size_t i = 0; i < batch_.size(); i++) {
    if (items_[i].decided || std::holds_alternative<Append>(batch_[i].request)) continue;
    end = other(i);
    if (end != Try::good) return end;
  }
  return Try::good;
}

// Step 1. `appended` says from here on that the message has passed so far.
Try Commit::fence(size_t i) {
  Item& item = items_[i];
  const Append& append = std::get<Append>(batch_[i].request);
  Session& session = sessions_[{append.sender, append.device}];
  if (!session.loaded && !load_session(append, session)) return after_error(i);
  const Holder& mine = append.holder;
  const Holder& row = session.holder;
  const bool same = row.epoch == mine.epoch && row.node == mine.node && row.boot == mine.boot &&
                    row.session == mine.session;
  const bool free = row.session == 0;
  const bool may_take = mine.epoch > row.epoch || (mine.epoch == row.epoch && (mine.claim || free));
  if (session.exists && same) {
    item.appended = true;
  } else if (session.exists ? may_take : append.load_user && mine.epoch >= session.epoch_min) {
    if (!hold(append, session)) return after_error(i);
    item.appended = true;
  } else {
    answers_[i] = failed(batch_[i].request, StoreError::fenced);
  }
  return Try::good;
}

bool Commit::load_session(const Append& append, Session& session) {
  {
    Rows rows(connection_, Query::session_lock, append.sender, append.device);
    if (rows.next()) {
      session.exists = true;
      session.holder = {static_cast<uint32_t>(rows.number(0)),
                        static_cast<uint16_t>(rows.number(1)),
                        static_cast<uint32_t>(rows.number(2)), rows.number(3), false};
    }
    if (rows.failed()) return false;
  }
  session.loaded = true;
  if (session.exists || !append.load_user) return true;
  Rows rows(connection_, Query::user_find, append.sender);
  if (rows.next()) session.epoch_min = static_cast<uint32_t>(rows.number(1));
  return !rows.failed();
}

bool Commit::hold(const Append& append, Session& session) {
  const Holder& mine = append.holder;
  const auto epoch = uint64_t{mine.epoch};
  const auto node = uint64_t{mine.node};
  const auto boot = uint64_t{mine.boot};
  if (session.exists) {
    if (!execute(connection_, Query::session_hold, epoch, node, boot, mine.session, append.sender,
                 append.device)) {
      return false;
    }
  } else {
    ASSERT(append.load_user);
    constexpr uint64_t kClassUnknown = 0;
    constexpr uint64_t kTokensUnknown = proto::kIdMax;  // somebody else makes a load user's
    if (!execute(connection_, Query::load_user_add, append.sender, now_ms_) ||
        !execute(connection_, Query::session_add, append.sender, append.device, kClassUnknown,
                 epoch, kTokensUnknown, node, boot, mine.session)) {
      return false;
    }
  }
  session.exists = true;
  session.holder = mine;
  return true;
}

// Step 3, first half: in sorted order, so that two batches never wait for each other in a circle.
Try Commit::lock_conversations() {
  order_.clear();
  for (size_t i = 0; i < batch_.size(); i++) {
    if (items_[i].appended) order_.push_back(std::get<Append>(batch_[i].request).conversation);
  }
  std::sort(order_.begin(), order_.end());
  order_.erase(std::unique(order_.begin(), order_.end()), order_.end());
  for (const proto::ConversationId& id : order_) {
    Conversation& conversation = conversations_[id];
    Rows rows(connection_, Query::conversation_lock, id.a, id.b);
    if (rows.next()) {
      conversation.exists = true;
      conversation.last_seq = rows.number(0);
      conversation.last_ms = rows.number(1);
    }
    if (rows.failed()) return after_error(kNoItem);
  }
  return Try::good;
}

// Step 2 and the second half of step 3. The key is tried with the next seq at once: one descent
// of the tree for a new message, and a look-up only for a repeated one.
Try Commit::append(size_t i) {
  Item& item = items_[i];
  const Append& append = std::get<Append>(batch_[i].request);
  item.appended = false;
  Conversation& conversation = conversations_[append.conversation];
  bool found = false;
  StoreError refusal = StoreError::none;
  if (!append.conversation.is_direct() || !append.conversation.has_user(append.sender)) {
    refusal = StoreError::not_member;
  } else if (!conversation.exists && !conversation.peer_known) {
    const proto::UserId peer = append.conversation.peer_of(append.sender);
    Rows rows(connection_, Query::user_find, peer);
    conversation.peer_known = rows.next() || (append.load_user && proto::is_load_user(peer));
    if (rows.failed()) return after_error(i);
    if (!conversation.peer_known) refusal = StoreError::not_found;
  }
  if (refusal != StoreError::none) {
    const Try end = duplicate(i, found);
    if (end == Try::good && !found) answers_[i] = failed(batch_[i].request, refusal);
    return end;
  }
  const Try inserted = insert(i, conversation, found);
  if (inserted != Try::good || !found) return inserted;
  bool still_there = false;
  const Try end = duplicate(i, still_there);
  ASSERT(end != Try::good || still_there);
  return end;
}

Try Commit::duplicate(size_t i, bool& found) {
  Item& item = items_[i];
  const Append& append = std::get<Append>(batch_[i].request);
  const MessageKey key = to_key(append.id);
  Rows rows(connection_, Query::send_key_find, append.sender, Bytes{{key.data(), key.size()}});
  found = rows.next();
  if (rows.failed()) return after_error(i);
  if (!found) return Try::good;
  const std::string_view hash(item.hash.data(), item.hash.size());
  if (rows.bytes(3) != hash) {
    answers_[i] = failed(batch_[i].request, StoreError::conflict);
    return Try::good;
  }
  // The hash covers the conversation.
  item.seq = rows.number(2);
  item.server_ms = rows.number(4);
  item.duplicate = item.unknown != item.seq;
  item.appended = true;
  return Try::good;
}

Try Commit::insert(size_t i, Conversation& conversation, bool& known) {
  const Append& append = std::get<Append>(batch_[i].request);
  Item& item = items_[i];
  const uint64_t seq = conversation.last_seq + 1;
  const uint64_t server_ms = std::max(now_ms_, conversation.last_ms);
  const MessageKey key = to_key(append.id);
  const Bytes id{{key.data(), key.size()}};
  const auto& [a, b] = append.conversation;
  if (!execute(connection_, Query::send_key_add, append.sender, id, a, b, seq,
               Bytes{{item.hash.data(), item.hash.size()}}, server_ms)) {
    return after_error(i);
  }
  known = connection_.rows_changed() == 0;
  if (known) return Try::good;
  if (!execute(connection_, Query::message_add, a, b, seq, append.sender, id, uint64_t{append.kind},
               append.reply_to, Bytes{append.body}, server_ms, server_ms / kDayMs)) {
    return after_error(i);
  }
  conversation.last_seq = seq;
  conversation.last_ms = server_ms;
  conversation.moved = true;
  item.seq = seq;
  item.server_ms = server_ms;
  item.appended = true;
  return Try::good;
}

Try Commit::move_conversations() {
  for (const proto::ConversationId& id : order_) {
    const Conversation& conversation = conversations_[id];
    if (!conversation.moved) continue;
    const uint64_t seq = conversation.last_seq;
    const uint64_t ms = conversation.last_ms;
    bool written = false;
    if (conversation.exists) {
      written = execute(connection_, Query::conversation_move, seq, ms, id.a, id.b);
    } else {
      constexpr uint64_t kJoinedSeq = 1;
      written =
          execute(connection_, Query::conversation_add, id.a, id.b, seq, ms) &&
          execute(connection_, Query::member_add, id.a, id.b, id.a, kJoinedSeq) &&
          (id.a == id.b || execute(connection_, Query::member_add, id.a, id.b, id.b, kJoinedSeq));
    }
    if (!written) return after_error(kNoItem);
  }
  return Try::good;
}

// Accounts; and reads, where the store has no connection for them (a database in memory).
Try Commit::other(size_t i) {
  Item& item = items_[i];
  bool done = false;
  if (const auto* create = std::get_if<CreateUser>(&batch_[i].request)) {
    done = create_user(connection_, *create, now_ms_, item.dealt, item.unknown, answers_[i]);
  } else if (const auto* raise = std::get_if<RaiseEpoch>(&batch_[i].request)) {
    done = raise_epoch(connection_, *raise, answers_[i]);
  } else if (const auto* revoke = std::get_if<RevokeSessions>(&batch_[i].request)) {
    done = revoke_sessions(connection_, *revoke, now_ms_, answers_[i]);
  } else {
    done = answer_read(connection_, batch_[i].request, answers_[i]);
  }
  if (done) return Try::good;
  return after_error(i);
}

// A row that the database does not take is set aside for good: `item.decided`.
Try Commit::after_error(size_t i) {
  switch (connection_.error()) {
    case SqlError::unique:
      return Try::again;
    case SqlError::bad_row:
      if (i == kNoItem) return Try::broken;
      items_[i].decided = true;
      items_[i].appended = false;
      answers_[i] = failed(batch_[i].request, StoreError::bad_request);
      return Try::without_bad_row;
    case SqlError::busy:
    case SqlError::full:
      return Try::away;
    case SqlError::unknown:
      return Try::unknown;
    case SqlError::none:
    case SqlError::broken:
      return Try::broken;
  }
  UNREACHABLE();
}

void Commit::answer_committed() {
  for (size_t i = 0; i < batch_.size(); i++) {
    const Item& item = items_[i];
    if (!item.appended) continue;
    ASSERT(item.seq > 0 && !item.decided);
    answers_[i] = Appended{item.seq, item.server_ms, item.duplicate,
                           std::move(std::get<Append>(batch_[i].request))};
  }
}

void Commit::answer_away() {
  for (size_t i = batch_.size(); i-- > 0;) {
    if (items_[i].decided) continue;
    answers_[i] = failed(batch_[i].request, StoreError::unavailable);
    const auto* append = std::get_if<Append>(&batch_[i].request);
    if (append != nullptr) holds_.failed(*append, clock_.now_ns());
  }
}

}  // namespace ringtalk::store
