// loadgen/due_wheel.h: internal to loadgen. When each client of a ring wants to be called again.
//
// A client stands in at most one bucket of 64 ms; one that is wanted earlier than its bucket says
// goes to the short list, which is looked at every few milliseconds. Heartbeats live in the wheel,
// handshakes, reconnects and gaps in the short list. Six bytes a client, held by the caller.
// Ownership: links are in the caller's array. Thread rule: one owner.
// Invariants: a client is looked at no later than one bucket after it is due; due times beyond the
// wheel's 131 s are looked at in between and put back.
#pragma once

#include <array>
#include <cstddef>
#include <cstdint>
#include <vector>

#include "base/assert.h"

namespace ringtalk::loadgen {

// The wheel's six bytes of a client; zeros at first.
struct DueLink {
  uint32_t& next;   // client + 1 in the same bucket
  uint16_t& place;  // bucket + 1, or 0; and kSoon when in the short list

  static constexpr uint16_t kSoon = 0x8000;
  bool soon() const noexcept { return (place & kSoon) != 0; }
  uint16_t bucket() const noexcept { return place & 0x7fff; }
  void set_soon(bool on) noexcept { place = static_cast<uint16_t>(on ? place | kSoon : bucket()); }
  void set_bucket(uint32_t bucket) noexcept {
    place = static_cast<uint16_t>((place & kSoon) | bucket);
  }
};

class DueWheel {
 public:
  static constexpr uint32_t kNever = UINT32_MAX;
  static constexpr uint32_t kBucketMs = 64;
  static constexpr uint32_t kSoonMs = 8;

  // `due_ms` may have changed. `links(client)` gives its DueLink.
  template <class Links>
  void watch(uint32_t client, uint32_t due_ms, Links&& links) {
    DueLink link = links(client);
    if (due_ms == kNever || link.soon() || in_time(client, due_ms, link)) return;
    link.set_soon(true);
    soon_.push_back(client);
  }

  // Calls `visit(client) -> due_ms` for every client that may be due at `now_ms`.
  template <class Links, class Visit>
  void advance(uint32_t now_ms, Links&& links, Visit&& visit) {
    for (const uint64_t now = now_ms / kBucketMs; now_bucket_ < now;) {
      now_bucket_++;
      uint32_t client = buckets_[now_bucket_ % kBuckets];
      buckets_[now_bucket_ % kBuckets] = 0;
      while (client != 0) {
        DueLink link = links(client - 1);
        const uint32_t next = link.next;
        link.set_bucket(0);
        link.next = 0;
        const uint32_t due_ms = visit(client - 1);
        watch(client - 1, due_ms, links);
        client = next;
      }
    }
    if (now_ms < next_soon_ms_) return;
    next_soon_ms_ = now_ms + kSoonMs;
    for (size_t i = 0; i < soon_.size();) {
      const uint32_t client = soon_[i];
      const uint32_t due_ms = visit(client);
      // Stays while its time is near, so that it is not moved to and fro.
      const bool near = due_ms != kNever && due_ms < now_ms + 4 * kBucketMs;
      if (near || (due_ms != kNever && !in_time(client, due_ms, links(client)))) {
        i++;
        continue;
      }
      soon_[i] = soon_.back();
      soon_.pop_back();
      links(client).set_soon(false);
    }
  }

  // When advance() has something to look at, at the earliest.
  uint32_t next_ms() const noexcept {
    const auto bucket = static_cast<uint32_t>((now_bucket_ + 1) * kBucketMs);
    return soon_.empty() || bucket < next_soon_ms_ ? bucket : next_soon_ms_;
  }
  size_t soon() const noexcept { return soon_.size(); }

 private:
  static constexpr uint64_t kBuckets = 2'048;

  // The bucket's turn that lies ahead.
  uint64_t time_of(uint32_t bucket) const noexcept {
    const uint64_t ahead = (bucket - (now_bucket_ + 1)) % kBuckets;
    return now_bucket_ + 1 + ahead;
  }
  // True when the wheel looks at the client no later than its time: put there, or there already.
  bool in_time(uint32_t client, uint32_t due_ms, DueLink link) {
    const uint64_t bucket_due = due_ms / kBucketMs;
    if (link.bucket() != 0) return time_of(link.bucket() - 1u) <= bucket_due;
    if (bucket_due <= now_bucket_) return false;
    insert(client, bucket_due, link);
    return true;
  }
  void insert(uint32_t client, uint64_t bucket_due, DueLink link) {
    ASSERT(link.bucket() == 0 && bucket_due > now_bucket_);
    if (bucket_due - now_bucket_ >= kBuckets) bucket_due = now_bucket_ + kBuckets - 1;
    const uint64_t bucket = bucket_due % kBuckets;
    link.next = buckets_[bucket];
    link.set_bucket(static_cast<uint32_t>(bucket + 1));
    buckets_[bucket] = client + 1;
  }

  std::array<uint32_t, kBuckets> buckets_{};
  std::vector<uint32_t> soon_;
  uint64_t now_bucket_ = 0;
  uint32_t next_soon_ms_ = 0;
};

}  // namespace ringtalk::loadgen
