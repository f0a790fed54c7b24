#include "store/sqlite_schema.h"

#include "base/assert.h"

namespace ringtalk::store {
namespace {

// `application_id` in the header of the file: "RTK1".
constexpr uint64_t kApplicationId = 0x52544b31;

// What is looked up by its whole key and read in its order is WITHOUT ROWID: one tree, not two.
// Ids are at most 2^63-1, so they fit SQLite's signed integers. A conversation is (a, b).
constexpr const char* kFoundation = R"sql(
CREATE TABLE schema_version (
  version INTEGER PRIMARY KEY,
  name TEXT NOT NULL,
  applied_ms INTEGER NOT NULL
) STRICT;

-- The last id dealt of each kind (user): ids rise and are never used again.
CREATE TABLE id_source (
  kind TEXT PRIMARY KEY,
  last INTEGER NOT NULL
) STRICT, WITHOUT ROWID;

-- Load users (2^62 and above) have no name. Tokens with an epoch below epoch_min are void.
CREATE TABLE user (
  id INTEGER PRIMARY KEY,
  name TEXT,
  name_key TEXT,
  epoch_min INTEGER NOT NULL DEFAULT 0,
  created_ms INTEGER NOT NULL
) STRICT;
CREATE UNIQUE INDEX user_name_key ON user (name_key) WHERE name_key IS NOT NULL;
CREATE INDEX user_epoch_min ON user (epoch_min) WHERE epoch_min > 0;

CREATE TABLE credential (
  user INTEGER PRIMARY KEY,
  password_hash TEXT NOT NULL,
  changed_ms INTEGER NOT NULL
) STRICT;

-- The login of a device that may write: (node, boot, holder), all 0 until its first write.
CREATE TABLE session (
  user INTEGER NOT NULL,
  device INTEGER NOT NULL,
  device_class INTEGER NOT NULL,
  epoch INTEGER NOT NULL,
  node INTEGER NOT NULL,
  boot INTEGER NOT NULL,
  holder INTEGER NOT NULL,
  PRIMARY KEY (user, device)
) STRICT, WITHOUT ROWID;

-- What belongs to one user and is read by version: contacts, pin, mute, delete for me.
CREATE TABLE user_log (
  user INTEGER NOT NULL,
  version INTEGER NOT NULL,
  kind INTEGER NOT NULL,
  a INTEGER NOT NULL,
  b INTEGER NOT NULL,
  value BLOB NOT NULL,
  server_ms INTEGER NOT NULL,
  PRIMARY KEY (user, version)
) STRICT, WITHOUT ROWID;

CREATE TABLE conversation (
  a INTEGER NOT NULL,
  b INTEGER NOT NULL,
  first_seq INTEGER NOT NULL DEFAULT 1,
  last_seq INTEGER NOT NULL,
  last_ms INTEGER NOT NULL,
  PRIMARY KEY (a, b)
) STRICT, WITHOUT ROWID;

-- An interval of membership; joining again is a new one.
CREATE TABLE member (
  a INTEGER NOT NULL,
  b INTEGER NOT NULL,
  user INTEGER NOT NULL,
  joined_seq INTEGER NOT NULL,
  left_seq INTEGER,
  role INTEGER NOT NULL DEFAULT 0,
  PRIMARY KEY (a, b, user, joined_seq)
) STRICT, WITHOUT ROWID;
CREATE INDEX member_user ON member (user, a, b);

CREATE TABLE message (
  a INTEGER NOT NULL,
  b INTEGER NOT NULL,
  seq INTEGER NOT NULL,
  sender INTEGER NOT NULL,
  client_msg_id BLOB NOT NULL,
  kind INTEGER NOT NULL,
  reply_to INTEGER NOT NULL,
  body BLOB NOT NULL,
  server_ms INTEGER NOT NULL,
  day INTEGER NOT NULL,
  PRIMARY KEY (a, b, seq)
) STRICT, WITHOUT ROWID;

-- What makes a send idempotent; it outlives its message.
CREATE TABLE send_key (
  sender INTEGER NOT NULL,
  client_msg_id BLOB NOT NULL,
  a INTEGER NOT NULL,
  b INTEGER NOT NULL,
  seq INTEGER NOT NULL,
  body_hash BLOB NOT NULL,
  server_ms INTEGER NOT NULL,
  PRIMARY KEY (sender, client_msg_id)
) STRICT, WITHOUT ROWID;

-- Delivered per device; read per user, as device 0.
CREATE TABLE cursor (
  user INTEGER NOT NULL,
  a INTEGER NOT NULL,
  b INTEGER NOT NULL,
  device INTEGER NOT NULL,
  seq INTEGER NOT NULL,
  PRIMARY KEY (user, a, b, device)
) STRICT, WITHOUT ROWID;

CREATE TABLE node (
  id INTEGER PRIMARY KEY,
  boot INTEGER NOT NULL,
  lease_ms INTEGER NOT NULL DEFAULT 0
) STRICT;
)sql";

// Of each device's tokens: when the last has expired that was made at all, and when the last that
// is void, being of a lower epoch than the row. Rows from before do not know: never.
constexpr const char* kTokenEnds = R"sql(
ALTER TABLE session ADD COLUMN tokens_until_ms INTEGER NOT NULL DEFAULT 9223372036854775807;
ALTER TABLE session ADD COLUMN void_until_ms INTEGER NOT NULL DEFAULT 0;
CREATE INDEX session_void_until ON session (void_until_ms, epoch) WHERE void_until_ms > 0;
)sql";

