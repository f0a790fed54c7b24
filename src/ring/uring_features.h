// src/ring/uring_features.h: internal to src/ring. What io_uring can do on this kernel.
//
// Each feature is found by trying it (never by the kernel's version) and can be masked by name, so
// that one kernel tests every rung of the ladder. Thread rule: any thread, a value. Invariant: a
// masked feature is false whatever the kernel has.
#pragma once

#include <cstdint>
#include <string>

#include "base/result.h"
#include "ring/backend.h"

namespace ringtalk::ring {

struct UringFeatures {
  // Completions are made in run_once alone, not whenever the thread enters the kernel (6.1).
  bool defer_taskrun = false;
  // Provided buffers that completions consume bit by bit (6.12).
  bool incremental_buffers = false;
  // The peer's address of a direct descriptor by a ring command (6.7). Without it accepts are
  // one-shot, each with its own address.
  bool peer_name = false;
  // One submission accepts many connections (5.19); used with peer_name alone.
  bool multishot_accept = false;
  // Active connections keep a multishot receive armed (6.0).
  bool multishot_receive = false;
  // One pass makes a bounded number of completions, so that a small completion queue is enough
  // (6.13).
  bool bounded_taskrun = false;

  // Tries a ring of its own. Fails with "io_uring: cause; remedy" where none can be set up, and
  // where `mask` names an unknown feature.
  static base::Result<UringFeatures, BackendError> probe(const char* mask);

  // The rung in use, for the log: "defer_taskrun incremental_buffers ... without peer_name".
  std::string text() const;
};

// "io_uring: cause; remedy" for a positive errno of io_uring_setup.
BackendError uring_setup_error(int number);

}  // namespace ringtalk::ring
