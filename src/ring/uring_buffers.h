// src/ring/uring_buffers.h: internal to src/ring/uring_*. The buffers that the kernel receives
// into.
//
// A ring of provided buffers: the kernel takes the oldest, a completion names it, give_back()
// returns it to the end of the ring. Incremental (6.12): a buffer stays with the kernel until it is
// full, and a completion takes the next piece of it.
// Ownership: memory and registration; the ring must outlive it. Thread rule: the ring's thread.
// Invariant: each buffer is either the kernel's (poisoned for AddressSanitizer but for the piece
// under lease) or under lease, and returns exactly once.
#pragma once

#include <cstddef>
#include <cstdint>
#include <memory>
#include <span>

#include "base/result.h"
#include "ring/backend.h"
#include "ring/options.h"
#include "ring/slab.h"
#include "ring/uring_abi.h"
#include "ring/uring_features.h"

namespace ringtalk::ring {

class UringRing;

class UringBuffers {
 public:
  UringBuffers(const ProactorOptions& options, const UringFeatures& features);
  ~UringBuffers();
  UringBuffers(const UringBuffers&) = delete;
  UringBuffers& operator=(const UringBuffers&) = delete;

  base::Status<BackendError> set_up(UringRing& ring);

  // What a completion with IORING_CQE_F_BUFFER received.
  std::span<const std::byte> lease(uint32_t cqe_flags, uint32_t bytes);
  // The end of that lease. Call it with the same arguments, also when there were no bytes.
  void give_back(uint32_t cqe_flags, std::span<const std::byte> leased);

  uint32_t count() const noexcept { return count_; }
  uint32_t bytes_each() const noexcept { return bytes_each_; }

 private:
  std::byte* buffer(uint32_t id) const { return memory_.data() + size_t{id} * bytes_each_; }
  void provide(uint32_t id);

  const uint32_t count_;
  const uint32_t bytes_each_;
  const bool incremental_;
  const Mapping entries_;
  const Mapping memory_;
  // How much of each buffer the kernel has filled (incremental).
  const std::unique_ptr<uint32_t[]> filled_;
  UringRing* ring_ = nullptr;
  uint16_t tail_ = 0;
};

}  // namespace ringtalk::ring
