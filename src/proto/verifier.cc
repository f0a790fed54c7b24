#include "proto/verifier.h"

#include "base/assert.h"
#include "proto/limits.h"

namespace ringtalk::proto {
namespace {

constexpr flatbuffers::uoffset_t kDepthMax = 8;
constexpr flatbuffers::uoffset_t kTablesMaxServer = 64;
constexpr flatbuffers::uoffset_t kTablesMaxClient = 1'024;

// Of the bodies that a server encodes again: what passes here fits into a frame of ours.
size_t body_bytes(const wire::Frame& frame) noexcept {
  switch (frame.body_type()) {
    case wire::Body::Send:
      return frame.body_as_Send()->body()->size();
    case wire::Body::RoomPublish:
      return frame.body_as_RoomPublish()->body()->size();
    case wire::Body::Echo:
      return frame.body_as_Echo()->body()->size();
    default:
      return 0;
  }
}

}  // namespace

base::Result<const wire::Frame*, wire::ErrorCode> verify(std::span<const std::byte> bytes,
                                                         Role role) noexcept {
  ASSERT(reinterpret_cast<uintptr_t>(bytes.data()) % kFrameAlignment == 0);
  if (bytes.size() < kFrameBytesMin) return base::Failure{wire::ErrorCode::BadFrame};
  if (bytes.size() > kFrameBytesMax) return base::Failure{wire::ErrorCode::TooLarge};
  const auto* data = reinterpret_cast<const uint8_t*>(bytes.data());
  flatbuffers::Verifier verifier(data, bytes.size(), kDepthMax,
                                 role == Role::server ? kTablesMaxServer : kTablesMaxClient);
  if (!wire::VerifySizePrefixedFrameBuffer(verifier)) {
    return base::Failure{wire::ErrorCode::BadFrame};
  }
  const wire::Frame* frame = wire::GetSizePrefixedFrame(data);
  if (frame->body_type() == wire::Body::NONE) return base::Failure{wire::ErrorCode::BadFrame};
  if (role == Role::server && body_bytes(*frame) > kBodyBytesMax) {
    return base::Failure{wire::ErrorCode::TooLarge};
  }
  return frame;
}

}  // namespace ringtalk::proto
