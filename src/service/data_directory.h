// src/service/data_directory.h: internal to the service and for main.cc. The place of a node on
// disk.
//
// Holds the store's file, the token key and the lock: one process for each data directory.
// Ownership: the descriptor of the lock; the kernel drops it with the process, however it ends.
// Thread rule: one thread. Invariant: files made here are readable by their owner alone.
#pragma once

#include <string>

#include "base/result.h"
#include "proto/token.h"

namespace ringtalk::service {

struct DirectoryError {
  std::string line;  // what, why, what to do
};

// $XDG_DATA_HOME/ringtalk, else $HOME/.local/share/ringtalk; empty when neither is set.
std::string default_data_directory();

class DataDirectory {
 public:
  // Makes it where it is missing and takes its lock, waiting up to `wait_ms` for a predecessor
  // that is still dying.
  static base::Result<DataDirectory, DirectoryError> open(const std::string& path,
                                                          uint64_t wait_ms);
  // Whether open() could make and write it; makes and locks nothing.
  static base::Status<DirectoryError> check(const std::string& path);
  DataDirectory(DataDirectory&& other) noexcept;
  DataDirectory& operator=(DataDirectory&&) = delete;
  ~DataDirectory();

  const std::string& path() const noexcept { return path_; }
  static std::string store_file_in(const std::string& path) { return path + "/ringtalk.db"; }
  static std::string key_file_in(const std::string& path) { return path + "/token.key"; }
  std::string log_file() const { return path_ + "/ringtalkd.log"; }
  // Reads it, or makes it at the first start.
  base::Result<proto::TokenKey, DirectoryError> token_key() const;

 private:
  DataDirectory(std::string path, int lock) : path_(std::move(path)), lock_(lock) {}

  std::string path_;
  int lock_;
};

}  // namespace ringtalk::service
