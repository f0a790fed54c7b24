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

// What the schema cannot say: the bodies lie one behind the other and fill their vector.
bool lies_well(const wire::RoomMessages& batch) noexcept {
  const auto& ends = *batch.ends();
  if (ends.size() == 0 || ends.size() > kRoomBatchMessagesMax) return false;
  if (batch.first_n() > UINT64_MAX - ends.size()) return false;
  uint32_t begin = 0;
  for (const uint32_t end : ends) {
    if (end < begin) return false;
    begin = end;
  }
  return begin == batch.bodies()->size();
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
  const wire::RoomMessages* batch = frame->body_as_RoomMessages();
  if (batch != nullptr && !lies_well(*batch)) return base::Failure{wire::ErrorCode::BadFrame};
  if (role == Role::server && body_bytes(*frame) > kBodyBytesMax) {
    return base::Failure{wire::ErrorCode::TooLarge};
  }
  return frame;
}

}  // namespace ringtalk::proto
