// limit_loop: a bare echo or send-to-N server on io_uring or epoll.
#include <arpa/inet.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <unistd.h>

#include <cerrno>
#include <cstdio>
#include <cstdlib>
#include <cstring>
#include <string_view>
#include <vector>

#include "bench/limit/limit_loop.h"

namespace ringtalk::bench {

void die(const char* what) {
  std::fprintf(stderr, "limit_loop: %s: %s\n", what, std::strerror(errno));
  std::exit(1);
}

int listen_anywhere() {
  const int fd = ::socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
  if (fd < 0) die("socket");
  const int one = 1;
  ::setsockopt(fd, IPPROTO_TCP, TCP_NODELAY, &one, sizeof one);
  sockaddr_in at{};
  at.sin_family = AF_INET;
  at.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
  socklen_t length = sizeof at;
  if (::bind(fd, reinterpret_cast<sockaddr*>(&at), length) != 0) die("bind");
  if (::listen(fd, 4096) != 0) die("listen");
  if (::getsockname(fd, reinterpret_cast<sockaddr*>(&at), &length) != 0) die("getsockname");
  std::printf("port %u\n", ntohs(at.sin_port));
  std::fflush(stdout);
  return fd;
}

// Empty: not a list of sizes that a frame can have.
std::vector<uint32_t> sizes_of(const char* list) {
  std::vector<uint32_t> sizes;
  for (const char* at = list;; at++) {
    char* end = nullptr;
    const unsigned long size = std::strtoul(at, &end, 10);
    if (end == at || size < sizeof(uint32_t) || size > 65'536) return {};
    sizes.push_back(static_cast<uint32_t>(size));
    at = end;
    if (*at == '\0') return sizes;
    if (*at != ',') return {};
  }
}

}  // namespace ringtalk::bench

int main(int argc, char** argv) {
  using namespace ringtalk::bench;
  LimitOptions options;
  bool uring = false;
  bool known = argc >= 3;
  if (known) {
    const std::string_view loop = argv[1];
    const std::string_view work = argv[2];
    known = (loop == "io_uring" || loop == "epoll") && (work == "echo" || work == "fanout");
    uring = loop == "io_uring";
    options.work = work == "echo" ? Work::echo : Work::fan_out;
  }
  if (known && options.work == Work::fan_out) {
    known = argc == 5;
    if (known) {
      options.in_bytes = static_cast<uint32_t>(std::strtoul(argv[3], nullptr, 10));
      options.frame_bytes = sizes_of(argv[4]);
      known = options.in_bytes > 0 && !options.frame_bytes.empty();
    }
  }
  if (!known) {
    std::fprintf(stderr,
                 "usage: limit_loop io_uring|epoll echo\n"
                 "       limit_loop io_uring|epoll fanout IN_BYTES OUT_BYTES[,OUT_BYTES ...]\n"
                 "every IN_BYTES make a message to all; OUT_BYTES are those of a frame with one\n"
                 "message, with two, and so on: the messages of a turn leave in such frames\n"
                 "serves 127.0.0.1 on any port, prints \"port N\", runs until it is ended\n");
    return 2;
  }
  rlimit limit{};
  ::getrlimit(RLIMIT_NOFILE, &limit);
  limit.rlim_cur = limit.rlim_max;
  ::setrlimit(RLIMIT_NOFILE, &limit);
  const int listener = listen_anywhere();
  if (uring) run_uring_loop(listener, options);
  run_epoll_loop(listener, options);
}
