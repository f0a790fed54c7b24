// src/base/counts.h: public. What a thread has copied and allocated, so that "none" is a figure.
//
// Every operator new of a program that links base is counted, and every copy of message bytes goes
// through counted_copy(). A part that promises no copy and no allocation takes thread_counts()
// before and after and reports the difference. Thread rule: each thread has its own.
#pragma once

#include <cstddef>
#include <cstdint>
#include <cstring>

namespace ringtalk::base {

struct ThreadCounts {
  uint64_t allocations = 0;
  uint64_t copies = 0;
  uint64_t copied_bytes = 0;
};

ThreadCounts& thread_counts() noexcept;

// The one way in which the bytes of messages are copied in user space.
inline void counted_copy(void* to, const void* from, size_t bytes) noexcept {
  ThreadCounts& counts = thread_counts();
  counts.copies++;
  counts.copied_bytes += bytes;
  std::memcpy(to, from, bytes);
}

}  // namespace ringtalk::base
