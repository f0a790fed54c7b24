// bench/store/send_rows.h: internal to bench. The messages that both sides of the comparison store.
//
// `pairs` pairs of load users talk both ways, in turn. Values only; made before any clock runs.
#pragma once

#include <cstdint>
#include <string>
#include <vector>

#include "store/store.h"

namespace ringtalk::bench {

struct SendPlan {
  uint32_t pairs = 1'000;
  uint32_t messages = 100'000;
  uint32_t body_bytes = 64;
  uint32_t batch = 256;
  uint32_t window = 4'096;  // unanswered sends in all
  uint32_t runs = 5;
};

std::vector<store::Append> make_sends(const SendPlan& plan, uint64_t seed);

}  // namespace ringtalk::bench
