#include "ring/socket.h"

#include <netinet/tcp.h>
#include <unistd.h>

#include <cerrno>
#include <cstring>

#include "base/assert.h"

namespace ringtalk::ring {
namespace {

// A peer whose kernel has gone: probed after a minute of silence, given up about 30 s later, and
// unacknowledged data gives it up after 30 s.
constexpr int kKeepaliveIdle_s = 60;
constexpr int kKeepaliveInterval_s = 10;
constexpr int kKeepaliveProbes_count = 3;
constexpr int kUserTimeout_ms = 30'000;

bool set(int descriptor, int level, int name, int value) noexcept {
  return setsockopt(descriptor, level, name, &value, sizeof value) == 0;
}

bool set_stream_options(int descriptor) noexcept {
  return set(descriptor, IPPROTO_TCP, TCP_NODELAY, 1) &&
         set(descriptor, SOL_SOCKET, SO_KEEPALIVE, 1) &&
         set(descriptor, IPPROTO_TCP, TCP_USER_TIMEOUT, kUserTimeout_ms);
}

bool set_keepalive_times(int descriptor) noexcept {
  return set(descriptor, IPPROTO_TCP, TCP_KEEPIDLE, kKeepaliveIdle_s) &&
         set(descriptor, IPPROTO_TCP, TCP_KEEPINTVL, kKeepaliveInterval_s) &&
         set(descriptor, IPPROTO_TCP, TCP_KEEPCNT, kKeepaliveProbes_count);
}

int open_stream(Family family) noexcept {
  ASSERT(family != Family::none);
  return socket(family == Family::v4 ? AF_INET : AF_INET6,
                SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);
}

// Closes it and answers what errno said before.
base::Failure<Error> give_up(int descriptor) noexcept {
  const Error error = error_from_errno(errno);
  if (descriptor >= 0) close(descriptor);
  return base::Failure{error};
}

}  // namespace

socklen_t to_socket_address(const Address& from, SocketAddress& to) {
  ASSERT(from.family != Family::none);
  std::memset(&to, 0, sizeof to);
  if (from.family == Family::v4) {
    to.v4.sin_family = AF_INET;
    to.v4.sin_port = htons(from.port);
    std::memcpy(&to.v4.sin_addr, from.bytes.data(), sizeof to.v4.sin_addr);
    return sizeof to.v4;
  }
  to.v6.sin6_family = AF_INET6;
  to.v6.sin6_port = htons(from.port);
  std::memcpy(&to.v6.sin6_addr, from.bytes.data(), sizeof to.v6.sin6_addr);
  return sizeof to.v6;
}

Address from_socket_address(const SocketAddress& from) noexcept {
  Address address;
  if (from.any.sa_family == AF_INET) {
    address.family = Family::v4;
    address.port = ntohs(from.v4.sin_port);
    std::memcpy(address.bytes.data(), &from.v4.sin_addr, sizeof from.v4.sin_addr);
  } else if (from.any.sa_family == AF_INET6) {
    address.family = Family::v6;
    address.port = ntohs(from.v6.sin6_port);
    std::memcpy(address.bytes.data(), &from.v6.sin6_addr, sizeof from.v6.sin6_addr);
  }
  return address;
}

base::Result<ListenSocket, Error> open_listener(const Address& at, const ListenOptions& options) {
  ASSERT(options.backlog > 0 && options.backlog <= INT32_MAX);
  const int descriptor = open_stream(at.family);
  if (descriptor < 0) return give_up(descriptor);
  // A restart must not wait for the TIME_WAIT of its predecessor's connections.
  bool set_up = set(descriptor, SOL_SOCKET, SO_REUSEADDR, 1) && set_stream_options(descriptor) &&
                set_keepalive_times(descriptor);
  if (options.share_port) set_up = set_up && set(descriptor, SOL_SOCKET, SO_REUSEPORT, 1);
  // An IPv6 listener takes IPv6 alone, whatever net.ipv6.bindv6only says.
  if (at.family == Family::v6) set_up = set_up && set(descriptor, IPPROTO_IPV6, IPV6_V6ONLY, 1);
  if (!set_up) return give_up(descriptor);

  SocketAddress address;
  const socklen_t length = to_socket_address(at, address);
  if (bind(descriptor, &address.any, length) != 0) return give_up(descriptor);
  if (listen(descriptor, static_cast<int>(options.backlog)) != 0) return give_up(descriptor);
  socklen_t bound_length = sizeof address;
  if (getsockname(descriptor, &address.any, &bound_length) != 0) return give_up(descriptor);
  return ListenSocket{descriptor, from_socket_address(address)};
}

base::Result<int, Error> open_connector(const Address& to, const Address* source) {
  const int descriptor = open_stream(to.family);
  if (descriptor < 0) return give_up(descriptor);
  if (!set_stream_options(descriptor)) return give_up(descriptor);
  if (source == nullptr) return descriptor;

  ASSERT(source->family == to.family);
  // The port is chosen at connect(2), when the whole pair is known: every source address then has
  // the full range for each target (ip(7)).
  if (source->port == 0 && !set(descriptor, IPPROTO_IP, IP_BIND_ADDRESS_NO_PORT, 1)) {
    return give_up(descriptor);
  }
  if (source->port != 0 && !set(descriptor, SOL_SOCKET, SO_REUSEADDR, 1)) {
    return give_up(descriptor);
  }
  SocketAddress address;
  const socklen_t length = to_socket_address(*source, address);
  if (bind(descriptor, &address.any, length) != 0) return give_up(descriptor);
  return descriptor;
}

}  // namespace ringtalk::ring
