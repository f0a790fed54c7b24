// tests/support/seed.h: tests. The seed of a random test: printed, and repeatable from outside.
//
// A test asks for its seed with the one it runs by default; RINGTALK_SEED in the environment
// replaces it, which is what the runner prints as the command that repeats a failure.
#pragma once

#include <cstdint>
#include <cstdio>
#include <cstdlib>

namespace ringtalk::tests {

inline uint64_t test_seed(uint64_t usual) {
  const char* asked = std::getenv("RINGTALK_SEED");
  const uint64_t seed = asked == nullptr ? usual : std::strtoull(asked, nullptr, 0);
  std::printf("seed %llu\n", static_cast<unsigned long long>(seed));
  return seed;
}

}  // namespace ringtalk::tests
