// src/service/rate_buckets.h: internal to the service. Token buckets by key, kept only while they
// matter.
//
// A bucket that has filled up again carries no information, so it is forgotten: memory follows from
// the rate at which keys are used, not from how many there are. Times are the caller's.
// Thread rule: one owner. Invariant: a key gets at most burst + rate x t tokens in any time t.
#pragma once

#include <cstddef>
#include <cstdint>

#include <boost/unordered/unordered_flat_map.hpp>

namespace ringtalk::service {

template <class Key, class Hash>
class RateBuckets {
 public:
  // A rate of 0 is off: everything is admitted.
  RateBuckets(uint32_t per_second, uint32_t burst) { configure(per_second, burst); }

  void configure(uint32_t per_second, uint32_t burst) {
    ns_per_token_ = per_second == 0 ? 0 : 1'000'000'000 / per_second;
    burst_ns_ = ns_per_token_ * (burst == 0 ? 1 : burst);
    if (ns_per_token_ == 0) full_at_.clear();
  }

  // Takes one token. 0: admitted; otherwise how long until there is one.
  uint64_t admit(const Key& key, uint64_t now_ns) {
    if (ns_per_token_ == 0) return 0;
    if (full_at_.size() >= sweep_at_) forget_full(now_ns);
    // The bucket is the moment at which it will be full again (a virtual schedule).
    uint64_t& full_at = full_at_[key];
    if (full_at < now_ns) full_at = now_ns;
    if (full_at + ns_per_token_ > now_ns + burst_ns_) {
      return full_at + ns_per_token_ - now_ns - burst_ns_;
    }
    full_at += ns_per_token_;
    return 0;
  }

  size_t size() const noexcept { return full_at_.size(); }

 private:
  void forget_full(uint64_t now_ns) {
    erase_if(full_at_, [now_ns](const auto& each) { return each.second <= now_ns; });
    // Amortised: the next sweep comes after as many new keys as have stayed.
    sweep_at_ = full_at_.size() < kSweepMin / 2 ? kSweepMin : 2 * full_at_.size();
  }

  static constexpr size_t kSweepMin = 1'024;
  uint64_t ns_per_token_ = 0;
  uint64_t burst_ns_ = 0;
  size_t sweep_at_ = kSweepMin;
  boost::unordered_flat_map<Key, uint64_t, Hash> full_at_;
};

}  // namespace ringtalk::service
