// src/store/accounts.h: private to src/store. The writes of accounts, inside a transaction.
//
// Each does one request on an open transaction. False: the connection has an error, the caller
// decides. Thread rule: as Connection.
#pragma once

#include <cstdint>

#include "store/sql.h"
#include "store/work.h"

namespace ringtalk::store {

// `dealt` is set to the new id. `unknown` is the id of an earlier try whose commit may have
// happened: finding it is success.
[[nodiscard]] bool create_user(Connection& connection, const CreateUser& request, uint64_t now_ms,
                               uint64_t& dealt, uint64_t unknown, Answer& answer);
[[nodiscard]] bool raise_epoch(Connection& connection, const RaiseEpoch& request, Answer& answer);
[[nodiscard]] bool revoke_sessions(Connection& connection, const RevokeSessions& request,
                                   uint64_t now_ms, Answer& answer);

}  // namespace ringtalk::store
