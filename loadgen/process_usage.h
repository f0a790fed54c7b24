// loadgen/process_usage.h: internal to loadgen. What a process of this machine has used, from its
// clock and /proc.
//
// Thread rule: any. Everything is read, nothing estimated: what cannot be read is not there.
#pragma once

#include <sys/types.h>

#include <cstdint>
#include <optional>

namespace ringtalk::loadgen {

struct ProcessUsage {
  uint64_t cpu_ns = 0;  // user and system, of all threads (the process' CPU clock)
  uint64_t rss_bytes = 0;
  uint64_t rss_peak_bytes = 0;
  uint32_t threads = 0;
};

// Nothing when the process is not of this machine or has gone.
std::optional<ProcessUsage> usage_of(pid_t pid);

}  // namespace ringtalk::loadgen
