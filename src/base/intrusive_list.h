// src/base/intrusive_list.h: public. A doubly linked list by slot number over a slab.
//
// Links are 32-bit slots kept by the elements themselves, so that membership costs 8 bytes and no
// allocation. `Links` gives the links of a slot: `ListLinks& operator()(uint32_t slot)`.
// Thread rule: one owner. Invariant: a slot is in at most one list for each ListLinks that it has.
#pragma once

#include <cstdint>

#include "base/assert.h"

namespace ringtalk::base {

inline constexpr uint32_t kNoSlot = UINT32_MAX;

struct ListLinks {
  uint32_t previous = kNoSlot;
  uint32_t next = kNoSlot;
};

template <class Links>
class IntrusiveList {
 public:
  explicit IntrusiveList(Links links) : links_(links) {}

  bool empty() const noexcept { return first_ == kNoSlot; }
  uint32_t first() const noexcept { return first_; }
  uint32_t next(uint32_t slot) const { return links_(slot).next; }
  uint32_t count() const noexcept { return count_; }

  void push_back(uint32_t slot) {
    ASSERT(slot != kNoSlot);
    ListLinks& links = links_(slot);
    ASSERT(links.previous == kNoSlot && links.next == kNoSlot && first_ != slot);
    links.previous = last_;
    (last_ == kNoSlot ? first_ : links_(last_).next) = slot;
    last_ = slot;
    count_++;
  }

  void remove(uint32_t slot) {
    ListLinks& links = links_(slot);
    ASSERT(count_ > 0);
    (links.previous == kNoSlot ? first_ : links_(links.previous).next) = links.next;
    (links.next == kNoSlot ? last_ : links_(links.next).previous) = links.previous;
    links = {};
    count_--;
  }

  uint32_t pop_front() {
    const uint32_t slot = first_;
    if (slot != kNoSlot) remove(slot);
    return slot;
  }

 private:
  mutable Links links_;
  uint32_t first_ = kNoSlot;
  uint32_t last_ = kNoSlot;
  uint32_t count_ = 0;
};

}  // namespace ringtalk::base
