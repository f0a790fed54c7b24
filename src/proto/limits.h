// src/proto/limits.h: public. Limits of the wire that both sides rely on (docs/protocol.md).
#pragma once

#include <cstdint>

namespace ringtalk::proto {

inline constexpr uint16_t kVersion = 1;
inline constexpr uint16_t kVersionMin = 1;             // older clients get VersionTooOld
inline constexpr uint32_t kFrameBytesMax = 64 * 1024;  // prefix included, both ways
inline constexpr uint32_t kFrameBytesMaxBeforeLogin = 4 * 1024;
inline constexpr uint32_t kFrameBytesMin = 24;  // nothing shorter can verify
inline constexpr uint32_t kPrefixBytes = 4;
inline constexpr uint32_t kFrameAlignment = 8;
inline constexpr uint32_t kBodyBytesMax = 16 * 1024;
inline constexpr uint32_t kNameBytesMax = 64;
inline constexpr uint32_t kPasswordBytesMax = 1'024;
inline constexpr uint32_t kPageMessagesMax = 200;
// Of one RoomMessages frame; bytes: its bodies and their ends, the rest of the frame is less.
inline constexpr uint32_t kRoomBatchMessagesMax = 256;
inline constexpr uint32_t kRoomBatchBytesMax = kFrameBytesMax - 256;
inline constexpr uint32_t kTokenBytes = 64;

}  // namespace ringtalk::proto
