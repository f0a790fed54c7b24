// loadgen/scenario.h: internal to loadgen. What a run shall do, as one value.
//
// Made from a built-in preset or a TOML file, then changed by flags and --set; every way goes
// through the same table of keys, so that all of them know the same names and the same limits.
// Ownership: a value. Thread rule: read-only once the run has begun.
// Invariants: after check() the weights, sizes and windows fit together.
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "base/result.h"

namespace ringtalk::loadgen {

// by_rate: constant where there is a rate, else closed.
enum class Arrival : uint8_t { by_rate, closed, constant, poisson };

struct Scenario {
  std::string name;
  std::string text;  // the TOML it was made from
  uint64_t connections = 1'000;
  double rate = 0;  // intended messages a second of the whole run; 0: closed windows
  double duration_s = 10;
  uint64_t seed = 1;
  Arrival arrival = Arrival::by_rate;

  struct {
    double echo = 0, direct = 0, room = 0;
  } mix;  // which activities run, and how a rate is shared among them
  struct {
    uint32_t window = 1;
  } echo;
  struct {
    uint32_t window = 1;
  } direct;
  struct {
    uint64_t members = 0;  // 0: all connections in one room
    uint32_t publishers = 1;
    uint32_t window = 1;
  } room;
  struct {
    uint32_t bytes = 64;
  } message;
  struct {
    uint32_t concurrency = 500;  // clients between connect and login at one time
    double timeout_s = 300;
  } ramp;
  struct {
    double timeout_s = 10;
  } settle;

  Arrival arrival_in_force() const noexcept {
    if (arrival != Arrival::by_rate) return arrival;
    return rate > 0 ? Arrival::constant : Arrival::closed;
  }
  bool open_loop() const noexcept { return arrival_in_force() != Arrival::closed; }
  uint64_t room_members() const noexcept { return room.members == 0 ? connections : room.members; }
  uint64_t rooms() const noexcept { return (connections + room_members() - 1) / room_members(); }
};

// One line: "file:line: what, nearest name".
struct ScenarioError {
  std::string text;
};

// The text of a built-in preset, or nothing.
std::optional<std::string_view> preset(std::string_view name);
std::vector<std::string_view> preset_names();

// `place` stands before an error: the file's name or the flag's.
base::Result<Scenario, ScenarioError> parse_scenario(std::string_view name, std::string_view text,
                                                     std::string_view place);
// One "section.key=value" of --set.
base::Status<ScenarioError> set_key(Scenario& scenario, std::string_view key,
                                    std::string_view value);
// Whether the whole makes sense; to be asked after the last change.
base::Status<ScenarioError> check(const Scenario& scenario);

struct KeyInfo {
  std::string_view name, meaning;
  std::string value;
};
// Every key with its present value, for --help and for the report.
std::vector<KeyInfo> keys(const Scenario& scenario);

// FNV-1a of every key and value that decides what a run does: equal for equal work.
uint64_t hash(const Scenario& scenario);

const char* to_string(Arrival) noexcept;

}  // namespace ringtalk::loadgen
