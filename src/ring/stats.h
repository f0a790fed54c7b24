// src/ring/stats.h: public. What a proactor has done, as plain counters.
//
// Thread rule: written by the proactor's thread; others read a copy that it made.
#pragma once

#include <cstdint>

namespace ringtalk::ring {

struct ProactorStats {
  uint64_t turns = 0;         // calls of run_once
  uint64_t system_calls = 0;  // all of them: enter, epoll_wait, recv, writev, accept, eventfd ...
  uint64_t waits = 0;         // turns that slept
  uint64_t completions = 0;   // delivered
  uint64_t accepted = 0;
  uint64_t accept_parked = 0;  // no free slot
  uint64_t connects = 0;
  uint64_t received = 0;  // leases
  uint64_t received_bytes = 0;
  uint64_t sends = 0;  // operations started
  uint64_t sent_bytes = 0;
  uint64_t sends_short = 0;  // continued inside
  uint64_t pool_empty = 0;   // receives parked for want of a buffer
  uint64_t stale = 0;        // completions of an old generation, dropped
  uint64_t overflows = 0;    // completion queue overflows
  uint64_t submissions = 0;  // SQEs on io_uring, operations tried on epoll
  uint64_t wakes = 0;
  uint64_t closed = 0;
  uint64_t in_flight = 0;  // gauge: operations that the kernel holds and that will complete
};

}  // namespace ringtalk::ring