constexpr Migration kMigrations[] = {{1, "foundation", kFoundation}, {2, "token_ends", kTokenEnds}};

SchemaError sql_error(SqliteConnection& connection) {
  return {SchemaError::Kind::sql, 0, connection.error_text()};
}

// 0: an empty database.
base::Result<uint32_t, SchemaError> version_of(SqliteConnection& connection) {
  const auto tables = connection.number("SELECT count(*) FROM sqlite_schema");
  const auto application = connection.number("PRAGMA application_id");
  if (!tables.ok() || !application.ok()) return base::Failure{sql_error(connection)};
  if (*application != kApplicationId) {
    if (*tables == 0 && *application == 0) return uint32_t{0};
    return base::Failure{SchemaError{SchemaError::Kind::not_ours, 0, {}}};
  }
  const auto version = connection.number("SELECT max(version) FROM schema_version");
  if (!version.ok()) return base::Failure{sql_error(connection)};
  return static_cast<uint32_t>(*version);
}

bool apply(SqliteConnection& connection, const Migration& migration, uint64_t now_ms) {
  const std::string version = std::to_string(migration.version);
  const std::string row = "INSERT INTO schema_version (version, name, applied_ms) VALUES (" +
                          version + ", '" + migration.name + "', " + std::to_string(now_ms) + ")";
  const std::string mark = "PRAGMA application_id = " + std::to_string(kApplicationId);
  if (connection.begin_write() != SqlError::none) return false;
  if (connection.execute(migration.text) == SqlError::none &&
      connection.execute(row.c_str()) == SqlError::none &&
      connection.execute(mark.c_str()) == SqlError::none && connection.commit() == SqlError::none) {
    return true;
  }
  return false;
}

}  // namespace

std::span<const Migration> sqlite_migrations() noexcept {
  return kMigrations;
}

base::Result<std::vector<Migration>, SchemaError> missing_migrations(
    SqliteConnection& connection, std::span<const Migration> known) {
  const auto version = version_of(connection);
  if (!version.ok()) return base::Failure{version.error()};
  if (*version > known.size()) {
    return base::Failure{SchemaError{SchemaError::Kind::newer, *version, {}}};
  }
  for (size_t i = 0; i < known.size(); i++) ASSERT(known[i].version == i + 1);
  const auto missing = known.subspan(*version);
  return std::vector<Migration>(missing.begin(), missing.end());
}

base::Status<SchemaError> migrate(SqliteConnection& connection, std::span<const Migration> known,
                                  uint64_t now_ms) {
  const auto missing = missing_migrations(connection, known);
  if (!missing.ok()) return base::Failure{missing.error()};
  for (const Migration& migration : *missing) {
    if (apply(connection, migration, now_ms)) continue;
    const SchemaError error = sql_error(connection);
    connection.rollback();
    return base::Failure{error};
  }
  return base::Done{};
}

}  // namespace ringtalk::store
