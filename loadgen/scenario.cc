#include "loadgen/scenario.h"

#include <algorithm>
#include <charconv>
#include <cmath>
#include <cstdio>
#include <functional>
#include <span>

#include "loadgen/nearest.h"
#include "loadgen/message.h"
#include "proto/limits.h"

namespace ringtalk::loadgen {
namespace {

// A number, optionally with a unit of time (ms, s, m); nothing when it is none.
std::optional<double> number(std::string_view text) {
  double value = 0;
  const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), value);
  if (error != std::errc() || !std::isfinite(value) || value < 0) return std::nullopt;
  const std::string_view unit = text.substr(static_cast<size_t>(end - text.data()));
  if (unit.empty() || unit == "s") return value;
  if (unit == "ms") return value / 1'000;
  if (unit == "m") return value * 60;
  return std::nullopt;
}

template <class T>
bool read_whole(T& field, std::string_view text, uint64_t least, uint64_t most) {
  uint64_t value = 0;
  const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), value);
  if (error != std::errc() || end != text.data() + text.size()) return false;
  if (value < least || value > most) return false;
  field = static_cast<T>(value);
  return true;
}

bool read_real(double& field, std::string_view text, double most) {
  const std::optional<double> value = number(text);
  if (!value || *value > most) return false;
  field = *value;
  return true;
}

bool read_arrival(Arrival& field, std::string_view text) {
  for (const Arrival kind : {Arrival::closed, Arrival::constant, Arrival::poisson}) {
    if (text == to_string(kind)) {
      field = kind;
      return true;
    }
  }
  return false;
}

std::string show(double value) {
  char text[32];
  std::snprintf(text, sizeof text, "%.10g", value);
  return text;
}
std::string show(uint64_t value) {
  return std::to_string(value);
}

struct Key {
  std::string_view name, meaning, accepts;
  bool (*read)(Scenario&, std::string_view);
  std::string (*shown)(const Scenario&);
};

#define WHOLE(name, field, least, most, meaning)                                             \
  Key {                                                                                      \
    name, meaning, "a whole number, " #least " to " #most,                                   \
        [](Scenario& s, std::string_view t) { return read_whole(s.field, t, least, most); }, \
        [](const Scenario& s) { return show(uint64_t{s.field}); }                            \
  }
#define REAL(name, field, most, meaning)                                             \
  Key {                                                                              \
    name, meaning, "a number, 0 to " #most,                                          \
        [](Scenario& s, std::string_view t) { return read_real(s.field, t, most); }, \
        [](const Scenario& s) { return show(s.field); }                              \
  }

constexpr Key kKeys[] = {
    WHOLE("connections", connections, 1, 10000000, "clients in all"),
    REAL("rate", rate, 1e9, "intended messages a second of the whole run; 0 = closed windows"),
    REAL("duration", duration_s, 86400, "seconds after the ramp (250ms, 20s, 5m)"),
    WHOLE("seed", seed, 0, UINT64_MAX, "of every random choice"),
    Key{"arrival.kind", "open loop (constant, poisson) or closed", "closed, constant or poisson",
        [](Scenario& s, std::string_view t) { return read_arrival(s.arrival, t); },
        [](const Scenario& s) { return std::string(to_string(s.arrival_in_force())); }},
    REAL("mix.echo", mix.echo, 1e6, "weight of echoes"),
    REAL("mix.direct", mix.direct, 1e6, "weight of durable one-to-one messages"),
    REAL("mix.room", mix.room, 1e6, "weight of publishes to live rooms"),
    WHOLE("echo.window", echo.window, 1, 256, "echoes in flight of one client"),
    WHOLE("direct.window", direct.window, 1, 256, "unacknowledged messages of one client"),
    WHOLE("room.members", room.members, 0, 10000000, "members of a room; 0 = all in one"),
    WHOLE("room.publishers", room.publishers, 1, 10000000, "members of a room that publish"),
    WHOLE("room.window", room.window, 1, 4096, "messages of a publisher not yet received by all"),
    WHOLE("message.bytes", message.bytes, 40, 16384, "size of a body"),
    WHOLE("ramp.concurrency", ramp.concurrency, 1, 1000000, "clients on their way in at one time"),
    REAL("ramp.timeout", ramp.timeout_s, 86400, "seconds until all must be logged in"),
    REAL("settle.timeout", settle.timeout_s, 86400, "seconds for what is under way at the end"),
};

#undef WHOLE
#undef REAL

const Key* find(std::string_view name) {
  const auto at = std::ranges::find(kKeys, name, &Key::name);
  return at == std::end(kKeys) ? nullptr : &*at;
}

