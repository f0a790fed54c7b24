// The listeners of UringProactor.
#include <poll.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <cstring>

#include "base/assert.h"
#include "ring/token.h"
#include "ring/uring_abi.h"
#include "ring/uring_proactor.h"

namespace ringtalk::ring {
namespace {

constexpr uint32_t kListenCalls = 12;
constexpr uint32_t kAcceptsHeld = UringListener::kAcceptsHeld;
// How long a listener waits that the kernel had no file or no memory for.
constexpr uint64_t kAcceptAgain_ns = 100'000'000;

// The slot of an accept's token: which listener, which of its accepts.
uint32_t accept_slot(uint32_t index, uint32_t held) {
  return index << 8 | held;
}

bool has_queued(int descriptor) {
  pollfd queue{descriptor, POLLIN, 0};
  return poll(&queue, 1, 0) == 1 && (queue.revents & POLLIN) != 0;
}

}  // namespace

UringProactor::Listener& UringProactor::listener(ListenerId id) {
  ASSERT(id.index < listeners_.size());
  Listener& found = listeners_[id.index];
  ASSERT(found.descriptor >= 0);
  return found;
}

base::Result<ListenerId, Error> UringProactor::listen(const Address& at,
                                                      const ListenOptions& options) {
  uint32_t index = 0;
  while (index < listeners_.size() && listeners_[index].descriptor >= 0) index++;
  if (index == listeners_.size()) return base::Failure{Error::no_slots};
  base::Result<ListenSocket, Error> opened = open_listener(at, options);
  other_calls_ += kListenCalls;
  if (!opened) return base::Failure{opened.error()};
  Listener& made = listeners_[index];
  const uint32_t generation = made.generation + 1;
  made = Listener{};
  made.descriptor = opened->descriptor;
  made.generation = generation;
  made.address = opened->address;
  made.backlog = options.backlog;
  listeners_due_ = true;
  return ListenerId{index};
}

Address UringProactor::listener_address(ListenerId id) const {
  return const_cast<UringProactor*>(this)->listener(id).address;
}

void UringProactor::accept_pause(ListenerId id) {
  Listener& at = listener(id);
  ASSERT(!at.closing);
  at.paused = true;
  listeners_due_ = true;
}

void UringProactor::accept_resume(ListenerId id) {
  Listener& at = listener(id);
  ASSERT(!at.closing);
  at.paused = false;
  listeners_due_ = true;
}

void UringProactor::close_listener(ListenerId id) {
  Listener& at = listener(id);
  ASSERT(!at.closing);
  at.closing = true;
  at.paused = false;
  listeners_due_ = true;
}

void UringProactor::visit_listeners() {
  listeners_due_ = false;
  for (uint32_t index = 0; index < listeners_.size(); index++) {
    Listener& at = listeners_[index];
    if (at.descriptor < 0) continue;
    if (at.paused || at.closing) {
      if (at.held > 0) {
        if (!at.cancelling) cancel_accepts(index);
      } else if (at.closing) {
        const bool more =
            !stopping_ && !at.refused && connections_.room() > 0 && has_queued(at.descriptor);
        other_calls_++;
        if (more) {
          arm_accepts(index);
        } else if (budget_left_ > 0) {
          finish_listener(index);
        } else {
          listeners_due_ = true;
        }
      }
    } else if (!at.cancelling) {
      arm_accepts(index);
    }
  }
}

// One multishot accept while there is room for all that a full queue can bring at once (the kernel
// drops what finds the file table full), else one-shot accepts, no more than there are slots.
void UringProactor::arm_accepts(uint32_t index) {
  Listener& at = listeners_[index];
  if (at.refused) return;
  const uint32_t free = connections_.room();
  if (free == 0 || !stranded_.empty()) {
    if (!at.starved && at.held == 0) {
      at.starved = true;
      stats_.accept_parked++;
    }
    return;
  }
  at.starved = false;
  const bool roomy =
      features_.multishot_accept && features_.peer_name && free / 2 > at.backlog && !at.closing;
  if (at.multishot) {
    if (!roomy) cancel_accepts(index);
    return;
  }
  if (roomy && at.held == 0) {
    at.multishot = ring_.room() && submit_accept(index, 0, IORING_ACCEPT_MULTISHOT);
    listeners_due_ = listeners_due_ || !at.multishot;
    return;
  }
  const uint32_t wanted = std::min(free, accepts_max_);
  for (uint32_t held = 0; held < kAcceptsHeld && at.held < wanted; held++) {
    if (at.accepts[held].held) continue;
    if (!ring_.room() || !submit_accept(index, held, 0)) {
      listeners_due_ = true;
      return;
    }
  }
}

bool UringProactor::submit_accept(uint32_t index, uint32_t held, uint16_t flags) {
  Listener& at = listeners_[index];
  Listener::Accept& accept = at.accepts[held];
  io_uring_sqe* sqe = ring_.prepare();
  if (sqe == nullptr) return false;
  if (flags == 0) {
    accept.peer_bytes = sizeof accept.peer;
    sqe->addr = reinterpret_cast<uintptr_t>(&accept.peer);
    sqe->addr2 = reinterpret_cast<uintptr_t>(&accept.peer_bytes);
  }
  sqe->opcode = IORING_OP_ACCEPT;
  sqe->fd = at.descriptor;
  sqe->ioprio = flags;
  sqe->file_index = IORING_FILE_INDEX_ALLOC;
  sqe->user_data = Token{kTokenAccept, accept_slot(index, held), at.generation}.pack();
  accept.held = true;
  at.held++;
  stats_.in_flight++;
  return true;
}

void UringProactor::cancel_accepts(uint32_t index) {
  Listener& at = listeners_[index];
  for (uint32_t held = 0; held < kAcceptsHeld; held++) {
    if (!at.accepts[held].held) continue;
    io_uring_sqe* sqe = ring_.prepare();
    if (sqe == nullptr) {
      // Those that were told already are told again, which does no harm.
      listeners_due_ = true;
      return;
    }
    sqe->opcode = IORING_OP_ASYNC_CANCEL;
    sqe->fd = -1;
    sqe->addr = Token{kTokenAccept, accept_slot(index, held), at.generation}.pack();
    sqe->flags = IOSQE_CQE_SKIP_SUCCESS;
    sqe->user_data = Token{kTokenCancel, 0, 0}.pack();
  }
  at.cancelling = true;
}

void UringProactor::on_accept(const io_uring_cqe& cqe, uint32_t slot, uint32_t generation) {
  const uint32_t index = slot >> 8;
  Listener& at = listeners_[index];
  ASSERT(at.generation == generation && at.held > 0);
  Listener::Accept& accept = at.accepts[slot & 0xff];
  const bool named = !at.multishot;
  if ((cqe.flags & IORING_CQE_F_MORE) == 0) {
    accept.held = false;
    at.multishot = false;
    at.held--;
    if (at.held == 0) at.cancelling = false;
  }
  listeners_due_ = true;
  if (cqe.res < 0) return accept_failed(at, -cqe.res);
  accepted({static_cast<uint32_t>(cqe.res), index,
            named ? from_socket_address(accept.peer) : Address{}});
}

void UringProactor::accept_failed(Listener& at, int number) {
  switch (number) {
    case EMFILE:
    case ENFILE:
    case ENOBUFS:
    case ENOMEM:
      // The next accept would fail at once, and the next. Somebody else may give files back, which
      // nobody tells us.
      if (!at.refused) stats_.accept_parked++;
      at.refused = true;
      accept_again_ns_ = UringRing::now_ns() + kAcceptAgain_ns;
      return;
    default:
      // The connection died in the queue: the next may do (accept(2)).
      return;
  }
}

void UringProactor::accept_again() {
  listeners_due_ = true;
  if (accept_again_ns_ == UINT64_MAX) return;
  accept_again_ns_ = UINT64_MAX;
  for (Listener& at : listeners_) at.refused = false;
}

void UringProactor::accepted(const Accepted& made) {
  if (stopping_) return drop_file(made.file);
  if (connections_.room() > 0) return announce(made);
  // connect() has taken the slot that this accept was armed for.
  stats_.accept_parked++;
  if (stranded_.size() == stranded_.capacity()) return drop_file(made.file);
  stranded_.push_back(made);
}

void UringProactor::announce(const Accepted& made) {
  const uint32_t slot = take_slot(made.file);
  Connection& at = connections_[slot];
  if (made.peer.family != Family::none) return deliver_accept(slot, made.listener, made.peer);
  take_record(at);
  records_[at.record].listener = made.listener;
  at.flags |= kWantName;
  step(slot);
}

void UringProactor::deliver_accept(uint32_t slot, uint32_t index, const Address& peer) {
  connections_[slot].flags |= kOpen;
  stats_.accepted++;
  deliver({.operation = Operation::accept,
           .more = true,
           .listener = ListenerId{index},
           .connection = id_of(slot),
           .peer = peer});
}

bool UringProactor::submit_name(uint32_t slot) {
  io_uring_sqe* sqe = prepare(IORING_OP_URING_CMD, kTokenName, slot);
  if (sqe == nullptr) return false;
  Connection& at = connections_[slot];
  Record& record = records_[at.record];
  // The kernel refuses a length that is not the family's (net/core/sock.c, SO_PEERNAME).
  const Address& local = listeners_[record.listener].address;
  const socklen_t peer_bytes = to_socket_address(local, record.peer);
  SocketCommand command{};
  std::memcpy(&command, sqe, sizeof command);
  command.command = kSocketGetOption;
  command.level = SOL_SOCKET;
  command.option = SO_PEERNAME;
  command.value_bytes = peer_bytes;
  command.value_address = reinterpret_cast<uintptr_t>(&record.peer);
  std::memcpy(static_cast<void*>(sqe), &command, sizeof command);
  at.flags &= ~kWantName;
  at.flags |= kNameHeld;
  return true;
}

void UringProactor::on_name(const io_uring_cqe& cqe, uint32_t slot) {
  Connection& at = connections_[slot];
  const Record& record = records_[at.record];
  const uint32_t index = record.listener;
  const Address peer = from_socket_address(record.peer);
  at.flags &= ~kNameHeld;
  release_record(at);
  if ((at.flags & kClosing) != 0) return step_close(slot);
  if (cqe.res != -ENOTCONN) return deliver_accept(slot, index, cqe.res < 0 ? Address{} : peer);
  // It was cut before anybody heard of it.
  drop_file(at.file);
  release_slot(slot);
}

void UringProactor::visit_stranded() {
  while (!stranded_.empty() && budget_left_ > 0 && connections_.room() > 0) {
    const Accepted first = stranded_.front();
    stranded_.erase(stranded_.begin());
    if (stopping_) {
      drop_file(first.file);
    } else {
      announce(first);
    }
  }
}

void UringProactor::drop_file(uint32_t file) {
  io_uring_sqe* sqe = ring_.prepare();
  // Without a submission the file ends with the ring.
  if (sqe == nullptr) return;
  sqe->opcode = IORING_OP_CLOSE;
  sqe->file_index = file + 1;
  sqe->user_data = Token{kTokenDropFile, 0, 0}.pack();
}

void UringProactor::finish_listener(uint32_t index) {
  Listener& at = listeners_[index];
  ASSERT(at.held == 0 && at.closing);
  for (const Accepted& each : stranded_) {
    if (each.listener == index) {
      // They were accepted before the end and are announced before it.
      listeners_due_ = true;
      return;
    }
  }
  other_calls_++;
  ::close(at.descriptor);
  at.descriptor = -1;
  deliver(
      {.operation = Operation::accept, .error = Error::cancelled, .listener = ListenerId{index}});
}

}  // namespace ringtalk::ring
