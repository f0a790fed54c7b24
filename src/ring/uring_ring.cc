#include "ring/uring_ring.h"

#include <sys/prctl.h>

#include <cerrno>
#include <cstring>
#include <ctime>
#include <string>

#include "base/assert.h"
#include "ring/uring_abi.h"

namespace ringtalk::ring {
namespace {

// Two completion queues' worth of room before 6.13, where one pass of task work makes any number
// of completions.
constexpr uint32_t kCompletionsBounded_count = 8'192;
constexpr uint32_t kCompletionsUnbounded_count = 32'768;
// OP_SHUTDOWN and files that cannot wait run on io-wq threads.
constexpr uint32_t kWorkersMax_count = 2;

}  // namespace

uint64_t UringRing::now_ns() noexcept {
  timespec now{};
  clock_gettime(CLOCK_MONOTONIC, &now);
  return static_cast<uint64_t>(now.tv_sec) * 1'000'000'000 + static_cast<uint64_t>(now.tv_nsec);
}

UringRing::~UringRing() {
  if (up_) io_uring_queue_exit(&ring_);
}

base::Status<BackendError> UringRing::set_up(const ProactorOptions& options,
                                             const UringFeatures& features) {
  ASSERT(!up_ && options.submission_entries > 0);
  io_uring_params params{};
  params.flags = IORING_SETUP_CQSIZE | IORING_SETUP_CLAMP | IORING_SETUP_SUBMIT_ALL |
                 IORING_SETUP_TASKRUN_FLAG | IORING_SETUP_R_DISABLED;
  params.flags |= features.defer_taskrun ? IORING_SETUP_SINGLE_ISSUER | IORING_SETUP_DEFER_TASKRUN
                                         : IORING_SETUP_COOP_TASKRUN;
  params.cq_entries = options.completion_entries != 0 ? options.completion_entries
                      : features.bounded_taskrun      ? kCompletionsBounded_count
                                                      : kCompletionsUnbounded_count;
  const int result = io_uring_queue_init_params(options.submission_entries, &ring_, &params);
  if (result != 0) return base::Failure{uring_setup_error(-result)};
  up_ = true;
  prepared_max_ = ring_.cq.ring_entries / 2;
  // The queue is filled in order, so that publishing it is one store.
  if (ring_.sq.array != nullptr) {
    for (uint32_t i = 0; i < ring_.sq.ring_entries; i++) ring_.sq.array[i] = i;
  }
  return base::Done{};
}

void UringRing::enable() {
  ASSERT(up_ && !enabled_);
  // liburing 2.3 declares io_uring_enable_rings but does not export it.
  const int result = io_uring_register(static_cast<unsigned>(ring_.ring_fd),
                                       IORING_REGISTER_ENABLE_RINGS, nullptr, 0);
  ASSERT(result == 0);
  enabled_ = true;
  // Each of these is an economy: the ring works without.
  io_uring_register_ring_fd(&ring_);
  uint32_t workers[2] = {kWorkersMax_count, kWorkersMax_count};
  io_uring_register_iowq_max_workers(&ring_, workers);
  prctl(PR_SET_TIMERSLACK, 1, 0, 0, 0);
  kernel_calls_ += 4;
}

io_uring_sqe* UringRing::prepare() {
  io_uring_sqe* sqe = io_uring_get_sqe(&ring_);
  if (sqe == nullptr) {
    if (!enabled_) return nullptr;
    enter_kernel(Enter::submit, 0);
    sqe = io_uring_get_sqe(&ring_);
    if (sqe == nullptr) return nullptr;
  }
  prepared_++;
  submissions_++;
  std::memset(static_cast<void*>(sqe), 0, sizeof *sqe);
  return sqe;
}

bool UringRing::needs_enter() const noexcept {
  const uint32_t flags = __atomic_load_n(ring_.sq.kflags, __ATOMIC_RELAXED);
  return (flags & (IORING_SQ_TASKRUN | IORING_SQ_CQ_OVERFLOW)) != 0;
}

int UringRing::enter(uint64_t deadline_ns) {
  ASSERT(enabled_);
  if (deadline_ns == 0) {
    if (unsubmitted() == 0 && !needs_enter()) return 0;
    return enter_kernel(Enter::reap, 0);
  }
  const uint64_t now = now_ns();
  if (now >= deadline_ns) return enter_kernel(Enter::reap, 0);
  waits_++;
  return enter_kernel(Enter::wait, deadline_ns == UINT64_MAX ? UINT64_MAX : deadline_ns - now);
}

int UringRing::enter_kernel(Enter how, uint64_t timeout_ns) {
  const bool overflow =
      (__atomic_load_n(ring_.sq.kflags, __ATOMIC_RELAXED) & IORING_SQ_CQ_OVERFLOW) != 0;
  if (overflow && !overflowing_) overflows_++;
  overflowing_ = overflow;

  __kernel_timespec timeout{};
  io_uring_getevents_arg argument{};
  unsigned flags = IORING_ENTER_EXT_ARG;
  if (how != Enter::submit) flags |= IORING_ENTER_GETEVENTS;
  if (ring_.enter_ring_fd != ring_.ring_fd) flags |= IORING_ENTER_REGISTERED_RING;
  if (how == Enter::wait && timeout_ns != UINT64_MAX) {
    timeout.tv_sec = static_cast<int64_t>(timeout_ns / 1'000'000'000);
    timeout.tv_nsec = static_cast<int64_t>(timeout_ns % 1'000'000'000);
    argument.ts = reinterpret_cast<uintptr_t>(&timeout);
  }
  __atomic_store_n(ring_.sq.ktail, ring_.sq.sqe_tail, __ATOMIC_RELEASE);
  const int result = io_uring_enter2(static_cast<unsigned>(ring_.enter_ring_fd), unsubmitted(),
                                     how == Enter::wait ? 1 : 0, flags,
                                     reinterpret_cast<sigset_t*>(&argument), sizeof argument);
  kernel_calls_++;
  // EINTR and ETIME end a wait; EBUSY (completions overflow) and EAGAIN (memory) leave the
  // submissions in the queue for the next enter.
  // Another thread than the issuer is told EEXIST, or, where the issuer had registered the ring's
  // descriptor for itself alone, that there is no such ring (io_uring_enter(2)).
  const bool foreign =
      (flags & IORING_ENTER_REGISTERED_RING) != 0 && (result == -EBADF || result == -EINVAL);
  return result == -EEXIST || foreign ? EEXIST : 0;
}

io_uring_cqe UringRing::take() {
  ASSERT(ready() > 0);
  const uint32_t head = *ring_.cq.khead;
  const io_uring_cqe cqe = ring_.cq.cqes[head & ring_.cq.ring_mask];
  __atomic_store_n(ring_.cq.khead, head + 1, __ATOMIC_RELEASE);
  return cqe;
}

}  // namespace ringtalk::ring
