#include "store/reads.h"

#include <algorithm>
#include <string>
#include <unordered_map>

#include "base/assert.h"
#include "proto/limits.h"
#include "store/message_key.h"
#include "store/name_key.h"

namespace ringtalk::store {
namespace {

bool find_credential(Connection& connection, const FindCredential& request, Answer& answer) {
  answer = failed(request, StoreError::not_found);
  Credential credential{};
  if (request.name.empty()) {
    Rows rows(connection, Query::user_find, request.user);
    if (rows.next()) credential = {request.user, std::string(rows.bytes(0)), {}};
    if (rows.failed()) return false;
  } else {
    const auto key = name_key(request.name);
    if (!key.ok()) return true;
    Rows rows(connection, Query::user_find_key, std::string_view(*key));
    if (rows.next()) credential = {rows.number(0), std::string(rows.bytes(1)), {}};
    if (rows.failed()) return false;
  }
  if (credential.user == 0) return true;
  Rows rows(connection, Query::credential_find, credential.user);
  if (rows.next()) {
    credential.password_hash = rows.bytes(0);
    answer = std::move(credential);
  }
  return !rows.failed();
}

bool find_users(Connection& connection, const FindUsers& request, Answer& answer) {
  Users users;
  for (const proto::UserId id : request.ids) {
    if (!proto::is_id(id)) continue;
    Rows rows(connection, Query::user_find, id);
    if (rows.next()) users.list.push_back({id, std::string(rows.bytes(0))});
    if (rows.failed()) return false;
  }
  for (const std::string& name : request.names) {
    const auto key = name_key(name);
    if (!key.ok()) continue;
    Rows rows(connection, Query::user_find_key, std::string_view(*key));
    if (rows.next()) users.list.push_back({rows.number(0), std::string(rows.bytes(1))});
    if (rows.failed()) return false;
  }
  answer = std::move(users);
  return true;
}

bool heads(Connection& connection, const Heads& request, Answer& answer) {
  std::unordered_map<proto::ConversationId, proto::Seq, proto::ConversationHash> known;
  for (const Known& one : request.known) known[one.conversation] = one.seq;
  HeadList list{};
  Rows rows(connection, Query::heads, request.user);
  while (rows.next()) {
    const Known head{{rows.number(0), rows.number(1)}, rows.number(2)};
    const auto at = known.find(head.conversation);
    if (at != known.end() && at->second >= head.seq) continue;
    if (list.list.size() == request.limit) {
      list.more = true;
      break;
    }
    list.list.push_back(head);
  }
  if (rows.failed()) return false;
  answer = std::move(list);
  return true;
}

bool read_page(Connection& connection, const Pull& request, Page& page) {
  const uint64_t limit = std::min(request.limit, proto::kPageMessagesMax);
  const bool from_end = request.backwards && request.from_seq == 0;
  const uint64_t from = from_end ? proto::kIdMax : request.from_seq;
  const Query query = request.backwards ? Query::page_backward : Query::page_forward;
  uint64_t bytes = 0;
  Rows rows(connection, query, request.conversation.a, request.conversation.b, from, limit);
  while (rows.next()) {
    const std::string_view body = rows.bytes(6);
    bytes += body.size();
    if (!page.messages.empty() && bytes > request.bytes_max) break;
    StoredMessage& message = page.messages.emplace_back();
    message.seq = rows.number(0);
    message.sender = rows.number(1);
    message.id = to_message_id(rows.bytes(2));
    message.server_ms = rows.number(3);
    message.reply_to = rows.number(4);
    message.kind = static_cast<uint8_t>(rows.number(5));
    message.body = body;
  }
  return !rows.failed();
}

bool pull(Connection& connection, const Pull& request, Answer& answer) {
  if (!request.conversation.is_direct() || !request.conversation.has_user(request.user)) {
    answer = failed(request, StoreError::not_member);
    return true;
  }
  Page page{};
  page.conversation = request.conversation;
  page.first_available = 1;
  {
    Rows rows(connection, Query::conversation_head, request.conversation.a, request.conversation.b);
    if (rows.next()) {
      page.last_seq = rows.number(0);
      page.first_available = rows.number(2);
    }
    if (rows.failed()) return false;
  }
  if (!read_page(connection, request, page)) return false;
  if (request.backwards) std::reverse(page.messages.begin(), page.messages.end());
  if (!page.messages.empty()) {
    page.more = request.backwards ? page.messages.front().seq > page.first_available
                                  : page.messages.back().seq < page.last_seq;
  }
  answer = std::move(page);
  return true;
}

bool revocations(Connection& connection, const LoadRevocations& request, Answer& answer) {
  Revocations all;
  {
    Rows rows(connection, Query::revocations);
    while (rows.next()) {
      all.users.push_back({rows.number(0), static_cast<uint32_t>(rows.number(1))});
    }
    if (rows.failed()) return false;
  }
  Rows rows(connection, Query::revoked_devices, request.now_ms);
  while (rows.next()) {
    all.devices.push_back(
        {{rows.number(0), rows.number(1)}, static_cast<uint32_t>(rows.number(2)), rows.number(3)});
  }
  if (rows.failed()) return false;
  answer = std::move(all);
  return true;
}

bool count_users(Connection& connection, Answer& answer) {
  Rows rows(connection, Query::user_count);
  if (!rows.next()) return false;
  answer = UserCount{rows.number(0)};
  return true;
}

}  // namespace

bool answer_read(Connection& connection, const Request& request, Answer& answer) {
  if (const auto* find = std::get_if<FindCredential>(&request)) {
    return find_credential(connection, *find, answer);
  }
  if (const auto* find = std::get_if<FindUsers>(&request)) {
    return find_users(connection, *find, answer);
  }
  if (const auto* one = std::get_if<Heads>(&request)) return heads(connection, *one, answer);
  if (const auto* one = std::get_if<Pull>(&request)) return pull(connection, *one, answer);
  if (const auto* load = std::get_if<LoadRevocations>(&request)) {
    return revocations(connection, *load, answer);
  }
  ASSERT(std::holds_alternative<CountUsers>(request));
  return count_users(connection, answer);
}

}  // namespace ringtalk::store
