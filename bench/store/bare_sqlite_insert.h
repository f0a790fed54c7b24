// bench/store/bare_sqlite_insert.h: internal to bench. The limit of durable sends: SQLite and
// nothing else.
//
// One connection and prepared statements insert the rows that the store's commit writes, in
// transactions of `batch` messages: no fence, no look-up for duplicates, no queue, no threads, the
// hashes computed before the clock starts. Same file layout and pragmas as the store.
#pragma once

#include <string>
#include <vector>

#include "bench/store/send_rows.h"

namespace ringtalk::bench {

struct Measured {
  double seconds = 0;
  double cpu_seconds = 0;
  uint64_t messages = 0;
  uint64_t commits = 0;
};

// `path`: an empty store, made by open_store and closed again.
Measured bare_sqlite_insert(const std::string& path, const std::vector<store::Append>& sends,
                            uint32_t batch);

}  // namespace ringtalk::bench
