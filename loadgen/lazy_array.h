// loadgen/lazy_array.h: internal to loadgen. A fixed array of zeros that costs what is touched.
//
// The kernel maps a page when it is first written, so that memory measured with no client connected
// is without the clients' state and the difference is what a client costs. Ownership: frees itself.
// Thread rule: one owner. Invariant: T is valid as all zeros and is never destroyed.
#pragma once

#include <sys/mman.h>

#include <cstddef>
#include <type_traits>
#include <utility>

#include "base/assert.h"

namespace ringtalk::loadgen {

template <class T>
class LazyArray {
  static_assert(std::is_trivially_copyable_v<T> && std::is_trivially_destructible_v<T>);

 public:
  LazyArray() = default;
  explicit LazyArray(size_t count) : count_(count) {
    if (count == 0) return;
    void* memory = ::mmap(nullptr, count * sizeof(T), PROT_READ | PROT_WRITE,
                          MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0);
    ASSERT(memory != MAP_FAILED);
    items_ = static_cast<T*>(memory);
  }
  LazyArray(LazyArray&& other) noexcept
      : items_(std::exchange(other.items_, nullptr)), count_(std::exchange(other.count_, 0)) {}
  LazyArray& operator=(LazyArray&& other) noexcept {
    std::swap(items_, other.items_);
    std::swap(count_, other.count_);
    return *this;
  }
  ~LazyArray() {
    if (items_ != nullptr) ::munmap(items_, count_ * sizeof(T));
  }

  T& operator[](size_t index) noexcept {
    ASSERT(index < count_);
    return items_[index];
  }
  const T& operator[](size_t index) const noexcept {
    ASSERT(index < count_);
    return items_[index];
  }
  size_t size() const noexcept { return count_; }

 private:
  T* items_ = nullptr;
  size_t count_ = 0;
};

}  // namespace ringtalk::loadgen
