// src/service/revocations.h: internal to the service. Which tokens are void before they expire.
//
// A token carries the epoch of its login. It is void when the user's lowest epoch (Logout of all
// devices) or that of its device (Logout, a newer login by password) is above it. The store knows
// both for good; this is the copy that Resume asks. Ownership: values. Thread rule: any thread.
// Invariants: a lowest epoch never falls while a token below it lives; an entry of a device is kept
// only while it matters: beyond twice as many as were needed at the last look, the expired go.
#pragma once

#include <cstddef>
#include <cstdint>
#include <shared_mutex>

#include <boost/unordered/unordered_flat_map.hpp>

#include "proto/ids.h"
#include "store/store.h"

namespace ringtalk::service {

class Revocations {
 public:
  // What the store knew at the start.
  void load(const store::Revocations& known);
  void revoke_user(proto::UserId user, uint32_t epoch_min);
  void revoke_device(const store::DeviceRevocation& revoked, uint64_t now_ms);

  // The lowest epoch that is good.
  uint32_t epoch_min(const proto::UserDevice& device) const;
  size_t devices() const;

 private:
  struct Lowest {
    uint32_t epoch;
    uint32_t until_s;  // Unix seconds, rounded up: 24 bytes an entry with its key
  };
  static constexpr size_t kSweepMin = 1'024;

  void raise(const store::DeviceRevocation& revoked);

  mutable std::shared_mutex mutex_;
  boost::unordered_flat_map<proto::UserId, uint32_t> users_;
  boost::unordered_flat_map<proto::UserDevice, Lowest, proto::UserDeviceHash> devices_;
  size_t sweep_at_ = kSweepMin;
};

}  // namespace ringtalk::service
