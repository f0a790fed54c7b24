// src/ring/poison.h: internal to src/ring. Tells AddressSanitizer which buffers nobody may touch.
//
// A lease ends when the handler returns: whoever reads its bytes later is reported at that read.
// Without AddressSanitizer nothing is done. Thread rule: none.
#pragma once

#include <cstddef>

#if defined(__SANITIZE_ADDRESS__)
#define RINGTALK_ASAN 1
#elif defined(__has_feature)
#if __has_feature(address_sanitizer)
#define RINGTALK_ASAN 1
#endif
#endif

#ifdef RINGTALK_ASAN
#include <sanitizer/asan_interface.h>
#endif

namespace ringtalk::ring {

inline void poison([[maybe_unused]] const void* from, [[maybe_unused]] size_t bytes) noexcept {
#ifdef RINGTALK_ASAN
  __asan_poison_memory_region(from, bytes);
#endif
}

inline void unpoison([[maybe_unused]] const void* from, [[maybe_unused]] size_t bytes) noexcept {
#ifdef RINGTALK_ASAN
  __asan_unpoison_memory_region(from, bytes);
#endif
}

}  // namespace ringtalk::ring
