// tests/proto/frame_oracle.h: for tests and the fuzzer. What a stream of bytes means, as a list of
// events that does not depend on how the stream was cut.
#pragma once

#include <cstddef>
#include <cstdint>
#include <functional>
#include <span>
#include <vector>

#include "proto/frame_reader.h"
#include "proto/frame_writer.h"
#include "proto/verifier.h"

namespace ringtalk::proto::oracle {

struct Event {
  enum class Kind : uint8_t { message, unknown_body, refused, end } kind;
  uint64_t value;  // of a message: a hash over every field; else the code

  bool operator==(const Event&) const = default;
};

// Reads every field of an accepted frame and hashes what it finds.
uint64_t walk(const wire::Frame& frame);

// Feeds `stream` cut into pieces of `piece_bytes(left)` bytes, each from memory of exactly its size
// and `misalign` bytes off, so that a sanitizer sees any read beyond it. Ends at the first refusal.
using PieceBytes = std::function<size_t(size_t left)>;
std::vector<Event> read_stream(std::span<const std::byte> stream, Role role,
                               const PieceBytes& piece_bytes, size_t misalign = 0);
std::vector<Event> read_whole(std::span<const std::byte> stream, Role role);

// Calls `use` with one frame of every message of the wire, all fields set.
void for_every_message(FrameWriter& writer,
                       const std::function<void(const char* name, Bytes)>& use);

}  // namespace ringtalk::proto::oracle
