// src/store/reads.h: private to src/store. The requests that change nothing.
//
// Thread rule: as Connection. Invariant: what one request reads belongs together, because the
// caller has opened a transaction.
#pragma once

#include "store/sql.h"
#include "store/work.h"

namespace ringtalk::store {

// False: the connection has an error, the caller decides.
[[nodiscard]] bool answer_read(Connection& connection, const Request& request, Answer& answer);

}  // namespace ringtalk::store
