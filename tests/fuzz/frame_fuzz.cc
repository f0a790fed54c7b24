// tests/fuzz/frame_fuzz.cc: libFuzzer target of frame reader and verifier.
//
// The input is a stream as a peer might send it. Oracles beyond the sanitizers: a frame that is
// accepted can be read field by field, and cutting the stream elsewhere gives the same events.

#include <cstdint>
#include <cstdlib>

#include "base/random.h"
#include "tests/proto/frame_oracle.h"

extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
  using namespace ringtalk::proto;
  const std::span stream(reinterpret_cast<const std::byte*>(data), size);
  // Cuts that are a function of the input, so that a finding repeats.
  uint64_t seed = size;
  for (size_t i = 0; i < size; i += 1 + size / 64) seed = mix(seed ^ data[i]);
  ringtalk::base::Random random(seed);
  for (const Role role : {Role::server, Role::client}) {
    const auto whole = oracle::read_whole(stream, role);
    const size_t piece_max = 1 + random.below(300);
    const auto pieces = [&](size_t left) { return 1 + random.below(std::min(left, piece_max)); };
    if (oracle::read_stream(stream, role, pieces, random.below(8)) != whole) std::abort();
  }
  return 0;
}
