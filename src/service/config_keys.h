// src/service/config_keys.h: internal to the service. The one table of everything that can be set.
//
// A key has a name (`section.key`), perhaps a flag, a meaning, and how its text becomes a field of
// Config and back. File, environment, --set, flags, --help and --print-config are all made from it.
// Thread rule: the table is made at first use and never changes.
#pragma once

#include <functional>
#include <string>
#include <string_view>
#include <vector>

#include "base/result.h"
#include "service/config.h"

namespace ringtalk::service {

struct ConfigKey {
  std::string name;
  const char* flag;      // as CLI11 wants it ("-p,--port"), or null: reached by --set
  const char* shape;     // "N", "FILE", "250ms" ... for --help
  const char* meaning;   // one line
  bool reloadable;       // SIGHUP may change it
  bool is_list = false;  // takes several texts; each assignment of a layer replaces the list
  bool is_switch = false;
  std::string takes{};  // for errors: which values, "a whole number from 0 to 256"
  std::function<bool(Config&, const std::vector<std::string>&)> set;  // false: not such a value
  std::function<std::vector<std::string>(const Config&)> get;

  // "RINGTALK_SECTION_KEY"
  std::string environment_name() const;
};

const std::vector<ConfigKey>& config_keys();
const ConfigKey* find_config_key(std::string_view name);
// The known name that looks most like it.
std::string nearest_config_key(std::string_view name);

}  // namespace ringtalk::service
