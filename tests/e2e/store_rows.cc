#include "tests/e2e/store_rows.h"

#include <sqlite3.h>

#include <stdexcept>

namespace ringtalk::tests {
namespace {

struct Rule {
  const char* broken;
  const char* count;
};

constexpr Rule kRules[] = {
    {"a conversation that is not 1..last",
     "SELECT count(*) FROM (SELECT m.a, m.b FROM message m JOIN conversation c USING (a, b)"
     " GROUP BY m.a, m.b HAVING min(m.seq) <> 1 OR max(m.seq) <> count(*)"
     " OR max(m.seq) <> c.last_seq)"},
    {"a conversation whose messages are missing",
     "SELECT count(*) FROM conversation c WHERE last_seq > 0 AND NOT EXISTS"
     " (SELECT 1 FROM message m WHERE m.a = c.a AND m.b = c.b)"},
    {"a message without its conversation",
     "SELECT count(*) FROM message m WHERE NOT EXISTS"
     " (SELECT 1 FROM conversation c WHERE m.a = c.a AND m.b = c.b)"},
    {"a client_msg_id that is there twice",
     "SELECT count(*) FROM (SELECT 1 FROM message GROUP BY sender, client_msg_id"
     " HAVING count(*) > 1)"},
    {"a message without its key",
     "SELECT count(*) FROM message m WHERE NOT EXISTS (SELECT 1 FROM send_key k"
     " WHERE k.sender = m.sender AND k.client_msg_id = m.client_msg_id"
     " AND k.a = m.a AND k.b = m.b AND k.seq = m.seq)"},
    {"a key without its message",
     "SELECT count(*) FROM send_key k WHERE NOT EXISTS (SELECT 1 FROM message m"
     " WHERE k.a = m.a AND k.b = m.b AND k.seq = m.seq"
     " AND k.sender = m.sender AND k.client_msg_id = m.client_msg_id)"},
    {"a time that goes back within a conversation",
     "SELECT count(*) FROM message m JOIN message n ON n.a = m.a AND n.b = m.b"
     " AND n.seq = m.seq + 1 WHERE n.server_ms < m.server_ms"},
};

class Database {
 public:
  explicit Database(const std::string& path) {
    if (::sqlite3_open_v2(path.c_str(), &db_, SQLITE_OPEN_READWRITE, nullptr) != SQLITE_OK) fail();
  }
  ~Database() { ::sqlite3_close_v2(db_); }
  Database(const Database&) = delete;
  Database& operator=(const Database&) = delete;

  std::string text(const char* sql) {
    sqlite3_stmt* statement = nullptr;
    if (::sqlite3_prepare_v2(db_, sql, -1, &statement, nullptr) != SQLITE_OK) fail();
    if (::sqlite3_step(statement) != SQLITE_ROW) fail();
    std::string value = reinterpret_cast<const char*>(::sqlite3_column_text(statement, 0));
    ::sqlite3_finalize(statement);
    return value;
  }
  void execute(const char* sql) {
    if (::sqlite3_exec(db_, sql, nullptr, nullptr, nullptr) != SQLITE_OK) fail();
  }
  uint64_t number(const char* sql) { return std::stoull(text(sql)); }

 private:
  [[noreturn]] void fail() { throw std::runtime_error(::sqlite3_errmsg(db_)); }

  sqlite3* db_ = nullptr;
};

}  // namespace

StoreRows read_rows(const std::string& path) {
  Database database(path);
  StoreRows rows;
  rows.messages = database.number("SELECT count(*) FROM message");
  rows.keys = database.number("SELECT count(*) FROM send_key");
  rows.conversations = database.number("SELECT count(*) FROM conversation");
  for (const Rule& rule : kRules) {
    const uint64_t count = database.number(rule.count);
    if (count > 0) rows.faults.push_back(std::to_string(count) + " x " + rule.broken);
  }
  const std::string check = database.text("PRAGMA integrity_check");
  if (check != "ok") rows.faults.push_back(check);
  return rows;
}

void change_store(const std::string& database, const std::string& sql) {
  Database(database).execute(sql.c_str());
}

}  // namespace ringtalk::tests
