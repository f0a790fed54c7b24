// loadgen/report.h: internal to loadgen. What a run found, and how it is told.
//
// RunReport is filled by the run and read by the writers of run.json and of the terminal summary.
// Ownership: a value, histograms included. Thread rule: one owner, after all rings have stopped.
// Invariants: what was not measured is an empty optional and becomes null, never 0; verdict() is a
// function of the report alone.
#pragma once

#include <cstdint>
#include <map>
#include <optional>
#include <string>
#include <utility>
#include <vector>

#include "base/histogram.h"
#include "loadgen/scenario.h"

namespace ringtalk::loadgen {

enum class Exit : uint8_t {
  pass = 0,
  usage = 2,
  unreachable = 3,
  invalid = 98,
  failed = 99,
  bad_scenario = 104,
  interrupted = 105,
};

struct LatencyReport {
  std::string name;   // connect, login, ack, e2e, e2e_direct, e2e_room, echo, schedule_lag
  std::string basis;  // "intended" or "send", for connect and login "start"
  base::Histogram values;
  std::optional<base::Histogram> from_send;  // beside an intended basis
};

struct ProcessReport {
  std::string role;
  std::optional<int64_t> pid;
  std::optional<double> cpu_s;  // of the measured time
  std::optional<uint64_t> rss_peak_bytes;
  std::optional<uint32_t> threads;
};

struct SeriesPoint {
  double t_s = 0;
  uint64_t connections = 0, issued = 0, acknowledged = 0, delivered = 0;
};

struct Threshold {
  std::string expression;
  std::optional<double> value;
  bool ok = false;
};

struct RunReport {
  Scenario scenario;
  std::vector<std::string> argv;
  std::vector<std::pair<std::string, std::string>> env;
  std::string backend, rung;
  uint32_t rings = 0;
  std::string target;
  bool interrupted = false;
  std::vector<std::string> invalid_reasons;
  std::optional<double> measured_s;

  struct {
    uint64_t requested = 0, attempted = 0, reached = 0, lost = 0, reconnects = 0;
    std::map<std::string, uint64_t> failed;
    std::optional<double> ramp_s, user_bytes_each;
  } connections;
  struct {
    std::optional<uint64_t> planned, issued, dropped_by_generator, acknowledged, rejected, expected,
        delivered, lost, skipped, duplicated, reordered, unjudged, wire_duplicates, wire_reordered,
        probes;
    std::optional<double> delivered_fraction;  // of the expected
  } messages;
  struct {
    uint64_t sent = 0, answered = 0, missed = 0, sessions_lost = 0;
  } heartbeats;
  struct {
    std::optional<double> issued_per_s, acknowledged_per_s, delivered_per_s;
  } rates;
  std::vector<LatencyReport> latency;
  std::vector<ProcessReport> processes;
  struct {
    std::optional<double> server_cpu_ns_per_delivery, server_cpu_ns_per_message,
        loadgen_cpu_ns_per_delivery, server_user_bytes_per_connection;
    std::optional<std::string> server_user_bytes_unknown;  // why, where it is
  } cost;
  std::optional<std::string> server_before, server_after;  // StatsReply, JSON
  double series_step_s = 1;
  std::vector<SeriesPoint> series;
  std::vector<Threshold> thresholds;
};

// interrupted, then invalid, then failed, then pass.
Exit verdict(const RunReport& report);

// Schema loadgen.run/1.
std::string to_json(const RunReport& report);
// For a person: the verdict first. `json_path` "" when none was written.
std::string to_text(const RunReport& report, const std::string& json_path);

// The server's process, as its StatsReply names it.
std::optional<int64_t> server_pid(const std::string& stats_json);
// How many connections it has accepted since it started.
std::optional<uint64_t> server_accepted(const std::string& stats_json);

// 12345678 -> "12,345,678".
std::string grouped(uint64_t value);

}  // namespace ringtalk::loadgen
