// src/service/slot_array.h: internal to the service. One value for each connection slot of a shard.
//
// The structure-of-arrays behind a session: every part of a shard keeps its own SlotArray and
// indexes it by slot. Memory is mapped once and touched lazily, so a slot that was never used costs
// nothing. Thread rule: one owner. Invariants: T is trivial and all-zero bytes are its initial
// value; a slot's value survives its connection: whoever opens a slot resets it.
#pragma once

#include <sys/mman.h>

#include <cstddef>
#include <cstdint>
#include <type_traits>

#include "base/assert.h"

namespace ringtalk::service {

template <class T>
class SlotArray {
  static_assert(std::is_trivially_copyable_v<T> && std::is_trivially_destructible_v<T>);

 public:
  explicit SlotArray(uint32_t slots) : slots_(slots) {
    ASSERT(slots > 0);
    void* memory = ::mmap(nullptr, bytes(), PROT_READ | PROT_WRITE,
                          MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0);
    ASSERT(memory != MAP_FAILED);
    values_ = static_cast<T*>(memory);
  }
  ~SlotArray() { ::munmap(values_, bytes()); }
  SlotArray(const SlotArray&) = delete;
  SlotArray& operator=(const SlotArray&) = delete;

  T& operator[](uint32_t slot) noexcept {
    ASSERT(slot < slots_);
    return values_[slot];
  }
  const T& operator[](uint32_t slot) const noexcept {
    ASSERT(slot < slots_);
    return values_[slot];
  }
  T* data() noexcept { return values_; }
  uint32_t slots() const noexcept { return slots_; }

 private:
  size_t bytes() const noexcept { return sizeof(T) * size_t{slots_}; }

  const uint32_t slots_;
  T* values_;
};

}  // namespace ringtalk::service
