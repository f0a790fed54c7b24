// src/ring/kernel_access.h: internal to src/ring/uring_*. Tells ThreadSanitizer which bytes the
// kernel reads and writes for this thread.
//
// Only the accesses are told, no order: whoever takes a completion on another ring has not been
// handed what the submitter wrote, although the kernel would order it. What shards share they hand
// over themselves, and a race that a message between them would hide is reported. Without
// ThreadSanitizer nothing is done. Thread rule: the proactor's thread.
#pragma once

#include <cstddef>

#if defined(__SANITIZE_THREAD__)
#define RINGTALK_TSAN 1
#elif defined(__has_feature)
#if __has_feature(thread_sanitizer)
#define RINGTALK_TSAN 1
#endif
#endif

#ifdef RINGTALK_TSAN
extern "C" void __tsan_read_range(void* address, unsigned long bytes);
extern "C" void __tsan_write_range(void* address, unsigned long bytes);
#endif

namespace ringtalk::ring {

inline void kernel_reads([[maybe_unused]] void* from, [[maybe_unused]] size_t bytes) noexcept {
#ifdef RINGTALK_TSAN
  __tsan_read_range(from, bytes);
#endif
}

inline void kernel_writes([[maybe_unused]] void* from, [[maybe_unused]] size_t bytes) noexcept {
#ifdef RINGTALK_TSAN
  __tsan_write_range(from, bytes);
#endif
}

}  // namespace ringtalk::ring
