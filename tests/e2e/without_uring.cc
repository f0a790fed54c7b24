// tests/e2e: runs a program where a filter forbids io_uring, as containers do.
#include <fcntl.h>
#include <seccomp.h>
#include <unistd.h>

#include <cerrno>
#include <cstdio>
#include <cstring>

int main(int argc, char** argv) {
  if (argc < 2) {
    std::fprintf(stderr, "usage: without_uring PROGRAM [ARGUMENT...]\n");
    return 2;
  }
  scmp_filter_ctx filter = seccomp_init(SCMP_ACT_ALLOW);
  if (filter == nullptr ||
      seccomp_rule_add(filter, SCMP_ACT_ERRNO(EPERM), SCMP_SYS(io_uring_setup), 0) != 0 ||
      seccomp_load(filter) != 0) {
    std::fprintf(stderr, "without_uring: this host takes no filter\n");
    return 125;
  }
  seccomp_release(filter);
  ::execv(argv[1], argv + 1);
  std::fprintf(stderr, "without_uring: %s: %s\n", argv[1], std::strerror(errno));
  return 127;
}
