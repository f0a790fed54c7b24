// src/proto/frame_reader.h: public. Cuts a stream of bytes into frames, where they lie.
//
// A connection keeps a PartialFrame (16 bytes, empty nearly always); one FrameReader serves all
// connections of a shard. A frame that lies whole and 8-aligned in the bytes is handed out in
// place; a misaligned one is copied to aligned scratch and counted; the rest of a cut frame is
// carried over in memory taken from the reader's budget (256 B, 4 KiB, 64 KiB: as many bytes as
// have arrived).
//
//   bytes of a receive:  [ tail of a frame | frame | frame | ... | head of a frame ]
//                          joins carried     in place              carried over
//
// Thread rule: one owner. Invariants: splitting the same stream anywhere gives the same frames in
// the same order; a span handed out is 8-aligned, starts with its prefix, and is valid until the
// next call. The bytes are hostile: only verify() (verifier.h) makes a message out of them.
#pragma once

#include <cstddef>
#include <cstdint>
#include <memory>
#include <span>

namespace ringtalk::proto {

// Owned by the reader that filled it; release() it through that reader.
struct PartialFrame {
  std::byte* bytes = nullptr;
  uint32_t filled = 0;
  uint32_t capacity = 0;
};

enum class ReadEnd : uint8_t {
  consumed,   // all bytes are used up; a partial frame may be carried
  stopped,    // the sink said stop (the connection is going to be closed)
  too_large,  // a prefix beyond the limit
  bad_frame,  // a prefix that no frame can have (below kFrameBytesMin or not a multiple of 8)
  no_budget,  // the budget of partial frames is empty: nothing was consumed from `resume_at` on
};

struct ReadResult {
  ReadEnd end;
  // How many of the bytes were consumed; the rest must be offered again after no_budget.
  size_t consumed;
};

struct FrameReaderStats {
  uint64_t frames = 0;
  uint64_t misaligned = 0;     // copied to scratch
  uint64_t carried = 0;        // frames that were joined over two or more receives
  uint64_t carried_bytes = 0;  // gauge: taken from the budget now
  uint64_t budget_empty = 0;
};

class FrameReader {
 public:
  // `budget_bytes` bounds the memory of all partial frames together.
  explicit FrameReader(size_t budget_bytes);
  ~FrameReader();
  FrameReader(const FrameReader&) = delete;
  FrameReader& operator=(const FrameReader&) = delete;

  // `sink(std::span<const std::byte> frame) -> bool`: false stops. `frame_bytes_max` is asked anew
  // for each frame, because a login inside one receive raises it.
  template <class Sink, class FrameBytesMax>
  ReadResult read(PartialFrame& partial, std::span<const std::byte> bytes,
                  FrameBytesMax&& frame_bytes_max, Sink&& sink);

  void release(PartialFrame& partial) noexcept;
  const FrameReaderStats& stats() const noexcept;
};

}  // namespace ringtalk::proto
