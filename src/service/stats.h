// src/service/stats.h: internal to the service. What a shard has done, as plain counters.
//
// Each shard counts for itself. Whoever wants to know (Stats{}, SIGUSR1, exit) makes a StatsRound,
// hands every shard one part, and the shard that fills the last part hands the round back.
// Thread rule: ShardStats belongs to its shard; a filled part to whom the round is given back.
#pragma once

#include <array>
#include <atomic>
#include <cstdint>
#include <string>
#include <vector>

#include "proto/frame_reader.h"
#include "ring/stats.h"
#include "service/close_reason.h"

namespace ringtalk::service {

struct ShardStats {
  std::array<uint64_t, kCloseReasons> closes{};

  uint64_t accepted = 0;
  uint64_t refused_busy = 0;
  uint64_t hellos = 0;
  uint64_t logins = 0;  // by password
  uint64_t resumes = 0;
  uint64_t registered = 0;
  uint64_t login_failures = 0;
  uint64_t hashes_refused = 0;

  uint64_t frames_in = 0;
  uint64_t frames_bad = 0;
  uint64_t unsupported = 0;
  uint64_t wrong_state = 0;
  uint64_t errors_out = 0;
  uint64_t echoes = 0;
  uint64_t heartbeats = 0;
  uint64_t heartbeat_sweeps = 0;
  uint64_t reads_paused = 0;
  uint64_t sends_limited = 0;

  uint64_t mail_out = 0;
  uint64_t mail_in = 0;
  uint64_t mail_full = 0;
  uint64_t mail_refused = 0;  // beyond the overflow
  uint64_t mail_paused = 0;   // sessions, because a mailbox they feed was full
  uint64_t store_submitted = 0;
  uint64_t store_refused = 0;
  uint64_t store_replies = 0;
  uint64_t store_stale = 0;  // for a session that had gone

  // Fan-out: what chat counts.
  uint64_t room_published = 0;
  uint64_t room_deliveries = 0;
  uint64_t room_gaps = 0;
  uint64_t room_skipped = 0;
  uint64_t pushes = 0;
  uint64_t sync_hints = 0;
  uint64_t recipient_copies = 0;
  uint64_t recipient_allocations = 0;
  uint64_t ranges_merged = 0;
  uint64_t sends_started = 0;
  uint64_t frames_out = 0;

  // Gauges, set when a snapshot is taken.
  uint64_t sessions = 0;
  uint64_t online = 0;
  uint64_t prelogin = 0;
  uint64_t queued_bytes = 0;
  uint64_t pinned_bytes = 0;
  uint64_t rooms = 0;
  uint64_t users_homed = 0;
  uint64_t mail_kept = 0;
};

struct StatsRound;

struct StatsPart {
  StatsPart* handoff_next = nullptr;  // base::Handoff
  StatsRound* round = nullptr;
  const char* backend = "";
  std::string rung;
  ShardStats shard;
  ring::ProactorStats proactor;
  proto::FrameReaderStats reader;
};

struct StatsRound {
  StatsRound* handoff_next = nullptr;  // base::Handoff
  // Who asked: a session of shard `shard`, or the main thread (kStatsForMain).
  uint32_t shard = 0;
  uint32_t slot = 0;
  uint32_t generation = 0;
  uint64_t request = 0;
  std::atomic<uint32_t> missing{0};
  std::vector<StatsPart> parts;
};
inline constexpr uint32_t kStatsForMain = UINT32_MAX;

// The whole answer to Stats{}: sums over the shards, and the process's own figures.
std::string stats_json(const StatsRound& round);

}  // namespace ringtalk::service