struct Preset {
  std::string_view name, text;
};

constexpr Preset kPresets[] = {
    {"idle",
     "# Connections and heartbeats.\n"
     "connections = 1000\n"},
    {"echo",
     "# Every client keeps a window of echoes in flight.\n"
     "connections = 64\n"
     "[mix]\necho = 1\n"
     "[echo]\nwindow = 1\n"},
    {"direct",
     "# Clients in pairs send each other durable messages, both ways.\n"
     "connections = 100\n"
     "[mix]\ndirect = 1\n"
     "[direct]\nwindow = 1\n"},
    {"room",
     "# One live room, one publisher, every member receives.\n"
     "connections = 1000\n"
     "[mix]\nroom = 1\n"
     "[room]\nmembers = 0\npublishers = 1\nwindow = 1\n"},
    {"mixed",
     "# Durable one-to-one messages and live rooms at once, on an open-loop schedule.\n"
     "connections = 10000\n"
     "rate = 1500\n"
     "duration = 20\n"
     "[mix]\ndirect = 2\nroom = 1\n"
     "[room]\nmembers = 20\n"},
};

ScenarioError unknown_key(std::string_view name) {
  std::string text = "unknown key '" + std::string(name) + "'";
  std::vector<std::string_view> known;
  for (const Key& key : kKeys) known.push_back(key.name);
  const std::string_view close = nearest(name, known);
  if (!close.empty()) text += ", did you mean '" + std::string(close) + "'?";
  return {text};
}

base::Failure<ScenarioError> wrong(std::string text) {
  return base::Failure{ScenarioError{std::move(text)}};
}

}  // namespace

const char* to_string(Arrival kind) noexcept {
  switch (kind) {
    case Arrival::by_rate:
      return "by rate";
    case Arrival::closed:
      return "closed";
    case Arrival::constant:
      return "constant";
    case Arrival::poisson:
      return "poisson";
  }
  UNREACHABLE();
}

std::optional<std::string_view> preset(std::string_view name) {
  const auto at = std::ranges::find(kPresets, name, &Preset::name);
  if (at == std::end(kPresets)) return std::nullopt;
  return at->text;
}

std::vector<std::string_view> preset_names() {
  std::vector<std::string_view> names;
  for (const Preset& one : kPresets) names.push_back(one.name);
  return names;
}

base::Status<ScenarioError> set_key(Scenario& scenario, std::string_view name,
                                    std::string_view value) {
  const Key* key = find(name);
  if (key == nullptr) return base::Failure{unknown_key(name)};
  if (!key->read(scenario, value)) {
    return wrong("'" + std::string(name) + "' cannot be '" + std::string(value) + "': it is " +
                 std::string(key->accepts));
  }
  return base::Done{};
}

base::Status<ScenarioError> check(const Scenario& s) {
  const double weights = s.mix.echo + s.mix.direct + s.mix.room;
  if (s.open_loop() && s.rate <= 0) {
    return wrong("an open loop (arrival.kind) needs a rate above 0");
  }
  if (!s.open_loop() && s.rate > 0) {
    return wrong("a rate has no meaning with arrival.kind = closed; set rate = 0");
  }
  if (s.rate > 0 && weights <= 0) {
    return wrong("a rate needs something to send: set mix.echo, mix.direct or mix.room");
  }
  if (s.mix.direct > 0 && s.connections < 2) {
    return wrong("direct messages need two connections");
  }
  if (s.mix.room > 0 && s.room.publishers > s.room_members()) {
    return wrong("room.publishers (" + std::to_string(s.room.publishers) +
                 ") cannot exceed the members of a room (" + std::to_string(s.room_members()) +
                 ")");
  }
  if (s.message.bytes > proto::kBodyBytesMax || s.message.bytes < kMessageHeadBytes) {
    return wrong("message.bytes is outside what a body can hold");
  }
  return base::Done{};
}

std::vector<KeyInfo> keys(const Scenario& scenario) {
  std::vector<KeyInfo> all;
  for (const Key& key : kKeys) all.push_back({key.name, key.meaning, key.shown(scenario)});
  return all;
}

uint64_t hash(const Scenario& scenario) {
  uint64_t state = 0xcbf29ce484222325;
  for (const KeyInfo& key : keys(scenario)) {
    for (const char c : std::string(key.name) + "=" + key.value + "\n") {
      state = (state ^ static_cast<uint8_t>(c)) * 0x100000001b3;
    }
  }
  return state;
}

}  // namespace ringtalk::loadgen
