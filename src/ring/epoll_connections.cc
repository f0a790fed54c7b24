// The connections of EpollProactor.
#include <sys/epoll.h>
#include <sys/socket.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <cstring>

#include "base/assert.h"
#include "ring/epoll_proactor.h"
#include "ring/poison.h"
#include "ring/socket.h"

namespace ringtalk::ring {
namespace {

// How much one connection may read before the others have their turn.
constexpr uint32_t kReadsPerVisit = 4;

}  // namespace

EpollProactor::Connection& EpollProactor::connection(ConnectionId id) {
  Connection& found = connections_.at(id);
  ASSERT((found.flags & kClosing) == 0);
  return found;
}

uint32_t EpollProactor::take_slot(int descriptor) {
  const uint32_t slot = connections_.take();
  Connection& taken = connections_[slot];
  taken.descriptor = descriptor;
  taken.record = Slab<Record>::kNone;
  return slot;
}

bool EpollProactor::can_read(const Connection& at) const {
  constexpr uint32_t mask = kReceiving | kReadable | kPaused | kClosing;
  return (at.flags & mask) == (kReceiving | kReadable);
}

void EpollProactor::queue_done(uint32_t slot) {
  Connection& at = connections_[slot];
  if ((at.flags & kInDone) != 0) return;
  at.flags |= kInDone;
  done_.push_back(slot);
}

void EpollProactor::queue_ready(uint32_t slot) {
  Connection& at = connections_[slot];
  if ((at.flags & kInReady) != 0) return;
  at.flags |= kInReady;
  ready_.push_back(slot);
}

Error EpollProactor::ensure_registered(uint32_t slot) {
  Connection& at = connections_[slot];
  if ((at.flags & kRegistered) != 0) return Error::none;
  epoll_event event{};
  event.events = EPOLLIN | EPOLLPRI | EPOLLOUT | EPOLLRDHUP | EPOLLET;
  event.data.u64 = connections_.token(kTokenConnection, slot);
  stats_.system_calls++;
  if (epoll_ctl(epoll_, EPOLL_CTL_ADD, at.descriptor, &event) != 0) return error_from_errno(errno);
  at.flags |= kRegistered;
  return Error::none;
}

base::Result<ConnectionId, Error> EpollProactor::connect(const Address& to, const Address* source) {
  if (connections_.room() == 0) return base::Failure{Error::no_slots};
  const uint32_t slot = take_slot(-1);
  Connection& at = connections_[slot];
  at.flags |= kConnecting;
  at.record = records_.take();
  ASSERT(at.record != Slab<Record>::kNone);
  records_[at.record].target = to;
  stats_.connects++;
  stats_.submissions++;
  stats_.in_flight++;

  base::Result<int, Error> opened = open_connector(to, source);
  stats_.system_calls += kConnectorCalls + (source != nullptr ? kConnectorSourceCalls : 0);
  if (!opened) {
    end_connect(slot, opened.error());
    return id_of(slot);
  }
  at.descriptor = *opened;
  SocketAddress address;
  const socklen_t length = to_socket_address(to, address);
  stats_.system_calls++;
  if (::connect(at.descriptor, &address.any, length) == 0) {
    end_connect(slot, Error::none);
  } else if (errno != EINPROGRESS) {
    end_connect(slot, error_from_errno(errno));
  } else if (const Error error = ensure_registered(slot); error != Error::none) {
    end_connect(slot, error);
  }
  return id_of(slot);
}

void EpollProactor::receive(ConnectionId id) {
  Connection& at = connection(id);
  ASSERT((at.flags & kOpen) != 0);
  ASSERT((at.flags & kReceiveUsed) == 0);
  at.flags |= kReceiveUsed | kReceiving;
  const Error error = ensure_registered(id.slot);
  if (error != Error::none) {
    at.receive_error = error;
    at.flags &= ~kReceiving;
    at.flags |= kReceiveFailed;
    queue_done(id.slot);
    return;
  }
  if (can_read(at)) queue_ready(id.slot);
}

void EpollProactor::receive_pause(ConnectionId id) {
  Connection& at = connection(id);
  ASSERT((at.flags & kReceiveUsed) != 0);
  at.flags |= kPaused;
}

void EpollProactor::receive_resume(ConnectionId id) {
  Connection& at = connection(id);
  ASSERT((at.flags & kReceiveUsed) != 0);
  at.flags &= ~kPaused;
  if (can_read(at)) queue_ready(id.slot);
}

int64_t EpollProactor::write_vectors(const Connection& at, const iovec* vectors, size_t count) {
  stats_.submissions++;
  for (;;) {
    ssize_t written;
    stats_.system_calls++;
    if (count == 1) {
      written = ::send(at.descriptor, vectors->iov_base, vectors->iov_len, MSG_NOSIGNAL);
    } else {
      msghdr message{};
      message.msg_iov = const_cast<iovec*>(vectors);
      message.msg_iovlen = count;
      written = sendmsg(at.descriptor, &message, MSG_NOSIGNAL);
    }
    if (written >= 0) {
      stats_.sent_bytes += static_cast<uint64_t>(written);
      return written;
    }
    if (errno != EINTR) return -int64_t{errno};
  }
}

void EpollProactor::send(ConnectionId id, std::span<const iovec> vectors) {
  Connection& at = connection(id);
  ASSERT((at.flags & kOpen) != 0);
  ASSERT((at.flags & (kSending | kShutWrite)) == 0);
  ASSERT(!vectors.empty() && vectors.size() <= kSendVectorsMax);
  uint64_t bytes = 0;
  for (const iovec& each : vectors) {
    ASSERT(each.iov_len > 0);
    bytes += each.iov_len;
  }
  stats_.sends++;
  stats_.in_flight++;
  at.flags |= kSending;
  const int64_t written = write_vectors(at, vectors.data(), vectors.size());
  if (written == static_cast<int64_t>(bytes)) return end_send(id.slot, Error::none);
  if (written < 0 && written != -EAGAIN) {
    return end_send(id.slot, error_from_errno(static_cast<int>(-written)));
  }
  park_send(id.slot, vectors, written < 0 ? 0 : static_cast<uint64_t>(written));
}

void EpollProactor::park_send(uint32_t slot, std::span<const iovec> vectors, uint64_t written) {
  Connection& at = connections_[slot];
  ASSERT(at.record == Slab<Record>::kNone);
  if (written > 0) stats_.sends_short++;
  at.record = records_.take();
  ASSERT(at.record != Slab<Record>::kNone);
  Record& record = records_[at.record];
  std::copy(vectors.begin(), vectors.end(), record.vectors);
  record.first = 0;
  record.count = static_cast<uint32_t>(vectors.size());
  advance(record, written);
  at.flags |= kSendParked;
  const Error error = ensure_registered(slot);
  if (error != Error::none) end_send(slot, error);
}

void EpollProactor::advance(Record& record, uint64_t bytes) {
  while (bytes > 0) {
    ASSERT(record.first < record.count);
    iovec& at = record.vectors[record.first];
    const size_t step = std::min<uint64_t>(bytes, at.iov_len);
    at.iov_base = static_cast<std::byte*>(at.iov_base) + step;
    at.iov_len -= step;
    bytes -= step;
    if (at.iov_len == 0) record.first++;
  }
}

void EpollProactor::continue_send(uint32_t slot) {
  Connection& at = connections_[slot];
  Record& record = records_[at.record];
  const int64_t written =
      write_vectors(at, record.vectors + record.first, record.count - record.first);
  if (written < 0) {
    if (written != -EAGAIN) end_send(slot, error_from_errno(static_cast<int>(-written)));
    return;
  }
  advance(record, static_cast<uint64_t>(written));
  if (record.first == record.count) return end_send(slot, Error::none);
  // The kernel took what it had room for and remembers that we want more: an edge will come.
  stats_.sends_short++;
}

void EpollProactor::end_send(uint32_t slot, Error error) {
  Connection& at = connections_[slot];
  ASSERT((at.flags & kSending) != 0 && (at.flags & kSendDone) == 0);
  release_record(at);
  at.flags &= ~(kSendParked | kWritable);
  at.flags |= kSendDone;
  at.error = error;
  stats_.in_flight--;
  queue_done(slot);
}

void EpollProactor::release_record(Connection& at) {
  if (at.record == Slab<Record>::kNone) return;
  records_.give_back(at.record);
  at.record = Slab<Record>::kNone;
}

void EpollProactor::shutdown_write(ConnectionId id) {
  Connection& at = connection(id);
  ASSERT((at.flags & kOpen) != 0);
  ASSERT((at.flags & (kSending | kShutWrite)) == 0);
  stats_.system_calls++;
  stats_.submissions++;
  at.error = Error::none;
  if (shutdown(at.descriptor, SHUT_WR) != 0) at.error = error_from_errno(errno);
  at.flags |= kShutWrite | kShutdownDone;
  queue_done(id.slot);
}

void EpollProactor::close(ConnectionId id) {
  Connection& at = connection(id);
  if ((at.flags & kConnecting) != 0 && (at.flags & kConnectDone) == 0) {
    end_connect(id.slot, Error::cancelled);
  }
  if ((at.flags & kSendParked) != 0) end_send(id.slot, Error::cancelled);
  if ((at.flags & kInReady) != 0) {
    at.flags &= ~kInReady;
    ready_.remove(id.slot);
  }
  at.flags |= kClosing;
  queue_done(id.slot);
}

void EpollProactor::resolve_connect(uint32_t slot) {
  Connection& at = connections_[slot];
  int number = 0;
  if ((at.flags & kReadToEnd) != 0) {
    socklen_t length = sizeof number;
    stats_.system_calls++;
    const int got = getsockopt(at.descriptor, SOL_SOCKET, SO_ERROR, &number, &length);
    ASSERT(got == 0);
  }
  end_connect(slot, number == 0 ? Error::none : error_from_errno(number));
}

void EpollProactor::end_connect(uint32_t slot, Error error) {
  Connection& at = connections_[slot];
  ASSERT((at.flags & kConnecting) != 0 && (at.flags & kConnectDone) == 0);
  at.flags &= ~kWritable;
  at.flags |= kConnectDone;
  at.error = error;
  stats_.in_flight--;
  queue_done(slot);
}

void EpollProactor::visit_ready(uint32_t slot) {
  Connection& at = connections_[slot];
  at.flags &= ~kInReady;
  ASSERT((at.flags & kClosing) == 0);
  if ((at.flags & kWritable) != 0) {
    at.flags &= ~kWritable;
    if ((at.flags & kSendParked) != 0) {
      continue_send(slot);
    } else if ((at.flags & kConnecting) != 0 && (at.flags & kConnectDone) == 0) {
      resolve_connect(slot);
    }
  }
  for (uint32_t i = 0; i < kReadsPerVisit && budget_left_ > 0 && can_read(at); i++) {
    read_once(slot);
  }
  if (can_read(at)) queue_ready(slot);
}

void EpollProactor::read_once(uint32_t slot) {
  Connection& at = connections_[slot];
  stats_.system_calls++;
  stats_.submissions++;
  unpoison(buffer_.data(), buffer_.bytes());
  const ssize_t count = recv(at.descriptor, buffer_.data(), buffer_.bytes(), 0);
  if (count < 0 && (errno == EAGAIN || errno == EINTR)) {
    if (errno == EAGAIN) at.flags &= ~kReadable;
    return;
  }
  const int number = count < 0 ? errno : 0;
  Completion completion{.operation = Operation::receive, .connection = id_of(slot)};
  if (count > 0) {
    // Less than asked for: the socket is empty, and the next bytes are a new edge (epoll(7), Q9).
    // Not so when its end was announced, whose edge may be spent, or urgent data, at whose mark a
    // read stops (tcp(7)).
    if (static_cast<size_t>(count) < buffer_.bytes() && (at.flags & kReadToEnd) == 0) {
      at.flags &= ~kReadable;
    }
    completion.more = true;
    completion.bytes = {buffer_.data(), static_cast<size_t>(count)};
    stats_.received++;
    stats_.received_bytes += static_cast<uint64_t>(count);
  } else {
    at.flags &= ~kReceiving;
    completion.error = number == 0 ? Error::none : error_from_errno(number);
  }
  deliver(completion);
  poison(buffer_.data(), buffer_.bytes());
}

void EpollProactor::visit_done(uint32_t slot) {
  Connection& at = connections_[slot];
  at.flags &= ~kInDone;
  const ConnectionId id = id_of(slot);
  if ((at.flags & kConnectDone) != 0) {
    at.flags &= ~(kConnectDone | kConnecting);
    if (at.error == Error::none) at.flags |= kOpen;
    const Address target = records_[at.record].target;
    release_record(at);
    deliver({.operation = Operation::connect, .error = at.error, .connection = id, .peer = target});
  }
  if (budget_left_ > 0 && (at.flags & kSendDone) != 0) {
    at.flags &= ~(kSendDone | kSending);
    deliver({.operation = Operation::send, .error = at.error, .connection = id});
  }
  if (budget_left_ > 0 && (at.flags & kShutdownDone) != 0) {
    at.flags &= ~kShutdownDone;
    deliver({.operation = Operation::shutdown_write, .error = at.error, .connection = id});
  }
  if (budget_left_ > 0 && (at.flags & kReceiveFailed) != 0) {
    at.flags &= ~kReceiveFailed;
    deliver({.operation = Operation::receive, .error = at.receive_error, .connection = id});
  }
  // The handler has started something more: that has its own turn.
  if ((at.flags & kInDone) != 0) return;
  if (budget_left_ > 0 && (at.flags & kClosing) != 0 && (at.flags & kReceiving) != 0) {
    at.flags &= ~kReceiving;
    deliver({.operation = Operation::receive, .error = Error::cancelled, .connection = id});
  }
  if (budget_left_ > 0 && (at.flags & kClosing) != 0) return finish_close(slot);
  if ((at.flags & kAnyDone) != 0) queue_done(slot);
}

void EpollProactor::finish_close(uint32_t slot) {
  Connection& at = connections_[slot];
  ASSERT(at.record == Slab<Record>::kNone);
  ASSERT((at.flags & (kInReady | kInDone | kReceiving | kSending | kConnecting)) == 0);
  if (at.descriptor >= 0) {
    stats_.system_calls++;
    ::close(at.descriptor);
  }
  at.descriptor = -1;
  stats_.closed++;
  deliver({.operation = Operation::close, .connection = id_of(slot)});
  at.flags = 0;
  connections_.give_back(slot);
  if (listeners_starved_ > 0) feed_listeners();
}

}  // namespace ringtalk::ring
