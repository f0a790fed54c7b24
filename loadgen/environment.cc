#include "loadgen/environment.h"

#include <sys/resource.h>
#include <sys/utsname.h>
#include <unistd.h>

#include <fstream>

#include "loadgen/build_info.h"

namespace ringtalk::loadgen {
namespace {

std::string first_line(const std::string& path) {
  std::ifstream file(path);
  std::string line;
  std::getline(file, line);
  return line;
}

// The value of the first line "name : value" of a file.
std::string named_line(const std::string& path, const std::string& name) {
  std::ifstream file(path);
  for (std::string line; std::getline(file, line);) {
    if (!line.starts_with(name)) continue;
    const size_t colon = line.find(':');
    const size_t value = line.find_first_not_of(" \t", colon + 1);
    if (colon != std::string::npos && value != std::string::npos) return line.substr(value);
  }
  return {};
}

std::string limit(int which) {
  rlimit found;
  if (::getrlimit(static_cast<__rlimit_resource>(which), &found) != 0) return {};
  const auto text = [](rlim_t value) {
    return value == RLIM_INFINITY ? std::string("unlimited") : std::to_string(value);
  };
  return text(found.rlim_cur) + " of " + text(found.rlim_max);
}

constexpr const char* kSysctls[] = {
    "net/core/somaxconn",
    "net/ipv4/ip_local_port_range",
    "net/ipv4/tcp_max_syn_backlog",
    "net/ipv4/tcp_congestion_control",
    "net/ipv4/tcp_tw_reuse",
    "net/ipv4/tcp_rmem",
    "net/ipv4/tcp_wmem",
    "net/ipv4/tcp_mem",
    "kernel/io_uring_disabled",
    "fs/nr_open",
};

}  // namespace

std::vector<std::pair<std::string, std::string>> read_environment() {
  std::vector<std::pair<std::string, std::string>> found;
  const auto add = [&found](std::string name, std::string value) {
    if (!value.empty()) found.emplace_back(std::move(name), std::move(value));
  };
  add("version", kBuildInfo.version);
  add("commit", kBuildInfo.commit);
  add("compiler", kBuildInfo.compiler);
  add("flags", kBuildInfo.flags);
  utsname kernel;
  if (::uname(&kernel) == 0) {
    add("kernel", std::string(kernel.sysname) + " " + kernel.release);
    add("architecture", kernel.machine);
    add("host", kernel.nodename);
  }
  add("cpu", named_line("/proc/cpuinfo", "model name"));
  add("cores", std::to_string(::sysconf(_SC_NPROCESSORS_ONLN)));
  add("memory", named_line("/proc/meminfo", "MemTotal"));
  add("memory_available", named_line("/proc/meminfo", "MemAvailable"));
  add("load", first_line("/proc/loadavg"));
  add("limit.descriptors", limit(RLIMIT_NOFILE));
  add("limit.locked_memory", limit(RLIMIT_MEMLOCK));
  for (const char* name : kSysctls) {
    std::string dotted = name;
    for (char& c : dotted) c = c == '/' ? '.' : c;
    add("sysctl." + dotted, first_line(std::string("/proc/sys/") + name));
  }
  return found;
}

}  // namespace ringtalk::loadgen
