// bench/driver/server_counters.h: private to bench. What ringtalkd itself counted in its life.
#pragma once

#include <cstdint>

#include "bench/driver/dialects.h"

namespace ringtalk::bench {

struct ServerCounters {
  uint64_t system_calls = 0;
  uint64_t room_deliveries = 0;
  uint64_t sends = 0;
  uint64_t frames = 0;
  uint64_t recipient_copies = 0;
  uint64_t recipient_allocations = 0;
};

// Ends the server (SIGTERM) and reads the statistics that it leaves behind. Exits with one line
// when there are none.
ServerCounters stop_and_count(Subject& ringtalkd);

}  // namespace ringtalk::bench
