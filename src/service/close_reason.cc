#include "service/close_reason.h"

#include "base/assert.h"

namespace ringtalk::service {

const char* to_string(CloseReason reason) noexcept {
  switch (reason) {
    case CloseReason::none:
      return "none";
    case CloseReason::peer_closed:
      return "peer_closed";
    case CloseReason::peer_reset:
      return "peer_reset";
    case CloseReason::network:
      return "network";
    case CloseReason::logged_out:
      return "logged_out";
    case CloseReason::kicked:
      return "kicked";
    case CloseReason::heartbeat_lost:
      return "heartbeat_lost";
    case CloseReason::login_timeout:
      return "login_timeout";
    case CloseReason::prelogin_evicted:
      return "prelogin_evicted";
    case CloseReason::address_limit:
      return "address_limit";
    case CloseReason::server_busy:
      return "server_busy";
    case CloseReason::bad_frame:
      return "bad_frame";
    case CloseReason::too_large:
      return "too_large";
    case CloseReason::version_too_old:
      return "version_too_old";
    case CloseReason::slow_reader:
      return "slow_reader";
    case CloseReason::no_memory:
      return "no_memory";
    case CloseReason::frame_timeout:
      return "frame_timeout";
    case CloseReason::draining:
      return "draining";
    case CloseReason::count:
      break;
  }
  UNREACHABLE();
}

}  // namespace ringtalk::service
