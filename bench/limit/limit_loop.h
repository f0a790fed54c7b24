// bench/limit/limit_loop.h: private to bench/limit. The least that a server can do on this kernel.
//
// Each loop serves one work with nothing of ours above the system calls: no sessions, no frames, no
// limits. They are the yardstick of docs/performance.md: what cannot be beaten, sending the same
// bytes. Thread rule: one thread, which never returns.
#pragma once

#include <cstddef>
#include <cstdint>
#include <vector>

namespace ringtalk::bench {

enum class Work : uint8_t {
  echo,    // whatever arrives goes back on the same connection
  fan_out  // each `in_bytes` that arrive anywhere make one message to all connections
};

struct LimitOptions {
  Work work = Work::echo;
  uint32_t in_bytes = 64;
  std::vector<uint32_t> frame_bytes{};  // of a frame with one message, with two ... (TurnBytes)
  uint32_t connections_max = 16'384;
};

// A listening socket on 127.0.0.1, any port, which is printed as "port N" on standard output.
int listen_anywhere();

[[noreturn]] void run_epoll_loop(int listener, const LimitOptions& options);
[[noreturn]] void run_uring_loop(int listener, const LimitOptions& options);

[[noreturn]] void die(const char* what);

}  // namespace ringtalk::bench
