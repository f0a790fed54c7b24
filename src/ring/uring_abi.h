// src/ring/uring_abi.h: internal to src/ring/uring_*. The kernel's io_uring interface beyond the
// headers of liburing 2.3 (Linux 6.1).
//
// Values are part of the kernel's ABI (include/uapi/linux/io_uring.h) and never change; each is
// used only behind a probe of UringFeatures. Thread rule: none, constants. Invariant: where the
// header of the build has a value too, both agree.
#pragma once

#include <liburing.h>

#include <cstddef>
#include <cstdint>

namespace ringtalk::ring {

// A command of IORING_OP_URING_CMD on a socket (6.7), given in sqe.cmd_op.
inline constexpr uint32_t kSocketGetOption = 2;

// A buffer stays with the kernel after this completion: more data will be put behind it (6.12).
inline constexpr uint32_t kCqeBufferMore = 1U << 4;
// io_uring_buf_reg.flags (6.12): completions consume a buffer bit by bit.
inline constexpr uint16_t kBufferRingIncremental = 2;

// io_uring_params.features. From 6.13 on, one pass of task work makes at most max(20, wait_nr)
// completions; no bit says so, and the first bit that came later (IORING_FEAT_RW_ATTR, 6.14) is
// taken for it.
inline constexpr uint32_t kFeatureReadWriteAttributes = 1U << 16;

// io_uring_buf_reg, whose `flags` the headers of 6.1 call `pad`.
struct BufferRingRegistration {
  uint64_t ring_address;
  uint32_t entries;
  uint16_t group;
  uint16_t flags;
  uint64_t reserved[3];
};
static_assert(sizeof(BufferRingRegistration) == sizeof(io_uring_buf_reg));
static_assert(offsetof(BufferRingRegistration, group) == offsetof(io_uring_buf_reg, bgid));

// One entry of a buffer ring; the tail of the ring lies in `reserved` of the first.
struct BufferRingEntry {
  uint64_t address;
  uint32_t length;
  uint16_t id;
  uint16_t reserved;
};
static_assert(sizeof(BufferRingEntry) == sizeof(io_uring_buf));
static_assert(offsetof(BufferRingEntry, reserved) == offsetof(io_uring_buf_ring, tail));

// An sqe that carries a socket option: fields that the headers of 6.1 do not name.
struct SocketCommand {
  uint8_t opcode;
  uint8_t flags;
  uint16_t ioprio;
  int32_t file;
  uint32_t command;
  uint32_t pad;
  uint32_t level;
  uint32_t option;
  uint32_t length;
  uint32_t command_flags;
  uint64_t user_data;
  uint16_t buffer;
  uint16_t personality;
  uint32_t value_bytes;
  uint64_t value_address;
  uint64_t pad2;
};
static_assert(sizeof(SocketCommand) == sizeof(io_uring_sqe));
static_assert(offsetof(SocketCommand, user_data) == offsetof(io_uring_sqe, user_data));
static_assert(offsetof(SocketCommand, value_bytes) == offsetof(io_uring_sqe, file_index));
static_assert(offsetof(SocketCommand, value_address) == offsetof(io_uring_sqe, addr3));

}  // namespace ringtalk::ring
