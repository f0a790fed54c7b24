// What only a file can do: be locked, new, foreign, damaged, elsewhere.
#include <gtest/gtest.h>

#include <sqlite3.h>
#include <sys/stat.h>
#include <unistd.h>

#include <thread>

#include "store/open_store.h"
#include "store/sqlite_schema.h"
#include "tests/store/messages.h"
#include "tests/store/reply_collector.h"
#include "tests/support/process.h"

namespace ringtalk::store::test {
namespace {

class SqliteFile : public testing::Test {
 protected:
  StoreUrl url() const { return {StoreUrl::Kind::sqlite, path()}; }
  std::string path() const { return folder_.path() + "/store.db"; }

  OpenedStore open(const StoreOptions& options = {}) {
    auto opened = open_store(url(), replies_, clock_, options);
    if (!opened.ok()) throw std::runtime_error(opened.error().line);
    return std::move(*opened);
  }
  // The line that it was refused with.
  std::string refused(const StoreUrl& where) {
    auto opened = open_store(where, replies_, clock_, StoreOptions::test_min());
    if (opened.ok()) return "opened";
    EXPECT_EQ(opened.error().line.find('\n'), std::string::npos) << "one line";
    EXPECT_NE(opened.error().line.find("; "), std::string::npos) << "a remedy";
    return opened.error().line;
  }
  void execute(const char* text) {
    sqlite3* db = nullptr;
    ASSERT_EQ(sqlite3_open(path().c_str(), &db), SQLITE_OK);
    EXPECT_EQ(sqlite3_exec(db, text, nullptr, nullptr, nullptr), SQLITE_OK) << sqlite3_errmsg(db);
    sqlite3_close(db);
  }
  void expect_in(const std::string& line, const char* words) {
    EXPECT_NE(line.find(words), std::string::npos) << line;
  }

