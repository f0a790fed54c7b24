#include "store/open_store.h"

#include <cerrno>
#include <cstring>
#include <fcntl.h>
#include <sys/file.h>
#include <sys/stat.h>
#include <unistd.h>

#include <chrono>
#include <thread>
#include <utility>

#include <sodium.h>

#include "base/assert.h"
#include "proto/limits.h"
#include "store/reads.h"
#include "store/sqlite_connection.h"
#include "store/sqlite_schema.h"
#include "store/threaded_store.h"

namespace ringtalk::store {
namespace {

template <class... Parts>
base::Failure<StoreOpenError> refuse(const StoreUrl& url, const Parts&... parts) {
  std::string line = "store " + url.text() + ": ";
  (line.append(parts), ...);
  return base::Failure{StoreOpenError{line}};
}

std::string folder_of(const std::string& path) {
  const size_t slash = path.rfind('/');
  if (slash == std::string::npos) return ".";
  return slash == 0 ? "/" : path.substr(0, slash);
}

// Holds the file of a store for this process until it is closed. It also makes the file, so that
// what is wrong with its folder is found here, with its errno. The descriptor must outlive every
// connection: closing it drops the POSIX locks that SQLite holds on the same file.
class FileHold {
 public:
  FileHold() = default;
  explicit FileHold(int fd) : fd_(fd) {}
  FileHold(FileHold&& other) noexcept : fd_(std::exchange(other.fd_, -1)) {}
  FileHold& operator=(FileHold&& other) noexcept {
    std::swap(fd_, other.fd_);
    return *this;
  }
  ~FileHold() {
    if (fd_ >= 0) ::close(fd_);
  }

 private:
  int fd_ = -1;
};

base::Result<FileHold, StoreOpenError> hold_file(const StoreUrl& url, uint32_t wait_ms) {
  const int fd = ::open(url.path.c_str(), O_RDWR | O_CREAT | O_CLOEXEC, 0600);
  if (fd < 0) {
    const int error = errno;
    const char* remedy = error == ENOENT ? "make that directory, or name another with --store"
                                         : "make it writable for this user, or name another with "
                                           "--store";
    return refuse(url, "cannot open or make it in ", folder_of(url.path), ": ",
                  std::strerror(error), "; ", remedy);
  }
  FileHold hold(fd);
  for (uint32_t waited_ms = 0; ::flock(fd, LOCK_EX | LOCK_NB) != 0; waited_ms += 20) {
    if (errno != EWOULDBLOCK && errno != EINTR) {
      return refuse(url, "cannot lock it: ", std::strerror(errno),
                    "; keep it on a file system with locks");
    }
    if (waited_ms >= wait_ms) {
      return refuse(url, "another process uses it; stop that one, or name another with --store");
    }
    std::this_thread::sleep_for(std::chrono::milliseconds(20));
  }
  // SQLite makes its log and index beside it at the first write.
  if (::access(folder_of(url.path).c_str(), W_OK) != 0) {
    return refuse(url, "cannot write in ", folder_of(url.path), ": ", std::strerror(errno),
                  "; make it writable for this user, or name another with --store");
  }
  return hold;
}

// The store and the hold on its file, which ends last.
class HeldStore final : public Store {
 public:
  HeldStore(FileHold hold, std::unique_ptr<ThreadedStore> store)
      : hold_(std::move(hold)), store_(std::move(store)) {}

  bool submit(Request&& request, const Ticket& ticket) noexcept override {
    return store_->submit(std::move(request), ticket);
  }
  void stop() noexcept override { store_->stop(); }
  std::string describe() const override { return store_->describe(); }

