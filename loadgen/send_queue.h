// loadgen/send_queue.h: internal to loadgen. Bytes that wait for a client's connection.
//
// One send is in flight per connection and its bytes must stay where they are, so each client has a
// chain of blocks from a pool of its ring, and none while it has nothing to say.
//
//   SendQueue {last}: last -> first -> ... -> last, a ring of blocks that is entered at its end
//
// Ownership: blocks belong to the pool; a queue holds indexes. Thread rule: one owner.
// Invariants: a block in flight is never appended to; the pool grows and never shrinks, so a run
// that has warmed up allocates nothing.
#pragma once

#include <sys/uio.h>

#include <array>
#include <cstddef>
#include <cstdint>
#include <memory>
#include <span>
#include <vector>

#include "ring/proactor.h"

namespace ringtalk::loadgen {

// All zeros is an empty queue.
struct SendQueue {
  uint32_t last = 0;  // block number + 1; 0: none
  bool empty() const noexcept { return last == 0; }
};

class SendPool {
 public:
  static constexpr size_t kBlockBytes = 504;

  // `sealed`: the queue's last block is in flight and must not be written to.
  void append(SendQueue& queue, std::span<const std::byte> bytes, bool sealed);
  // Everything that waits, up to kSendVectorsMax blocks; answers how many blocks that is.
  uint32_t gather(const SendQueue& queue, std::array<iovec, ring::kSendVectorsMax>& vectors) const;
  bool longer_than(const SendQueue& queue, uint32_t blocks) const noexcept;
  // The first `blocks` blocks are sent.
  void drop(SendQueue& queue, uint32_t blocks);
  void clear(SendQueue& queue);

  uint64_t blocks_in_use() const noexcept { return in_use_; }

 private:
  struct Block {
    uint32_t next = 0;
    uint32_t filled = 0;
    std::byte bytes[kBlockBytes];
  };
  static_assert(sizeof(Block) == 512);
  static constexpr size_t kChunkBlocks = 32;

  Block& block(uint32_t number) const noexcept {
    const uint32_t index = number - 1;
    return chunks_[index / kChunkBlocks][index % kChunkBlocks];
  }
  uint32_t take();
  void give(uint32_t number) noexcept;

  std::vector<std::unique_ptr<Block[]>> chunks_;
  uint32_t free_ = 0;
  uint64_t in_use_ = 0;
};

}  // namespace ringtalk::loadgen
