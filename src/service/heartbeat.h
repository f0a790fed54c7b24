// src/service/heartbeat.h: internal to the service. Finds sessions that have gone silent.
//
// One byte for each slot counts the beats that its client has missed; any frame sets it to zero.
// Every interval a sweep adds one to each byte, and what is then beyond the limit is dead: no timer
// for each connection. Thread rule: the shard's. Invariant: bytes of kNotSwept stay as they are, so
// free slots, sessions before login and those that the server itself has paused never die of it.
#pragma once

#include <cstdint>
#include <vector>

#include "service/session.h"

namespace ringtalk::service {

inline constexpr uint32_t kHeartbeatMissedMax = 250;

// Counts one missed beat for each of `slots` bytes and appends the slots that are beyond `limit`.
void sweep_missed(uint8_t* missed, uint32_t slots, uint8_t limit, std::vector<uint32_t>& dead);

}  // namespace ringtalk::service
