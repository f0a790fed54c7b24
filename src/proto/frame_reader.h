// src/proto/frame_reader.h: public. Cuts a stream of bytes into frames, where they lie.
//
// A connection keeps a PartialFrame (16 bytes, empty nearly always); one FrameReader serves all
// connections of a shard. A frame that lies whole and 8-aligned in the bytes is handed out in
// place; a misaligned one is copied to aligned scratch and counted; the head of a cut frame is
// carried over in pooled chunks (256 B, 4 KiB, 64 KiB: as many bytes as have arrived).
//
//   bytes of a receive:  [ tail of a frame | frame | frame | ... | head of a frame ]
//                          joined in scratch     in place            carried over
//
// Ownership: a PartialFrame's chunk belongs to the reader; release() it when the connection ends.
// Thread rule: one owner. Invariants: splitting the same stream anywhere gives the same frames in
// the same order; a span handed out is 8-aligned, starts with its prefix, and is valid until the
// sink returns. The bytes are hostile: only verify() (verifier.h) makes a message out of them.
#pragma once

#include <array>
#include <bit>
#include <cstddef>
#include <cstdint>
#include <cstring>
#include <memory>
#include <span>

#include "proto/limits.h"

namespace ringtalk::proto {

struct PartialFrame {
  std::byte* bytes = nullptr;
  uint32_t filled = 0;
  uint32_t capacity = 0;
};

enum class ReadEnd : uint8_t {
  consumed,     // all bytes are used up; a partial frame may be carried
  over_budget,  // like consumed, but the budget is spent: pause this connection until has_room()
  stopped,      // the sink said stop (the connection is going to be closed)
  too_large,    // a prefix beyond the limit: close
  bad_frame,    // a prefix that no frame can have (below kFrameBytesMin): close
  no_memory,    // what is kept beyond the budget is spent, too, for a chunk of this size: close
};

struct FrameReaderStats {
  uint64_t frames = 0;
  uint64_t misaligned = 0;     // copied to scratch
  uint64_t carried = 0;        // frames that were joined over two or more receives
  uint64_t carried_bytes = 0;  // gauge: chunks in use now
  uint64_t over_budget = 0;
  uint64_t no_memory = 0;
};

class FrameReader {
 public:
  // `budget_bytes` bounds the chunks of all partial frames together. What arrives beyond it is
  // still kept up to twice the budget, because leases that are under way cannot be refused. The
  // larger a chunk, the sooner it has to wait: heads of large frames leave room for small ones.
  explicit FrameReader(size_t budget_bytes);
  ~FrameReader();
  FrameReader(const FrameReader&) = delete;
  FrameReader& operator=(const FrameReader&) = delete;

  // `sink(std::span<const std::byte> frame) -> bool`: false stops, and the reader touches `partial`
  // no more. `frame_bytes_max() -> uint32_t` is asked anew for each frame, because a login inside
  // one receive raises it. `partial` is empty while the sink runs.
  template <class FrameBytesMax, class Sink>
  ReadEnd read(PartialFrame& partial, std::span<const std::byte> bytes,
               FrameBytesMax&& frame_bytes_max, Sink&& sink) {
    if (partial.filled > 0) {
      const Joined joined = join(partial, bytes, frame_bytes_max());
      if (joined.frame.empty()) return joined.end;
      bytes = bytes.subspan(joined.consumed);
      if (!sink(joined.frame)) return ReadEnd::stopped;
    }
    while (!bytes.empty()) {
      const Cut cut = cut_frame(bytes, frame_bytes_max());
      if (cut.end != ReadEnd::consumed) return cut.end;
      if (cut.frame_bytes == 0) return carry(partial, bytes);
      const std::span<const std::byte> frame = aligned(bytes.first(cut.frame_bytes));
      bytes = bytes.subspan(cut.frame_bytes);
      if (!sink(frame)) return ReadEnd::stopped;
    }
    return ReadEnd::consumed;
  }

  // The connection has ended: gives the chunk back.
  void release(PartialFrame& partial) noexcept;
  // For every connection, or for one with this partial frame.
  bool budget_free() const noexcept { return stats_.carried_bytes < budget_bytes_; }
  bool has_room(const PartialFrame& partial) const noexcept;
  const FrameReaderStats& stats() const noexcept { return stats_; }

 private:
  struct Joined {
    ReadEnd end;
    size_t consumed;
    std::span<const std::byte> frame;  // empty: not whole yet, or `end` says why not
  };
  struct Cut {
    ReadEnd end;
    uint32_t frame_bytes;  // prefix included; 0: not all of it is there
  };
  struct Chunk {
    Chunk* next;
  };

  static Cut check_prefix(const std::byte* prefix, uint32_t frame_bytes_max) noexcept {
    uint32_t length;
    std::memcpy(&length, prefix, sizeof length);
    static_assert(std::endian::native == std::endian::little);
    if (length < kFrameBytesMin - kPrefixBytes) return {ReadEnd::bad_frame, 0};
    if (length > frame_bytes_max - kPrefixBytes) return {ReadEnd::too_large, 0};
    return {ReadEnd::consumed, length + kPrefixBytes};
  }
  static Cut cut_frame(std::span<const std::byte> bytes, uint32_t frame_bytes_max) noexcept {
    if (bytes.size() < kPrefixBytes) return {ReadEnd::consumed, 0};
    Cut cut = check_prefix(bytes.data(), frame_bytes_max);
    if (cut.frame_bytes > bytes.size()) cut.frame_bytes = 0;
    return cut;
  }
  std::span<const std::byte> aligned(std::span<const std::byte> frame) noexcept {
    stats_.frames++;
    const bool is_aligned = std::bit_cast<uintptr_t>(frame.data()) % kFrameAlignment == 0;
    return __builtin_expect(is_aligned, true) ? frame : copy_to_scratch(frame);
  }

  std::span<const std::byte> copy_to_scratch(std::span<const std::byte> frame) noexcept;
  Joined join(PartialFrame& partial, std::span<const std::byte> bytes, uint32_t frame_bytes_max);
  // Appends all of `bytes`, which do not complete the frame.
  ReadEnd carry(PartialFrame& partial, std::span<const std::byte> bytes);
  std::byte* take_chunk(uint32_t capacity);
  void give_chunk(std::byte* chunk, uint32_t capacity) noexcept;

  size_t budget_bytes_;
  FrameReaderStats stats_;
  std::array<Chunk*, 3> free_{};  // by class of capacity
  std::unique_ptr<std::byte[]> scratch_;
};

}  // namespace ringtalk::proto