  tests::TemporaryFolder folder_;
  base::SystemClock clock_;
  ReplyCollector replies_;
};

TEST_F(SqliteFile, CountsItsStarts) {
  for (uint32_t boot = 1; boot <= 3; boot++) {
    const OpenedStore opened = open();
    EXPECT_EQ(opened.boot, boot);
    EXPECT_EQ(opened.node, 1u);
  }
}

TEST_F(SqliteFile, SaysWhatItHoldsAtTheStart) {
  {
    OpenedStore opened = open();
    ASSERT_TRUE(opened.store->submit(CreateUser{"anna", "x"}, Ticket{}));
    auto replies = replies_.wait(1);
    const proto::UserId anna = std::get<UserCreated>(replies.at(0).answer).user;
    ASSERT_TRUE(opened.store->submit(RevokeSessions{anna, 3}, Ticket{}));
    replies_.wait(1);
    // Two devices log in and out; the tokens of one have expired.
    for (const uint64_t expires_ms : {clock_.wall_ms() - 1, clock_.wall_ms() + 3'600'000}) {
      ASSERT_TRUE(opened.store->submit(RaiseEpoch{anna, expires_ms, 1, expires_ms}, Ticket{}));
      ASSERT_TRUE(opened.store->submit(RaiseEpoch{anna, expires_ms, 1}, Ticket{}));
      replies_.wait(2);
    }
    EXPECT_EQ(opened.store->describe(), "sqlite:" + path());
  }
  const OpenedStore opened = open();
  EXPECT_EQ(opened.users, 1u);
  ASSERT_EQ(opened.revocations.users.size(), 1u);
  EXPECT_EQ(opened.revocations.users[0].epoch_min, 4u);
  ASSERT_EQ(opened.revocations.devices.size(), 1u);
  EXPECT_EQ(opened.revocations.devices[0].until_ms, opened.revocations.devices[0].device.device);
  EXPECT_EQ(opened.revocations.devices[0].epoch_min, 5u);
}

TEST_F(SqliteFile, IsReadableByItsOwnerOnly) {
  const OpenedStore opened = open();
  struct stat file {};
  ASSERT_EQ(::stat(path().c_str(), &file), 0);
  EXPECT_EQ(file.st_mode & 0777, 0600u);
  ASSERT_EQ(::stat((path() + "-wal").c_str(), &file), 0);
  EXPECT_EQ(file.st_mode & 0777, 0600u);
}

TEST_F(SqliteFile, BelongsToOneProcess) {
  const OpenedStore opened = open();
  expect_in(refused(url()), "another process uses it");
}

TEST_F(SqliteFile, OfANewerVersionIsRefusedAndLeftAlone) {
  open().store.reset();
  execute("INSERT INTO schema_version VALUES (99, 'future', 1)");
  const std::string before = tests::read_file(path());
  const std::string line = refused(url());
  expect_in(line, "version 99");
  expect_in(line, "run the newer ringtalkd");
  EXPECT_EQ(tests::read_file(path()), before);
  EXPECT_FALSE(pending_migrations(url()).ok());
}

TEST_F(SqliteFile, OfAnotherProgramIsRefusedAndLeftAlone) {
  execute("CREATE TABLE recipe (name TEXT)");
  expect_in(refused(url()), "database of another program");
  tests::write_file(path(), std::string(8'192, 'x'));
  expect_in(refused(url()), "not a database");
  EXPECT_EQ(tests::read_file(path()), std::string(8'192, 'x'));
}

TEST_F(SqliteFile, NeedsAFolderThatCanBeWritten) {
  expect_in(refused({StoreUrl::Kind::sqlite, folder_.path() + "/nowhere/store.db"}),
            "make that directory");
  tests::write_file(folder_.path() + "/file", "");
  expect_in(refused({StoreUrl::Kind::sqlite, folder_.path() + "/file/store.db"}),
            "Not a directory");
  // Not even root writes here.
  expect_in(refused({StoreUrl::Kind::sqlite, "/proc/store.db"}), "/proc");
  if (::geteuid() == 0) return;
  ASSERT_EQ(::chmod(folder_.path().c_str(), 0500), 0);
  expect_in(refused(url()), "Permission denied");
  ASSERT_EQ(::chmod(folder_.path().c_str(), 0700), 0);
}

TEST_F(SqliteFile, UrlsAreKnownOrExplained) {
  EXPECT_EQ(parse_store_url("sqlite:/a/b.db")->path, "/a/b.db");
  EXPECT_EQ(parse_store_url("memory:")->kind, StoreUrl::Kind::memory);
  for (const char* bad : {"", "sqlite:", "mysql://x", "memory", "/a/b.db"}) {
    ASSERT_FALSE(parse_store_url(bad).ok()) << bad;
    expect_in(parse_store_url(bad).error().line, "write sqlite:PATH or memory:");
  }
}

TEST_F(SqliteFile, MigrationsAreListedWithoutChangingAnything) {
  auto pending = pending_migrations(url());
  ASSERT_TRUE(pending.ok());
  ASSERT_EQ(pending->size(), sqlite_migrations().size());
  EXPECT_EQ(pending->at(0), "1 foundation");
  EXPECT_NE(::access(path().c_str(), F_OK), 0) << "a dry run makes no file";
  open().store.reset();
  pending = pending_migrations(url());
  ASSERT_TRUE(pending.ok());
  EXPECT_TRUE(pending->empty());
}

// When the tokens of a login from before migration 2 expire is not known: they stay void.
TEST_F(SqliteFile, AVersionOneFileIsBroughtUpToDate) {
  {
    tests::write_file(path(), "");
    auto connection = SqliteConnection::open(path(), SqliteConnection::Mode::writer, 0, 64);
    ASSERT_TRUE(connection.ok());
    ASSERT_TRUE(migrate(**connection, sqlite_migrations().first(1), 1).ok());
    ASSERT_EQ((*connection)
                  ->execute("INSERT INTO user VALUES (5, 'anna', 'anna', 0, 1);"
                            "INSERT INTO session VALUES (5, 7, 1, 3, 1, 1, 9)"),
              SqlError::none);
  }
  {
    OpenedStore opened = open();
    EXPECT_TRUE(opened.revocations.devices.empty());
    ASSERT_TRUE(opened.store->submit(RaiseEpoch{5, 7, 1}, Ticket{}));
    auto replies = replies_.wait(1);
    EXPECT_EQ(std::get<EpochRaised>(replies.at(0).answer).epoch, 4u);
  }
  const OpenedStore opened = open();
  ASSERT_EQ(opened.revocations.devices.size(), 1u);
  EXPECT_EQ(opened.revocations.devices[0].device, (proto::UserDevice{5, 7}));
  EXPECT_EQ(opened.revocations.devices[0].epoch_min, 4u);
  EXPECT_EQ(opened.revocations.devices[0].until_ms, proto::kIdMax);
}

TEST_F(SqliteFile, AMigrationIsWholeOrNotAtAll) {
  {
    OpenedStore opened = open();
    ASSERT_TRUE(opened.store->submit(load_append(1, 2, 1), Ticket{}));
    replies_.wait(1);
  }
  std::vector<Migration> known(sqlite_migrations().begin(), sqlite_migrations().end());
  const auto last = static_cast<uint32_t>(known.size());
  const Migration more{last + 1, "more", "ALTER TABLE message ADD COLUMN extra INTEGER;"};
  const Migration broken{last + 2, "broken", "CREATE TABLE third (x); CREATE TABLE third (x);"};
  known.push_back(more);
  auto connection = SqliteConnection::open(path(), SqliteConnection::Mode::writer, 0, 64);
  ASSERT_TRUE(connection.ok());
  EXPECT_EQ(missing_migrations(**connection, known)->size(), 1u);
  ASSERT_TRUE(migrate(**connection, known, 1).ok());
  EXPECT_EQ(*(*connection)->number("SELECT count(*) FROM message WHERE extra IS NULL"), 1u);
  EXPECT_EQ(*(*connection)->number("SELECT max(version) FROM schema_version"), last + 1);

  // One that fails leaves the version before it.
  known.push_back(broken);
  const auto migrated = migrate(**connection, known, 1);
  ASSERT_FALSE(migrated.ok());
  EXPECT_EQ(migrated.error().kind, SchemaError::Kind::sql);
  EXPECT_EQ(*(*connection)->number("SELECT max(version) FROM schema_version"), last + 1);
  EXPECT_EQ(*(*connection)->number("SELECT count(*) FROM sqlite_schema WHERE name = 'third'"), 0u);
}

// Another program that writes to the same file (sqlite3, a backup) holds its lock.
class Locker {
 public:
  explicit Locker(const std::string& path) {
    EXPECT_EQ(sqlite3_open(path.c_str(), &db_), SQLITE_OK);
    EXPECT_EQ(sqlite3_exec(db_, "BEGIN IMMEDIATE", nullptr, nullptr, nullptr), SQLITE_OK);
  }
  ~Locker() { sqlite3_close(db_); }
  void release() { EXPECT_EQ(sqlite3_exec(db_, "ROLLBACK", nullptr, nullptr, nullptr), SQLITE_OK); }

 private:
  sqlite3* db_ = nullptr;
};

TEST_F(SqliteFile, ALockedStoreIsUnavailableThenGoesOn) {
  OpenedStore opened = open(StoreOptions::test_min());
  Locker locker(path());
  ASSERT_TRUE(opened.store->submit(load_append(1, 2, 1), Ticket{}));
  auto replies = replies_.wait(1);
  const Failed& failed = std::get<Failed>(replies.at(0).answer);
  EXPECT_EQ(failed.error, StoreError::unavailable);
  EXPECT_GT(failed.retry_after_ms, 0u);
  EXPECT_EQ(failed.conversation, load_append(1, 2, 1).conversation);
  // Reading goes on.
  ASSERT_TRUE(opened.store->submit(CountUsers{}, Ticket{}));
  EXPECT_EQ(std::get<UserCount>(replies_.wait(1).at(0).answer).users, 0u);
  locker.release();
  ASSERT_TRUE(opened.store->submit(load_append(1, 2, 1), Ticket{}));
  EXPECT_EQ(std::get<Appended>(replies_.wait(1).at(0).answer).seq, 1u);
}

// It once took for granted that the writer had its batch before the last submit, and on a busy
// machine it had not. The writer wakes when it likes; once more is accepted than the queue holds,
// it has its batch and stands at the lock, so that the next refusal is for good.
TEST_F(SqliteFile, AFullQueueRefusesAndLosesNothing) {
  StoreOptions options = StoreOptions::test_min();
  options.busy_ms = 600'000;
  OpenedStore opened = open(options);
  uint64_t accepted = 0;
  {
    Locker locker(path());
    for (bool full = false; !full;) {
      Request request = load_append(1, 2, accepted + 1);
      if (opened.store->submit(std::move(request), Ticket{})) {
        accepted++;
        continue;
      }
      ASSERT_EQ(std::get<Append>(request).body, "hello") << "a refused request stays whole";
      full = accepted > options.requests_max;
      std::this_thread::yield();
    }
    EXPECT_LE(accepted, options.requests_max + options.batch_requests_max);
    for (int again = 0; again < 20; again++) {
      EXPECT_FALSE(opened.store->submit(load_append(1, 2, accepted + 1), Ticket{}));
    }
    locker.release();
  }
  EXPECT_EQ(replies_.wait(accepted).size(), accepted);
  opened.store->stop();
  EXPECT_TRUE(replies_.take().empty()) << "nothing refused was answered";
}

// A body beyond the bound is refused whatever else is queued.
TEST_F(SqliteFile, BodiesCountInTheQueue) {
  const StoreOptions options = StoreOptions::test_min();
  OpenedStore opened = open(options);
  Request request = load_append(1, 3, 1, std::string(options.bytes_max, 'x'));
  EXPECT_FALSE(opened.store->submit(std::move(request), Ticket{}));
  EXPECT_EQ(std::get<Append>(request).body.size(), options.bytes_max);
  EXPECT_TRUE(opened.store->submit(load_append(1, 3, 1), Ticket{}));
  opened.store->stop();
  EXPECT_EQ(replies_.take().size(), 1u);
}

TEST_F(SqliteFile, StopAnswersEverythingAccepted) {
  constexpr uint64_t kCount = 1'000;
  OpenedStore opened = open();
  for (uint64_t i = 1; i <= kCount; i++) {
    ASSERT_TRUE(opened.store->submit(load_append(1 + i % 7, 10, i), Ticket{}));
    ASSERT_TRUE(opened.store->submit(CountUsers{}, Ticket{}));
  }
  opened.store->stop();
  EXPECT_EQ(replies_.take().size(), 2 * kCount);
  EXPECT_FALSE(opened.store->submit(CountUsers{}, Ticket{})) << "closed";
}

}  // namespace
}  // namespace ringtalk::store::test
