// src/service/address_counts.h: internal to the service. Connections before login, by address.
//
// One count for the node: the kernel deals the connections of one address to all shards. Counts lie
// in stripes with a lock each, taken twice in the life of a connection that is not trusted and
// never after its login. Thread rule: any thread. Invariant: an address has an entry while its
// count is not 0, so memory follows the connections.
#pragma once

#include <array>
#include <cstdint>
#include <mutex>

#include <boost/unordered/unordered_flat_map.hpp>

#include "ring/address.h"

namespace ringtalk::service {

class AddressCounts {
 public:
  static constexpr uint32_t kNoAddress = 0;

  explicit AddressCounts(uint64_t seed) : seed_(seed) {}

  // What to give back to leave(). kNoAddress: there are `most` of this address already.
  [[nodiscard]] uint32_t enter(const ring::Address& peer, uint32_t most);
  void leave(uint32_t key);

 private:
  struct alignas(64) Stripe {
    std::mutex mutex;
    boost::unordered_flat_map<uint32_t, uint32_t> counts;
  };
  uint32_t key_of(const ring::Address& peer) const noexcept;
  Stripe& stripe_of(uint32_t key) noexcept { return stripes_[key % stripes_.size()]; }

  const uint64_t seed_;
  std::array<Stripe, 16> stripes_;
};

}  // namespace ringtalk::service
