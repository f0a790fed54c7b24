// src/service/launch.h: internal to the service and for main.cc. What a server process does before
// and around serving.
//
// Capacity plan, probe of the ports, background, files that tell others. Thread rule: one thread,
// before the shards start or after they have ended. Errors are one line: what, why, what to do.
#pragma once

#include <cstdint>
#include <functional>
#include <string>
#include <vector>

#include "base/result.h"
#include "ring/address.h"
#include "ring/backend.h"
#include "service/config.h"

namespace ringtalk::service {

struct LaunchError {
  std::string line;
};

struct CapacityPlan {
  uint32_t shards;
  uint32_t slots;            // of each shard: ProactorOptions::connections
  uint64_t connections_max;  // of the node; the slots beyond it are the reserve
  uint64_t descriptors;      // ulimit -n in force
  std::string line(const char* backend) const;
};

// `table` tells what each of so many proactors can hold, `cores` what --shards 0 means.
base::Result<CapacityPlan, LaunchError> plan_capacity(
    const Config& config, uint32_t cores, const std::function<uint32_t(uint32_t)>& table,
    uint64_t descriptors);

// The addresses to listen on, with -p applied.
std::vector<ring::Address> listen_addresses(const Config& config);

// Binds the port once without SO_REUSEPORT, so that a second server does not silently share the
// first one's clients; tries for `wait_ms`, for a predecessor that is still dying.
base::Status<LaunchError> probe_port(const ring::Address& at, uint64_t wait_ms);

// Whether this host has the address and lets this user listen there. Its port may be in use.
base::Status<LaunchError> check_address(const ring::Address& at);

// What tells now whether write_by_rename can write there later; nothing is made.
base::Status<LaunchError> check_writable(const std::string& path);

// Whether all that the start makes, reads or binds can be, as far as it shows without doing so.
// `store_file`: empty for a store that is no file.
base::Status<LaunchError> check_places(const Config& config, const std::string& data_path,
                                       const std::string& store_file);
bool needs_data_directory(const Config& config);

// Whole or not at all, whenever somebody looks. What is no regular file (a device, a pipe) is
// written to as it is and never replaced.
base::Status<LaunchError> write_by_rename(const std::string& path, const std::string& content);
std::string ports_json(const ring::Address& client, const char* backend, uint32_t shards);
// "36,000"
std::string with_thousands(uint64_t number);

// Goes on in a child without a terminal. The parent leaves with the child's status when it fails
// and with 0 when it calls ready().
class Daemon {
 public:
  Daemon() = default;
  Daemon(const Daemon&) = delete;
  Daemon& operator=(const Daemon&) = delete;
  ~Daemon();
  base::Status<LaunchError> enter();
  // From here on nothing is written to the terminal; output goes to `log_file` ("" = nowhere).
  void ready(const std::string& log_file);

 private:
  int parent_ = -1;
};

}  // namespace ringtalk::service
