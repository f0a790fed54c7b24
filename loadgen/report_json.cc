// run.json; nlohmann stays in this file.
#include <nlohmann/json.hpp>

#include "loadgen/hdr_encoding.h"
#include "loadgen/report.h"

namespace ringtalk::loadgen {
namespace {

using Json = nlohmann::ordered_json;

template <class T>
Json known(const std::optional<T>& value) {
  return value ? Json(*value) : Json(nullptr);
}

void put_values(Json& out, const base::Histogram& values) {
  out["unit"] = "us";
  out["count"] = values.count();
  const bool any = values.count() > 0;
  const auto at = [&](double quantile) {
    return any ? Json(values.value_at(quantile)) : Json(nullptr);
  };
  out["min"] = any ? Json(values.min()) : Json(nullptr);
  out["p50"] = at(0.5);
  out["p90"] = at(0.9);
  out["p99"] = at(0.99);
  out["p999"] = at(0.999);
  out["p9999"] = at(0.9999);
  out["max"] = any ? Json(values.max()) : Json(nullptr);
  out["hdr"] = any ? Json(hdr_encode(values)) : Json(nullptr);
}

Json latencies(const RunReport& report) {
  Json all = Json::object();
  for (const char* name : {"connect", "login", "ack", "e2e", "echo"}) all[name] = nullptr;
  for (const LatencyReport& one : report.latency) {
    Json entry;
    entry["basis"] = one.basis;
    put_values(entry, one.values);
    if (one.from_send) put_values(entry["from_send"], *one.from_send);
    all[one.name] = std::move(entry);
  }
  return all;
}

// Numbers of `after` less those of `before`, wherever both have one at the same place.
Json difference(const Json& before, const Json& after) {
  if (after.is_object() && before.is_object()) {
    Json out = Json::object();
    for (const auto& [key, value] : after.items()) {
      const auto was = before.find(key);
      if (was == before.end()) continue;
      Json inner = difference(*was, value);
      if (!inner.is_null()) out[key] = std::move(inner);
    }
    return out;
  }
  if (after.is_number_float() && before.is_number()) {
    return after.get<double>() - before.get<double>();
  }
  if (after.is_number() && before.is_number()) {
    return after.get<int64_t>() - before.get<int64_t>();
  }
  return nullptr;
}

Json server(const RunReport& report) {
  const auto parsed = [](const std::optional<std::string>& text) {
    if (!text) return Json(nullptr);
    Json json = Json::parse(*text, nullptr, false);
    return json.is_discarded() ? Json(nullptr) : json;
  };
  const Json before = parsed(report.server_before), after = parsed(report.server_after);
  if (before.is_null() && after.is_null()) return nullptr;
  const Json& any = after.is_null() ? before : after;
  Json out;
  out["backend"] = any.contains("backend") ? any["backend"] : Json(nullptr);
  out["shards"] = any.contains("shards") ? any["shards"] : Json(nullptr);
  out["stats"]["before"] = before;
  out["stats"]["after"] = after;
  // Another process counts from 0 again.
  const bool both = !before.is_null() && !after.is_null() &&
                    server_pid(*report.server_before) == server_pid(*report.server_after);
  out["stats"]["delta"] = both ? difference(before, after) : Json(nullptr);
  return out;
}

Json processes(const RunReport& report) {
  Json all = Json::array();
  for (const ProcessReport& one : report.processes) {
    all.push_back({{"role", one.role},
                   {"pid", known(one.pid)},
                   {"cpu_s", known(one.cpu_s)},
                   {"rss_peak_bytes", known(one.rss_peak_bytes)},
                   {"threads", known(one.threads)}});
  }
  return all;
}

Json series(const RunReport& report) {
  Json out;
  out["step_s"] = report.series_step_s;
  for (const char* name : {"t", "connections", "issued", "acknowledged", "delivered"}) {
    out[name] = Json::array();
  }
  for (const SeriesPoint& point : report.series) {
    out["t"].push_back(point.t_s);
    out["connections"].push_back(point.connections);
    out["issued"].push_back(point.issued);
    out["acknowledged"].push_back(point.acknowledged);
    out["delivered"].push_back(point.delivered);
  }
  return out;
}

Json environment(const RunReport& report) {
  Json env = Json::object();
  for (const auto& [name, value] : report.env) env[name] = value;
  env["loadgen_backend"] = report.backend;
  env["loadgen_rung"] = report.rung;
  env["loadgen_rings"] = report.rings;
  env["target"] = report.target;
  return env;
}

Json scenario(const RunReport& report) {
  Json out;
  out["name"] = report.scenario.name;
  char text[24];
  std::snprintf(text, sizeof text, "%016lx", static_cast<unsigned long>(hash(report.scenario)));
  out["hash"] = text;
  for (const KeyInfo& key : keys(report.scenario)) out["keys"][std::string(key.name)] = key.value;
  return out;
}

Json messages(const RunReport& report) {
  const auto& m = report.messages;
  return {{"planned", known(m.planned)},
          {"issued", known(m.issued)},
          {"dropped_by_generator", known(m.dropped_by_generator)},
          {"acknowledged", known(m.acknowledged)},
          {"rejected", known(m.rejected)},
          {"expected", known(m.expected)},
          {"delivered", known(m.delivered)},
          {"delivered_fraction", known(m.delivered_fraction)},
          {"lost", known(m.lost)},
          {"skipped", known(m.skipped)},
          {"duplicated", known(m.duplicated)},
          {"reordered", known(m.reordered)},
          {"unjudged", known(m.unjudged)},
          {"probes", known(m.probes)},
          {"wire_duplicates", known(m.wire_duplicates)},
          {"wire_reordered", known(m.wire_reordered)}};
}

}  // namespace

std::optional<int64_t> server_pid(const std::string& stats_json) {
  const Json json = Json::parse(stats_json, nullptr, false);
  if (!json.is_object() || !json.contains("pid") || !json["pid"].is_number_integer()) {
    return std::nullopt;
  }
  return json["pid"].get<int64_t>();
}

std::optional<uint64_t> server_accepted(const std::string& stats_json) {
  const Json json = Json::parse(stats_json, nullptr, false);
  const Json::json_pointer at("/sessions/accepted");
  if (!json.is_object() || !json.contains(at) || !json[at].is_number_unsigned()) {
    return std::nullopt;
  }
  return json[at].get<uint64_t>();
}

std::string to_json(const RunReport& report) {
  Json out;
  out["schema"] = "loadgen.run/1";
  out["exit"] = static_cast<int>(verdict(report));
  out["valid"] = report.invalid_reasons.empty();
  out["invalid_reasons"] = report.invalid_reasons;
  out["interrupted"] = report.interrupted;
  out["scenario"] = scenario(report);
  out["seed"] = report.scenario.seed;
  out["argv"] = report.argv;
  out["env"] = environment(report);
  out["measured_s"] = known(report.measured_s);
  const auto& c = report.connections;
  out["connections"] = {
      {"requested", c.requested},   {"attempted", c.attempted},
      {"reached", c.reached},       {"lost", c.lost},
      {"reconnects", c.reconnects}, {"failed", c.failed},
      {"ramp_s", known(c.ramp_s)},  {"user_bytes_each", known(c.user_bytes_each)}};
  out["messages"] = messages(report);
  out["heartbeats"] = {{"sent", report.heartbeats.sent},
                       {"answered", report.heartbeats.answered},
                       {"missed", report.heartbeats.missed},
                       {"sessions_lost", report.heartbeats.sessions_lost}};
  out["rates"] = {{"issued_per_s", known(report.rates.issued_per_s)},
                  {"acknowledged_per_s", known(report.rates.acknowledged_per_s)},
                  {"delivered_per_s", known(report.rates.delivered_per_s)}};
  out["latency"] = latencies(report);
  out["processes"] = processes(report);
  const auto& cost = report.cost;
  out["cost"] = {{"server_cpu_ns_per_delivery", known(cost.server_cpu_ns_per_delivery)},
                 {"server_cpu_ns_per_message", known(cost.server_cpu_ns_per_message)},
                 {"loadgen_cpu_ns_per_delivery", known(cost.loadgen_cpu_ns_per_delivery)},
                 {"server_user_bytes_per_connection", known(cost.server_user_bytes_per_connection)},
                 {"server_user_bytes_unknown", known(cost.server_user_bytes_unknown)}};
  out["server"] = server(report);
  out["series"] = series(report);
  out["thresholds"] = Json::array();
  for (const Threshold& one : report.thresholds) {
    out["thresholds"].push_back(
        {{"expr", one.expression}, {"value", known(one.value)}, {"ok", one.ok}});
  }
  return out.dump(2) + "\n";
}

}  // namespace ringtalk::loadgen
