// tests/e2e/store_rows.h: internal to tests/e2e. What really lies in the store when all is over.
//
// Opens the database of a server that has ended. Thread rule: tests only. Invariant: none.
#pragma once

#include <cstdint>
#include <string>
#include <vector>

namespace ringtalk::tests {

struct StoreRows {
  uint64_t messages = 0;
  uint64_t keys = 0;
  uint64_t conversations = 0;
  // One line for each way in which the rows break a promise; empty: each conversation is 1..last,
  // each (sender, client_msg_id) is there once, keys and messages name each other.
  std::vector<std::string> faults;
};

StoreRows read_rows(const std::string& database);

// Damage, on purpose.
void change_store(const std::string& database, const std::string& sql);

}  // namespace ringtalk::tests
