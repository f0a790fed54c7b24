#include "proto/frame_reader.h"

#include <algorithm>

#include "base/assert.h"

namespace ringtalk::proto {
namespace {

// In percent of the budget: from where on who carries such a chunk waits, and up to where one more
// is taken.
struct ChunkClass {
  uint32_t bytes;
  uint32_t waits_from;
  uint32_t taken_to;
};
constexpr std::array<ChunkClass, 3> kChunks = {
    {{256, 190, 200}, {4 * 1024, 175, 190}, {64 * 1024, 100, 175}}};
static_assert(kChunks.back().bytes >= kFrameBytesMax && kChunks.front().taken_to == 200);

size_t chunk_class(uint32_t bytes) noexcept {
  for (size_t i = 0; i < kChunks.size(); i++) {
    if (bytes <= kChunks[i].bytes) return i;
  }
  UNREACHABLE();
}

}  // namespace

FrameReader::FrameReader(size_t budget_bytes)
    : budget_bytes_(budget_bytes), scratch_(new std::byte[kFrameBytesMax]) {
  ASSERT(std::bit_cast<uintptr_t>(scratch_.get()) % kFrameAlignment == 0);
}

FrameReader::~FrameReader() {
  ASSERT(stats_.carried_bytes == 0);  // every connection was released
  for (Chunk* chunk : free_) {
    while (chunk != nullptr) {
      Chunk* next = chunk->next;
      delete[] reinterpret_cast<std::byte*>(chunk);
      chunk = next;
    }
  }
}

bool FrameReader::has_room(const PartialFrame& partial) const noexcept {
  return stats_.carried_bytes <
         budget_bytes_ * kChunks[chunk_class(partial.capacity)].waits_from / 100;
}

void FrameReader::release(PartialFrame& partial) noexcept {
  if (partial.bytes != nullptr) give_chunk(partial.bytes, partial.capacity);
  partial = {};
}

std::span<const std::byte> FrameReader::copy_to_scratch(std::span<const std::byte> frame) noexcept {
  ASSERT(frame.size() <= kFrameBytesMax);
  std::memcpy(scratch_.get(), frame.data(), frame.size());
  stats_.misaligned++;
  return {scratch_.get(), frame.size()};
}

FrameReader::Joined FrameReader::join(PartialFrame& partial, std::span<const std::byte> bytes,
                                      uint32_t frame_bytes_max) {
  ASSERT(partial.bytes != nullptr && partial.filled <= partial.capacity);
  // A prefix that was cut is put together first; the rest then tells how much is missing.
  std::byte prefix[kPrefixBytes];
  const size_t carried = std::min<size_t>(partial.filled, kPrefixBytes);
  const size_t fresh = std::min(kPrefixBytes - carried, bytes.size());
  std::memcpy(prefix, partial.bytes, carried);
  if (fresh > 0) std::memcpy(prefix + carried, bytes.data(), fresh);
  if (carried + fresh < kPrefixBytes) return {carry(partial, bytes), bytes.size(), {}};

  const Cut cut = check_prefix(prefix, frame_bytes_max);
  if (cut.end != ReadEnd::consumed) return {cut.end, 0, {}};
  ASSERT(cut.frame_bytes > partial.filled);
  const size_t missing = cut.frame_bytes - partial.filled;
  if (bytes.size() < missing) return {carry(partial, bytes), bytes.size(), {}};

  std::memcpy(scratch_.get(), partial.bytes, partial.filled);
  std::memcpy(scratch_.get() + partial.filled, bytes.data(), missing);
  release(partial);
  stats_.frames++;
  stats_.carried++;
  return {ReadEnd::consumed, missing, {scratch_.get(), cut.frame_bytes}};
}

ReadEnd FrameReader::carry(PartialFrame& partial, std::span<const std::byte> bytes) {
  if (bytes.empty()) return ReadEnd::consumed;
  const uint32_t needed = partial.filled + static_cast<uint32_t>(bytes.size());
  ASSERT(needed < kFrameBytesMax);
  if (needed > partial.capacity) {
    const ChunkClass& chosen = kChunks[chunk_class(needed)];
    const uint32_t capacity = chosen.bytes;
    if (stats_.carried_bytes + capacity > budget_bytes_ * chosen.taken_to / 100) {
      stats_.no_memory++;
      return ReadEnd::no_memory;
    }
    std::byte* chunk = take_chunk(capacity);
    if (partial.filled > 0) std::memcpy(chunk, partial.bytes, partial.filled);
    const uint32_t filled = partial.filled;
    release(partial);
    partial = {chunk, filled, capacity};
  }
  std::memcpy(partial.bytes + partial.filled, bytes.data(), bytes.size());
  partial.filled = needed;
  if (has_room(partial)) return ReadEnd::consumed;
  stats_.over_budget++;
  return ReadEnd::over_budget;
}

std::byte* FrameReader::take_chunk(uint32_t capacity) {
  Chunk*& head = free_[chunk_class(capacity)];
  stats_.carried_bytes += capacity;
  if (head == nullptr) return new std::byte[capacity];
  Chunk* chunk = head;
  head = chunk->next;
  return reinterpret_cast<std::byte*>(chunk);
}

void FrameReader::give_chunk(std::byte* chunk, uint32_t capacity) noexcept {
  ASSERT(stats_.carried_bytes >= capacity);
  stats_.carried_bytes -= capacity;
  Chunk*& head = free_[chunk_class(capacity)];
  head = new (chunk) Chunk{head};
}

}  // namespace ringtalk::proto
