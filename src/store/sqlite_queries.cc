#include "store/sqlite_queries.h"

#include <iterator>

#include "base/assert.h"

namespace ringtalk::store {
namespace {

struct Text {
  Query query;
  const char* text;
};

// SQLite has one writer at a time and BEGIN IMMEDIATE makes this the one, so the locking reads
// need no FOR UPDATE here.
constexpr Text kTexts[] = {
    {Query::session_lock,
     "SELECT epoch, node, boot, holder FROM session WHERE user = ? AND device = ?"},
    {Query::session_add,
     "INSERT INTO session"
     " (user, device, device_class, epoch, tokens_until_ms, node, boot, holder)"
     " VALUES (?, ?, ?, ?, ?, ?, ?, ?)"},
    {Query::session_hold,
     "UPDATE session SET epoch = ?, node = ?, boot = ?, holder = ?"
     " WHERE user = ? AND device = ?"},
    {Query::conversation_lock, "SELECT last_seq, last_ms FROM conversation WHERE a = ? AND b = ?"},
    {Query::conversation_add,
     "INSERT INTO conversation (a, b, last_seq, last_ms) VALUES (?, ?, ?, ?)"},
    {Query::conversation_move,
     "UPDATE conversation SET last_seq = ?, last_ms = ? WHERE a = ? AND b = ?"},
    {Query::member_add, "INSERT INTO member (a, b, user, joined_seq) VALUES (?, ?, ?, ?)"},
    {Query::message_add,
     "INSERT INTO message"
     " (a, b, seq, sender, client_msg_id, kind, reply_to, body, server_ms, day)"
     " VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?)"},
    {Query::send_key_add,
     "INSERT INTO send_key (sender, client_msg_id, a, b, seq, body_hash, server_ms)"
     " VALUES (?, ?, ?, ?, ?, ?, ?) ON CONFLICT (sender, client_msg_id) DO NOTHING"},
    {Query::send_key_find,
     "SELECT a, b, seq, body_hash, server_ms FROM send_key"
     " WHERE sender = ? AND client_msg_id = ?"},
    {Query::user_find, "SELECT name, epoch_min FROM user WHERE id = ?"},
    {Query::user_find_key, "SELECT id, name FROM user WHERE name_key = ?"},
    {Query::user_add, "INSERT INTO user (id, name, name_key, created_ms) VALUES (?, ?, ?, ?)"},
    {Query::load_user_add,
     "INSERT INTO user (id, created_ms) VALUES (?, ?) ON CONFLICT (id) DO NOTHING"},
    {Query::user_revoke, "UPDATE user SET epoch_min = ? WHERE id = ?"},
    {Query::credential_add,
     "INSERT INTO credential (user, password_hash, changed_ms) VALUES (?, ?, ?)"},
    {Query::credential_find, "SELECT password_hash FROM credential WHERE user = ?"},
    {Query::epoch_max, "SELECT max(epoch) FROM session WHERE user = ?"},
    {Query::epoch_set_all,
     "UPDATE session SET epoch = ?, node = 0, boot = 0, holder = 0,"
     " tokens_until_ms = 0, void_until_ms = 0 WHERE user = ?"},
    {Query::epoch_find,
     "SELECT epoch, tokens_until_ms, void_until_ms FROM session WHERE user = ? AND device = ?"},
    {Query::epoch_set,
     "UPDATE session SET epoch = ?, device_class = ?, tokens_until_ms = ?, void_until_ms = ?,"
     " node = 0, boot = 0, holder = 0 WHERE user = ? AND device = ?"},
    {Query::id_deal,
     "INSERT INTO id_source (kind, last) VALUES (?, 1)"
     " ON CONFLICT (kind) DO UPDATE SET last = last + 1 RETURNING last"},
    {Query::user_count, "SELECT count(*) FROM user"},
    {Query::revocations, "SELECT id, epoch_min FROM user WHERE epoch_min > 0 ORDER BY id"},
    // The first condition lets the planner take the partial index, which has all that is asked for.
    {Query::revoked_devices,
     "SELECT user, device, epoch, void_until_ms FROM session"
     " WHERE void_until_ms > 0 AND void_until_ms > ?"},
    {Query::node_start,
     "INSERT INTO node (id, boot) VALUES (?, 1)"
     " ON CONFLICT (id) DO UPDATE SET boot = boot + 1 RETURNING boot"},
    {Query::conversation_head,
     "SELECT last_seq, last_ms, first_seq FROM conversation WHERE a = ? AND b = ?"},
    {Query::heads,
     "SELECT c.a, c.b, c.last_seq FROM member m"
     " JOIN conversation c ON c.a = m.a AND c.b = m.b"
     " WHERE m.user = ? AND m.left_seq IS NULL ORDER BY c.a, c.b"},
    {Query::page_forward,
     "SELECT seq, sender, client_msg_id, server_ms, reply_to, kind, body FROM message"
     " WHERE a = ? AND b = ? AND seq > ? ORDER BY seq LIMIT ?"},
    {Query::page_backward,
     "SELECT seq, sender, client_msg_id, server_ms, reply_to, kind, body FROM message"
     " WHERE a = ? AND b = ? AND seq < ? ORDER BY seq DESC LIMIT ?"},
};

consteval bool in_order() {
  if (std::size(kTexts) != kQueryCount) return false;
  for (size_t i = 0; i < kQueryCount; i++) {
    if (kTexts[i].query != static_cast<Query>(i)) return false;
  }
  return true;
}
static_assert(in_order());

}  // namespace

const char* sqlite_text(Query query) noexcept {
  const auto at = static_cast<size_t>(query);
  ASSERT(at < kQueryCount);
  return kTexts[at].text;
}

}  // namespace ringtalk::store
