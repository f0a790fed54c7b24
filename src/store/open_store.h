// src/store/open_store.h: public. Opens a store by its URL, migrates and starts it.
//
// For main and the migrate command: everything here blocks and runs before shards do. Ownership:
// the store belongs to the caller; `sink` and `clock` must outlive it. Thread rule: one thread.
// Invariants: a store of a newer version is not touched; one process holds a SQLite file; an error
// is one line that says what, why and what to do.
#pragma once

#include <cstdint>
#include <memory>
#include <string>
#include <string_view>
#include <vector>

#include "base/clock.h"
#include "base/result.h"
#include "store/store.h"

namespace ringtalk::store {

struct StoreOpenError {
  std::string line;
};

struct StoreUrl {
  enum class Kind : uint8_t { sqlite, memory };
  Kind kind = Kind::memory;
  std::string path;  // of sqlite

  std::string text() const;
};

// `sqlite:PATH` or `memory:`.
base::Result<StoreUrl, StoreOpenError> parse_store_url(std::string_view text);

struct StoreOptions {
  uint32_t readers = 1;  // threads that answer pulls and look-ups; a store in memory has none
  uint32_t requests_max = 65'536;
  uint64_t bytes_max = 64u << 20;  // of queued requests, bodies included
  uint32_t batch_requests_max = 256;
  uint64_t batch_bytes_max = 1u << 20;
  // 16 MiB of SQLite's log: a hot page is written to the database once for many commits. The log is
  // reused after a checkpoint, so this also bounds its size while readers are short.
  uint32_t log_pages_max = 4'096;
  uint32_t busy_ms = 2'000;       // how long a locked store is waited for before "unavailable"
  uint32_t lock_wait_ms = 3'000;  // for a predecessor that is still dying

  static StoreOptions test_min();
};

struct OpenedStore {
  std::unique_ptr<Store> store;
  uint16_t node;  // always the same: one process at a time holds an embedded store
  uint32_t boot;  // raised by each open: this start of the node
  uint64_t users;
  Revocations revocations;
};

base::Result<OpenedStore, StoreOpenError> open_store(const StoreUrl& url, ReplySink& sink,
                                                     const base::Clock& clock,
                                                     const StoreOptions& options);

// What open_store would apply ("1 foundation"), without changing or making anything.
base::Result<std::vector<std::string>, StoreOpenError> pending_migrations(const StoreUrl& url);

}  // namespace ringtalk::store
