#include <liburing.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <sys/socket.h>

#include <cerrno>
#include <cstring>
#include <span>
#include <vector>

#include "bench/limit/limit_loop.h"
#include "bench/limit/turn_bytes.h"

namespace ringtalk::bench {
namespace {

constexpr uint32_t kBuffers = 256;
constexpr uint32_t kBufferBytes = 4'096;  // a burst of 16 publishes fits
constexpr uint32_t kSlice = 256;          // sends between two looks at the completion queue

enum Operation : uint64_t { kAccept = 1, kReceive = 2, kSend = 3 };

uint64_t pack(Operation operation, uint64_t slot, uint64_t buffer = 0) {
  return static_cast<uint64_t>(operation) << 56 | buffer << 32 | slot;
}

// Multishot accept into direct descriptors, multishot receive from a ring of provided buffers.
class UringLoop {
 public:
  UringLoop(int listener, const LimitOptions& options)
      : listener_(listener), options_(options), turns_(options.frame_bytes) {
    io_uring_params params{};
    params.flags = IORING_SETUP_CQSIZE | IORING_SETUP_SUBMIT_ALL | IORING_SETUP_SINGLE_ISSUER |
                   IORING_SETUP_DEFER_TASKRUN;
    params.cq_entries = 32'768;
    if ((errno = -::io_uring_queue_init_params(1'024, &ring_, &params)) != 0) die("io_uring_setup");
    if ((errno = -::io_uring_register_files_sparse(&ring_, options.connections_max)) != 0) {
      die("register files");
    }
    ::io_uring_register_ring_fd(&ring_);
    io_uring_buf_reg reg{};
    void* memory = nullptr;
    if (::posix_memalign(&memory, 4'096, kBuffers * sizeof(io_uring_buf)) != 0) die("memory");
    buffers_ = static_cast<io_uring_buf_ring*>(memory);
    reg.ring_addr = reinterpret_cast<uint64_t>(memory);
    reg.ring_entries = kBuffers;
    if ((errno = -::io_uring_register_buf_ring(&ring_, &reg, 0)) != 0) die("register buffers");
    ::io_uring_buf_ring_init(buffers_);
    pool_.resize(size_t{kBuffers} * kBufferBytes);
    for (uint32_t i = 0; i < kBuffers; i++) give_back(i);
    ::io_uring_buf_ring_advance(buffers_, 0);
  }

  [[noreturn]] void run() {
    io_uring_sqe* accept = next_sqe();
    ::io_uring_prep_multishot_accept_direct(accept, listener_, nullptr, nullptr, 0);
    accept->user_data = pack(kAccept, 0);
    for (;;) {
      const int result = ::io_uring_submit_and_wait(&ring_, 1);
      if (result < 0 && result != -EINTR) {
        errno = -result;
        die("io_uring_enter");
      }
      reap();
      while (pending_ > 0) fan_out_slice();
    }
  }

 private:
  io_uring_sqe* next_sqe() {
    io_uring_sqe* sqe = ::io_uring_get_sqe(&ring_);
    while (sqe == nullptr) {
      ::io_uring_submit(&ring_);
      sqe = ::io_uring_get_sqe(&ring_);
    }
    return sqe;
  }

  void give_back(uint32_t buffer) {
    ::io_uring_buf_ring_add(buffers_, &pool_[size_t{buffer} * kBufferBytes], kBufferBytes,
                            static_cast<unsigned short>(buffer), ::io_uring_buf_ring_mask(kBuffers),
                            0);
    ::io_uring_buf_ring_advance(buffers_, 1);
  }

  void arm(uint32_t slot) {
    io_uring_sqe* sqe = next_sqe();
    ::io_uring_prep_recv_multishot(sqe, static_cast<int>(slot), nullptr, 0, 0);
    sqe->flags |= IOSQE_FIXED_FILE | IOSQE_BUFFER_SELECT;
    sqe->buf_group = 0;
    sqe->user_data = pack(kReceive, slot);
  }

  void send(uint32_t slot, const void* bytes, size_t count, uint64_t buffer) {
    io_uring_sqe* sqe = next_sqe();
    ::io_uring_prep_send(sqe, static_cast<int>(slot), bytes, count, MSG_NOSIGNAL | MSG_WAITALL);
    sqe->flags |= IOSQE_FIXED_FILE;
    sqe->user_data = pack(kSend, slot, buffer);
  }

  void reap() {
    unsigned head = 0;
    unsigned seen = 0;
    io_uring_cqe* cqe = nullptr;
    io_uring_for_each_cqe(&ring_, head, cqe) {
      seen++;
      complete(*cqe);
    }
    ::io_uring_cq_advance(&ring_, seen);
  }

  void complete(const io_uring_cqe& cqe) {
    const auto slot = static_cast<uint32_t>(cqe.user_data);
    switch (cqe.user_data >> 56) {
      case kAccept:
        if (cqe.res < 0) break;
        members_.push_back(static_cast<uint32_t>(cqe.res));
        arm(static_cast<uint32_t>(cqe.res));
        break;
      case kSend:
        if ((cqe.user_data >> 32 & 0xffffff) != 0) {
          give_back(static_cast<uint32_t>(cqe.user_data >> 32 & 0xffffff) - 1);
        }
        break;
      case kReceive:
        received(cqe, slot);
        break;
    }
  }

  void received(const io_uring_cqe& cqe, uint32_t slot) {
    if (cqe.res == 0 || (cqe.res < 0 && cqe.res != -ENOBUFS)) {
      std::erase(members_, slot);
      if ((cqe.flags & IORING_CQE_F_BUFFER) != 0) give_back(cqe.flags >> IORING_CQE_BUFFER_SHIFT);
      io_uring_sqe* sqe = next_sqe();
      ::io_uring_prep_close_direct(sqe, slot);
      sqe->user_data = 0;
      return;
    }
    if (cqe.res > 0) {
      const uint32_t buffer = cqe.flags >> IORING_CQE_BUFFER_SHIFT;
      if (options_.work == Work::echo) {
        // The buffer goes out as it came in and is given back when the send has completed.
        send(slot, &pool_[size_t{buffer} * kBufferBytes], static_cast<size_t>(cqe.res), buffer + 1);
      } else {
        give_back(buffer);
        arrived_ += static_cast<size_t>(cqe.res);
        pending_ += arrived_ / options_.in_bytes;
        arrived_ %= options_.in_bytes;
      }
    }
    if ((cqe.flags & IORING_CQE_F_MORE) == 0) arm(slot);
  }

  // What arrived together leaves together, in slices, so that the completion queue never overflows.
  void fan_out_slice() {
    const std::span<const char> turn = turns_.of(pending_);
    pending_ = 0;
    const size_t count = members_.size();
    for (size_t i = 0; i < count; i++) {
      send(members_[i], turn.data(), turn.size(), 0);
      if (i % kSlice == kSlice - 1) {
        ::io_uring_submit_and_get_events(&ring_);
        reap();
      }
    }
    ::io_uring_submit_and_get_events(&ring_);
    reap();
  }

  const int listener_;
  const LimitOptions options_;
  io_uring ring_{};
  io_uring_buf_ring* buffers_ = nullptr;
  size_t arrived_ = 0;
  size_t pending_ = 0;
  TurnBytes turns_;
  std::vector<char> pool_;
  std::vector<uint32_t> members_;
};

}  // namespace

void run_uring_loop(int listener, const LimitOptions& options) {
  UringLoop(listener, options).run();
}

}  // namespace ringtalk::bench
