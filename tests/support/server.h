// tests/support/server.h: tests. A ringtalkd of this build, on a free port with a store of its own.
//
// Programs are found below RINGTALK_BUILD (meson's test_env sets it) or ./build.
// Ownership: ends the server; the folder with store, key and logs goes with it.
// Invariant: after the constructor clients are served, or error() tells why not.
#pragma once

#include <cstdint>
#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "tests/support/process.h"

namespace ringtalk::tests {

// The path of ringtalkd, loadgen or ringtalk; aborts with the remedy when it is not there.
std::string program(const std::string& name);

struct ServerOptions {
  std::vector<std::string> arguments;  // beyond the fixture's own
  bool token_key = true;               // --token-key: load users may come
  std::string data_dir;                // empty: one of the fixture's
  std::vector<std::string> wrapper;    // in front of the program, for instance strace
  int cpu = -1;
  uint64_t descriptors_max = 0;
};

class Server {
 public:
  explicit Server(const ServerOptions& options = {});

  // Empty when it serves; otherwise what it printed.
  const std::string& error() const { return error_; }
  uint16_t port() const { return port_; }
  std::string target() const { return "127.0.0.1:" + std::to_string(port_); }
  std::string backend() const { return backend_; }
  const std::string& folder() const { return folder_.path(); }
  std::string data_dir() const { return data_dir_; }
  std::string token_key_file() const { return folder() + "/token.key"; }
  Process& process() { return *process_; }

  // As after a crash or a stop: the same store and key, on the same port.
  void start_again();

 private:
  void start(uint16_t port);

  ServerOptions options_;
  TemporaryFolder folder_;
  std::string data_dir_;
  std::string backend_;
  std::string error_;
  uint16_t port_ = 0;
  std::unique_ptr<Process> process_;
};

}  // namespace ringtalk::tests
