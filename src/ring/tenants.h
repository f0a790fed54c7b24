// src/ring/tenants.h: internal to src/ring. The slots of connections, and the tenants that hold a
// slot one after another.
//
// A Slab that knows whose turn it is: T has, beside what Slab asks for, a `uint32_t generation`
// that only this class changes. What a generation means (contract, lines 6 and 7) stands here once
// for the proactors over the kernel. Thread rule: one owner. Invariants: an id or a token matches
// its own tenant and nobody before or after; no generation is 0.
#pragma once

#include <algorithm>
#include <cstdint>
#include <type_traits>

#include "base/assert.h"
#include "ring/proactor.h"
#include "ring/slab.h"
#include "ring/token.h"

namespace ringtalk::ring {

template <class T>
class Tenants {
  static_assert(std::is_same_v<decltype(T::generation), uint32_t>);

 public:
  explicit Tenants(uint32_t capacity) : slab_(capacity) { ASSERT(capacity <= kSlotsMax); }

  bool ok() const noexcept { return slab_.ok(); }

  // The slot of a new tenant, which is T{} but for its generation. Only when there is room.
  uint32_t take() {
    const uint32_t slot = slab_.take();
    ASSERT(slot != Slab<T>::kNone);
    T& taken = slab_[slot];
    const uint32_t generation = std::max(taken.generation, 1U);
    taken = T{};
    taken.generation = generation;
    return slot;
  }

  // Whatever names this tenant is stale from here on. The rest of it stays as it was left.
  void give_back(uint32_t slot) {
    T& left = slab_[slot];
    ASSERT(left.generation != 0);
    left.generation = left.generation == UINT32_MAX ? 1 : left.generation + 1;
    slab_.give_back(slot);
  }

  T& operator[](uint32_t slot) const { return slab_[slot]; }
  // Of the present tenant only.
  T& at(ConnectionId id) const {
    T& found = slab_[id.slot];
    ASSERT(found.generation == id.generation);
    return found;
  }
  bool is_stale(uint32_t slot, uint32_t generation) const {
    return slab_[slot].generation != generation;
  }
  ConnectionId id_of(uint32_t slot) const { return {slot, slab_[slot].generation}; }
  uint64_t token(uint8_t operation, uint32_t slot) const {
    return Token{operation, slot, slab_[slot].generation}.pack();
  }

  uint32_t taken() const noexcept { return slab_.taken(); }
  uint32_t room() const noexcept { return slab_.capacity() - slab_.taken(); }
  // Slots from here on never had a tenant.
  uint32_t fresh() const noexcept { return slab_.fresh(); }

 private:
  Slab<T> slab_;
};

}  // namespace ringtalk::ring
