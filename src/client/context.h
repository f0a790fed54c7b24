// src/client/context.h: public. What all clients of one thread share.
//
// Options, encoder, frame reader, randomness, the server's last Welcome and the counters live here
// once, so that a client costs 48 bytes. Ownership: outlives its sessions; clock and events outlive
// it. Thread rule: one owner.
#pragma once

#include <cstdint>

#include "base/clock.h"
#include "base/random.h"
#include "client/events.h"
#include "proto/frame_reader.h"
#include "proto/frame_writer.h"

namespace ringtalk::client {

inline constexpr uint32_t kNever = UINT32_MAX;

struct ClientOptions {
  std::string_view name = "ringtalk";  // sent with Hello
  uint32_t heartbeat_ms = 0;           // 0: what Welcome says
  uint32_t heartbeats_missed_max = 3;  // beyond it the connection is given up
  uint32_t login_timeout_ms = 15'000;  // from connected to logged in
  uint32_t reconnect_min_ms = 250;     // doubled by each failure
  uint32_t reconnect_max_ms = 30'000;
  uint32_t gap_wait_min_ms = 300;  // before a gap in a conversation is pulled
  uint32_t gap_wait_max_ms = 1'000;
  uint32_t outbox_messages = 1'024;  // not acknowledged, per client; send() refuses beyond
  uint32_t sends_in_flight = 128;    // on the wire; the rest waits in the outbox
  uint32_t sends_in_flight_bytes = 48 * 1024;
  uint32_t pulls_in_flight = 4;
  // True: a conversation that this client has never seen is pulled from its start. False: it begins
  // with what the first Sync after start() says.
  bool whole_history = true;
  size_t partial_frames_bytes = 8 * 1024 * 1024;  // of all clients of the context together
};

struct ClientStats {
  uint64_t frames_received = 0;
  uint64_t bad_frames = 0;         // a server that breaks the protocol
  uint64_t unexpected_frames = 0;  // of a type that a server does not send, or of the future
  uint64_t logins = 0;
  uint64_t disconnects = 0;  // after a login, not asked for
  uint64_t heartbeats_sent = 0;
  uint64_t heartbeats_answered = 0;
  uint64_t heartbeats_missed = 0;   // unanswered when the next one was due
  uint64_t heartbeats_too_few = 0;  // connections given up for them
  uint64_t count_mismatches = 0;    // HeartbeatAck named other pushes than were received
  uint64_t sends = 0;
  uint64_t resends = 0;
  uint64_t retries = 0;  // after a retryable error
  uint64_t wire_duplicates = 0;
  uint64_t wire_reordered = 0;
  uint64_t gaps = 0;
  uint64_t pulls = 0;
  uint64_t syncs = 0;
};

class ClientContext {
 public:
  ClientContext(const ClientOptions& with, const base::Clock& clock, uint64_t seed,
                ClientEvents& tells)
      : options(with),
        events(tells),
        random(seed),
        reader(options.partial_frames_bytes),
        clock_(clock),
        start_ns_(clock.now_ns()),
        heartbeat_ms_(options.heartbeat_ms != 0 ? options.heartbeat_ms : 15'000) {}

  // Milliseconds since the context was made: the clients' time, good for 49 days.
  uint32_t now_ms() const noexcept {
    return static_cast<uint32_t>((clock_.now_ns() - start_ns_) / 1'000'000);
  }
  uint32_t heartbeat_ms() const noexcept { return heartbeat_ms_; }
  uint32_t jitter_ms() const noexcept { return jitter_ms_; }
  void welcome(const wire::Welcome& welcome) noexcept {
    if (options.heartbeat_ms == 0 && welcome.heartbeat_ms() != 0) {
      heartbeat_ms_ = welcome.heartbeat_ms();
    }
    jitter_ms_ = welcome.jitter_ms();
  }
  // Uniform in [low, high].
  uint32_t between_ms(uint32_t low, uint32_t high) noexcept {
    return low + static_cast<uint32_t>(random.below(uint64_t{high} - low + 1));
  }
  // When to repeat what the server has put off.
  uint32_t retry_due_ms(uint32_t retry_after_ms) noexcept {
    const uint32_t wait = retry_after_ms < 100 ? 100 : retry_after_ms;
    return now_ms() + between_ms(wait, wait + wait / 2);
  }

  const ClientOptions options;
  ClientEvents& events;
  base::Random random;
  proto::FrameReader reader;
  proto::FrameWriter writer;
  ClientStats stats;

 private:
  const base::Clock& clock_;
  const uint64_t start_ns_;
  uint32_t heartbeat_ms_;
  uint32_t jitter_ms_ = 0;
};

// One client of a context, as the methods of its session are told.
struct ClientRef {
  ClientContext& context;
  ClientIndex index;
};

}  // namespace ringtalk::client
