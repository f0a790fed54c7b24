// tests/store/messages.h: tests. Requests as the tests send them.
#pragma once

#include <string>
#include <utility>

#include "store/store.h"

namespace ringtalk::store::test {

inline proto::UserId load_user(uint64_t n) {
  return proto::kLoadUserFirst + n;
}

// From one load user to another, who need no account.
inline Append load_append(uint64_t from, uint64_t to, uint64_t id, std::string body = "hello") {
  Append append{};
  append.conversation = proto::ConversationId::between(load_user(from), load_user(to));
  append.sender = load_user(from);
  append.device = 7;
  append.holder = {1, 1, 1, 1 + from, true};
  append.id = {from, id};
  append.kind = 1;
  append.body = std::move(body);
  append.load_user = true;
  return append;
}

inline Append user_append(proto::UserId from, proto::UserId to, uint64_t id, const Holder& holder,
                          std::string body = "hello") {
  Append append{};
  append.conversation = proto::ConversationId::between(from, to);
  append.sender = from;
  append.device = 7;
  append.holder = holder;
  append.id = {from, id};
  append.kind = 1;
  append.body = std::move(body);
  return append;
}

inline Pull pull(proto::UserId user, const proto::ConversationId& conversation, proto::Seq from = 0,
                 uint32_t limit = 100, bool backwards = false) {
  return {user, conversation, from, limit, 1u << 20, backwards};
}

}  // namespace ringtalk::store::test
