#include "bench/store/bare_sqlite_insert.h"

#include <sqlite3.h>

#include <ctime>
#include <map>
#include <set>

#include "base/assert.h"
#include "base/clock.h"
#include "store/body_hash.h"
#include "store/message_key.h"
#include "store/open_store.h"

namespace ringtalk::bench {
namespace {

void check(bool good) {
  ASSERT(good);
}

class Insert {
 public:
  Insert(sqlite3* db, const char* text) {
    check(sqlite3_prepare_v3(db, text, -1, SQLITE_PREPARE_PERSISTENT, &statement_, nullptr) ==
          SQLITE_OK);
  }
  Insert(const Insert&) = delete;
  Insert& operator=(const Insert&) = delete;
  ~Insert() { sqlite3_finalize(statement_); }
  template <class... Values>
  void run(const Values&... values) {
    int at = 0;
    (bind(++at, values), ...);
    check(sqlite3_step(statement_) == SQLITE_DONE);
    sqlite3_reset(statement_);
  }

 private:
  void bind(int at, uint64_t value) {
    sqlite3_bind_int64(statement_, at, static_cast<sqlite3_int64>(value));
  }
  void bind(int at, std::string_view bytes) {
    sqlite3_bind_blob(statement_, at, bytes.data(), static_cast<int>(bytes.size()), SQLITE_STATIC);
  }

  sqlite3_stmt* statement_ = nullptr;
};

// Everything that is not an insert, done beforehand.
struct Row {
  store::MessageKey key;
  store::BodyHash hash;
  uint64_t seq = 0;
  bool first_of_sender = false;
  bool first_of_conversation = false;
  bool last_in_batch = false;  // of its conversation: then the conversation is written
};

std::vector<Row> plan_rows(const std::vector<store::Append>& sends, uint32_t batch) {
  std::vector<Row> rows(sends.size());
  std::map<proto::ConversationId, uint64_t> seqs;
  std::set<proto::UserId> senders;
  for (size_t i = 0; i < sends.size(); i++) {
    rows[i].key = store::to_key(sends[i].id);
    rows[i].hash =
        store::body_hash(sends[i].conversation, sends[i].kind, sends[i].reply_to, sends[i].body);
    rows[i].seq = ++seqs[sends[i].conversation];
    rows[i].first_of_conversation = rows[i].seq == 1;
    rows[i].first_of_sender = senders.insert(sends[i].sender).second;
  }
  for (size_t begin = 0; begin < sends.size(); begin += batch) {
    std::set<proto::ConversationId> seen;
    for (size_t i = std::min(begin + batch, sends.size()); i-- > begin;) {
      rows[i].last_in_batch = seen.insert(sends[i].conversation).second;
    }
  }
  return rows;
}

class BareStore {
 public:
  explicit BareStore(sqlite3* db)
      : db_(db),
        user_(db, "INSERT INTO user (id, created_ms) VALUES (?, ?)"),
        session_(db,
                 "INSERT INTO session (user, device, device_class, epoch, tokens_until_ms, node, "
                 "boot, holder)"
                 " VALUES (?, ?, 0, ?, ?, ?, ?, ?)"),
        key_(db,
             "INSERT INTO send_key (sender, client_msg_id, a, b, seq, body_hash, server_ms)"
             " VALUES (?, ?, ?, ?, ?, ?, ?)"),
        message_(db,
                 "INSERT INTO message (a, b, seq, sender, client_msg_id, kind, reply_to, body, "
                 "server_ms, day)"
                 " VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?)"),
        conversation_(
            db,
            "INSERT INTO conversation (a, b, first_seq, last_seq, last_ms) VALUES (?, ?, 1, ?, ?)"),
        move_(db, "UPDATE conversation SET last_seq = ?, last_ms = ? WHERE a = ? AND b = ?"),
        member_(db, "INSERT INTO member (a, b, user, joined_seq) VALUES (?, ?, ?, 1)"),
        begin_(db, "BEGIN IMMEDIATE"),
        commit_(db, "COMMIT") {
    sqlite3_wal_hook(
        db,
        [](void* self, sqlite3*, const char*, int pages) {
          static_cast<BareStore*>(self)->log_pages_ = pages;
          return SQLITE_OK;
        },
        this);
  }

