#include "bench/driver/load_client.h"

#include <arpa/inet.h>
#include <liburing.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <sched.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <sys/time.h>
#include <time.h>
#include <unistd.h>

#include <cerrno>
#include <cstdio>
#include <cstdlib>
#include <cstring>

namespace ringtalk::bench {
namespace {

constexpr uint32_t kBuffers = 1'024;
constexpr uint32_t kBufferBytes = 4'096;
constexpr uint64_t kSendMark = uint64_t{1} << 63;

[[noreturn]] void fail(const char* what) {
  std::fprintf(stderr, "load client: %s: %s\n", what, std::strerror(errno));
  std::exit(1);
}

}  // namespace

struct LoadClient::Ring {
  uint16_t port = 0;
  std::vector<int> sockets;
  io_uring ring{};
  io_uring_buf_ring* buffers = nullptr;
  std::vector<char> pool;
  bool started = false;

  io_uring_sqe* next_sqe() {
    io_uring_sqe* sqe = ::io_uring_get_sqe(&ring);
    while (sqe == nullptr) {
      ::io_uring_submit(&ring);
      sqe = ::io_uring_get_sqe(&ring);
    }
    return sqe;
  }

  void give_back(uint32_t buffer) {
    ::io_uring_buf_ring_add(buffers, &pool[size_t{buffer} * kBufferBytes], kBufferBytes,
                            static_cast<unsigned short>(buffer), ::io_uring_buf_ring_mask(kBuffers),
                            0);
    ::io_uring_buf_ring_advance(buffers, 1);
  }

  void arm(uint32_t connection) {
    io_uring_sqe* sqe = next_sqe();
    ::io_uring_prep_recv_multishot(sqe, sockets[connection], nullptr, 0, 0);
    sqe->flags |= IOSQE_BUFFER_SELECT;
    sqe->buf_group = 0;
    sqe->user_data = connection;
  }
};

LoadClient::LoadClient(uint16_t port) : ring_(std::make_unique<Ring>()) {
  ring_->port = port;
  rlimit limit{};
  ::getrlimit(RLIMIT_NOFILE, &limit);
  limit.rlim_cur = limit.rlim_max;
  ::setrlimit(RLIMIT_NOFILE, &limit);
}

LoadClient::~LoadClient() {
  if (ring_->started) ::io_uring_queue_exit(&ring_->ring);
  for (int fd : ring_->sockets) ::close(fd);
  std::free(ring_->buffers);
}

uint32_t LoadClient::count() const {
  return static_cast<uint32_t>(ring_->sockets.size());
}

uint32_t LoadClient::open(std::string_view greeting, const Greeted& greeted) {
  const int fd = ::socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
  if (fd < 0) fail("socket");
  sockaddr_in at{};
  at.sin_family = AF_INET;
  at.sin_port = htons(ring_->port);
  at.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
  if (::connect(fd, reinterpret_cast<sockaddr*>(&at), sizeof at) != 0) fail("connect");
  const int one = 1;
  ::setsockopt(fd, IPPROTO_TCP, TCP_NODELAY, &one, sizeof one);
  const timeval patience{.tv_sec = 5, .tv_usec = 0};
  ::setsockopt(fd, SOL_SOCKET, SO_RCVTIMEO, &patience, sizeof patience);
  if (!greeting.empty() && ::send(fd, greeting.data(), greeting.size(), MSG_NOSIGNAL) !=
                               static_cast<ssize_t>(greeting.size())) {
    fail("greeting");
  }
  std::string received;
  while (greeted && !greeted(received)) {
    char bytes[4'096];
    const ssize_t got = ::recv(fd, bytes, sizeof bytes, 0);
    // The end of an earlier client's ring interrupts a receive with a time-out.
    if (got < 0 && errno == EINTR) continue;
    if (got <= 0) fail("the server did not answer the greeting");
    received.append(bytes, static_cast<size_t>(got));
  }
  ring_->sockets.push_back(fd);
  return count() - 1;
}

void LoadClient::start() {
  Ring& r = *ring_;
  io_uring_params params{};
  params.flags = IORING_SETUP_CQSIZE | IORING_SETUP_SUBMIT_ALL | IORING_SETUP_SINGLE_ISSUER |
                 IORING_SETUP_DEFER_TASKRUN;
  params.cq_entries = 32'768;
  if ((errno = -::io_uring_queue_init_params(1'024, &r.ring, &params)) != 0) fail("io_uring");
  void* memory = nullptr;
  if (::posix_memalign(&memory, 4'096, kBuffers * sizeof(io_uring_buf)) != 0) fail("memory");
  r.buffers = static_cast<io_uring_buf_ring*>(memory);
  io_uring_buf_reg reg{};
  reg.ring_addr = reinterpret_cast<uint64_t>(memory);
  reg.ring_entries = kBuffers;
  if ((errno = -::io_uring_register_buf_ring(&r.ring, &reg, 0)) != 0) fail("buffer ring");
  ::io_uring_buf_ring_init(r.buffers);
  r.pool.resize(size_t{kBuffers} * kBufferBytes);
  for (uint32_t i = 0; i < kBuffers; i++) r.give_back(i);
  for (uint32_t i = 0; i < r.sockets.size(); i++) r.arm(i);
  ::io_uring_submit(&r.ring);
  r.started = true;
}

void LoadClient::send(uint32_t connection, std::span<const std::byte> bytes) {
  io_uring_sqe* sqe = ring_->next_sqe();
  ::io_uring_prep_send(sqe, ring_->sockets[connection], bytes.data(), bytes.size(),
                       MSG_NOSIGNAL | MSG_WAITALL);
  sqe->user_data = kSendMark | connection;
}

bool LoadClient::turn(const OnBytes& on_bytes) {
  Ring& r = *ring_;
  __kernel_timespec patience{.tv_sec = 5, .tv_nsec = 0};
  io_uring_cqe* first = nullptr;
  const int result = ::io_uring_submit_and_wait_timeout(&r.ring, &first, 1, &patience, nullptr);
  if (result == -ETIME) return false;
  unsigned head = 0;
  unsigned seen = 0;
  io_uring_cqe* cqe = nullptr;
  io_uring_for_each_cqe(&r.ring, head, cqe) {
    seen++;
    if ((cqe->user_data & kSendMark) != 0) {
      if (cqe->res < 0) {
        errno = -cqe->res;
        fail("send");
      }
      continue;
    }
    const auto connection = static_cast<uint32_t>(cqe->user_data);
    if (cqe->res == 0 || (cqe->res < 0 && cqe->res != -ENOBUFS)) {
      errno = cqe->res == 0 ? ECONNRESET : -cqe->res;
      fail("the server closed a connection");
    }
    if (cqe->res > 0) {
      const uint32_t buffer = cqe->flags >> IORING_CQE_BUFFER_SHIFT;
      on_bytes(connection, {&r.pool[size_t{buffer} * kBufferBytes], static_cast<size_t>(cqe->res)});
      r.give_back(buffer);
    }
    if ((cqe->flags & IORING_CQE_F_MORE) == 0) r.arm(connection);
  }
  ::io_uring_cq_advance(&r.ring, seen);
  return true;
}

uint64_t now_ns() {
  timespec t{};
  ::clock_gettime(CLOCK_MONOTONIC, &t);
  return static_cast<uint64_t>(t.tv_sec) * 1'000'000'000 + static_cast<uint64_t>(t.tv_nsec);
}

void pin_to(int cpu) {
  cpu_set_t set;
  CPU_ZERO(&set);
  CPU_SET(cpu, &set);
  ::sched_setaffinity(0, sizeof set, &set);
}

}  // namespace ringtalk::bench
