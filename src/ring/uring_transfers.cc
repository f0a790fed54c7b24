// The transfers of UringProactor: receive, send, half-close.
#include <poll.h>
#include <sys/socket.h>

#include <algorithm>
#include <cerrno>
#include <cstring>

#include "base/assert.h"
#include "ring/kernel_access.h"
#include "ring/uring_abi.h"
#include "ring/uring_proactor.h"

namespace ringtalk::ring {
namespace {

// A connection is active when its last leases were each among the proactor's last so many. Leases
// are the clock because a proactor has no other. A login is no streak yet.
constexpr uint32_t kActiveWindow_leases = 4'096;
constexpr uint8_t kActiveStreak_leases = 4;

// From the submission to the completion.
void kernel_reads_rest(const UringRecord& record) {
  for (size_t i = 0; i < record.message.msg_iovlen; i++) {
    const iovec& each = record.message.msg_iov[i];
    kernel_reads(each.iov_base, each.iov_len);
  }
}

}  // namespace

void UringProactor::receive(ConnectionId id) {
  Connection& at = connection(id);
  ASSERT((at.flags & kOpen) != 0 && (at.flags & kReceiveUsed) == 0);
  at.flags |= kReceiveUsed | kReceiving;
  step(id.slot);
}

void UringProactor::receive_pause(ConnectionId id) {
  Connection& at = connection(id);
  ASSERT((at.flags & kReceiveUsed) != 0);
  at.flags |= kPaused;
  if ((at.flags & (kReceiveHeld | kCancelling)) == kReceiveHeld) {
    // A parked poll may stay: its completion carries no bytes.
    at.flags |= kWantCancel | kCancelling;
    step(id.slot);
  }
}

void UringProactor::receive_resume(ConnectionId id) {
  Connection& at = connection(id);
  ASSERT((at.flags & kReceiveUsed) != 0);
  at.flags &= ~kPaused;
  step(id.slot);
}

bool UringProactor::can_arm(const Connection& at) const {
  constexpr uint32_t mask = kReceiving | kPaused | kClosing | kPollHeld | kReceiveHeld | kStarved;
  return (at.flags & mask) == kReceiving;
}

bool UringProactor::arm_receive(uint32_t slot) {
  Connection& at = connections_[slot];
  ASSERT(can_arm(at));
  if (!ring_.room()) return false;
  const bool hot = promote(slot);
  if (hot || (at.flags & kReadable) != 0) return submit_receive(slot, hot);
  return submit_poll(slot);
}

bool UringProactor::submit_poll(uint32_t slot) {
  io_uring_sqe* sqe = prepare(IORING_OP_POLL_ADD, kTokenPoll, slot);
  if (sqe == nullptr) return false;
  sqe->poll32_events = POLLIN | POLLRDHUP;
  connections_[slot].flags |= kPollHeld;
  return true;
}

bool UringProactor::submit_receive(uint32_t slot, bool multishot) {
  io_uring_sqe* sqe = prepare(IORING_OP_RECV, kTokenReceive, slot);
  if (sqe == nullptr) return false;
  sqe->flags |= IOSQE_BUFFER_SELECT;
  sqe->buf_group = 0;
  if (multishot) {
    sqe->ioprio = IORING_RECV_MULTISHOT;
  } else {
    // Nothing there after all: back to the poll, which holds less memory than an armed receive.
    sqe->msg_flags = MSG_DONTWAIT;
  }
  Connection& at = connections_[slot];
  at.flags |= kReceiveHeld;
  if (multishot && (at.flags & kHot) == 0) {
    at.flags |= kHot;
    hot_.push_back(slot);
  }
  return true;
}

// Whether an active connection may keep a multishot receive. When too many do, the one that has had
// it longest gives it up if it is idle.
bool UringProactor::promote(uint32_t slot) {
  Connection& at = connections_[slot];
  if (hot_max_ == 0 || at.streak < kActiveStreak_leases) return false;
  if (leases_ - at.leased_at > kActiveWindow_leases) return false;
  if (hot_.count() < hot_max_) return true;
  const uint32_t oldest = hot_.first();
  Connection& other = connections_[oldest];
  hot_.remove(oldest);
  if (leases_ - other.leased_at <= kActiveWindow_leases) {
    hot_.push_back(oldest);
    return false;
  }
  other.flags &= ~kHot;
  if ((other.flags & kCancelling) == 0) {
    other.flags |= kWantCancel | kCancelling;
    queue_todo(oldest);
  }
  return true;
}

void UringProactor::on_poll(const io_uring_cqe& cqe, uint32_t slot) {
  Connection& at = connections_[slot];
  at.flags &= ~kPollHeld;
  if (cqe.res >= 0) at.flags |= kReadable;
  if (cqe.res < 0 && cqe.res != -ECANCELED && (at.flags & kClosing) == 0) {
    return end_receive(slot, error_from_errno(-cqe.res));
  }
  step(slot);
}

void UringProactor::on_receive(const io_uring_cqe& cqe, uint32_t slot) {
  Connection& at = connections_[slot];
  if ((cqe.flags & IORING_CQE_F_MORE) == 0) {
    at.flags &= ~(kReceiveHeld | kCancelling | kWantCancel);
    if ((at.flags & kHot) != 0) leave_lists(slot);
  }
  const bool wanted = (at.flags & (kReceiving | kClosing)) == kReceiving;
  if ((cqe.flags & IORING_CQE_F_BUFFER) != 0) {
    const auto bytes = buffers_.lease(cqe.flags, cqe.res > 0 ? static_cast<uint32_t>(cqe.res) : 0);
    if ((cqe.flags & IORING_CQE_F_SOCK_NONEMPTY) == 0) at.flags &= ~kReadable;
    if (wanted && cqe.res > 0) on_bytes(slot, bytes);
    buffers_.give_back(cqe.flags, bytes);
    if (buffers_returned_ < buffers_.count()) buffers_returned_++;
  }
  if (wanted && (at.flags & kClosing) == 0) {
    if (cqe.res == 0) return end_receive(slot, Error::none);
    if (cqe.res < 0) return on_receive_failed(slot, -cqe.res);
  }
  step(slot);
}

void UringProactor::on_bytes(uint32_t slot, std::span<const std::byte> bytes) {
  Connection& at = connections_[slot];
  leases_++;
  const bool soon = leases_ - at.leased_at <= kActiveWindow_leases;
  at.streak = soon ? std::min<uint8_t>(at.streak + 1, kActiveStreak_leases) : 0;
  at.leased_at = leases_;
  stats_.received++;
  stats_.received_bytes += bytes.size();
  deliver(
      {.operation = Operation::receive, .more = true, .connection = id_of(slot), .bytes = bytes});
}

void UringProactor::on_receive_failed(uint32_t slot, int number) {
  Connection& at = connections_[slot];
  switch (number) {
    case ENOBUFS:
      // The bytes stay in the socket until a buffer is back.
      stats_.pool_empty++;
      at.flags |= kReadable | kStarved;
      starved_.push_back(slot);
      return;
    case EAGAIN:
      at.flags &= ~kReadable;
      return step(slot);
    case ECANCELED:
    case EINTR:
      // Paused, or to be parked. Bytes may have come meanwhile, which a poll tells.
      at.flags &= ~kReadable;
      return step(slot);
    default:
      return end_receive(slot, error_from_errno(number));
  }
}

void UringProactor::end_receive(uint32_t slot, Error error) {
  Connection& at = connections_[slot];
  ASSERT((at.flags & kReceiving) != 0);
  at.flags &= ~(kReceiving | kWantCancel);
  leave_lists(slot);
  deliver({.operation = Operation::receive, .error = error, .connection = id_of(slot)});
}

void UringProactor::leave_lists(uint32_t slot) {
  Connection& at = connections_[slot];
  ASSERT((at.flags & (kStarved | kHot)) != (kStarved | kHot));
  if ((at.flags & kStarved) != 0) starved_.remove(slot);
  if ((at.flags & kHot) != 0) hot_.remove(slot);
  at.flags &= ~(kStarved | kHot);
}

// One receive for each buffer that came back since the last turn.
void UringProactor::feed_starved() {
  while (buffers_returned_ > 0 && !starved_.empty() && ring_.room()) {
    const uint32_t slot = starved_.pop_front();
    connections_[slot].flags &= ~kStarved;
    buffers_returned_--;
    step(slot);
  }
}

void UringProactor::send(ConnectionId id, std::span<const iovec> vectors) {
  Connection& at = connection(id);
  ASSERT((at.flags & kOpen) != 0 && (at.flags & (kSending | kShutWrite)) == 0);
  ASSERT(!vectors.empty() && vectors.size() <= kSendVectorsMax);
  take_record(at);
  Record& record = records_[at.record];
  uint64_t bytes = 0;
  for (size_t i = 0; i < vectors.size(); i++) {
    ASSERT(vectors[i].iov_len > 0);
    record.vectors[i] = vectors[i];
    bytes += vectors[i].iov_len;
  }
  record.left_bytes = bytes;
  record.message.msg_iov = record.vectors;
  record.message.msg_iovlen = vectors.size();
  at.flags |= kSending | kWantSend;
  stats_.sends++;
  if (!ring_.room() || !submit_send(id.slot)) queue_todo(id.slot);
}

bool UringProactor::submit_send(uint32_t slot) {
  Connection& at = connections_[slot];
  Record& record = records_[at.record];
  ASSERT(record.left_bytes > 0);
  kernel_reads_rest(record);
  const bool single = record.message.msg_iovlen == 1;
  io_uring_sqe* sqe = prepare(single ? IORING_OP_SEND : IORING_OP_SENDMSG, kTokenSend, slot);
  if (sqe == nullptr) return false;
  const iovec& first = *record.message.msg_iov;
  // The kernel takes at most 2 GiB at once; the rest is sent on.
  sqe->addr = single ? reinterpret_cast<uintptr_t>(first.iov_base)
                     : reinterpret_cast<uintptr_t>(&record.message);
  sqe->len = single ? static_cast<uint32_t>(std::min<size_t>(first.iov_len, INT32_MAX)) : 1;
  sqe->msg_flags = MSG_WAITALL | MSG_NOSIGNAL;
  at.flags &= ~kWantSend;
  at.flags |= kSendHeld;
  return true;
}

void UringProactor::on_send(const io_uring_cqe& cqe, uint32_t slot) {
  Connection& at = connections_[slot];
  Record& record = records_[at.record];
  at.flags &= ~kSendHeld;
  kernel_reads_rest(record);
  if (cqe.res > 0) {
    stats_.sent_bytes += static_cast<uint64_t>(cqe.res);
    record.left_bytes -= static_cast<uint64_t>(cqe.res);
  }
  if (record.left_bytes == 0) {
    end_send(slot, Error::none);
  } else if ((at.flags & kClosing) != 0) {
    end_send(slot, Error::cancelled);
  } else if (cqe.res > 0 || cqe.res == -EINTR || cqe.res == -EAGAIN) {
    stats_.sends_short++;
    skip_sent(record, cqe.res > 0 ? static_cast<uint64_t>(cqe.res) : 0);
    at.flags |= kWantSend;
  } else {
    end_send(slot, cqe.res == 0 ? Error::broken : error_from_errno(-cqe.res));
  }
  visit(slot);
}

void UringProactor::skip_sent(Record& record, uint64_t bytes) {
  while (bytes > 0) {
    ASSERT(record.message.msg_iovlen > 0);
    iovec& at = *record.message.msg_iov;
    const size_t step = std::min<uint64_t>(bytes, at.iov_len);
    at.iov_base = static_cast<std::byte*>(at.iov_base) + step;
    at.iov_len -= step;
    bytes -= step;
    if (at.iov_len > 0) return;
    record.message.msg_iov++;
    record.message.msg_iovlen--;
  }
}

void UringProactor::end_send(uint32_t slot, Error error) {
  Connection& at = connections_[slot];
  ASSERT((at.flags & kSending) != 0 && (at.flags & kSendDone) == 0);
  release_record(at);
  at.error = error;
  at.flags |= kSendDone;
}

void UringProactor::shutdown_write(ConnectionId id) {
  Connection& at = connection(id);
  ASSERT((at.flags & kOpen) != 0 && (at.flags & (kSending | kShutWrite)) == 0);
  at.flags |= kShutWrite | kWantShutdown;
  step(id.slot);
}

bool UringProactor::submit_shutdown(uint32_t slot) {
  io_uring_sqe* sqe = prepare(IORING_OP_SHUTDOWN, kTokenShutdown, slot);
  if (sqe == nullptr) return false;
  sqe->len = SHUT_WR;
  connections_[slot].flags &= ~kWantShutdown;
  connections_[slot].flags |= kShutdownHeld;
  return true;
}

void UringProactor::on_shutdown(const io_uring_cqe& cqe, uint32_t slot) {
  Connection& at = connections_[slot];
  at.flags &= ~kShutdownHeld;
  deliver({.operation = Operation::shutdown_write,
           .error = cqe.res < 0 ? error_from_errno(-cqe.res) : Error::none,
           .connection = id_of(slot)});
  step(slot);
}

}  // namespace ringtalk::ring
