#include "service/launch.h"

#include <fcntl.h>
#include <netinet/in.h>
#include <poll.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <cstdlib>
#include <cstring>
#include <filesystem>

#include "base/assert.h"
#include "proto/token.h"
#include "service/config_text.h"
#include "service/data_directory.h"

namespace ringtalk::service {
namespace {

constexpr uint64_t kProbeRetryMs = 50;
constexpr uint32_t kReserveMin = 16;

socklen_t fill(const ring::Address& at, sockaddr_storage& storage) {
  storage = {};
  if (at.family == ring::Family::v6) {
    auto* v6 = reinterpret_cast<sockaddr_in6*>(&storage);
    v6->sin6_family = AF_INET6;
    v6->sin6_port = htons(at.port);
    std::memcpy(&v6->sin6_addr, at.bytes.data(), sizeof v6->sin6_addr);
    return sizeof *v6;
  }
  auto* v4 = reinterpret_cast<sockaddr_in*>(&storage);
  v4->sin_family = AF_INET;
  v4->sin_port = htons(at.port);
  std::memcpy(&v4->sin_addr, at.bytes.data(), sizeof v4->sin_addr);
  return sizeof *v4;
}

// 0, or the errno of a bind and listen of our own; `shared`: of a bind that is in nobody's way.
int try_port(const ring::Address& at, bool shared) {
  sockaddr_storage storage;
  const socklen_t length = fill(at, storage);
  const int probe = ::socket(storage.ss_family, SOCK_STREAM | SOCK_CLOEXEC, 0);
  if (probe < 0) return errno;
  const int on = 1;
  // Connections in TIME_WAIT do not hold a port (socket(7), SO_REUSEADDR); a listener does.
  ::setsockopt(probe, SOL_SOCKET, SO_REUSEADDR, &on, sizeof on);
  if (at.family == ring::Family::v6) {
    ::setsockopt(probe, IPPROTO_IPV6, IPV6_V6ONLY, &on, sizeof on);
  }
  if (shared) ::setsockopt(probe, SOL_SOCKET, SO_REUSEPORT, &on, sizeof on);
  int error = 0;
  if (::bind(probe, reinterpret_cast<sockaddr*>(&storage), length) != 0 ||
      (!shared && ::listen(probe, 1) != 0)) {
    error = errno;
  }
  ::close(probe);
  return error;
}

base::Failure<LaunchError> cannot_listen(const ring::Address& at, int error) {
  return base::Failure{LaunchError{"cannot listen on " + at.text() + ": " + std::strerror(error) +
                                   "; give another --listen ADDR:PORT"}};
}

base::Failure<LaunchError> cannot_write(const std::string& path, int error) {
  return base::Failure{LaunchError{"cannot write " + path + ": " + std::strerror(error) +
                                   "; give a path in a directory that this user can write"}};
}

std::string folder_of(const std::string& path) {
  const size_t slash = path.rfind('/');
  if (slash == std::string::npos) return ".";
  return slash == 0 ? "/" : path.substr(0, slash);
}

bool is_in(const std::string& directory, const std::string& file) {
  const auto plain = [](const std::string& path) {
    return (std::filesystem::path(path) / "file").lexically_normal();
  };
  return plain(directory) == plain(folder_of(file));
}

}  // namespace

std::string with_thousands(uint64_t number) {
  std::string text = std::to_string(number);
  for (size_t at = text.size(); at > 3;) text.insert(at -= 3, ",");
  return text;
}

std::string CapacityPlan::line(const char* backend) const {
  return with_thousands(connections_max) + " connections on " + std::to_string(shards) +
         " shards of " + with_thousands(slots) + " slots, " + backend + ", ulimit -n " +
         with_thousands(descriptors);
}

base::Result<CapacityPlan, LaunchError> plan_capacity(
    const Config& config, uint32_t cores, const std::function<uint32_t(uint32_t)>& table,
    uint64_t descriptors) {
  CapacityPlan plan{};
  plan.shards = config.shards == 0 ? std::min(cores, kShardsMax) : config.shards;
  plan.descriptors = descriptors;
  const uint32_t slots = table(plan.shards);
  // The kernel does not deal connections evenly: a tenth is left for the fuller shards.
  const uint64_t room = uint64_t{plan.shards} * slots * 9 / 10;
  if (slots <= kReserveMin) {
    return base::Failure{LaunchError{
        "ulimit -n " + with_thousands(descriptors) + " leaves room for " + with_thousands(slots) +
        " on each of " + std::to_string(plan.shards) + " shards, and " +
        std::to_string(kReserveMin + 1) + " are needed; raise ulimit -n, or give fewer --shards"}};
  }
  if (config.max_connections > room) {
    return base::Failure{LaunchError{
        "--max-connections " + with_thousands(config.max_connections) + " is beyond the " +
        with_thousands(room) + " that " + std::to_string(plan.shards) +
        " shards can hold here (ulimit -n " + with_thousands(descriptors) +
        "); lower it, raise ulimit -n, or give more --shards"}};
  }
  plan.connections_max = config.max_connections == 0 ? room : config.max_connections;
  const uint64_t reserve = std::max<uint64_t>(kReserveMin, plan.connections_max / 100);
  plan.slots = static_cast<uint32_t>(std::min<uint64_t>(slots, plan.connections_max + reserve));
  return plan;
}

std::vector<ring::Address> listen_addresses(const Config& config) {
  std::vector<ring::Address> addresses;
  for (const std::string& text : config.listen) {
    auto address = ring::Address::parse(text);
    ASSERT(address.has_value());  // the key's own check
    if (!config.port.empty()) address->port = static_cast<uint16_t>(*parse_number(config.port));
    addresses.push_back(*address);
  }
  return addresses;
}

base::Status<LaunchError> probe_port(const ring::Address& at, uint64_t wait_ms) {
  for (uint64_t waited_ms = 0;; waited_ms += kProbeRetryMs) {
    const int error = try_port(at, false);
    if (error == 0) return base::Done{};
    if (error == EADDRINUSE && waited_ms < wait_ms) {
      ::poll(nullptr, 0, static_cast<int>(kProbeRetryMs));
      continue;
    }
    if (error == EADDRINUSE) {
      return base::Failure{LaunchError{at.text() +
                                       " is in use by another program; stop that one, give "
                                       "another port with -p, or share it with --share-port"}};
    }
    return cannot_listen(at, error);
  }
}

base::Status<LaunchError> check_address(const ring::Address& at) {
  const int error = try_port(at, true);
  if (error == 0 || error == EADDRINUSE) return base::Done{};
  return cannot_listen(at, error);
}

base::Status<LaunchError> check_writable(const std::string& path) {
  struct stat there {};
  if (::stat(path.c_str(), &there) == 0) {
    if (S_ISDIR(there.st_mode)) return cannot_write(path, EISDIR);
    if (::access(path.c_str(), W_OK) != 0) return cannot_write(path, errno);
    if (!S_ISREG(there.st_mode)) return base::Done{};
  } else if (errno != ENOENT) {
    return cannot_write(path, errno);
  }
  if (::access(folder_of(path).c_str(), W_OK | X_OK) != 0) return cannot_write(path, errno);
  return base::Done{};
}

bool needs_data_directory(const Config& config) {
  return config.store != "memory:" || config.token_key.empty();
}

base::Status<LaunchError> check_places(const Config& config, const std::string& data_path,
                                       const std::string& store_file) {
  if (needs_data_directory(config)) {
    const auto usable = DataDirectory::check(data_path);
    if (!usable) return base::Failure{LaunchError{usable.error().line}};
  }
  // A key of the data directory is made when it is missing; one that was named has to be there.
  const std::string own_key = DataDirectory::key_file_in(data_path);
  const bool own = config.token_key.empty();
  if (!own || ::access(own_key.c_str(), F_OK) == 0) {
    const auto key = proto::read_token_key(own ? own_key : config.token_key);
    if (!key) return base::Failure{LaunchError{key.error().text}};
  }
  for (const ring::Address& at : listen_addresses(config)) {
    const auto usable = check_address(at);
    if (!usable) return usable;
  }
  for (const std::string& file : {store_file, config.ports_file, config.stats_file}) {
    if (file.empty()) continue;
    // Checked with the directory, which may have to be made first.
    struct stat there {};
    if (is_in(data_path, file) && ::stat(file.c_str(), &there) != 0) continue;
    const auto writable = check_writable(file);
    if (!writable) return writable;
  }
  return base::Done{};
}

base::Status<LaunchError> write_by_rename(const std::string& path, const std::string& content) {
  // A device or a pipe is written to and stays: a rename would put a file in the place of
  // /dev/null.
  struct stat there {};
  const bool in_place = ::stat(path.c_str(), &there) == 0 && !S_ISREG(there.st_mode);
  const std::string fresh = in_place ? path : path + ".new";
  const int flags = in_place ? O_WRONLY : O_WRONLY | O_CREAT | O_TRUNC;
  const int out = ::open(fresh.c_str(), flags | O_CLOEXEC, 0644);
  bool good = out >= 0;
  for (size_t at = 0; good && at < content.size();) {
    const ssize_t written = ::write(out, content.data() + at, content.size() - at);
    good = written > 0;
    if (good) at += static_cast<size_t>(written);
  }
  if (good && !in_place) good = ::rename(fresh.c_str(), path.c_str()) == 0;
  const int error = errno;
  if (out >= 0) ::close(out);
  if (good) return base::Done{};
  return cannot_write(path, error);
}

std::string ports_json(const ring::Address& client, const char* backend, uint32_t shards) {
  const std::string text = client.text();
  std::string host = text.substr(0, text.rfind(':'));
  if (host.starts_with('[')) host = host.substr(1, host.size() - 2);
  return "{\"pid\": " + std::to_string(::getpid()) + ", \"client\": {\"host\": \"" + host +
         "\", \"port\": " + std::to_string(client.port) + "}, \"backend\": \"" + backend +
         "\", \"shards\": " + std::to_string(shards) + "}\n";
}

// ---- background

Daemon::~Daemon() {
  if (parent_ >= 0) ::close(parent_);
}

base::Status<LaunchError> Daemon::enter() {
  ASSERT(parent_ < 0);
  int ends[2];
  if (::pipe2(ends, O_CLOEXEC) != 0) {
    return base::Failure{LaunchError{std::string("cannot go to the background: ") +
                                     std::strerror(errno) + "; start without -d"}};
  }
  const pid_t child = ::fork();
  if (child < 0) {
    return base::Failure{LaunchError{std::string("cannot go to the background: ") +
                                     std::strerror(errno) + "; start without -d"}};
  }
  if (child > 0) {
    ::close(ends[1]);
    char ready = 0;
    if (::read(ends[0], &ready, 1) == 1) ::_exit(0);
    int status = 0;
    ::waitpid(child, &status, 0);
    ::_exit(WIFEXITED(status) ? WEXITSTATUS(status) : 1);
  }
  ::close(ends[0]);
  ::setsid();
  parent_ = ends[1];
  return base::Done{};
}

void Daemon::ready(const std::string& log_file) {
  if (parent_ < 0) return;
  const int null = ::open("/dev/null", O_RDWR | O_CLOEXEC);
  int out = null;
  if (!log_file.empty()) {
    const int file = ::open(log_file.c_str(), O_WRONLY | O_CREAT | O_APPEND | O_CLOEXEC, 0600);
    if (file >= 0) out = file;
  }
  ::dup2(null, STDIN_FILENO);
  ::dup2(out, STDOUT_FILENO);
  ::dup2(out, STDERR_FILENO);
  const char done = 1;
  const ssize_t told = ::write(parent_, &done, 1);
  static_cast<void>(told);  // a parent that has gone needs no answer
  ::close(parent_);
  parent_ = -1;
}

}  // namespace ringtalk::service
