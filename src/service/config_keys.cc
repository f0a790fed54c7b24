#include "service/config_keys.h"

#include <algorithm>
#include <type_traits>

#include "ring/address.h"
#include "service/admission.h"
#include "service/config_text.h"
#include "service/heartbeat.h"

namespace ringtalk::service {
namespace {

template <class Owner, class Field>
Owner owner_of(Field Owner::*);

// The field of Config, or of its Limits, that a member pointer names.
template <auto Member>
auto& field(auto& config) {
  if constexpr (std::is_same_v<decltype(owner_of(Member)), Limits>) {
    return config.limits.*Member;
  } else {
    return config.*Member;
  }
}
template <auto Member>
using FieldType = std::remove_cvref_t<decltype(field<Member>(std::declval<Config&>()))>;

using Texts = std::vector<std::string>;

constexpr uint64_t kDayMs = 86'400'000;
constexpr const char* kOneFrame = " (one frame may have as much)";

template <auto Member>
bool set_number(Config& config, std::optional<uint64_t> value, uint64_t min, uint64_t max) {
  if (!value || *value < min || *value > max) return false;
  field<Member>(config) = static_cast<FieldType<Member>>(*value);
  return true;
}

std::string range(const std::string& min, const std::string& max) {
  return " from " + min + " to " + max;
}

template <auto Member>
ConfigKey number(const char* name, const char* flag, bool reloadable, const char* meaning,
                 uint64_t min = 0, uint64_t max = UINT32_MAX) {
  ConfigKey key{name, flag, "N", meaning, reloadable};
  key.takes = "a whole number" + range(std::to_string(min), std::to_string(max));
  key.set = [min, max](Config& config, const Texts& texts) {
    return set_number<Member>(config, parse_number(texts[0]), min, max);
  };
  key.get = [](const Config& config) { return Texts{std::to_string(field<Member>(config))}; };
  return key;
}

// A name that ends in _ms also takes a plain number.
template <auto Member>
ConfigKey duration(const char* name, bool reloadable, const char* meaning, uint64_t min = 0,
                   uint64_t max = 366 * kDayMs) {
  ConfigKey key{name, nullptr, "250ms", meaning, reloadable};
  const bool plain = key.name.ends_with("_ms");
  key.takes = "a duration" + range(format_duration_ms(min), format_duration_ms(max)) +
              (plain ? ", as 250ms, 15s, 2m, 1h, 30d or a number of milliseconds"
                     : ", as 250ms, 15s, 2m, 1h or 30d");
  key.set = [plain, min, max](Config& config, const Texts& texts) {
    auto value = parse_duration_ms(texts[0]);
    if (!value && plain) value = parse_number(texts[0]);
    return set_number<Member>(config, value, min, max);
  };
  key.get = [plain](const Config& config) {
    const uint64_t ms = field<Member>(config);
    return Texts{plain ? std::to_string(ms) : format_duration_ms(ms)};
  };
  return key;
}

// Also takes a plain number, of bytes. `why` tells the reason of the least one.
template <auto Member>
ConfigKey size(const char* name, bool reloadable, const char* meaning, uint64_t min,
               const char* why = "") {
  constexpr uint64_t kMax = uint64_t{1} << 31;
  ConfigKey key{name, nullptr, "64KiB", meaning, reloadable};
  key.takes = "a size" + range(format_bytes(min) + why, format_bytes(kMax)) +
              ", as 512B, 64KiB, 1MiB, 1GiB or a number of bytes";
  key.set = [min](Config& config, const Texts& texts) {
    auto value = parse_bytes(texts[0]);
    if (!value) value = parse_number(texts[0]);
    return set_number<Member>(config, value, min, kMax);
  };
  key.get = [](const Config& config) { return Texts{format_bytes(field<Member>(config))}; };
  return key;
}

template <auto Member>
ConfigKey text(const char* name, const char* flag, const char* shape, const char* meaning,
               const char* takes = "one text", bool (*good)(const std::string&) = nullptr) {
  ConfigKey key{name, flag, shape, meaning, false};
  key.takes = takes;
  key.set = [good](Config& config, const Texts& texts) {
    if (good != nullptr && !good(texts[0])) return false;
    field<Member>(config) = texts[0];
    return true;
  };
  key.get = [](const Config& config) { return Texts{field<Member>(config)}; };
  return key;
}

template <auto Member>
ConfigKey list(const char* name, const char* flag, const char* shape, const char* meaning,
               const char* takes, size_t least, bool (*good)(const std::string&)) {
  ConfigKey key{name, flag, shape, meaning, false};
  key.is_list = true;
  key.takes = takes;
  key.set = [good, least](Config& config, const Texts& texts) {
    if (texts.size() < least) return false;
    if (!std::all_of(texts.begin(), texts.end(), good)) return false;
    field<Member>(config) = texts;
    return true;
  };
  key.get = [](const Config& config) { return field<Member>(config); };
  return key;
}

template <auto Member>
ConfigKey boolean(const char* name, const char* flag, const char* meaning) {
  ConfigKey key{name, flag, "true", meaning, false};
  key.is_switch = true;
  key.takes = "true or false";
  key.set = [](Config& config, const Texts& texts) {
    const auto value = parse_boolean(texts[0]);
    if (value) field<Member>(config) = *value;
    return value.has_value();
  };
  key.get = [](const Config& config) { return Texts{field<Member>(config) ? "true" : "false"}; };
  return key;
}

bool is_address(const std::string& value) {
  return ring::Address::parse(value).has_value();
}
bool is_port(const std::string& value) {
  if (value.empty()) return true;  // as the addresses say
  const auto number = parse_number(value);
  return number && *number <= UINT16_MAX;
}
bool is_backend(const std::string& value) {
  return value == "auto" || value == "io_uring" || value == "epoll";
}
bool is_level(const std::string& value) {
  return value == "debug" || value == "info" || value == "warn" || value == "error";
}
bool is_trusted(const std::string& value) {
  ring::Address address;
  return value == "loopback" || parse_trusted(value, address);
}

ConfigKey reloadable(ConfigKey key) {
  key.reloadable = true;
  return key;
}

std::vector<ConfigKey> process_keys() {
  return {
      list<&Config::listen>("server.listen", "--listen", "ADDR:PORT",
                            "where clients connect; repeatable; port 0 = any",
                            "one or more addresses, as 127.0.0.1:7380 or [::1]:7380", 1,
                            is_address),
      text<&Config::port>("server.port", "-p,--port", "N",
                          "replaces the port of every address; 0 = any",
                          "a whole number from 0 to 65535", is_port),
      number<&Config::shards>("server.shards", "--shards", false,
                              "threads that serve; 0 = one for each core", 0, kShardsMax),
      text<&Config::backend>("server.backend", "--backend", "auto|io_uring|epoll",
                             "how the kernel is reached", "auto, io_uring or epoll", is_backend),
      text<&Config::uring_mask>("server.uring_mask", "--uring-mask", "NAMES",
                                "io_uring features not to use, comma separated"),
      number<&Config::max_connections>("server.max_connections", "--max-connections", false,
                                       "connections held; 0 = what the machine allows"),
      boolean<&Config::share_port>("server.share_port", "--share-port",
                                   "several nodes on one port on purpose"),
      boolean<&Config::daemon>("server.daemon", "-d,--daemon", "run in the background"),
      text<&Config::ports_file>("server.ports_file", "--ports-file", "FILE",
                                "where and as whom the server runs, written when it serves"),
      text<&Config::stats_file>("server.stats_file", "--stats-file", "FILE",
                                "statistics as JSON, at exit and on SIGUSR1"),
      text<&Config::data_dir>("store.data_dir", "--data-dir", "DIR",
                              "default: $XDG_DATA_HOME/ringtalk or ~/.local/share/ringtalk"),
      text<&Config::store>("store.url", "--store", "URL",
                           "sqlite:PATH or memory:; default: a file in the data directory"),
      text<&Config::token_key>("auth.token_key", "--token-key", "FILE",
                               "32 raw bytes or 64 hexadecimal digits; lets load users in"),
      text<&Config::relay>("cluster.relay", "--relay", "none", "how nodes hear of each other"),
      reloadable(text<&Config::log_level>("log.level", "--log-level", "debug|info|warn|error",
                                          "what is logged", "debug, info, warn or error",
                                          is_level)),
  };
}

std::vector<ConfigKey> limit_keys() {
  using L = Limits;
  return {
      duration<&L::token_lifetime_ms>("auth.token_lifetime", true, "how long a token is good",
                                      1'000),
      number<&L::password_hashes>("auth.password_hashes", nullptr, false,
                                  "passwords checked at a time", 1, 64),
      number<&L::password_hashes_waiting>("auth.password_hashes_waiting", nullptr, false,
                                          "passwords that wait; beyond: ServerBusy", 1, 10'000),
      duration<&L::heartbeat_interval_ms>("heartbeat.interval_ms", true, "how often a client beats",
                                          10),
      number<&L::heartbeat_missed>("heartbeat.missed_limit", nullptr, true,
                                   "beats that may be missed", 1, kHeartbeatMissedMax),
      duration<&L::drain_ms>("drain.window", true, "over which Goaway is spread"),
      duration<&L::reconnect_jitter_ms>("drain.reconnect_jitter", true,
                                        "over which clients come back"),
      number<&L::prelogin_sockets>("limits.prelogin_sockets", nullptr, true,
                                   "connections before login, a shard", 1),
      number<&L::prelogin_per_address>("limits.prelogin_per_address", nullptr, true,
                                       "the same, an address; 0 = any"),
      reloadable(list<&L::trusted_addresses>("limits.trusted_addresses", nullptr, "ADDR",
                                             "addresses without that limit, or `loopback`",
                                             "`loopback` and addresses, as 192.0.2.1; or none", 0,
                                             is_trusted)),
      duration<&L::frame_timeout_ms>("limits.frame_timeout", true,
                                     "for the rest of a frame, while others wait for its memory",
                                     100, kDayMs),
      duration<&L::login_timeout_ms>("limits.login_timeout", true,
                                     "from the connection to its login", 10, kDayMs),
      number<&L::requests_in_flight>("limits.requests_in_flight", nullptr, true,
                                     "unanswered requests of a session", 1, 65'000),
      size<&L::unacknowledged_bytes>("limits.unacknowledged_bytes", true,
                                     "bytes of them, and of answers not yet sent", 64),
      size<&L::outgoing_bytes>("limits.outgoing_bytes", true, "pushes queued for a session",
                               proto::kFrameBytesMax, kOneFrame),
      number<&L::outgoing_frames>("limits.outgoing_frames", nullptr, true, "the same in frames", 1,
                                  60'000),
      size<&L::pinned_bytes>("limits.pinned_bytes", true,
                             "memory that the queues of a shard may hold", 1 << 20),
      size<&L::partial_frame_bytes>("limits.partial_frame_bytes", false,
                                    "memory for heads of frames, a shard", proto::kFrameBytesMax,
                                    kOneFrame),
      number<&L::rooms_per_session>("limits.rooms_per_session", nullptr, true,
                                    "rooms that a session may be in", 1, 10'000),
      number<&L::sends_per_second>("limits.sends_per_second", nullptr, true,
                                   "messages of a user; 0 = any"),
      number<&L::sends_burst>("limits.sends_burst", nullptr, true, "the same at once", 1),
      number<&L::conversation_sends_per_second>("limits.conversation_sends_per_second", nullptr,
                                                true, "messages of a conversation; 0 = any"),
      size<&L::discard_bytes>("limits.discard_bytes", true, "read on after an error before the cut",
                              0),
      duration<&L::discard_ms>("limits.discard_time", true, "the same in time", 1, kDayMs),
      duration<&L::busy_retry_ms>("limits.busy_retry", true, "retry_after_ms of ServerBusy"),
  };
}

std::vector<ConfigKey> make_keys() {
  std::vector<ConfigKey> keys = process_keys();
  for (ConfigKey& key : limit_keys()) keys.push_back(std::move(key));
  return keys;
}

}  // namespace

std::string ConfigKey::environment_name() const {
  std::string result = "RINGTALK_";
  for (const char c : name) {
    result += c == '.' ? '_' : static_cast<char>(c >= 'a' && c <= 'z' ? c - 'a' + 'A' : c);
  }
  return result;
}

const std::vector<ConfigKey>& config_keys() {
  static const std::vector<ConfigKey> keys = make_keys();
  return keys;
}

const ConfigKey* find_config_key(std::string_view name) {
  for (const ConfigKey& key : config_keys()) {
    if (key.name == name) return &key;
  }
  return nullptr;
}

std::string nearest_config_key(std::string_view name) {
  const auto& keys = config_keys();
  const auto nearest = std::min_element(keys.begin(), keys.end(), [name](auto& a, auto& b) {
    return edit_distance(a.name, name) < edit_distance(b.name, name);
  });
  return nearest->name;
}

}  // namespace ringtalk::service
