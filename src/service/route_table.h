// src/service/route_table.h: internal to the service. The sessions of the users that are at home on
// a shard, by user.
//
// Linear hashing: there are as many buckets as there ever were entries at once, and a new one takes
// its share from one other. So memory follows the users (40 bytes each, in chunks), nothing is ever
// copied as a whole, and no single login pays for a million.
//   chunk [ entry entry ... | head head ... ]     head -> entry -> entry (also of other users)
// Thread rule: one owner. Invariants: a user's entries stand in one bucket, in the order in which
// they were added; an index stays good until its entry is removed.
#pragma once

#include <bit>
#include <cstdint>
#include <memory>
#include <vector>

#include "base/assert.h"
#include "proto/ids.h"
#include "service/id_map.h"

namespace ringtalk::service {

// An id that needs no alignment of 8.
struct SplitId {
  uint32_t low;
  uint32_t high;
  SplitId& operator=(uint64_t id) noexcept {
    low = static_cast<uint32_t>(id);
    high = static_cast<uint32_t>(id >> 32);
    return *this;
  }
  operator uint64_t() const noexcept { return uint64_t{high} << 32 | low; }
};

struct RouteEntry {
  SplitId user;
  SplitId device;
  uint32_t epoch;
  uint32_t slot;
  uint32_t generation;
  uint16_t shard;
  bool leaving;   // it has been told to go: nothing more is for it
  uint32_t next;  // of the bucket, or of the free ones
};
static_assert(sizeof(RouteEntry) == 36);

class RouteTable {
 public:
  // The user's first entry and the one behind `at`; kNoIndex: none.
  uint32_t first(proto::UserId user) const noexcept {
    ASSERT(user != 0);
    return buckets_ == 0 ? kNoIndex : skip_to(head(bucket_of(user)), user);
  }
  uint32_t next(uint32_t at) const noexcept { return skip_to((*this)[at].next, (*this)[at].user); }

  // All but `user` and `next` is the caller's to fill.
  uint32_t add(proto::UserId user);
  void remove(uint32_t at);

  RouteEntry& operator[](uint32_t at) noexcept {
    return chunks_[at / kChunk]->entries[at % kChunk];
  }
  const RouteEntry& operator[](uint32_t at) const noexcept {
    return chunks_[at / kChunk]->entries[at % kChunk];
  }
  uint32_t users() const noexcept { return users_; }

 private:
  static constexpr uint32_t kChunk = 1'024;
  // Not initialised, so that its pages are touched as they come into use.
  struct Chunk {
    RouteEntry entries[kChunk];
    uint32_t heads[kChunk];
  };
  static_assert(sizeof(Chunk) == 40 * kChunk);

  // The lower bits are the same in all users of a shard (Node::home_of_user).
  static uint32_t hash(proto::UserId user) noexcept {
    return static_cast<uint32_t>(proto::mix(user) >> 32);
  }
  uint32_t bucket_of(proto::UserId user) const noexcept {
    const uint32_t mask = std::bit_ceil(buckets_) - 1;
    const uint32_t wanted = hash(user) & mask;
    return wanted < buckets_ ? wanted : wanted & (mask >> 1);
  }
  uint32_t& head(uint32_t bucket) const noexcept {
    ASSERT(bucket < buckets_);
    return chunks_[bucket / kChunk]->heads[bucket % kChunk];
  }
  uint32_t skip_to(uint32_t at, proto::UserId user) const noexcept {
    while (at != kNoIndex && (*this)[at].user != user) at = (*this)[at].next;
    return at;
  }
  void add_bucket();

  std::vector<std::unique_ptr<Chunk>> chunks_;
  uint32_t buckets_ = 0;  // and entries, the free ones included
  uint32_t free_ = kNoIndex;
  uint32_t users_ = 0;
};

}  // namespace ringtalk::service
