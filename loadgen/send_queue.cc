#include "loadgen/send_queue.h"

#include <algorithm>
#include <cstring>

#include "base/assert.h"

namespace ringtalk::loadgen {

uint32_t SendPool::take() {
  if (free_ == 0) {
    chunks_.push_back(std::unique_ptr<Block[]>(new Block[kChunkBlocks]));
    const auto base = static_cast<uint32_t>((chunks_.size() - 1) * kChunkBlocks);
    for (uint32_t i = kChunkBlocks; i-- > 0;) {
      block(base + i + 1).next = free_;
      free_ = base + i + 1;
    }
  }
  const uint32_t number = free_;
  Block& taken = block(number);
  free_ = taken.next;
  taken.next = 0;
  taken.filled = 0;
  in_use_++;
  return number;
}

void SendPool::give(uint32_t number) noexcept {
  ASSERT(number != 0 && in_use_ > 0);
  block(number).next = free_;
  free_ = number;
  in_use_--;
}

void SendPool::append(SendQueue& queue, std::span<const std::byte> bytes, bool sealed) {
  while (!bytes.empty()) {
    if (queue.last == 0 || sealed || block(queue.last).filled == kBlockBytes) {
      const uint32_t number = take();
      if (queue.last == 0) {
        queue.first = number;
      } else {
        block(queue.last).next = number;
      }
      queue.last = number;
      sealed = false;
    }
    Block& last = block(queue.last);
    const size_t part = std::min(bytes.size(), kBlockBytes - last.filled);
    std::memcpy(last.bytes + last.filled, bytes.data(), part);
    last.filled += static_cast<uint32_t>(part);
    bytes = bytes.subspan(part);
  }
}

uint32_t SendPool::gather(const SendQueue& queue,
                          std::array<iovec, ring::kSendVectorsMax>& vectors) const {
  uint32_t blocks = 0;
  for (uint32_t number = queue.first; number != 0 && blocks < vectors.size();) {
    Block& one = block(number);
    vectors[blocks++] = {one.bytes, one.filled};
    number = one.next;
  }
  return blocks;
}

bool SendPool::longer_than(const SendQueue& queue, uint32_t blocks) const noexcept {
  uint32_t number = queue.first;
  for (; number != 0 && blocks > 0; blocks--) number = block(number).next;
  return number != 0;
}

void SendPool::drop(SendQueue& queue, uint32_t blocks) {
  for (; blocks > 0; blocks--) {
    ASSERT(queue.first != 0);
    const uint32_t number = queue.first;
    queue.first = block(number).next;
    give(number);
  }
  if (queue.first == 0) queue.last = 0;
}

void SendPool::clear(SendQueue& queue) {
  while (queue.first != 0) drop(queue, 1);
}

}  // namespace ringtalk::loadgen
