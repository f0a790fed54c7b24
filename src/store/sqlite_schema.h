// src/store/sqlite_schema.h: private to src/store. The schema in SQLite and the way to it.
//
// Migrations are numbered 1, 2, 3 ...; each runs in one transaction together with its row in
// schema_version, so that a crash leaves the version before or after it. A released migration is
// never changed. Thread rule: before the store starts. Invariant: a database that is not ours
// (application id) or of a newer version is left as it is.
#pragma once

#include <cstdint>
#include <span>
#include <string>
#include <vector>

#include "base/result.h"
#include "store/sqlite_connection.h"

namespace ringtalk::store {

struct Migration {
  uint32_t version;
  const char* name;
  const char* text;
};

std::span<const Migration> sqlite_migrations() noexcept;

struct SchemaError {
  enum class Kind : uint8_t { not_ours, newer, sql } kind;
  uint32_t version = 0;  // of the database, when newer
  std::string text;      // when sql
};

// Those that `connection` lacks.
base::Result<std::vector<Migration>, SchemaError> missing_migrations(
    SqliteConnection& connection, std::span<const Migration> known);

base::Status<SchemaError> migrate(SqliteConnection& connection, std::span<const Migration> known,
                                  uint64_t now_ms);

}  // namespace ringtalk::store
