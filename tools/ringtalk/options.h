// tools/ringtalk/options.h: the command line of the tool as a value.
#pragma once

#include <cstdint>
#include <string>
#include <vector>

#include "base/result.h"
#include "ring/address.h"
#include "ring/backend.h"

namespace ringtalk::tool {

enum class Verb : uint8_t { none, register_user, login, logout, send, listen, room, ping, stats };

struct Options {
  Verb verb = Verb::none;
  std::string server;  // empty: where the profile is logged in, else the default
  std::string profile = "default";
  ring::Backend backend = ring::Backend::automatic;
  uint64_t timeout_ms = 10'000;

  std::string name;  // register, login
  std::string password_file;
  bool all_devices = false;        // logout
  std::string token_key;           // stats: file; empty: where a server makes its own
  std::string to;                  // send
  std::vector<std::string> words;  // send, room: one message; empty: each line of standard input
  uint64_t room = 0;
  uint64_t count = 0;  // listen, room: end after so many; 0 = never. ping: so many
  bool whole_history = false;
  uint64_t interval_ms = 1'000;  // ping
  uint64_t bytes = 64;           // ping
};

inline constexpr int kExitUsage = 2;
inline constexpr int kExitUnreachable = 3;
inline constexpr int kExitInterrupted = 130;

// Why there is nothing to run: help was asked for (exit 0) or a mistake (exit 2).
struct NoCommand {
  int exit;
  std::string text;
};
base::Result<Options, NoCommand> parse_options(int argc, const char* const* argv);

struct ResolveError {
  std::string text;
};
// "host:port", "[::1]:port" or "host"; all addresses of the name.
base::Result<std::vector<ring::Address>, ResolveError> resolve(const std::string& server);

}  // namespace ringtalk::tool