  void insert(const store::Append& send, const Row& row, uint64_t now_ms) {
    constexpr uint64_t kDayMs = 86'400'000;
    const auto& [a, b] = send.conversation;
    const std::string_view key(row.key.data(), row.key.size());
    if (row.first_of_sender) {
      user_.run(send.sender, now_ms);
      constexpr uint64_t kTokensUnknown = proto::kIdMax;
      session_.run(send.sender, send.device, uint64_t{send.holder.epoch}, kTokensUnknown,
                   uint64_t{send.holder.node}, uint64_t{send.holder.boot}, send.holder.session);
    }
    key_.run(send.sender, key, a, b, row.seq, std::string_view(row.hash.data(), row.hash.size()),
             now_ms);
    message_.run(a, b, row.seq, send.sender, key, uint64_t{send.kind}, send.reply_to,
                 std::string_view(send.body), now_ms, now_ms / kDayMs);
    if (row.first_of_conversation) {
      conversation_.run(a, b, row.seq, now_ms);
      member_.run(a, b, a);
      member_.run(a, b, b);
    }
    if (row.last_in_batch && !row.first_of_conversation) move_.run(row.seq, now_ms, a, b);
  }
  void begin() { begin_.run(); }
  void commit() {
    commit_.run();
    if (log_pages_ < log_pages_max_) return;
    check(sqlite3_wal_checkpoint_v2(db_, nullptr, SQLITE_CHECKPOINT_PASSIVE, nullptr, nullptr) ==
          SQLITE_OK);
  }

 private:
  sqlite3* const db_;
  Insert user_, session_, key_, message_, conversation_, move_, member_, begin_, commit_;
  const int log_pages_max_ = static_cast<int>(store::StoreOptions{}.log_pages_max);
  int log_pages_ = 0;
};

}  // namespace

Measured bare_sqlite_insert(const std::string& path, const std::vector<store::Append>& sends,
                            uint32_t batch) {
  const std::vector<Row> rows = plan_rows(sends, batch);
  sqlite3* db = nullptr;
  check(sqlite3_open_v2(path.c_str(), &db, SQLITE_OPEN_READWRITE | SQLITE_OPEN_NOMUTEX, nullptr) ==
        SQLITE_OK);
  check(sqlite3_exec(db,
                     "PRAGMA journal_mode=WAL; PRAGMA synchronous=FULL;"
                     "PRAGMA wal_autocheckpoint=0; PRAGMA cache_size=-65536;"
                     "PRAGMA temp_store=MEMORY; PRAGMA secure_delete=OFF",
                     nullptr, nullptr, nullptr) == SQLITE_OK);
  Measured measured;
  const base::SystemClock clock;
  {
    BareStore bare(db);
    const uint64_t start_ns = clock.now_ns();
    const std::clock_t start_cpu = std::clock();
    for (size_t begin = 0; begin < sends.size(); begin += batch) {
      const uint64_t now_ms = clock.wall_ms();
      bare.begin();
      for (size_t i = begin; i < std::min<size_t>(begin + batch, sends.size()); i++) {
        bare.insert(sends[i], rows[i], now_ms);
      }
      bare.commit();
      measured.commits++;
    }
    measured.seconds = static_cast<double>(clock.now_ns() - start_ns) / 1e9;
    measured.cpu_seconds = static_cast<double>(std::clock() - start_cpu) / CLOCKS_PER_SEC;
    measured.messages = sends.size();
  }
  check(sqlite3_close(db) == SQLITE_OK);
  return measured;
}

}  // namespace ringtalk::bench
