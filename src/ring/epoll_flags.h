// src/ring/epoll_flags.h: internal to EpollProactor. The states of a connection, and what the
// tokens of its events name.
#pragma once

#include <cstdint>

namespace ringtalk::ring {

struct EpollFlags {
  enum Bit : uint32_t {
    kRegistered = 1U << 1,  // known to epoll
    kConnecting = 1U << 2,  // until the connect completion is delivered
    kOpen = 1U << 3,        // connected or accepted
    kReceiveUsed = 1U << 4,
    kReceiving = 1U << 5,  // until the terminal receive completion
    kPaused = 1U << 6,
    kReadable = 1U << 7,   // a read may give something
    kReadToEnd = 1U << 8,  // end, error or urgent mark announced: a short read is not the last
    kWritable = 1U << 9,   // an edge has come for a parked operation
    kSending = 1U << 10,   // until the send completion is delivered
    kSendParked = 1U << 11,
    kShutWrite = 1U << 12,
    kClosing = 1U << 13,

    // Over and to be delivered.
    kConnectDone = 1U << 16,
    kSendDone = 1U << 17,
    kShutdownDone = 1U << 18,
    kReceiveFailed = 1U << 19,
    kAnyDone = kConnectDone | kSendDone | kShutdownDone | kReceiveFailed | kClosing,

    kInDone = 1U << 24,
    kInReady = 1U << 25,
  };

  enum TokenKind : uint8_t { kTokenWake = 1, kTokenListener = 2, kTokenConnection = 3 };
};

}  // namespace ringtalk::ring
