#include "service/route_table.h"

namespace ringtalk::service {

// Linear hashing as in W. Litwin, "Linear hashing: a new tool for file and table addressing", 1980,
// with one bucket more for each entry more.
void RouteTable::add_bucket() {
  const uint32_t made = buckets_++;
  if (made % kChunk == 0) chunks_.push_back(std::make_unique_for_overwrite<Chunk>());
  head(made) = kNoIndex;
  if (made == 0) return;
  // Those that would have been in the new bucket are in this one, in their order.
  uint32_t* kept = &head(made - std::bit_floor(made));
  uint32_t* moved = &head(made);
  uint32_t at = *kept;
  for (; at != kNoIndex; at = (*this)[at].next) {
    uint32_t*& link = bucket_of((*this)[at].user) == made ? moved : kept;
    *link = at;
    link = &(*this)[at].next;
  }
  *kept = kNoIndex;
  *moved = kNoIndex;
}

uint32_t RouteTable::add(proto::UserId user) {
  if (first(user) == kNoIndex) users_++;
  uint32_t added = free_;
  if (added != kNoIndex) {
    free_ = (*this)[added].next;
  } else {
    added = buckets_;
    add_bucket();
  }
  RouteEntry& entry = (*this)[added];
  entry = {};
  entry.user = user;
  entry.next = kNoIndex;
  uint32_t* link = &head(bucket_of(user));
  while (*link != kNoIndex) link = &(*this)[*link].next;
  *link = added;
  return added;
}

void RouteTable::remove(uint32_t at) {
  RouteEntry& entry = (*this)[at];
  const proto::UserId user = entry.user;
  uint32_t* link = &head(bucket_of(user));
  while (*link != at) {
    ASSERT(*link != kNoIndex);
    link = &(*this)[*link].next;
  }
  *link = entry.next;
  entry.next = free_;
  free_ = at;
  ASSERT(users_ > 0);
  if (first(user) == kNoIndex) users_--;
}

}  // namespace ringtalk::service
