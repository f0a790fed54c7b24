// src/ring/uring_ring.h: internal to src/ring/uring_*. One io_uring: submission and completion.
//
// Set up disabled by any thread; enable() makes the calling thread its issuer, and from then on
// everything belongs to that thread. Ownership: the ring and its mappings. Invariants: before
// enable() nothing is submitted; a submission handed out by `prepare` is complete before the next
// call; `kernel_calls` counts every enter.
#pragma once

#include <liburing.h>

#include <cstdint>

#include "base/result.h"
#include "ring/backend.h"
#include "ring/options.h"
#include "ring/uring_features.h"

namespace ringtalk::ring {

class UringRing {
 public:
  UringRing() = default;
  ~UringRing();
  UringRing(const UringRing&) = delete;
  UringRing& operator=(const UringRing&) = delete;

  base::Status<BackendError> set_up(const ProactorOptions& options, const UringFeatures& features);
  void enable();
  bool enabled() const noexcept { return enabled_; }

  // A zeroed submission, or null: the queue is full and the kernel takes nothing now (not enabled
  // yet, or its completion queue has overflowed).
  io_uring_sqe* prepare();
  // True while `prepare` is allowed to go on: what is prepared may complete at once, and the
  // completion queue must hold it.
  bool room() const noexcept { return prepared_ < prepared_max_; }

  // Submits, waits for one completion until `deadline_ns` (0: does not wait). Answers the errno of
  // a failed enter: EEXIST when this thread is not the issuer, otherwise 0.
  int enter(uint64_t deadline_ns);
  // Completions are made by task work that needs an enter.
  bool needs_enter() const noexcept;
  uint32_t unsubmitted() const noexcept { return ring_.sq.sqe_tail - *ring_.sq.khead; }
  uint32_t ready() const noexcept {
    return __atomic_load_n(ring_.cq.ktail, __ATOMIC_ACQUIRE) - *ring_.cq.khead;
  }

  // Takes the oldest completion; only when ready() > 0.
  io_uring_cqe take();
  // The completions that were ready have been taken or their number is known: `room` starts anew.
  void reaped() noexcept { prepared_ = ready(); }

  // The clock of deadlines.
  static uint64_t now_ns() noexcept;

  uint32_t completion_entries() const noexcept { return ring_.cq.ring_entries; }
  int descriptor() const noexcept { return ring_.ring_fd; }
  io_uring& raw() noexcept { return ring_; }
  uint64_t kernel_calls() const noexcept { return kernel_calls_; }
  uint64_t submissions() const noexcept { return submissions_; }
  uint64_t overflows() const noexcept { return overflows_; }
  uint64_t waits() const noexcept { return waits_; }

 private:
  // Submits; and makes completions; and waits for one.
  enum class Enter : uint8_t { submit, reap, wait };
  int enter_kernel(Enter how, uint64_t timeout_ns);

  io_uring ring_{};
  bool up_ = false;
  bool enabled_ = false;
  bool overflowing_ = false;
  uint32_t prepared_ = 0;
  uint32_t prepared_max_ = 0;
  uint64_t kernel_calls_ = 0;
  uint64_t submissions_ = 0;
  uint64_t overflows_ = 0;
  uint64_t waits_ = 0;
};

}  // namespace ringtalk::ring
