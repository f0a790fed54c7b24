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
  uint32_t port = 0;  // given by -p: replaces the port of every address
  bool port_given = false;
  uint32_t shards = 0;  // 0 = one for each core
  std::string backend = "auto";
  std::string uring_mask;
  uint64_t max_connections = 0;  // 0 = the capacity plan
  bool share_port = false;

  // [data]
  std::string data_dir;  // empty = $XDG_DATA_HOME/ringtalk or ~/.local/share/ringtalk
  std::string store;     // empty = sqlite in the data directory
  std::string token_key_file;
  std::string relay = "none";

  // [output]
  std::string ports_file;
  std::string stats_file;
  std::string log_level = "info";
  bool daemon = false;

  Limits limits;
};

}  // namespace ringtalk::service
