// src/store/sql.h: private to src/store. What the commit protocol needs from an SQL database.
//
// A driver implements Connection and Statement; the texts of the queries are its own, because the
// databases differ in them. Ownership: statements belong to their connection. Thread rule: one
// thread uses a connection at a time. Invariants: bound texts are not copied and live until reset;
// after an error in a transaction only rollback() is called; parameters count from 1, columns from
// 0.
#pragma once

#include <cstdint>
#include <memory>
#include <string>
#include <string_view>

#include "store/query.h"

namespace ringtalk::store {

enum class SqlError : uint8_t {
  none,
  busy,     // locked by others, or no connection to be had: nothing happened, try again
  full,     // no space: nothing happened, try again later
  unique,   // this row exists already
  bad_row,  // a value that the database does not take: this row fails alone
  unknown,  // the connection was lost while COMMIT was under way: it may have happened or not
  broken,   // I/O error, corruption, failed flush: from here on nothing may be acknowledged
};

enum class Step : uint8_t { row, done, failed };

class Statement {
 public:
  virtual ~Statement() = default;
  virtual void bind(int at, uint64_t value) = 0;  // at most 2^63-1
  virtual void bind(int at, std::string_view text) = 0;
  virtual void bind_bytes(int at, std::string_view bytes) = 0;
  virtual void bind_null(int at) = 0;
  virtual Step step() = 0;
  virtual uint64_t number(int column) const = 0;
  // Valid until the next step or reset. Null reads as 0 and as empty.
  virtual std::string_view bytes(int column) const = 0;
  virtual void reset() = 0;
};

class Connection {
 public:
  virtual ~Connection() = default;
  virtual Statement& statement(Query query) = 0;
  virtual SqlError begin_write() = 0;
  virtual SqlError begin_read() = 0;
  virtual SqlError commit() = 0;
  virtual void rollback() = 0;
  // Of the last finished statement.
  virtual uint64_t rows_changed() const = 0;
  // Why the last statement failed, for decisions and for people.
  virtual SqlError error() const = 0;
  virtual std::string error_text() const = 0;
  // After `unknown`: a fresh session with the same database. Not none: try again later.
  virtual SqlError reconnect() = 0;
  // Housekeeping between batches (SQLite: the checkpoint, whose errors count like a commit's).
  virtual SqlError tidy() = 0;
};

struct Bytes {
  std::string_view view;
};

inline void bind_value(Statement& statement, int at, uint64_t value) {
  statement.bind(at, value);
}
inline void bind_value(Statement& statement, int at, std::string_view v) {
  statement.bind(at, v);
}
inline void bind_value(Statement& statement, int at, Bytes v) {
  statement.bind_bytes(at, v.view);
}

// One use of a statement: binds in order, is stepped, resets at the end of its scope.
class Rows {
 public:
  template <class... Values>
  Rows(Connection& connection, Query query, const Values&... values)
      : statement_(connection.statement(query)) {
    int at = 0;
    (bind_value(statement_, ++at, values), ...);
  }
  Rows(const Rows&) = delete;
  Rows& operator=(const Rows&) = delete;
  ~Rows() { statement_.reset(); }

  bool next() {
    step_ = statement_.step();
    return step_ == Step::row;
  }
  bool failed() const noexcept { return step_ == Step::failed; }
  uint64_t number(int column) const { return statement_.number(column); }
  std::string_view bytes(int column) const { return statement_.bytes(column); }
  // To the end: what is left of the rows does not matter.
  bool run() {
    while (next()) {
    }
    return !failed();
  }

 private:
  Statement& statement_;
  Step step_ = Step::done;
};

// A statement that gives no rows. A function, because a Rows made in the middle of an expression
// would only be reset at its end.
template <class... Values>
[[nodiscard]] bool execute(Connection& connection, Query query, const Values&... values) {
  Rows rows(connection, query, values...);
  return rows.run();
}

}  // namespace ringtalk::store
