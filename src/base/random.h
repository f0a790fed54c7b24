// src/base/random.h: public. A small, fast, seeded generator (xoshiro256**, Blackman and Vigna
// 2018).
//
// For jitter, load and simulation: the same seed gives the same sequence on every machine. Never
// for keys, tokens or ids that must not be guessed: those come from libsodium. Thread rule: one
// owner.
#pragma once

#include <cstdint>

#include "base/assert.h"

namespace ringtalk::base {

class Random {
 public:
  explicit Random(uint64_t seed) noexcept {
    for (uint64_t& word : state_) word = splitmix(seed);
  }

  uint64_t next() noexcept {
    const uint64_t result = rotate(state_[1] * 5, 7) * 9;
    const uint64_t t = state_[1] << 17;
    state_[2] ^= state_[0];
    state_[3] ^= state_[1];
    state_[1] ^= state_[2];
    state_[0] ^= state_[3];
    state_[2] ^= t;
    state_[3] = rotate(state_[3], 45);
    return result;
  }

  // Uniform in [0, bound); the bias of the multiplication is below 2^-32 for bounds below 2^32.
  uint64_t below(uint64_t bound) noexcept {
    ASSERT(bound > 0);
    return static_cast<uint64_t>((static_cast<unsigned __int128>(next()) * bound) >> 64);
  }

  // Uniform in [0, 1).
  double unit() noexcept { return static_cast<double>(next() >> 11) * 0x1.0p-53; }

  bool chance(double probability) noexcept { return unit() < probability; }

  // An independent generator, so that one consumer's draws never shift another's.
  Random fork() noexcept { return Random(next()); }

 private:
  static uint64_t splitmix(uint64_t& seed) noexcept {
    uint64_t z = (seed += 0x9e3779b97f4a7c15);
    z = (z ^ (z >> 30)) * 0xbf58476d1ce4e5b9;
    z = (z ^ (z >> 27)) * 0x94d049bb133111eb;
    return z ^ (z >> 31);
  }
  static uint64_t rotate(uint64_t x, int k) noexcept { return (x << k) | (x >> (64 - k)); }

  uint64_t state_[4];
};

}  // namespace ringtalk::base
