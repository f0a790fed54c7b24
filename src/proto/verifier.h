// src/proto/verifier.h: public. The only door through which bytes of a peer become a message.
//
// Takes one frame as FrameReader hands it out (8-aligned, prefix included) and checks all of it
// once: prefix = length, file identifier, every offset and vector, required fields, depth and
// number of tables, and the body limits that the writers rely on. What comes out may be read field
// by field without a further check of memory; whether it makes sense is the service's question.
// Ownership: the frame points into `bytes`. Thread rule: any thread, no state.
#pragma once

#include <cstddef>
#include <cstdint>
#include <span>

#include "base/result.h"
#include "ringtalk_generated.h"

namespace ringtalk::proto {

// Who verifies. A server accepts 64 tables in a frame, a client 1,024.
enum class Role : uint8_t { server, client };

// BadFrame: malformed. TooLarge: a body beyond kBodyBytesMax (server only). Both close.
// A body of a type that this version does not know is a valid frame: ask body_known().
base::Result<const wire::Frame*, wire::ErrorCode> verify(std::span<const std::byte> bytes,
                                                         Role role) noexcept;

// False: answer Error{Unsupported} to frame.head()->id() and go on.
inline bool body_known(const wire::Frame& frame) noexcept {
  return frame.body_type() <= wire::Body::MAX;
}

// The bytes of a [ubyte] field of a verified frame; empty for an absent one.
inline std::span<const std::byte> bytes_of(const flatbuffers::Vector<uint8_t>* field) noexcept {
  if (field == nullptr) return {};
  return {reinterpret_cast<const std::byte*>(field->data()), field->size()};
}

}  // namespace ringtalk::proto
