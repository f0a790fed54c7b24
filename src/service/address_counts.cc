#include "service/address_counts.h"

#include <cstring>

#include "base/assert.h"
#include "proto/ids.h"

namespace ringtalk::service {

uint32_t AddressCounts::key_of(const ring::Address& peer) const noexcept {
  uint64_t words[2];
  static_assert(sizeof words == sizeof peer.bytes);
  std::memcpy(words, peer.bytes.data(), sizeof words);
  // Seeded, so that nobody outside can choose addresses that share a counter.
  const uint32_t key = static_cast<uint32_t>(proto::mix(words[0] ^ proto::mix(words[1] ^ seed_)));
  return key == kNoAddress ? 1 : key;
}

uint32_t AddressCounts::enter(const ring::Address& peer, uint32_t most) {
  ASSERT(most > 0);
  const uint32_t key = key_of(peer);
  Stripe& stripe = stripe_of(key);
  std::lock_guard lock(stripe.mutex);
  uint32_t& count = stripe.counts[key];
  if (count >= most) return kNoAddress;
  count++;
  return key;
}

void AddressCounts::leave(uint32_t key) {
  ASSERT(key != kNoAddress);
  Stripe& stripe = stripe_of(key);
  std::lock_guard lock(stripe.mutex);
  const auto found = stripe.counts.find(key);
  ASSERT(found != stripe.counts.end() && found->second > 0);
  if (--found->second == 0) stripe.counts.erase(found);
}

}  // namespace ringtalk::service
