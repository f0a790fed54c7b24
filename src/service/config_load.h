// src/service/config_load.h: internal to the service and for main.cc. From file, environment and
// flags to one Config.
//
// Built-in < file (TOML) < RINGTALK_… environment < flags. Every key remembers where its value came
// from. An error is one line: where, what, why, and what to do. Thread rule: one thread.
#pragma once

#include <map>
#include <string>
#include <vector>

#include "base/result.h"
#include "service/config.h"
#include "service/config_keys.h"

namespace ringtalk::service {

struct ConfigError {
  std::string line;
};

// A value for a key, as a layer gives it.
struct Assignment {
  std::string key;
  std::vector<std::string> texts;
  std::string origin;  // "ringtalk.toml:12", "environment RINGTALK_SERVER_SHARDS", "flag --shards"
};

struct LoadedConfig {
  Config config;
  std::map<std::string, std::string> origins;  // by key; absent = built-in
};

enum class Command : uint8_t { run, migrate };

// What the command line asks for beside values.
struct CommandLine {
  Command command = Command::run;
  bool dry_run = false;
  bool check_config = false;
  bool print_config = false;
  std::string file;  // --config
  std::vector<Assignment> assignments;
  // Set: print this and exit 0 (--help, --version).
  std::string print;
};

// config_flags.cc
base::Result<CommandLine, ConfigError> parse_command_line(int argc, const char* const* argv,
                                                          const char* version);
// config_toml.cc
base::Result<std::vector<Assignment>, ConfigError> read_config_file(const std::string& path);
base::Result<std::vector<Assignment>, ConfigError> parse_config_text(const std::string& text,
                                                                     const std::string& name);
// config_load.cc. `environment` as environ(7): "NAME=value", ended by null.
base::Result<std::vector<Assignment>, ConfigError> read_environment(char** environment);
base::Result<LoadedConfig, ConfigError> load_config(const CommandLine& line, char** environment);
base::Status<ConfigError> assign(LoadedConfig& loaded, const std::vector<Assignment>& layer);

// TOML that gives the same configuration, each line with the origin of its value.
std::string print_config(const LoadedConfig& loaded);
// Takes the reloadable values of `fresh` into `current`; one line for each key that differs.
std::vector<std::string> take_reloadable(LoadedConfig& current, const LoadedConfig& fresh);

}  // namespace ringtalk::service
