// src/ring/error.h: public. What a kernel result means, decided once, at the seam.
#pragma once

#include <cstdint>

namespace ringtalk::ring {

enum class Error : uint8_t {
  none,
  cancelled,  // by close()
  refused,    // nobody listens there
  reset,      // the peer cut the connection
  broken,     // sending after the peer has gone
  timed_out,  // the kernel gave the peer up
  unreachable,
  address_in_use,
  address_unavailable,  // no such local address, or no port left for this pair
  permission,
  no_slots,        // ProactorOptions::connections are all taken
  no_descriptors,  // ulimit -n
  no_memory,
  unsupported,  // the kernel or its configuration lacks something
  other,
};

const char* to_string(Error) noexcept;
// From a positive errno.
Error error_from_errno(int number) noexcept;

}  // namespace ringtalk::ring
