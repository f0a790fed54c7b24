#include "store/accounts.h"

#include <algorithm>
#include <string>

#include "base/assert.h"
#include "store/name_key.h"

namespace ringtalk::store {
namespace {

struct Found {
  bool exists = false;
  uint32_t epoch_min = 0;
};

bool find_user(Connection& connection, proto::UserId user, Found& found) {
  Rows rows(connection, Query::user_find, user);
  if (rows.next()) found = {true, static_cast<uint32_t>(rows.number(1))};
  return !rows.failed();
}

}  // namespace

bool create_user(Connection& connection, const CreateUser& request, uint64_t now_ms,
                 uint64_t& dealt, uint64_t unknown, Answer& answer) {
  const auto key = name_key(request.name);
  if (!key.ok() || request.password_hash.empty()) {
    answer = failed(request, StoreError::bad_request);
    return true;
  }
  {
    Rows rows(connection, Query::user_find_key, std::string_view(*key));
    if (rows.next()) {
      const uint64_t id = rows.number(0);
      if (id == unknown) {
        answer = UserCreated{id};
      } else {
        answer = failed(request, StoreError::name_taken);
      }
      return true;
    }
    if (rows.failed()) return false;
  }
  {
    Rows rows(connection, Query::id_deal, std::string_view("user"));
    if (!rows.next()) return false;
    dealt = rows.number(0);
    ASSERT(dealt < proto::kLoadUserFirst);
    if (!rows.run()) return false;
  }
  if (!execute(connection, Query::user_add, dealt, std::string_view(request.name),
               std::string_view(*key), now_ms)) {
    return false;
  }
  if (!execute(connection, Query::credential_add, dealt, std::string_view(request.password_hash),
               now_ms)) {
    return false;
  }
  answer = UserCreated{dealt};
  return true;
}

bool raise_epoch(Connection& connection, const RaiseEpoch& request, Answer& answer) {
  Found found;
  if (!find_user(connection, request.user, found)) return false;
  if (!found.exists) {
    answer = failed(request, StoreError::not_found);
    return true;
  }
  bool known = false;
  uint64_t epoch = 0;
  uint64_t tokens_until_ms = 0;
  uint64_t void_until_ms = 0;
  {
    Rows rows(connection, Query::epoch_find, request.user, request.device);
    known = rows.next();
    if (rows.failed()) return false;
    if (known) {
      epoch = rows.number(0);
      tokens_until_ms = rows.number(1);
      void_until_ms = rows.number(2);
    }
  }
  epoch = std::max<uint64_t>(epoch + 1, found.epoch_min);
  // Every token that was made so far is void now. Whether it has expired is not asked here: the
  // clock may be wrong today, and the row is for good.
  void_until_ms = std::max(void_until_ms, tokens_until_ms);
  answer =
      EpochRaised{static_cast<uint32_t>(epoch),
                  request.expires_ms,
                  {{request.user, request.device}, static_cast<uint32_t>(epoch), void_until_ms}};
  const uint64_t device_class = request.device_class;
  if (!known) {
    constexpr uint64_t kNobody = 0;
    return execute(connection, Query::session_add, request.user, request.device, device_class,
                   epoch, request.expires_ms, kNobody, kNobody, kNobody);
  }
  return execute(connection, Query::epoch_set, epoch, device_class, request.expires_ms,
                 void_until_ms, request.user, request.device);
}

bool revoke_sessions(Connection& connection, const RevokeSessions& request, uint64_t now_ms,
                     Answer& answer) {
  Found found;
  if (!find_user(connection, request.user, found)) return false;
  if (!found.exists) {
    if (!proto::is_load_user(request.user)) {
      answer = failed(request, StoreError::not_found);
      return true;
    }
    if (!execute(connection, Query::load_user_add, request.user, now_ms)) return false;
  }
  uint64_t highest = std::max<uint64_t>(found.epoch_min, request.epoch);
  {
    Rows rows(connection, Query::epoch_max, request.user);
    if (rows.next()) highest = std::max(highest, rows.number(0));
    if (rows.failed()) return false;
  }
  const uint64_t epoch = highest + 1;
  if (!execute(connection, Query::user_revoke, epoch, request.user)) return false;
  if (!execute(connection, Query::epoch_set_all, epoch, request.user)) return false;
  answer = Revoked{static_cast<uint32_t>(epoch)};
  return true;
}

}  // namespace ringtalk::store
