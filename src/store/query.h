// src/store/query.h: private to src/store. The queries that every driver has a text for.
//
// The comment of each says its parameters and, after ->, its columns. `conv` stands for the two
// parameters or columns a, b. A driver's table of texts is checked against kQueryCount.
#pragma once

#include <cstddef>
#include <cstdint>

namespace ringtalk::store {

enum class Query : uint8_t {
  // The commit of messages.
  session_lock,       // user, device -> epoch, node, boot, holder
  session_add,        // user, device, device_class, epoch, tokens_until_ms, node, boot, holder
  session_hold,       // epoch, node, boot, holder, user, device
  conversation_lock,  // conv -> last_seq, last_ms
  conversation_add,   // conv, last_seq, last_ms
  conversation_move,  // last_seq, last_ms, conv
  member_add,         // conv, user, joined_seq
  message_add,        // conv, seq, sender, client_msg_id, kind, reply_to, body, server_ms, day
  send_key_add,   // sender, client_msg_id, conv, seq, body_hash, server_ms; no row changed: known
  send_key_find,  // sender, client_msg_id -> conv, seq, body_hash, server_ms

  // Accounts.
  user_find,        // id -> name, epoch_min
  user_find_key,    // name_key -> id, name
  user_add,         // id, name, name_key, created_ms
  load_user_add,    // id, created_ms; no row changed: known
  user_revoke,      // epoch_min, id
  credential_add,   // user, password_hash, changed_ms
  credential_find,  // user -> password_hash
  epoch_max,        // user -> the highest epoch of the user's sessions
  epoch_set_all,    // epoch, user; frees the holders, ends void_until_ms: the user's own counts
  epoch_find,       // user, device -> epoch, tokens_until_ms, void_until_ms
  epoch_set,        // epoch, device_class, tokens_until_ms, void_until_ms, user, device; frees the
                    // holder
  id_deal,          // kind -> the next id; counts up
  user_count,       // -> count
  revocations,      // -> user, epoch_min
  revoked_devices,  // now_ms -> user, device, epoch, void_until_ms, while older tokens live
  node_start,       // id -> boot, raised

  // Reading.
  conversation_head,  // conv -> last_seq, last_ms, first_seq
  heads,              // user -> conv, last_seq
  page_forward,   // conv, from_seq, limit -> seq, sender, client_msg_id, server_ms, reply_to, kind,
                  // body
  page_backward,  // the same, newest first
};

inline constexpr size_t kQueryCount = static_cast<size_t>(Query::page_backward) + 1;

}  // namespace ringtalk::store
