// Which tokens are void, and for how long that is remembered.
#include <gtest/gtest.h>

#include "service/revocations.h"

namespace ringtalk::service {
namespace {

TEST(Revocations, OfAUserAndOfADeviceTheHigherCounts) {
  Revocations revocations;
  revocations.load({.users = {{5, 3}}, .devices = {{{5, 1}, 2, 9'000}, {{6, 1}, 4, 9'000}}});
  EXPECT_EQ(revocations.epoch_min({5, 1}), 3u);
  EXPECT_EQ(revocations.epoch_min({5, 2}), 3u);
  EXPECT_EQ(revocations.epoch_min({6, 1}), 4u);
  EXPECT_EQ(revocations.epoch_min({6, 2}), 0u);
  EXPECT_EQ(revocations.epoch_min({7, 1}), 0u);
  revocations.revoke_device({{5, 1}, 7, 9'000}, 1'000);
  EXPECT_EQ(revocations.epoch_min({5, 1}), 7u);
  EXPECT_EQ(revocations.epoch_min({5, 2}), 3u);
  revocations.revoke_user(5, 8);
  EXPECT_EQ(revocations.epoch_min({5, 1}), 8u);
}

TEST(Revocations, NothingFallsWhateverTheOrder) {
  Revocations revocations;
  revocations.revoke_device({{5, 1}, 7, 9'000}, 1'000);
  revocations.revoke_device({{5, 1}, 6, 8'000}, 1'000);
  EXPECT_EQ(revocations.epoch_min({5, 1}), 7u);
  revocations.revoke_user(5, 9);
  revocations.revoke_user(5, 8);
  EXPECT_EQ(revocations.epoch_min({5, 1}), 9u);
}

// Memory follows the tokens that live, not all the logouts that there ever were.
TEST(Revocations, DevicesWhoseTokensHaveExpiredAreForgotten) {
  constexpr uint64_t kLifeMs = 1'000'000;
  constexpr uint64_t kPerMoment = 100;
  constexpr uint64_t kStepMs = 10'000;
  Revocations revocations;
  revocations.revoke_device({{5, 1}, 2, 3'000}, 3'000);
  EXPECT_EQ(revocations.devices(), 0u) << "there is no token left that could be shown";
  constexpr uint64_t kAliveMax = kPerMoment * kLifeMs / kStepMs;
  uint64_t device = 0;
  for (uint64_t now_ms = 0; now_ms < 10 * kLifeMs; now_ms += kStepMs) {
    for (uint64_t i = 0; i < kPerMoment; i++) {
      revocations.revoke_device({{5, ++device}, 2, now_ms + kLifeMs}, now_ms);
    }
    ASSERT_LE(revocations.devices(), 2 * (kAliveMax + 2 * kPerMoment)) << now_ms;
    // None that lives was forgotten.
    const uint64_t oldest = device > kAliveMax ? device - kAliveMax + 1 : 1;
    ASSERT_EQ(revocations.epoch_min({5, oldest}), 2u) << now_ms;
  }
  revocations.revoke_device({{6, 1}, 2, UINT64_MAX}, 10 * kLifeMs);
  EXPECT_EQ(revocations.epoch_min({6, 1}), 2u);
}

}  // namespace
}  // namespace ringtalk::service
