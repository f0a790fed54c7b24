#include "ring/uring_buffers.h"

#include <algorithm>
#include <bit>
#include <cerrno>
#include <cstring>
#include <string>

#include "base/assert.h"
#include "ring/kernel_access.h"
#include "ring/poison.h"
#include "ring/uring_ring.h"

namespace ringtalk::ring {
namespace {

// The ring is FIFO, so its size is the cache footprint of receiving.
constexpr uint32_t kIncremental_count = 16;
constexpr uint32_t kIncremental_bytes = 64 * 1024;
constexpr uint32_t kIncrementalMin_bytes = 4 * 1024;
constexpr uint32_t kPlain_count = 256;
// Where one pass of task work may take any number of buffers before one is given back.
constexpr uint32_t kPlainUnbounded_count = 4'096;
constexpr uint32_t kPlainMin_count = 64;
constexpr uint32_t kPlain_bytes = 2 * 1024;

uint32_t default_count(const ProactorOptions& options, const UringFeatures& features) {
  if (features.incremental_buffers) return kIncremental_count;
  const uint32_t alone = features.bounded_taskrun ? kPlain_count : kPlainUnbounded_count;
  return std::max(alone / options.per_core, kPlainMin_count);
}

uint32_t default_bytes(const ProactorOptions& options, const UringFeatures& features) {
  if (!features.incremental_buffers) return kPlain_bytes;
  return std::max(std::bit_floor(kIncremental_bytes / options.per_core), kIncrementalMin_bytes);
}

}  // namespace

UringBuffers::UringBuffers(const ProactorOptions& options, const UringFeatures& features)
    : count_(
          std::bit_ceil(options.buffers != 0 ? options.buffers : default_count(options, features))),
      bytes_each_(options.buffer_bytes != 0 ? options.buffer_bytes
                                            : default_bytes(options, features)),
      incremental_(features.incremental_buffers),
      entries_(count_ * sizeof(BufferRingEntry)),
      memory_(size_t{count_} * bytes_each_),
      filled_(new uint32_t[count_]()) {
  ASSERT(options.per_core > 0);
  ASSERT(count_ <= 32'768 && bytes_each_ > 0);
}

UringBuffers::~UringBuffers() {
  if (ring_ != nullptr) io_uring_unregister_buf_ring(&ring_->raw(), 0);
  if (memory_.ok()) unpoison(memory_.data(), memory_.bytes());
}

base::Status<BackendError> UringBuffers::set_up(UringRing& ring) {
  ASSERT(ring_ == nullptr);
  if (!entries_.ok() || !memory_.ok()) {
    return base::Failure{BackendError{
        "io_uring: no memory for the receive buffers; raise `ulimit -v` or vm.overcommit_memory"}};
  }
  BufferRingRegistration registration{};
  registration.ring_address = reinterpret_cast<uintptr_t>(entries_.data());
  registration.entries = count_;
  registration.flags = incremental_ ? kBufferRingIncremental : 0;
  const int result = io_uring_register(static_cast<unsigned>(ring.descriptor()),
                                       IORING_REGISTER_PBUF_RING, &registration, 1);
  if (result < 0) {
    return base::Failure{
        BackendError{std::string("io_uring: the receive buffers cannot be registered: ") +
                     std::strerror(-result) + "; raise `ulimit -l`"}};
  }
  ring_ = &ring;
  // Touched now: the pool belongs to the start, not to the first connections.
  std::memset(memory_.data(), 0, memory_.bytes());
  for (uint32_t id = 0; id < count_; id++) provide(id);
  return base::Done{};
}

void UringBuffers::provide(uint32_t id) {
  auto* entries = reinterpret_cast<BufferRingEntry*>(entries_.data());
  BufferRingEntry& entry = entries[tail_ & (count_ - 1)];
  // Not the whole entry: the first one's `reserved` is the ring's tail.
  entry.address = reinterpret_cast<uintptr_t>(buffer(id));
  entry.length = bytes_each_;
  entry.id = static_cast<uint16_t>(id);
  filled_[id] = 0;
  poison(buffer(id), bytes_each_);
  tail_++;
  __atomic_store_n(&entries[0].reserved, tail_, __ATOMIC_RELEASE);
}

std::span<const std::byte> UringBuffers::lease(uint32_t cqe_flags, uint32_t bytes) {
  const uint32_t id = cqe_flags >> IORING_CQE_BUFFER_SHIFT;
  ASSERT((cqe_flags & IORING_CQE_F_BUFFER) != 0 && id < count_);
  const uint32_t at = incremental_ ? filled_[id] : 0;
  ASSERT(bytes <= bytes_each_ - at);
  filled_[id] += bytes;
  unpoison(buffer(id) + at, bytes);
  kernel_writes(buffer(id) + at, bytes);
  return {buffer(id) + at, bytes};
}

void UringBuffers::give_back(uint32_t cqe_flags, std::span<const std::byte> leased) {
  const uint32_t id = cqe_flags >> IORING_CQE_BUFFER_SHIFT;
  ASSERT((cqe_flags & IORING_CQE_F_BUFFER) != 0 && id < count_);
  if (incremental_ && (cqe_flags & kCqeBufferMore) != 0) {
    poison(leased.data(), leased.size());
    return;
  }
  provide(id);
}

}  // namespace ringtalk::ring
