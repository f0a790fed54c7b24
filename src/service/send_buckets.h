// src/service/send_buckets.h: internal to the service. How often a user may send.
//
// Two rates for Send, both settable to 0 = off: one for each user, one for each conversation. Load
// users are not asked. A shard counts for itself: a user whose devices came to several shards has
// the user's rate on each. Thread rule: the shard's.
#pragma once

#include <algorithm>
#include <cstdint>

#include "proto/ids.h"
#include "service/limits.h"
#include "service/rate_buckets.h"

namespace ringtalk::service {

struct UserHash {
  size_t operator()(proto::UserId user) const noexcept { return proto::mix(user); }
};

class SendBuckets {
 public:
  explicit SendBuckets(const Limits& limits) : users_(0, 0), conversations_(0, 0) {
    configure(limits);
  }

  void configure(const Limits& limits) {
    users_.configure(limits.sends_per_second, limits.sends_burst);
    conversations_.configure(limits.conversation_sends_per_second,
                             limits.conversation_sends_per_second);
  }

  // 0: go ahead. Otherwise when to try again, in milliseconds.
  uint32_t admit(proto::UserId user, const proto::ConversationId& conversation, uint64_t now_ns) {
    const uint64_t wait_ns =
        std::max(users_.admit(user, now_ns), conversations_.admit(conversation, now_ns));
    return static_cast<uint32_t>((wait_ns + 999'999) / 1'000'000);
  }

 private:
  RateBuckets<proto::UserId, UserHash> users_;
  RateBuckets<proto::ConversationId, proto::ConversationHash> conversations_;
};

}  // namespace ringtalk::service
