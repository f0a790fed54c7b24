#include <algorithm>
#include <cmath>
#include <cstdarg>
#include <cstdio>

#include "loadgen/report.h"

namespace ringtalk::loadgen {
namespace {

__attribute__((format(printf, 1, 2))) std::string format(const char* pattern, ...) {
  char text[512];
  va_list arguments;
  va_start(arguments, pattern);
  std::vsnprintf(text, sizeof text, pattern, arguments);
  va_end(arguments);
  return text;
}

// Microseconds, as a person reads them.
std::string span(uint64_t us) {
  if (us < 1'000) return std::to_string(us) + " us";
  if (us < 1'000'000) return format("%.*f ms", us < 10'000 ? 2 : 1, static_cast<double>(us) / 1e3);
  return format("%.2f s", static_cast<double>(us) / 1e6);
}

std::string known(const std::optional<uint64_t>& value) {
  return value ? grouped(*value) : std::string("unknown");
}
std::string rate(const std::optional<double>& value) {
  return value ? grouped(static_cast<uint64_t>(std::llround(*value))) + "/s" : "unknown";
}

void put(std::string& out, const char* label, const std::string& text) {
  out += format("%-13s", label) + text + "\n";
}

std::string latency_line(const base::Histogram& h) {
  return "p50 " + span(h.value_at(0.5)) + ", p99 " + span(h.value_at(0.99)) + ", p99.9 " +
         span(h.value_at(0.999)) + ", max " + span(h.max());
}

void put_latencies(std::string& out, const RunReport& report) {
  for (const LatencyReport& one : report.latency) {
    if (one.values.count() == 0) continue;
    if (one.name == "connect" || one.name == "schedule_lag") continue;
    std::string line = latency_line(one.values);
    if (one.basis == "intended") line += " from the intended time";
    if (one.from_send) line += " (from the send: p99 " + span(one.from_send->value_at(0.99)) + ")";
    put(out, one.name.c_str(), line);
  }
}

void put_messages(std::string& out, const RunReport& report) {
  const auto& m = report.messages;
  if (!m.issued) return;
  std::string line;
  if (m.planned) line += grouped(*m.planned) + " planned, ";
  line += grouped(*m.issued) + " issued";
  if (m.acknowledged) line += ", " + grouped(*m.acknowledged) + " acknowledged";
  line += ", " + known(m.delivered) + " of " + known(m.expected) + " expected delivered";
  if (m.delivered_fraction && m.delivered < m.expected) {
    // Never rounded up to the whole.
    line += format(" (%.2f %%)", std::floor(*m.delivered_fraction * 10'000) / 100);
  }
  put(out, "messages", line);
  if (m.skipped.value_or(0) > 0) {
    line = grouped(*m.skipped) + " left out for receivers that were too slow";
    if (m.probes.value_or(0) > 0) line += "; " + grouped(*m.probes) + " sent to be told of them";
    put(out, "skipped", line);
  }
  line = rate(report.rates.issued_per_s) + " issued, ";
  if (m.acknowledged) line += rate(report.rates.acknowledged_per_s) + " acknowledged, ";
  put(out, "rates", line + rate(report.rates.delivered_per_s) + " delivered");
}

void put_costs(std::string& out, const RunReport& report) {
  const auto& cost = report.cost;
  std::string line;
  if (cost.server_user_bytes_per_connection) {
    line = "server " + format("%.0f B", *cost.server_user_bytes_per_connection);
  } else if (report.connections.user_bytes_each && cost.server_user_bytes_unknown) {
    line = "server unknown (" + *cost.server_user_bytes_unknown + ")";
  }
  if (report.connections.user_bytes_each) {
    line += line.empty() ? "" : ", ";
    line += "loadgen " + format("%.0f B", *report.connections.user_bytes_each);
  }
  if (!line.empty()) put(out, "memory", line + " of user space per connection");
  line.clear();
  if (cost.server_cpu_ns_per_delivery) {
    line = "server " + format("%.0f ns", *cost.server_cpu_ns_per_delivery);
  }
  if (cost.loadgen_cpu_ns_per_delivery) {
    line += line.empty() ? "" : ", ";
    line += "loadgen " + format("%.0f ns", *cost.loadgen_cpu_ns_per_delivery);
  }
  if (!line.empty()) put(out, "cpu", line + " per delivery");
}

std::string verdict_lines(const RunReport& report) {
  std::string out;
  if (report.invalid_reasons.empty()) {
    out = report.interrupted ? "VALID so far: interrupted\n" : "VALID\n";
  } else {
    out = "INVALID: ";
    for (size_t i = 0; i < report.invalid_reasons.size(); i++) {
      out += (i == 0 ? "" : "; ") + report.invalid_reasons[i];
    }
    out += "\n";
  }
  std::string failed;
  for (const Threshold& one : report.thresholds) {
    if (one.ok) continue;
    failed += (failed.empty() ? "" : "; ") + one.expression + " (it is " +
              (one.value ? format("%.10g", *one.value) : std::string("unknown")) + ")";
  }
  if (!failed.empty()) return out + "failed: " + failed + "\n";
  if (!report.messages.issued || !report.invalid_reasons.empty()) return out;
  out += "passed: nothing lost, duplicated or reordered";
  if (report.messages.rejected.value_or(0) > 0) {
    out += "; " + grouped(*report.messages.rejected) + " refused by the server";
  }
  if (report.messages.skipped.value_or(0) > 0) {
    out += "; " + grouped(*report.messages.skipped) + " skipped by the server, and announced";
  }
  return out + "\n";
}

}  // namespace

std::string grouped(uint64_t value) {
  std::string text = std::to_string(value);
  for (size_t at = text.size(); at > 3; at -= 3) text.insert(at - 3, ",");
  return text;
}

Exit verdict(const RunReport& report) {
  if (report.interrupted) return Exit::interrupted;
  if (!report.invalid_reasons.empty()) return Exit::invalid;
  const bool all_ok = std::ranges::all_of(report.thresholds, &Threshold::ok);
  return all_ok ? Exit::pass : Exit::failed;
}

std::string to_text(const RunReport& report, const std::string& json_path) {
  std::string out = verdict_lines(report);
  const auto& c = report.connections;
  std::string line = grouped(c.reached) + " of " + grouped(c.requested) + " logged in";
  if (c.ramp_s) {
    line += format(" in %.1f s", *c.ramp_s);
    if (*c.ramp_s > 0) line += " (" + rate(static_cast<double>(c.reached) / *c.ramp_s) + ")";
  }
  line += ", " + grouped(c.lost) + " lost";
  for (const auto& [reason, count] : c.failed) line += ", " + grouped(count) + " " + reason;
  put(out, "connections", line);
  put_messages(out, report);
  put_latencies(out, report);
  put(out, "heartbeats",
      grouped(report.heartbeats.sent) + " sent, " + grouped(report.heartbeats.answered) +
          " answered, " + grouped(report.heartbeats.missed) + " missed");
  put_costs(out, report);
  put(out, "loadgen",
      report.backend + ", " + std::to_string(report.rings) +
          (report.rings == 1 ? " ring" : " rings"));
  if (!json_path.empty()) put(out, "report", json_path);
  return out;
}

}  // namespace ringtalk::loadgen
