#include "base/counts.h"

#include <cstdlib>
#include <new>

namespace ringtalk::base {

namespace {

constinit thread_local ThreadCounts t_counts;

void* allocate(size_t bytes) noexcept {
  t_counts.allocations++;
  return std::malloc(bytes == 0 ? 1 : bytes);
}

void* allocate(size_t bytes, size_t alignment) noexcept {
  t_counts.allocations++;
  void* memory = nullptr;
  return ::posix_memalign(&memory, alignment, bytes == 0 ? 1 : bytes) == 0 ? memory : nullptr;
}

void* or_throw(void* memory) {
  if (memory == nullptr) throw std::bad_alloc();
  return memory;
}

}  // namespace

ThreadCounts& thread_counts() noexcept {
  return t_counts;
}

}  // namespace ringtalk::base

// The replaceable allocation functions ([new.delete]): malloc with a count. All forms, because a
// sanitizer brings its own of each: what is left out here would be its, and its delete would meet
// our new.
void* operator new(size_t bytes) {
  return ringtalk::base::or_throw(ringtalk::base::allocate(bytes));
}
void* operator new[](size_t bytes) {
  return ringtalk::base::or_throw(ringtalk::base::allocate(bytes));
}
void* operator new(size_t bytes, const std::nothrow_t&) noexcept {
  return ringtalk::base::allocate(bytes);
}
void* operator new[](size_t bytes, const std::nothrow_t&) noexcept {
  return ringtalk::base::allocate(bytes);
}
void* operator new(size_t bytes, std::align_val_t alignment) {
  return ringtalk::base::or_throw(ringtalk::base::allocate(bytes, static_cast<size_t>(alignment)));
}
void* operator new[](size_t bytes, std::align_val_t alignment) {
  return ringtalk::base::or_throw(ringtalk::base::allocate(bytes, static_cast<size_t>(alignment)));
}
void* operator new(size_t bytes, std::align_val_t alignment, const std::nothrow_t&) noexcept {
  return ringtalk::base::allocate(bytes, static_cast<size_t>(alignment));
}
void* operator new[](size_t bytes, std::align_val_t alignment, const std::nothrow_t&) noexcept {
  return ringtalk::base::allocate(bytes, static_cast<size_t>(alignment));
}

void operator delete(void* memory) noexcept {
  std::free(memory);
}
void operator delete[](void* memory) noexcept {
  std::free(memory);
}
void operator delete(void* memory, size_t) noexcept {
  std::free(memory);
}
void operator delete[](void* memory, size_t) noexcept {
  std::free(memory);
}
void operator delete(void* memory, const std::nothrow_t&) noexcept {
  std::free(memory);
}
void operator delete[](void* memory, const std::nothrow_t&) noexcept {
  std::free(memory);
}
void operator delete(void* memory, std::align_val_t) noexcept {
  std::free(memory);
}
void operator delete[](void* memory, std::align_val_t) noexcept {
  std::free(memory);
}
void operator delete(void* memory, size_t, std::align_val_t) noexcept {
  std::free(memory);
}
void operator delete[](void* memory, size_t, std::align_val_t) noexcept {
  std::free(memory);
}
void operator delete(void* memory, std::align_val_t, const std::nothrow_t&) noexcept {
  std::free(memory);
}
void operator delete[](void* memory, std::align_val_t, const std::nothrow_t&) noexcept {
  std::free(memory);
}
