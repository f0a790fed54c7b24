#include "loadgen/send_queue.h"

#include <algorithm>
#include <cstring>
#include <utility>

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
        block(number).next = number;
      } else {
        block(number).next = std::exchange(block(queue.last).next, number);
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
  if (queue.last == 0) return 0;
  uint32_t blocks = 0;
  uint32_t number = queue.last;
  do {
    number = block(number).next;
    vectors[blocks++] = {block(number).bytes, block(number).filled};
  } while (number != queue.last && blocks < vectors.size());
  return blocks;
}

bool SendPool::longer_than(const SendQueue& queue, uint32_t blocks) const noexcept {
  if (queue.last == 0) return false;
  uint32_t number = queue.last;
  for (; blocks > 0; blocks--) {
    number = block(number).next;
    if (number == queue.last) return false;
  }
  return true;
}

void SendPool::drop(SendQueue& queue, uint32_t blocks) {
  for (; blocks > 0; blocks--) {
    ASSERT(queue.last != 0);
    const uint32_t first = block(queue.last).next;
    if (first == queue.last) {
      queue.last = 0;
    } else {
      block(queue.last).next = block(first).next;
    }
    give(first);
  }
}

void SendPool::clear(SendQueue& queue) {
  while (queue.last != 0) drop(queue, 1);
}

}  // namespace ringtalk::loadgen
