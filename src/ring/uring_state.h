// src/ring/uring_state.h: internal to UringProactor. What it remembers of a connection, of an
// operation and of a listener.
//
// Ownership: slabs of UringProactor hold them; the kernel reads and writes a record while its
// operation is under way. Thread rule: the proactor's thread. Invariant: an idle connection has a
// UringConnection and no record.
#pragma once

#include <sys/socket.h>

#include <cstdint>

#include "base/intrusive_list.h"
#include "ring/address.h"
#include "ring/error.h"
#include "ring/proactor.h"
#include "ring/socket.h"

namespace ringtalk::ring {

struct UringFlags {
  enum Bit : uint32_t {
    kTaken = 1U << 0,
    kConnecting = 1U << 1,  // until the connect completion is delivered
    kOpen = 1U << 2,        // connected or accepted
    kReceiveUsed = 1U << 3,
    kReceiving = 1U << 4,  // until the terminal receive completion
    kPaused = 1U << 5,
    kReadable = 1U << 6,  // a receive may give something
    kSending = 1U << 7,   // until the send completion is delivered
    kShutWrite = 1U << 8,
    kClosing = 1U << 9,
    kUnblocked = 1U << 10,   // close has told what is held to end
    kCancelling = 1U << 11,  // pause has told the armed receive to end
    kStarved = 1U << 12,     // in the starved list
    kHot = 1U << 13,         // in the hot list

    // Held by the kernel.
    kPollHeld = 1U << 14,
    kReceiveHeld = 1U << 15,
    kSendHeld = 1U << 16,
    kShutdownHeld = 1U << 17,
    kConnectHeld = 1U << 18,
    kFileHeld = 1U << 19,  // its file is being put into the table or taken out
    kNameHeld = 1U << 20,
    kAnyHeld =
        kPollHeld | kReceiveHeld | kSendHeld | kShutdownHeld | kConnectHeld | kFileHeld | kNameHeld,

    // To be submitted.
    kWantConnect = 1U << 21,
    kWantName = 1U << 22,
    kWantSend = 1U << 23,
    kWantShutdown = 1U << 24,
    kWantCancel = 1U << 25,

    // Over and to be delivered.
    kConnectDone = 1U << 26,
    kSendDone = 1U << 27,
    kCloseDone = 1U << 28,

    kShutdownDone = 1U << 29,
    kAnyDone = kConnectDone | kSendDone | kShutdownDone,

    kInTodo = 1U << 31,
  };

  enum TokenKind : uint8_t {
    kTokenWake = 1,
    kTokenAccept,
    kTokenName,
    kTokenFile,
    kTokenConnect,
    kTokenPoll,
    kTokenReceive,
    kTokenSend,
    kTokenShutdown,
    kTokenCloseFile,
    kTokenDropFile,
    kTokenCancel,
  };
};

struct UringConnection {
  uint32_t generation;
  uint32_t file;
  uint32_t flags;
  base::ListLinks links;  // starved or hot
  uint32_t record;
  uint32_t leased_at;  // the count of leases at its last one
  uint32_t free_next;  // of the slab, and the next in the todo list while it is taken
  Error error;         // of the connect or send that is over
  uint8_t streak;      // leases in a row that came soon after the one before
};
static_assert(sizeof(UringConnection) <= 36);

// What a connect, a name or a send needs until it is over.
struct UringRecord {
  msghdr message;
  iovec vectors[kSendVectorsMax];
  uint64_t left_bytes;
  SocketAddress peer;
  SocketAddress source;
  int32_t file;        // the kernel replaces the descriptor by the index
  int32_t descriptor;  // of a socket on its way into the table, or -1
  uint32_t listener;
  uint32_t free_next;
};

struct UringListener {
  static constexpr uint32_t kAcceptsHeld = 16;
  struct Accept {
    SocketAddress peer;
    socklen_t peer_bytes;
    bool held;
  };

  int descriptor = -1;  // -1: free
  uint32_t generation = 0;
  uint32_t backlog = 0;
  Address address;
  bool multishot = false;  // accepts[0] is
  bool paused = false;     // by the user
  bool starved = false;    // no slot: waits for one
  bool refused = false;    // the kernel had no file for it: waits for a close, or some time
  bool closing = false;
  bool cancelling = false;
  uint32_t held = 0;
  Accept accepts[kAcceptsHeld] = {};
};

}  // namespace ringtalk::ring
