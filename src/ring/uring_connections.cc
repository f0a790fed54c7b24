// The connections of UringProactor: slots, connect, close.
#include <sys/socket.h>
#include <unistd.h>

#include <cerrno>
#include <cstring>

#include "base/assert.h"
#include "ring/token.h"
#include "ring/uring_abi.h"
#include "ring/uring_proactor.h"

namespace ringtalk::ring {
namespace {

// Sockets that are file descriptors for a moment, on their way into the table.
constexpr uint32_t kDescriptorsOpenMax = 32;

}  // namespace

UringProactor::Connection& UringProactor::connection(ConnectionId id) {
  Connection& found = connections_.at(id);
  ASSERT((found.flags & kClosing) == 0);
  return found;
}

uint32_t UringProactor::take_slot(uint32_t file) {
  const uint32_t slot = connections_.take();
  Connection& taken = connections_[slot];
  taken.file = file;
  taken.record = Slab<Record>::kNone;
  taken.flags = kTaken;
  return slot;
}

void UringProactor::take_record(Connection& at) {
  ASSERT(at.record == Slab<Record>::kNone);
  at.record = records_.take();
  ASSERT(at.record != Slab<Record>::kNone);
}

void UringProactor::release_record(Connection& at) {
  records_.give_back(at.record);
  at.record = Slab<Record>::kNone;
}

base::Result<ConnectionId, Error> UringProactor::connect(const Address& to, const Address* source) {
  ASSERT(to.family != Family::none && to.port != 0);
  ASSERT(source == nullptr || source->family == to.family);
  if (connections_.room() == 0) return base::Failure{Error::no_slots};
  const uint32_t slot = take_slot(kNoFile);
  Connection& at = connections_[slot];
  take_record(at);
  Record& record = records_[at.record];
  record.descriptor = -1;
  to_socket_address(to, record.peer);
  record.source.any.sa_family = AF_UNSPEC;
  if (source != nullptr) to_socket_address(*source, record.source);
  at.flags |= kConnecting | kWantConnect;
  stats_.connects++;
  step(slot);
  return id_of(slot);
}

// Whatever waits to be submitted, as far as the queues have room.
void UringProactor::step(uint32_t slot) {
  Connection& at = connections_[slot];
  if ((at.flags & kClosing) != 0) return step_close(slot);
  bool done = ring_.room();
  if (done && (at.flags & kWantConnect) != 0) done = submit_connect(slot);
  if (done && (at.flags & kWantName) != 0) done = submit_name(slot);
  if (done && (at.flags & kWantSend) != 0) done = submit_send(slot);
  if (done && (at.flags & kWantShutdown) != 0) done = submit_shutdown(slot);
  if (done && (at.flags & kWantCancel) != 0) done = submit_cancel(kTokenReceive, slot);
  if (done && can_arm(at)) done = arm_receive(slot);
  if (!done) queue_todo(slot);
}

// Delivers what is over, then goes on with the rest.
void UringProactor::visit(uint32_t slot) {
  Connection& at = connections_[slot];
  if (budget_left_ > 0 && (at.flags & kConnectDone) != 0) deliver_connect(slot);
  if (budget_left_ > 0 && (at.flags & kSendDone) != 0) {
    at.flags &= ~(kSendDone | kSending);
    deliver({.operation = Operation::send, .error = at.error, .connection = id_of(slot)});
  }
  if (budget_left_ > 0 && (at.flags & kShutdownDone) != 0) {
    // Its close says to the peer what the half-close would have said.
    at.flags &= ~kShutdownDone;
    deliver({.operation = Operation::shutdown_write, .connection = id_of(slot)});
  }
  if ((at.flags & kAnyDone) != 0) return queue_todo(slot);
  if ((at.flags & kCloseDone) == 0) return step(slot);
  if (budget_left_ > 0 && (at.flags & kReceiving) != 0) end_receive(slot, Error::cancelled);
  if (budget_left_ > 0 && (at.flags & kInTodo) == 0) return finish_close(slot);
  queue_todo(slot);
}

// First the socket becomes a file of the table, then that file connects.
bool UringProactor::submit_connect(uint32_t slot) {
  Connection& at = connections_[slot];
  if ((at.flags & kFileHeld) != 0) return true;
  if (at.file == kNoFile) return submit_file(slot);
  const Record& record = records_[at.record];
  io_uring_sqe* sqe = prepare(IORING_OP_CONNECT, kTokenConnect, slot);
  if (sqe == nullptr) return false;
  sqe->addr = reinterpret_cast<uintptr_t>(&record.peer);
  sqe->off = record.peer.any.sa_family == AF_INET ? sizeof record.peer.v4 : sizeof record.peer.v6;
  at.flags &= ~kWantConnect;
  at.flags |= kConnectHeld;
  return true;
}

bool UringProactor::submit_file(uint32_t slot) {
  Connection& at = connections_[slot];
  Record& record = records_[at.record];
  if (descriptors_open_ >= kDescriptorsOpenMax) return false;
  const Address to = from_socket_address(record.peer);
  const Address source = from_socket_address(record.source);
  const bool bound = source.family != Family::none;
  base::Result<int, Error> opened = open_connector(to, bound ? &source : nullptr);
  other_calls_ += kConnectorCalls + (bound ? kConnectorSourceCalls : 0);
  if (!opened) {
    end_connect(slot, opened.error());
    queue_todo(slot);
    return true;
  }
  record.descriptor = *opened;
  record.file = *opened;
  descriptors_open_++;
  io_uring_sqe* sqe = prepare(IORING_OP_FILES_UPDATE, kTokenFile, slot);
  if (sqe == nullptr) {
    close_descriptor(record);
    return false;
  }
  sqe->flags = 0;
  sqe->fd = -1;
  sqe->addr = reinterpret_cast<uintptr_t>(&record.file);
  sqe->len = 1;
  sqe->off = IORING_FILE_INDEX_ALLOC;
  at.flags |= kFileHeld;
  return true;
}

void UringProactor::close_descriptor(Record& record) {
  ASSERT(record.descriptor >= 0 && descriptors_open_ > 0);
  ::close(record.descriptor);
  record.descriptor = -1;
  other_calls_++;
  descriptors_open_--;
}

void UringProactor::on_file(const io_uring_cqe& cqe, uint32_t slot) {
  Connection& at = connections_[slot];
  Record& record = records_[at.record];
  at.flags &= ~kFileHeld;
  close_descriptor(record);
  if (cqe.res == 1) {
    at.file = static_cast<uint32_t>(record.file);
  } else {
    end_connect(slot, cqe.res < 0 ? error_from_errno(-cqe.res) : Error::no_slots);
  }
  visit(slot);
}

void UringProactor::on_connect(const io_uring_cqe& cqe, uint32_t slot) {
  Connection& at = connections_[slot];
  at.flags &= ~kConnectHeld;
  const bool cancelled = (at.flags & kClosing) != 0 && cqe.res < 0;
  end_connect(slot, cancelled      ? Error::cancelled
                    : cqe.res == 0 ? Error::none
                                   : error_from_errno(-cqe.res));
  visit(slot);
}

void UringProactor::end_connect(uint32_t slot, Error error) {
  Connection& at = connections_[slot];
  ASSERT((at.flags & kConnecting) != 0 && (at.flags & kConnectDone) == 0);
  at.error = error;
  at.flags &= ~kWantConnect;
  at.flags |= kConnectDone;
}

void UringProactor::deliver_connect(uint32_t slot) {
  Connection& at = connections_[slot];
  const Address peer = from_socket_address(records_[at.record].peer);
  release_record(at);
  at.flags &= ~(kConnectDone | kConnecting);
  if (at.error == Error::none) at.flags |= kOpen;
  deliver({.operation = Operation::connect,
           .error = at.error,
           .connection = id_of(slot),
           .peer = peer});
}

void UringProactor::close(ConnectionId id) {
  Connection& at = connection(id);
  at.flags |= kClosing;
  if ((at.flags & kWantShutdown) != 0) at.flags |= kShutdownDone;
  at.flags &= ~(kWantShutdown | kWantCancel);
  leave_lists(id.slot);
  step_close(id.slot);
}

// Close is a join: what the kernel holds is told to end, and with nothing held the file is closed.
void UringProactor::step_close(uint32_t slot) {
  Connection& at = connections_[slot];
  if ((at.flags & (kConnecting | kConnectDone | kAnyHeld)) == kConnecting) {
    end_connect(slot, Error::cancelled);
  }
  if ((at.flags & kWantName) != 0) {
    at.flags &= ~kWantName;
    release_record(at);
  }
  if ((at.flags & kWantSend) != 0) {
    at.flags &= ~kWantSend;
    end_send(slot, Error::cancelled);
  }
  if ((at.flags & (kAnyDone | kCloseDone)) != 0) queue_todo(slot);
  if ((at.flags & kCloseDone) != 0) return;
  if ((at.flags & kAnyHeld) != 0) {
    if ((at.flags & kUnblocked) == 0 && !unblock(slot)) queue_todo(slot);
    return;
  }
  if (at.file == kNoFile) {
    at.flags |= kCloseDone;
    return queue_todo(slot);
  }
  io_uring_sqe* sqe = ring_.room() ? prepare(IORING_OP_CLOSE, kTokenCloseFile, slot) : nullptr;
  if (sqe == nullptr) return queue_todo(slot);
  sqe->flags = 0;
  sqe->fd = 0;
  sqe->file_index = at.file + 1;
  at.flags |= kFileHeld | kUnblocked;
}

// Ends what waits for the peer. The rest ends by itself.
bool UringProactor::unblock(uint32_t slot) {
  Connection& at = connections_[slot];
  static constexpr struct {
    uint32_t held;
    uint8_t kind;
  } waiting[] = {{kPollHeld, kTokenPoll},
                 {kReceiveHeld, kTokenReceive},
                 {kSendHeld, kTokenSend},
                 {kConnectHeld, kTokenConnect}};
  for (const auto& each : waiting) {
    if ((at.flags & each.held) == 0) continue;
    if (!ring_.room() || !submit_cancel(each.kind, slot)) return false;
  }
  at.flags |= kUnblocked;
  return true;
}

bool UringProactor::submit_cancel(uint8_t kind, uint32_t slot) {
  Connection& at = connections_[slot];
  io_uring_sqe* sqe = ring_.prepare();
  if (sqe == nullptr) return false;
  sqe->opcode = IORING_OP_ASYNC_CANCEL;
  sqe->fd = -1;
  sqe->addr = connections_.token(kind, slot);
  sqe->flags = IOSQE_CQE_SKIP_SUCCESS;
  sqe->user_data = Token{kTokenCancel, 0, 0}.pack();
  at.flags &= ~kWantCancel;
  return true;
}

void UringProactor::finish_close(uint32_t slot) {
  Connection& at = connections_[slot];
  ASSERT(at.record == Slab<Record>::kNone && at.file == kNoFile);
  ASSERT((at.flags & (kAnyHeld | kInTodo | kReceiving | kSending | kConnecting)) == 0);
  stats_.closed++;
  deliver({.operation = Operation::close, .connection = id_of(slot)});
  release_slot(slot);
}

void UringProactor::release_slot(uint32_t slot) {
  Connection& at = connections_[slot];
  ASSERT((at.flags & (kAnyHeld | kInTodo)) == 0);
  at.flags = 0;
  connections_.give_back(slot);
  // Its file went back too.
  accept_again();
}

}  // namespace ringtalk::ring
