// The report of a run, from what its rings and processes have counted.
#include <unistd.h>

#include "base/assert.h"
#include "loadgen/conductor.h"
#include "loadgen/environment.h"

namespace ringtalk::loadgen {
namespace {

constexpr uint64_t kScheduleLagUsMax = 10'000;
// Below that many clients the pages that a process takes by the way are more than what they cost.
constexpr uint64_t kClientsForMemory = 1'000;

void add_latency(RunReport& report, const char* name, const char* basis, base::Histogram values) {
  report.latency.push_back({name, basis, std::move(values), std::nullopt});
}

// From the intended time with the send beside it, or, in a closed loop, from the send alone.
void add_latency(RunReport& report, const char* name, TwoBases both) {
  if (both.send.count() == 0) return;
  if (both.intended.count() == 0) {
    add_latency(report, name, "send", std::move(both.send));
  } else {
    report.latency.push_back({name, "intended", std::move(both.intended), std::move(both.send)});
  }
}

void add_latencies(RunReport& report, Metrics& all) {
  const bool two_kinds = all.direct.send.count() > 0 && all.room.send.count() > 0;
  TwoBases e2e;
  e2e.merge(all.direct);
  e2e.merge(all.room);
  add_latency(report, "e2e", std::move(e2e));
  if (two_kinds) {
    add_latency(report, "e2e_direct", std::move(all.direct));
    add_latency(report, "e2e_room", std::move(all.room));
  }
  add_latency(report, "ack", std::move(all.ack));
  add_latency(report, "echo", std::move(all.echo));
  if (all.schedule_lag.count() > 0) {
    add_latency(report, "schedule_lag", "intended", std::move(all.schedule_lag));
  }
}

void add_thresholds(RunReport& report) {
  const auto& m = report.messages;
  const std::pair<const char*, std::optional<uint64_t>> none_of[] = {
      {"messages.lost == 0", m.lost},
      {"messages.duplicated == 0", m.duplicated},
      {"messages.reordered == 0", m.reordered},
  };
  if (!m.issued) return;
  for (const auto& [expression, value] : none_of) {
    report.thresholds.push_back(
        {expression, static_cast<double>(value.value_or(0)), value.value_or(0) == 0});
  }
}

template <class T>
std::optional<double> per(T total, uint64_t count) {
  if (count == 0) return std::nullopt;
  return static_cast<double>(total) / static_cast<double>(count);
}

}  // namespace

void Conductor::fill(RunReport& report) {
  Metrics all;
  uint64_t own_beats_late = 0;
  for (const auto& ring : rings_) ring->collect();
  for (const auto& ring : rings_) {
    ring->judge();
    all.merge(ring->metrics());
    own_beats_late += ring->own_beats_late();
  }
  const Scenario& scenario = options_.scenario;
  const Counters& c = all.counters;
  report.scenario = scenario;
  report.argv = options_.argv;
  report.env = read_environment();
  report.backend = backend_name_;
  report.rung = rung_;
  report.rings = static_cast<uint32_t>(rings_.size());
  report.target = options_.targets.front().text();
  report.interrupted = interrupted_;
  report.connections.requested = scenario.connections;
  report.connections.attempted = c.attempted;
  report.connections.reached = reached_;
  report.connections.lost = c.lost;
  report.connections.reconnects = c.reconnects;
  for (size_t i = 0; i < c.failed.size(); i++) {
    if (c.failed[i] > 0)
      report.connections.failed[to_string(static_cast<Failure>(i))] = c.failed[i];
  }
  report.connections.ramp_s = ramp_s_;
  if (scenario.mix.echo + scenario.mix.direct + scenario.mix.room > 0 && end_.at_ns != 0) {
    auto& m = report.messages;
    if (scenario.open_loop()) m.planned = c.planned;
    m.issued = c.issued;
    m.dropped_by_generator = c.dropped_by_generator;
    if (scenario.mix.direct > 0) m.acknowledged = c.acknowledged;
    if (scenario.mix.direct > 0) m.rejected = c.rejected;
    m.expected = c.expected;
    m.delivered = c.delivered;
    m.lost = c.lost_messages;
    m.duplicated = c.duplicated;
    m.reordered = c.reordered;
    m.unjudged = c.unjudged;
    if (scenario.mix.room > 0) m.skipped = c.skipped;
    if (scenario.mix.room > 0) m.probes = c.probes;
    m.delivered_fraction = per(c.delivered, c.expected);
    m.wire_duplicates = c.wire_duplicates;
    m.wire_reordered = c.wire_reordered;
  }
  report.heartbeats.sent = c.beats_sent;
  report.heartbeats.answered = c.beats_answered;
  report.heartbeats.missed = c.beats_missed;
  report.heartbeats.sessions_lost = c.sessions_lost;
  report.server_before = stats_before_;
  report.server_after = stats_after_;
  report.series = series_;
  const uint64_t lag_us = all.schedule_lag.value_at(0.99);
  add_latency(report, "connect", "start", state_->ramp_times.take_connect());
  add_latency(report, "login", "connected", state_->ramp_times.take_login());
  add_latencies(report, all);
  fill_rates(report);
  fill_processes(report);
  add_thresholds(report);
  judge_validity(report, own_beats_late, lag_us);
  judge_return(report, c.unresolved);
}

void Conductor::fill_rates(RunReport& report) {
  if (end_.at_ns == 0) return;
  const double seconds = static_cast<double>(end_.at_ns - begin_.at_ns) / 1e9;
  report.measured_s = seconds;
  if (!report.messages.issued || seconds <= 0) return;
  const auto rate = [seconds](uint64_t after, uint64_t before) {
    return static_cast<double>(after - before) / seconds;
  };
  report.rates.issued_per_s = rate(end_.issued, begin_.issued);
  if (report.messages.acknowledged) {
    report.rates.acknowledged_per_s = rate(end_.acknowledged, begin_.acknowledged);
  }
  report.rates.delivered_per_s = rate(end_.delivered, begin_.delivered);
}

void Conductor::fill_processes(RunReport& report) {
  const uint64_t delivered = end_.delivered - begin_.delivered;
  const uint64_t issued = end_.issued - begin_.issued;
  const bool active = report.messages.issued.has_value();
  const auto add = [&](const char* role, std::optional<int64_t> pid,
                       std::optional<ProcessUsage> Sample::*side) {
    ProcessReport process{role, pid, std::nullopt, std::nullopt, std::nullopt};
    std::optional<uint64_t> cpu_ns;
    if (const auto& now = end_.*side) {
      process.rss_peak_bytes = now->rss_peak_bytes;
      process.threads = now->threads;
      if (const auto& before = begin_.*side) cpu_ns = now->cpu_ns - before->cpu_ns;
    }
    if (cpu_ns) process.cpu_s = static_cast<double>(*cpu_ns) / 1e9;
    report.processes.push_back(process);
    return cpu_ns;
  };
  const auto own_ns = add("loadgen", ::getpid(), &Sample::own);
  const auto server_ns = add("server", server_pid_, &Sample::server);
  if (active && own_ns) report.cost.loadgen_cpu_ns_per_delivery = per(*own_ns, delivered);
  if (active && server_ns) {
    report.cost.server_cpu_ns_per_delivery = per(*server_ns, delivered);
    report.cost.server_cpu_ns_per_message = per(*server_ns, issued);
  }
  fill_memory(report, active);
}

void Conductor::fill_memory(RunReport& report, bool active) {
  auto& unknown = report.cost.server_user_bytes_unknown;
  if (reached_ < kClientsForMemory) {
    unknown = "fewer than " + grouped(kClientsForMemory) + " clients";
    return;
  }
  // Idle clients are weighed after their heartbeats, others before their first message.
  const Sample& loaded = active ? full_ : end_;
  const auto growth = [&](std::optional<ProcessUsage> Sample::*side) -> std::optional<double> {
    const auto &before = empty_.*side, &after = loaded.*side;
    if (!before || !after || after->rss_bytes < before->rss_bytes) return std::nullopt;
    return (static_cast<double>(after->rss_bytes) - static_cast<double>(before->rss_bytes)) /
           static_cast<double>(reached_);
  };
  report.connections.user_bytes_each = growth(&Sample::own);
  // What a process has once had for connections it keeps for the next ones.
  if (!server_pid_) {
    unknown = "the server's process cannot be seen from here";
  } else if (!served_before_) {
    unknown = "the server does not tell how many connections it has had";
  } else if (*served_before_ > 1 + reached_ / 100) {
    unknown = "the server had had " + grouped(*served_before_ - 1) + " connections before";
  } else {
    report.cost.server_user_bytes_per_connection = growth(&Sample::server);
    if (!report.cost.server_user_bytes_per_connection) unknown = "the server's memory did not grow";
  }
}

void Conductor::judge_validity(RunReport& report, uint64_t own_beats_late, uint64_t lag_us) {
  auto& reasons = report.invalid_reasons;
  const auto& c = report.connections;
  if (interrupted_ && end_.at_ns == 0) {
    reasons.push_back("interrupted before anything was measured");
  }
  if (c.reached < c.requested && !interrupted_) {
    reasons.push_back("reached " + grouped(c.reached) + " of " + grouped(c.requested) +
                      " connections");
  }
  const uint64_t dropped = report.messages.dropped_by_generator.value_or(0);
  if (dropped > 0) reasons.push_back("the generator dropped " + grouped(dropped) + " sends");
  const uint64_t planned = report.messages.planned.value_or(0);
  // Probes are beyond the plan.
  const uint64_t issued = report.messages.issued.value_or(0) - report.messages.probes.value_or(0);
  if (planned > issued + dropped) {
    reasons.push_back(grouped(planned - issued - dropped) + " of " + grouped(planned) +
                      " planned sends were never made");
  }
  if (lag_us > kScheduleLagUsMax) {
    reasons.push_back("schedule lag p99 " + std::to_string(lag_us / 1'000) + " ms > 10 ms");
  }
  if (own_beats_late > 0) {
    reasons.push_back(grouped(own_beats_late) + " heartbeats of its own were late");
  }
}

// An outage that has healed is a figure; one that has not leaves nothing to judge.
void Conductor::judge_return(RunReport& report, uint64_t unresolved) {
  if (end_.at_ns == 0) return;
  auto& reasons = report.invalid_reasons;
  if (back_ < reached_) {
    reasons.push_back(grouped(reached_ - back_) + " of " + grouped(reached_) +
                      " clients were not back at the end");
  }
  if (unresolved > 0) {
    reasons.push_back(grouped(unresolved) + " of " + grouped(report.messages.issued.value_or(0)) +
                      " sends were neither acknowledged nor refused");
  }
  if (stats_before_ && !stats_after_) reasons.push_back("the server did not answer at the end");
}

}  // namespace ringtalk::loadgen
