// tests/proto/allocations.h: for tests. Counts what this thread takes from the heap
// (allocations.cc replaces operator new in the test program).
#pragma once

#include <cstdint>

namespace ringtalk {

uint64_t allocations_of_this_thread() noexcept;

}  // namespace ringtalk
