// src/service/close_reason.h: internal to the service. Why a connection was closed.
//
// Counted for each shard and shown in the statistics under to_string(). Numbers are not on the
// wire: what the peer is told is wire::ErrorCode, wire::KickReason or wire::GoawayReason.
#pragma once

#include <cstddef>
#include <cstdint>

namespace ringtalk::service {

enum class CloseReason : uint8_t {
  none,              // still open
  peer_closed,       // FIN
  peer_reset,        // RST, or sending to a peer that has gone
  network,           // the kernel gave the connection up
  logged_out,        // Logout
  kicked,            // a newer login, or an all-device logout
  heartbeat_lost,    // silent for longer than the missed limit
  login_timeout,     // not logged in within limits.login_timeout
  prelogin_evicted,  // made room for a newcomer
  address_limit,     // too many connections of one address before login
  server_busy,       // beyond --max-connections, answered from the reserve
  bad_frame,         // does not verify, or a prefix that no frame can have
  too_large,         // a frame beyond the limit
  version_too_old,
  slow_reader,    // its queue pinned too much memory
  no_memory,      // the budget of cut frames was spent twice over
  frame_timeout,  // others waited for memory that a frame held which did not end
  draining,       // the server stops
  count,
};
inline constexpr size_t kCloseReasons = static_cast<size_t>(CloseReason::count);

const char* to_string(CloseReason) noexcept;

}  // namespace ringtalk::service
