// src/store/sqlite_connection.h: private to src/store. One connection to SQLite.
//
// WAL and synchronous=FULL on a file: a commit is one flush of the log. The checkpoint is ours
// (tidy), because SQLite hides the errors of an automatic one, and a failed flush of the database
// file that nobody sees loses data when the log is reused. Ownership: a connection owns its
// statements. Thread rule: as Connection. Invariant: opened means pragmas are set and checked.
#pragma once

#include <array>
#include <memory>
#include <string>

#include "base/result.h"
#include "store/sql.h"

struct sqlite3;
struct sqlite3_stmt;

namespace ringtalk::store {

struct SqlFailure {
  SqlError error;
  std::string text;
};

class SqliteStatement final : public Statement {
 public:
  SqliteStatement(sqlite3_stmt* statement, SqlError& error)
      : statement_(statement), error_(error) {}
  ~SqliteStatement() override;

  void bind(int at, uint64_t value) override;
  void bind(int at, std::string_view text) override;
  void bind_bytes(int at, std::string_view bytes) override;
  void bind_null(int at) override;
  Step step() override;
  uint64_t number(int column) const override;
  std::string_view bytes(int column) const override;
  void reset() override;

 private:
  sqlite3_stmt* const statement_;
  SqlError& error_;  // of the connection
};

class SqliteConnection final : public Connection {
 public:
  enum class Mode : uint8_t { writer, reader, memory };

  // `path` exists (it may be empty) unless in memory. A writer's log is brought into the database
  // when it has `log_pages_max` pages.
  static base::Result<std::unique_ptr<SqliteConnection>, SqlFailure> open(const std::string& path,
                                                                          Mode mode,
                                                                          uint32_t busy_ms,
                                                                          int log_pages_max = 0);
  ~SqliteConnection() override;

  // Several statements without parameters (pragmas, migrations).
  SqlError execute(const char* text);
  // The first column of the first row; 0 when there is none.
  base::Result<uint64_t, SqlError> number(const char* text);
  // Makes every statement of sqlite_queries once the schema is there.
  SqlError prepare();

  Statement& statement(Query query) override;
  SqlError begin_write() override;
  SqlError begin_read() override;
  SqlError commit() override;
  void rollback() override;
  uint64_t rows_changed() const override;
  SqlError error() const override { return error_; }
  std::string error_text() const override;
  SqlError reconnect() override;
  SqlError tidy() override;

 private:
  explicit SqliteConnection(sqlite3* db) : db_(db) {}
  SqlError note(int code);
  SqlError set_up(Mode mode, uint32_t busy_ms, int log_pages_max);
  SqlError run(sqlite3_stmt* statement);

  sqlite3* const db_;
  SqlError error_ = SqlError::none;
  std::array<std::unique_ptr<SqliteStatement>, kQueryCount> statements_;
  sqlite3_stmt* begin_write_ = nullptr;
  sqlite3_stmt* begin_read_ = nullptr;
  sqlite3_stmt* commit_ = nullptr;
  sqlite3_stmt* rollback_ = nullptr;
  int log_pages_ = 0;  // of the write-ahead log after the last commit
  int log_pages_max_ = 0;
  int checkpoint_at_pages_ = 1;
};

}  // namespace ringtalk::store
