#include "service/revocations.h"

#include <algorithm>
#include <mutex>

#include "base/assert.h"

namespace ringtalk::service {
namespace {

// Beyond the year 2106: never.
uint32_t to_seconds_up(uint64_t ms) noexcept {
  return static_cast<uint32_t>(std::min<uint64_t>(ms / 1'000 + 1, UINT32_MAX));
}

}  // namespace

void Revocations::load(const store::Revocations& known) {
  std::unique_lock lock(mutex_);
  ASSERT(users_.empty() && devices_.empty());
  for (const store::Revocation& each : known.users) users_[each.user] = each.epoch_min;
  devices_.reserve(known.devices.size());
  for (const store::DeviceRevocation& each : known.devices) raise(each);
  sweep_at_ = std::max(kSweepMin, 2 * devices_.size());
}

void Revocations::revoke_user(proto::UserId user, uint32_t epoch_min) {
  std::unique_lock lock(mutex_);
  uint32_t& lowest = users_[user];
  lowest = std::max(lowest, epoch_min);
}

void Revocations::revoke_device(const store::DeviceRevocation& revoked, uint64_t now_ms) {
  if (revoked.until_ms <= now_ms) return;
  std::unique_lock lock(mutex_);
  // Where the map would grow, which costs as much: at most one sweep for as many new entries as
  // have stayed.
  if (devices_.size() >= sweep_at_) {
    erase_if(devices_, [now_s = now_ms / 1'000](const auto& each) {
      return each.second.until_s != UINT32_MAX && each.second.until_s <= now_s;
    });
    sweep_at_ = std::max(kSweepMin, 2 * devices_.size());
  }
  raise(revoked);
}

void Revocations::raise(const store::DeviceRevocation& revoked) {
  Lowest& lowest = devices_[revoked.device];
  lowest.epoch = std::max(lowest.epoch, revoked.epoch_min);
  lowest.until_s = std::max(lowest.until_s, to_seconds_up(revoked.until_ms));
}

uint32_t Revocations::epoch_min(const proto::UserDevice& device) const {
  std::shared_lock lock(mutex_);
  const auto of_user = users_.find(device.user);
  const auto of_device = devices_.find(device);
  return std::max(of_user == users_.end() ? 0 : of_user->second,
                  of_device == devices_.end() ? 0 : of_device->second.epoch);
}

size_t Revocations::devices() const {
  std::shared_lock lock(mutex_);
  return devices_.size();
}

}  // namespace ringtalk::service