 private:
  FileHold hold_;
  std::unique_ptr<ThreadedStore> store_;
};

base::Failure<StoreOpenError> explain(const StoreUrl& url, const SqlFailure& failure) {
  if (failure.error == SqlError::busy) {
    return refuse(url, "it stays locked (", failure.text, "); end the program that reads it");
  }
  if (failure.error == SqlError::full) {
    return refuse(url, "no space left (", failure.text, "); free some and start again");
  }
  return refuse(url, failure.text, "; restore it from a backup, or name another with --store");
}

base::Failure<StoreOpenError> explain(const StoreUrl& url, const SchemaError& error) {
  switch (error.kind) {
    case SchemaError::Kind::not_ours:
      return refuse(url, "this is the database of another program; name another with --store");
    case SchemaError::Kind::newer:
      return refuse(url, "it has schema version ", std::to_string(error.version),
                    ", and this program knows versions up to ",
                    std::to_string(sqlite_migrations().size()),
                    "; run the newer ringtalkd that wrote it, or restore an older backup");
    case SchemaError::Kind::sql:
      return refuse(url, "cannot prepare its tables: ", error.text,
                    "; restore it from a backup, or name another with --store");
  }
  UNREACHABLE();
}

constexpr uint16_t kEmbeddedNode = 1;

// Counts this start.
bool start_node(SqliteConnection& connection, uint32_t& boot) {
  if (connection.begin_write() != SqlError::none) return false;
  {
    Rows rows(connection, Query::node_start, uint64_t{kEmbeddedNode});
    if (rows.next()) boot = static_cast<uint32_t>(rows.number(0));
    if (!rows.run()) return false;
  }
  ASSERT(boot > 0);
  return connection.commit() == SqlError::none;
}

bool read_start(SqliteConnection& connection, uint64_t now_ms, OpenedStore& opened) {
  Answer users;
  Answer revocations;
  if (!answer_read(connection, CountUsers{}, users)) return false;
  if (!answer_read(connection, LoadRevocations{now_ms}, revocations)) return false;
  opened.users = std::get<UserCount>(users).users;
  opened.revocations = std::move(std::get<Revocations>(revocations));
  return true;
}

}  // namespace

std::string StoreUrl::text() const {
  return kind == Kind::memory ? "memory:" : "sqlite:" + path;
}

StoreOptions StoreOptions::test_min() {
  StoreOptions options;
  options.requests_max = 4;
  options.bytes_max = 64 * 1024;
  options.batch_requests_max = 2;
  options.batch_bytes_max = 32 * 1024;
  options.log_pages_max = 16;
  options.busy_ms = 0;
  options.lock_wait_ms = 0;
  return options;
}

base::Result<StoreUrl, StoreOpenError> parse_store_url(std::string_view text) {
  if (text == "memory:") return StoreUrl{StoreUrl::Kind::memory, {}};
  constexpr std::string_view kSqlite = "sqlite:";
  if (text.starts_with(kSqlite) && text.size() > kSqlite.size()) {
    return StoreUrl{StoreUrl::Kind::sqlite, std::string(text.substr(kSqlite.size()))};
  }
  return base::Failure{StoreOpenError{"store \"" + std::string(text) +
                                      "\": not known; write sqlite:PATH or memory:"}};
}

base::Result<OpenedStore, StoreOpenError> open_store(const StoreUrl& url, ReplySink& sink,
                                                     const base::Clock& clock,
                                                     const StoreOptions& options) {
  const int ready = sodium_init();
  ASSERT(ready >= 0);
  const bool in_memory = url.kind == StoreUrl::Kind::memory;
  FileHold hold;
  if (!in_memory) {
    auto held = hold_file(url, options.lock_wait_ms);
    if (!held.ok()) return base::Failure{held.error()};
    hold = std::move(*held);
  }
  const auto mode = in_memory ? SqliteConnection::Mode::memory : SqliteConnection::Mode::writer;
  auto writer = SqliteConnection::open(url.path, mode, options.busy_ms,
                                       static_cast<int>(options.log_pages_max));
  if (!writer.ok()) return explain(url, writer.error());
  SqliteConnection& connection = **writer;
  const auto migrated = migrate(connection, sqlite_migrations(), clock.wall_ms());
  if (!migrated.ok()) return explain(url, migrated.error());

  OpenedStore opened{};
  opened.node = kEmbeddedNode;
  if (connection.prepare() != SqlError::none || !start_node(connection, opened.boot) ||
      !read_start(connection, clock.wall_ms(), opened)) {
    return explain(url, SqlFailure{connection.error(), connection.error_text()});
  }

  std::vector<std::unique_ptr<Connection>> readers;
  for (uint32_t i = 0; i < options.readers && !in_memory; i++) {
    auto reader = SqliteConnection::open(url.path, SqliteConnection::Mode::reader, options.busy_ms);
    if (!reader.ok()) return explain(url, reader.error());
    if ((*reader)->prepare() != SqlError::none) {
      return explain(url, SqlFailure{(*reader)->error(), (*reader)->error_text()});
    }
    readers.push_back(std::move(*reader));
  }
  auto threaded = std::make_unique<ThreadedStore>(url.text(), std::move(*writer),
                                                  std::move(readers), sink, clock, options);
  opened.store = std::make_unique<HeldStore>(std::move(hold), std::move(threaded));
  return opened;
}

base::Result<std::vector<std::string>, StoreOpenError> pending_migrations(const StoreUrl& url) {
  std::vector<std::string> names;
  const auto add = [&names](const Migration& one) {
    names.push_back(std::to_string(one.version) + " " + one.name);
  };
  struct stat file {};
  const bool on_disk = url.kind == StoreUrl::Kind::sqlite;
  const bool there = on_disk && ::stat(url.path.c_str(), &file) == 0;
  // What cannot be seen may well be there.
  if ((on_disk && !there && errno != ENOENT) || (there && ::access(url.path.c_str(), R_OK) != 0)) {
    return refuse(url, "cannot read it: ", std::strerror(errno),
                  "; run as the user that it belongs to, or name another with --store");
  }
  if (!there || file.st_size == 0) {
    for (const Migration& one : sqlite_migrations()) add(one);
    return names;
  }
  constexpr uint32_t kBusyMs = 2'000;
  auto reader = SqliteConnection::open(url.path, SqliteConnection::Mode::reader, kBusyMs);
  if (!reader.ok()) return explain(url, reader.error());
  const auto missing = missing_migrations(**reader, sqlite_migrations());
  if (!missing.ok()) return explain(url, missing.error());
  for (const Migration& one : *missing) add(one);
  return names;
}

}  // namespace ringtalk::store
