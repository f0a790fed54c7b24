#include "store/sqlite_connection.h"

#include <sqlite3.h>

#include "base/assert.h"
#include "store/sqlite_queries.h"

namespace ringtalk::store {
namespace {

SqlError classify(int code) {
  switch (code & 0xff) {
    case SQLITE_OK:
    case SQLITE_ROW:
    case SQLITE_DONE:
      return SqlError::none;
    case SQLITE_BUSY:
    case SQLITE_LOCKED:
    case SQLITE_NOMEM:
    case SQLITE_INTERRUPT:
    case SQLITE_CANTOPEN:  // no descriptor left for a moment
    case SQLITE_READONLY:
    case SQLITE_PROTOCOL:
      return SqlError::busy;
    case SQLITE_FULL:
      return SqlError::full;
    case SQLITE_CONSTRAINT:
      return code == SQLITE_CONSTRAINT_UNIQUE || code == SQLITE_CONSTRAINT_PRIMARYKEY
                 ? SqlError::unique
                 : SqlError::bad_row;
    case SQLITE_TOOBIG:
    case SQLITE_MISMATCH:
    case SQLITE_RANGE:
      return SqlError::bad_row;
    case SQLITE_IOERR:
      return code == SQLITE_IOERR_NOMEM ? SqlError::busy : SqlError::broken;
    default:
      return SqlError::broken;
  }
}

sqlite3_stmt* compile(sqlite3* db, const char* text) {
  sqlite3_stmt* statement = nullptr;
  sqlite3_prepare_v3(db, text, -1, SQLITE_PREPARE_PERSISTENT, &statement, nullptr);
  return statement;
}

}  // namespace

SqliteStatement::~SqliteStatement() {
  sqlite3_finalize(statement_);
}

void SqliteStatement::bind(int at, uint64_t value) {
  ASSERT(value <= INT64_MAX);
  const int code = sqlite3_bind_int64(statement_, at, static_cast<sqlite3_int64>(value));
  ASSERT(code == SQLITE_OK);
}

// A bind fails only for a wrong parameter number or a text beyond SQLITE_LIMIT_LENGTH (1 GB).
void SqliteStatement::bind(int at, std::string_view text) {
  const char* data = text.empty() ? "" : text.data();
  const int code =
      sqlite3_bind_text(statement_, at, data, static_cast<int>(text.size()), SQLITE_STATIC);
  ASSERT(code == SQLITE_OK);
}

void SqliteStatement::bind_bytes(int at, std::string_view bytes) {
  const char* data = bytes.empty() ? "" : bytes.data();
  const int code =
      sqlite3_bind_blob(statement_, at, data, static_cast<int>(bytes.size()), SQLITE_STATIC);
  ASSERT(code == SQLITE_OK);
}

void SqliteStatement::bind_null(int at) {
  const int code = sqlite3_bind_null(statement_, at);
  ASSERT(code == SQLITE_OK);
}

Step SqliteStatement::step() {
  const int code = sqlite3_step(statement_);
  if (code == SQLITE_ROW) return Step::row;
  if (code == SQLITE_DONE) return Step::done;
  error_ = classify(code);
  ASSERT(error_ != SqlError::none);
  return Step::failed;
}

uint64_t SqliteStatement::number(int column) const {
  return static_cast<uint64_t>(sqlite3_column_int64(statement_, column));
}

std::string_view SqliteStatement::bytes(int column) const {
  const void* data = sqlite3_column_blob(statement_, column);
  const int size = sqlite3_column_bytes(statement_, column);
  if (data == nullptr) return {};
  return {static_cast<const char*>(data), static_cast<size_t>(size)};
}

void SqliteStatement::reset() {
  sqlite3_reset(statement_);
}

base::Result<std::unique_ptr<SqliteConnection>, SqlFailure> SqliteConnection::open(
    const std::string& path, Mode mode, uint32_t busy_ms, int log_pages_max) {
  sqlite3* db = nullptr;
  const int flags =
      SQLITE_OPEN_NOMUTEX | SQLITE_OPEN_EXRESCODE |
      (mode == Mode::memory ? SQLITE_OPEN_MEMORY | SQLITE_OPEN_READWRITE | SQLITE_OPEN_CREATE
                            : SQLITE_OPEN_READWRITE);
  const int code =
      sqlite3_open_v2(mode == Mode::memory ? ":memory:" : path.c_str(), &db, flags, nullptr);
  std::unique_ptr<SqliteConnection> connection(new SqliteConnection(db));
  if (code != SQLITE_OK) {
    return base::Failure{SqlFailure{classify(code), sqlite3_errstr(code)}};
  }
  const SqlError error = connection->set_up(mode, busy_ms, log_pages_max);
  if (error != SqlError::none) {
    return base::Failure{SqlFailure{error, connection->error_text()}};
  }
  return connection;
}

SqlError SqliteConnection::set_up(Mode mode, uint32_t busy_ms, int log_pages_max) {
  sqlite3_busy_timeout(db_, static_cast<int>(busy_ms));
  // The defaults of a distribution's SQLite may differ, so everything relied on is said here.
  static constexpr const char* kCommon =
      "PRAGMA foreign_keys=OFF; PRAGMA temp_store=MEMORY; PRAGMA cache_size=-65536;"
      "PRAGMA trusted_schema=OFF; PRAGMA secure_delete=OFF;";
  if (execute(kCommon) != SqlError::none) return error_;
  if (mode == Mode::reader && execute("PRAGMA query_only=ON") != SqlError::none) return error_;
  if (mode == Mode::writer) {
    if (execute("PRAGMA journal_mode=WAL; PRAGMA synchronous=FULL; PRAGMA wal_autocheckpoint=0") !=
        SqlError::none) {
      return error_;
    }
    const auto synchronous = number("PRAGMA synchronous");
    if (!synchronous.ok()) return synchronous.error();
    ASSERT(*synchronous == 2);
    sqlite3_wal_hook(
        db_,
        [](void* self, sqlite3*, const char*, int pages) {
          auto* connection = static_cast<SqliteConnection*>(self);
          if (pages < connection->log_pages_)
            connection->checkpoint_at_pages_ = connection->log_pages_max_;
          connection->log_pages_ = pages;
          return SQLITE_OK;
        },
        this);
    ASSERT(log_pages_max > 0);
    log_pages_max_ = checkpoint_at_pages_ = log_pages_max;
  }
  begin_write_ = compile(db_, "BEGIN IMMEDIATE");
  begin_read_ = compile(db_, "BEGIN");
  commit_ = compile(db_, "COMMIT");
  rollback_ = compile(db_, "ROLLBACK");
  ASSERT(begin_write_ != nullptr && begin_read_ != nullptr);
  ASSERT(commit_ != nullptr && rollback_ != nullptr);
  return SqlError::none;
}

SqliteConnection::~SqliteConnection() {
  for (auto& statement : statements_) statement.reset();
  for (sqlite3_stmt* statement : {begin_write_, begin_read_, commit_, rollback_}) {
    sqlite3_finalize(statement);
  }
  const int code = sqlite3_close(db_);
  ASSERT(code == SQLITE_OK);
}

SqlError SqliteConnection::note(int code) {
  error_ = classify(code);
  return error_;
}

SqlError SqliteConnection::execute(const char* text) {
  return note(sqlite3_exec(db_, text, nullptr, nullptr, nullptr));
}

base::Result<uint64_t, SqlError> SqliteConnection::number(const char* text) {
  sqlite3_stmt* statement = nullptr;
  int code = sqlite3_prepare_v2(db_, text, -1, &statement, nullptr);
  uint64_t value = 0;
  if (code == SQLITE_OK) {
    code = sqlite3_step(statement);
    if (code == SQLITE_ROW) value = static_cast<uint64_t>(sqlite3_column_int64(statement, 0));
  }
  sqlite3_finalize(statement);
  if (note(code) != SqlError::none) return base::Failure{error_};
  return value;
}

SqlError SqliteConnection::prepare() {
  for (size_t i = 0; i < kQueryCount; i++) {
    sqlite3_stmt* statement = compile(db_, sqlite_text(static_cast<Query>(i)));
    if (statement == nullptr) return note(sqlite3_extended_errcode(db_));
    statements_[i] = std::make_unique<SqliteStatement>(statement, error_);
  }
  return SqlError::none;
}

Statement& SqliteConnection::statement(Query query) {
  SqliteStatement* statement = statements_[static_cast<size_t>(query)].get();
  ASSERT(statement != nullptr);
  return *statement;
}

SqlError SqliteConnection::run(sqlite3_stmt* statement) {
  const int code = sqlite3_step(statement);
  sqlite3_reset(statement);
  return note(code);
}

SqlError SqliteConnection::begin_write() {
  return run(begin_write_);
}

SqlError SqliteConnection::begin_read() {
  return run(begin_read_);
}

SqlError SqliteConnection::commit() {
  return run(commit_);
}

// Some errors (no space, I/O) end the transaction by themselves: then there is nothing to roll
// back.
void SqliteConnection::rollback() {
  if (sqlite3_get_autocommit(db_) == 0) {
    sqlite3_step(rollback_);
    sqlite3_reset(rollback_);
  }
  ASSERT(sqlite3_get_autocommit(db_) != 0);
}

uint64_t SqliteConnection::rows_changed() const {
  return static_cast<uint64_t>(sqlite3_changes64(db_));
}

std::string SqliteConnection::error_text() const {
  return sqlite3_errmsg(db_);
}

// The database is in this process: a commit is never unknown.
SqlError SqliteConnection::reconnect() {
  return SqlError::none;
}

SqlError SqliteConnection::tidy() {
  if (log_pages_ < checkpoint_at_pages_) return SqlError::none;
  // While a reader keeps the log from being reused it grows: try again only a while later.
  checkpoint_at_pages_ = log_pages_ + log_pages_max_ / 4;
  const int code =
      sqlite3_wal_checkpoint_v2(db_, nullptr, SQLITE_CHECKPOINT_PASSIVE, nullptr, nullptr);
  // Busy: a reader is still in the log. Full: the next commit says so. Both: later again.
  note(code);
  return error_ == SqlError::broken ? error_ : SqlError::none;
}

}  // namespace ringtalk::store
