// src/service/config.h: internal to the service and for main.cc. Everything that can be set.
//
// A plain value with the built-in defaults. config_keys.cc holds the one table of keys from which
// the file, the environment, the flags, --print-config and the error texts follow.
#pragma once

#include <cstdint>
#include <string>
#include <vector>

#include "service/limits.h"

namespace ringtalk::service {

struct Config {
  // [server]
  std::vector<std::string> listen{"127.0.0.1:7380"};
  std::string port;     // empty, or what replaces the port of every address
  uint32_t shards = 0;  // 0 = one for each core
  std::string backend = "auto";
  std::string uring_mask;
  uint64_t max_connections = 0;  // 0 = the capacity plan
  bool share_port = false;
  bool daemon = false;
  std::string ports_file;
  std::string stats_file;

  // [store]
  std::string data_dir;  // empty = $XDG_DATA_HOME/ringtalk or ~/.local/share/ringtalk
  std::string store;     // empty = SQLite in the data directory

  std::string token_key;           // [auth]
  std::string relay = "none";      // [cluster]
  std::string log_level = "info";  // [log]

  Limits limits;  // [limits] [heartbeat] [drain] and parts of [auth]
};

}  // namespace ringtalk::service
