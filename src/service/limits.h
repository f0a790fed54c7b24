// src/service/limits.h: internal to the service. Every limit of a node, with its default.
//
// A plain value, filled by the configuration (config_keys.cc names each). Shards read one shared,
// immutable copy; a reload swaps it between turns. Limits of the wire itself are in proto/limits.h.
#pragma once

#include <cstdint>
#include <string>
#include <vector>

#include "proto/limits.h"

namespace ringtalk::service {

// A room keeps a bit for each shard.
inline constexpr uint32_t kShardsMax = 256;

struct Limits {
  // Before login.
  uint32_t prelogin_sockets = 2'000;   // for each shard
  uint32_t prelogin_per_address = 20;  // of the node; not for trusted addresses; 0 = no limit
  uint64_t login_timeout_ms = 10'000;
  uint64_t frame_timeout_ms = 10'000;  // of a cut frame, while others wait for its memory
  std::vector<std::string> trusted_addresses{"loopback"};

  // After login, for each session: beyond these the server stops reading.
  uint32_t requests_in_flight = 256;
  uint32_t unacknowledged_bytes = 64 * 1024;
  // Pushes queued for a session; beyond: pull mode, or RoomGap in rooms. Answers to requests are
  // bounded by the two limits above instead.
  uint32_t outgoing_bytes = 256 * 1024;
  uint32_t outgoing_frames = 512;

  // Rate buckets of Send; 0 = off. Not for load users.
  uint32_t sends_per_second = 20;
  uint32_t sends_burst = 60;
  uint32_t conversation_sends_per_second = 200;

  // For each shard.
  uint64_t pinned_bytes = 64 * 1024 * 1024;         // segments held by queues
  uint64_t partial_frame_bytes = 16 * 1024 * 1024;  // heads of cut frames
  uint32_t rooms_per_session = 64;
  // Entries kept for a target whose mailbox is full; from a sixteenth on, its feeders are paused.
  uint32_t mail_overflow = 65'536;
  uint32_t flush_slice = 256;
  uint32_t turn_completions = 512;

  // After an error that closes: what is still read before the connection is cut.
  uint32_t discard_bytes = 64 * 1024;
  uint64_t discard_ms = 1'000;

  uint32_t password_hashes = 2;           // at a time
  uint32_t password_hashes_waiting = 16;  // then ServerBusy
  uint64_t busy_retry_ms = 1'000;         // retry_after_ms of ServerBusy

  uint64_t heartbeat_interval_ms = 15'000;
  uint32_t heartbeat_missed = 5;
  uint64_t reconnect_jitter_ms = 1'000;  // Welcome.jitter_ms
  uint64_t token_lifetime_ms = uint64_t{30} * 24 * 3'600 * 1'000;

  uint64_t drain_ms = 2'000;  // Goaway is spread over it
};

}  // namespace ringtalk::service
