// src/store/sqlite_queries.h: private to src/store. The texts of the queries for SQLite.
#pragma once

#include "store/query.h"

namespace ringtalk::store {

const char* sqlite_text(Query query) noexcept;

}  // namespace ringtalk::store
