#include <sys/resource.h>
#include <unistd.h>

#include <fstream>

#include <nlohmann/json.hpp>

#include "service/stats.h"

namespace ringtalk::service {
namespace {

using Json = nlohmann::ordered_json;

uint64_t micros(const timeval& time) {
  return static_cast<uint64_t>(time.tv_sec) * 1'000'000 + static_cast<uint64_t>(time.tv_usec);
}

// Resident bytes now: the second figure of /proc/self/statm, in pages (proc(5)).
uint64_t resident_bytes() {
  std::ifstream statm("/proc/self/statm");
  uint64_t size = 0;
  uint64_t resident = 0;
  statm >> size >> resident;
  return resident * static_cast<uint64_t>(::sysconf(_SC_PAGESIZE));
}

Json process_json() {
  rusage usage{};
  ::getrusage(RUSAGE_SELF, &usage);
  return {{"user_us", micros(usage.ru_utime)},
          {"system_us", micros(usage.ru_stime)},
          {"resident_bytes", resident_bytes()},
          {"context_switches_voluntary", usage.ru_nvcsw},
          {"context_switches_involuntary", usage.ru_nivcsw}};
}

// Sums one counter over the shards.
class Sum {
 public:
  explicit Sum(const StatsRound& round) : round_(round) {}

  uint64_t operator()(uint64_t ShardStats::*counter) const {
    uint64_t sum = 0;
    for (const StatsPart& part : round_.parts) sum += part.shard.*counter;
    return sum;
  }
  uint64_t operator()(uint64_t ring::ProactorStats::*counter) const {
    uint64_t sum = 0;
    for (const StatsPart& part : round_.parts) sum += part.proactor.*counter;
    return sum;
  }
  uint64_t operator()(uint64_t proto::FrameReaderStats::*counter) const {
    uint64_t sum = 0;
    for (const StatsPart& part : round_.parts) sum += part.reader.*counter;
    return sum;
  }
  uint64_t operator()(CloseReason reason) const {
    uint64_t sum = 0;
    for (const StatsPart& part : round_.parts) {
      sum += part.shard.closes[static_cast<size_t>(reason)];
    }
    return sum;
  }

 private:
  const StatsRound& round_;
};

Json proactor_json(const Sum& sum) {
  using P = ring::ProactorStats;
  return {{"turns", sum(&P::turns)},
          {"system_calls", sum(&P::system_calls)},
          {"waits", sum(&P::waits)},
          {"completions", sum(&P::completions)},
          {"accepted", sum(&P::accepted)},
          {"accept_parked", sum(&P::accept_parked)},
          {"received", sum(&P::received)},
          {"received_bytes", sum(&P::received_bytes)},
          {"sends", sum(&P::sends)},
          {"sent_bytes", sum(&P::sent_bytes)},
          {"sends_short", sum(&P::sends_short)},
          {"pool_empty", sum(&P::pool_empty)},
          {"stale", sum(&P::stale)},
          {"overflows", sum(&P::overflows)},
          {"submissions", sum(&P::submissions)},
          {"wakes", sum(&P::wakes)},
          {"closed", sum(&P::closed)},
          {"in_flight", sum(&P::in_flight)}};
}

Json frames_json(const Sum& sum) {
  using S = ShardStats;
  using R = proto::FrameReaderStats;
  return {{"in", sum(&S::frames_in)},
          {"bad", sum(&S::frames_bad)},
          {"unsupported", sum(&S::unsupported)},
          {"wrong_state", sum(&S::wrong_state)},
          {"errors_out", sum(&S::errors_out)},
          {"misaligned", sum(&R::misaligned)},
          {"carried", sum(&R::carried)},
          {"carried_bytes", sum(&R::carried_bytes)},
          {"carry_over_budget", sum(&R::over_budget)},
          {"reads_paused", sum(&S::reads_paused)}};
}

Json sessions_json(const Sum& sum) {
  using S = ShardStats;
  return {{"open", sum(&S::sessions)},
          {"online", sum(&S::online)},
          {"before_login", sum(&S::prelogin)},
          {"accepted", sum(&S::accepted)},
          {"refused_busy", sum(&S::refused_busy)},
          {"hellos", sum(&S::hellos)},
          {"registered", sum(&S::registered)},
          {"logins", sum(&S::logins)},
          {"resumes", sum(&S::resumes)},
          {"login_failures", sum(&S::login_failures)},
          {"hashes_refused", sum(&S::hashes_refused)}};
}

Json rooms_json(const Sum& sum) {
  using S = ShardStats;
  return {{"rooms", sum(&S::rooms)},
          {"published", sum(&S::room_published)},
          {"deliveries", sum(&S::room_deliveries)},
          {"gaps", sum(&S::room_gaps)},
          {"skipped", sum(&S::room_skipped)},
          {"recipient_copies", sum(&S::recipient_copies)},
          {"recipient_allocations", sum(&S::recipient_allocations)}};
}

Json outgoing_json(const Sum& sum) {
  using S = ShardStats;
  return {{"sends", sum(&S::sends_started)},         {"frames", sum(&S::frames_out)},
          {"ranges_merged", sum(&S::ranges_merged)}, {"queued_bytes", sum(&S::queued_bytes)},
          {"pinned_bytes", sum(&S::pinned_bytes)},   {"pushes", sum(&S::pushes)},
          {"sync_hints", sum(&S::sync_hints)},       {"users_homed", sum(&S::users_homed)}};
}

Json traffic_json(const Sum& sum) {
  using S = ShardStats;
  return {{"mail",
           {{"out", sum(&S::mail_out)},
            {"in", sum(&S::mail_in)},
            {"full", sum(&S::mail_full)},
            {"kept", sum(&S::mail_kept)},
            {"refused", sum(&S::mail_refused)},
            {"sessions_paused", sum(&S::mail_paused)}}},
          {"store",
           {{"submitted", sum(&S::store_submitted)},
            {"refused", sum(&S::store_refused)},
            {"replies", sum(&S::store_replies)},
            {"stale", sum(&S::store_stale)},
            {"sends_limited", sum(&S::sends_limited)}}},
          {"heartbeat", {{"received", sum(&S::heartbeats)}, {"sweeps", sum(&S::heartbeat_sweeps)}}},
          {"echoes", sum(&S::echoes)}};
}

}  // namespace

std::string stats_json(const StatsRound& round) {
  const Sum sum(round);
  Json closes = Json::object();
  for (size_t i = 1; i < kCloseReasons; i++) {
    const CloseReason reason = static_cast<CloseReason>(i);
    closes[to_string(reason)] = sum(reason);
  }
  Json json = {{"pid", ::getpid()},
               {"backend", round.parts.empty() ? "" : round.parts[0].backend},
               {"rung", round.parts.empty() ? "" : round.parts[0].rung},
               {"shards", round.parts.size()},
               {"process", process_json()},
               {"proactor", proactor_json(sum)},
               {"sessions", sessions_json(sum)},
               {"closes", std::move(closes)},
               {"frames", frames_json(sum)},
               {"outgoing", outgoing_json(sum)},
               {"rooms", rooms_json(sum)}};
  json.update(traffic_json(sum));
  return json.dump();
}

}  // namespace ringtalk::service
