// src/ring/socket.h: internal to src/ring. Sockets as every back end wants them.
//
// Ownership: a descriptor that is returned belongs to the caller. Thread rule: any thread.
// Invariants: every socket is non-blocking, close-on-exec and sends without delay (TCP_NODELAY);
// what accept gives inherits the listener's options (net/ipv4/tcp_minisocks.c, tcp(7)).
#pragma once

#include <netinet/in.h>
#include <sys/socket.h>

#include <cstdint>

#include "base/result.h"
#include "ring/address.h"
#include "ring/error.h"
#include "ring/proactor.h"

namespace ringtalk::ring {

union SocketAddress {
  sockaddr any;
  sockaddr_in v4;
  sockaddr_in6 v6;
};

// The length to give to the kernel; ASSERTs a family.
socklen_t to_socket_address(const Address& from, SocketAddress& to);
// Family::none for anything but IPv4 and IPv6.
Address from_socket_address(const SocketAddress& from) noexcept;

struct ListenSocket {
  int descriptor;
  Address address;  // with the port that the kernel chose
};

base::Result<ListenSocket, Error> open_listener(const Address& at, const ListenOptions& options);

// A socket bound to `source` (null: the kernel's choice), ready for connect(2).
base::Result<int, Error> open_connector(const Address& to, const Address* source);

// System calls of open_connector, for ProactorStats.
inline constexpr uint32_t kConnectorCalls = 4;
inline constexpr uint32_t kConnectorSourceCalls = 2;

}  // namespace ringtalk::ring
