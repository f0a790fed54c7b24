#include "loadgen/process_usage.h"

#include <time.h>

#include <charconv>
#include <fstream>
#include <string>

namespace ringtalk::loadgen {
namespace {

// The number behind "Name:" of a line of /proc/PID/status.
std::optional<uint64_t> field(const std::string& line, std::string_view name) {
  if (!line.starts_with(name)) return std::nullopt;
  const size_t at = line.find_first_of("0123456789", name.size());
  if (at == std::string::npos) return std::nullopt;
  uint64_t value = 0;
  std::from_chars(line.data() + at, line.data() + line.size(), value);
  return value;
}

}  // namespace

std::optional<ProcessUsage> usage_of(pid_t pid) {
  clockid_t clock;
  timespec cpu;
  if (pid <= 0 || ::clock_getcpuclockid(pid, &clock) != 0) return std::nullopt;
  if (::clock_gettime(clock, &cpu) != 0) return std::nullopt;
  ProcessUsage usage;
  usage.cpu_ns = static_cast<uint64_t>(cpu.tv_sec) * 1'000'000'000 +  //
                 static_cast<uint64_t>(cpu.tv_nsec);
  std::ifstream status("/proc/" + std::to_string(pid) + "/status");
  if (!status) return std::nullopt;
  for (std::string line; std::getline(status, line);) {
    if (const auto rss = field(line, "VmRSS:")) usage.rss_bytes = *rss * 1024;
    if (const auto peak = field(line, "VmHWM:")) usage.rss_peak_bytes = *peak * 1024;
    if (const auto threads = field(line, "Threads:")) {
      usage.threads = static_cast<uint32_t>(*threads);
    }
  }
  return usage;
}

}  // namespace ringtalk::loadgen
