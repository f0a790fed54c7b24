// src/ring/slab.h: internal to src/ring. A fixed number of slots in memory that is mapped once.
//
// Pages are touched when their slots are first used and slots are reused last in, first out, so
// that resident memory follows the connections held, not the capacity. T is trivial, starts as zero
// bytes and has a `uint32_t free_next` that the slab uses while the slot is free.
// Thread rule: one owner. Invariant: a slot is either free or held by one taker.
#pragma once

#include <sys/mman.h>

#include <cstddef>
#include <cstdint>
#include <type_traits>

#include "base/assert.h"

namespace ringtalk::ring {

// Anonymous memory from the kernel, zeroed, reserved but not touched.
class Mapping {
 public:
  explicit Mapping(size_t bytes) : bytes_(bytes) {
    void* at = mmap(nullptr, bytes, PROT_READ | PROT_WRITE,
                    MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0);
    if (at != MAP_FAILED) data_ = static_cast<std::byte*>(at);
  }
  ~Mapping() {
    if (data_ != nullptr) munmap(data_, bytes_);
  }
  Mapping(const Mapping&) = delete;
  Mapping& operator=(const Mapping&) = delete;

  // False: the kernel refused (ulimit -v, overcommit).
  bool ok() const noexcept { return data_ != nullptr; }
  std::byte* data() const noexcept { return data_; }
  size_t bytes() const noexcept { return bytes_; }

 private:
  const size_t bytes_;
  std::byte* data_ = nullptr;
};

template <class T>
class Slab {
  static_assert(std::is_trivially_copyable_v<T> && std::is_trivially_destructible_v<T>);
  static_assert(std::is_same_v<decltype(T::free_next), uint32_t>);

 public:
  static constexpr uint32_t kNone = UINT32_MAX;

  explicit Slab(uint32_t capacity)
      : capacity_(capacity), memory_(size_t{capacity} * sizeof(T)), free_(kNone) {
    ASSERT(capacity > 0);
  }

  bool ok() const noexcept { return memory_.ok(); }

  // kNone when all are taken. A slot taken for the first time is zero, later it is as it was left.
  uint32_t take() {
    if (free_ != kNone) {
      const uint32_t slot = free_;
      free_ = (*this)[slot].free_next;
      taken_++;
      return slot;
    }
    if (fresh_ == capacity_) return kNone;
    taken_++;
    return fresh_++;
  }

  void give_back(uint32_t slot) {
    ASSERT(taken_ > 0);
    (*this)[slot].free_next = free_;
    free_ = slot;
    taken_--;
  }

  T& operator[](uint32_t slot) const {
    ASSERT(slot < fresh_);
    return reinterpret_cast<T*>(memory_.data())[slot];
  }

  uint32_t capacity() const noexcept { return capacity_; }
  uint32_t taken() const noexcept { return taken_; }
  // Slots from here on were never taken.
  uint32_t fresh() const noexcept { return fresh_; }

 private:
  const uint32_t capacity_;
  const Mapping memory_;
  uint32_t free_;
  uint32_t fresh_ = 0;
  uint32_t taken_ = 0;
};

}  // namespace ringtalk::ring
