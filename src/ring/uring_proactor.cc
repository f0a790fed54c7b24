#include "ring/uring_proactor.h"

#include <sys/eventfd.h>
#include <sys/resource.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <cstring>
#include <string>

#include "base/assert.h"
#include "ring/token.h"

namespace ringtalk::ring {
namespace {

// Multishot receives cost the kernel 600 B more than a parked poll: only so many connections keep
// one, however many are active.
constexpr uint32_t kHotMax_count = 4'096;

class Ignore final : public Handler {
 public:
  void complete(const Completion&) override {}
};

}  // namespace

UringProactor::UringProactor(const ProactorOptions& options, const UringFeatures& features)
    : options_(options),
      features_(features),
      connections_(options.connections),
      records_(options.connections),
      listeners_(options.listeners),
      buffers_(options, features),
      starved_(Links{&connections_}),
      hot_(Links{&connections_}),
      hot_max_(features.multishot_receive ? kHotMax_count : 0) {
  stranded_.reserve(table_reserve(options.listeners));
}

base::Result<std::unique_ptr<Proactor>, BackendError> UringProactor::make(
    const ProactorOptions& options) {
  ASSERT(options.connections > 0 && options.connections <= kSlotsMax);
  base::Result<UringFeatures, BackendError> features = UringFeatures::probe(options.uring_mask);
  if (!features) return base::Failure{features.error()};
  std::unique_ptr<UringProactor> made(new UringProactor(options, *features));
  const base::Status<BackendError> up = made->set_up();
  if (!up) return base::Failure{up.error()};
  return std::unique_ptr<Proactor>(std::move(made));
}

base::Status<BackendError> UringProactor::set_up() {
  if (!connections_.ok() || !records_.ok()) {
    return base::Failure{
        BackendError{"io_uring: no memory for the connections; raise `ulimit -v`"}};
  }
  base::Status<BackendError> up = ring_.set_up(options_, features_);
  if (!up) return up;
  // They may all complete at once, beside everything else.
  accepts_max_ = std::clamp<uint32_t>(ring_.completion_entries() / 8, 1, Listener::kAcceptsHeld);
  const uint32_t files = options_.connections + table_reserve(options_.listeners);
  const int result = io_uring_register_files_sparse(&ring_.raw(), files);
  if (result != 0) {
    rlimit limit{};
    getrlimit(RLIMIT_NOFILE, &limit);
    return base::Failure{BackendError{
        "io_uring: a table of " + std::to_string(files) + " files: " + std::strerror(-result) +
        " (ulimit -n is " + std::to_string(limit.rlim_cur) +
        "); use more shards with fewer connections each, or raise `ulimit -n`"}};
  }
  up = buffers_.set_up(ring_);
  if (!up) return up;
  wake_ = eventfd(0, EFD_CLOEXEC);
  if (wake_ < 0) {
    return base::Failure{BackendError{std::string("io_uring: no eventfd: ") + std::strerror(errno) +
                                      "; raise `ulimit -n`"}};
  }
  return base::Done{};
}

UringProactor::~UringProactor() {
  stop_all();
  for (Listener& at : listeners_) {
    if (at.descriptor >= 0) ::close(at.descriptor);
  }
  if (wake_ >= 0) ::close(wake_);
}

void UringProactor::stop_all() {
  if (wake_ < 0) return;  // set_up() failed
  stopping_ = true;
  for (uint32_t index = 0; index < listeners_.size(); index++) {
    Listener& at = listeners_[index];
    if (at.descriptor < 0 || at.closing) continue;
    close_listener(ListenerId{index});
  }
  for (uint32_t slot = 0; slot < connections_.fresh(); slot++) {
    Connection& at = connections_[slot];
    if ((at.flags & (kTaken | kClosing)) == kTaken) close(id_of(slot));
  }
  const auto open_listener = [](const Listener& at) { return at.descriptor >= 0; };
  Ignore ignore;
  while (connections_.taken() > 0 || wake_armed_ ||
         std::any_of(listeners_.begin(), listeners_.end(), open_listener)) {
    if (wake_armed_) wake();
    run_once(UINT32_MAX, UINT64_MAX, ignore);
    // Another thread was the issuer: its end has cancelled what the kernel held.
    if (issuer_gone_) return;
  }
}

uint32_t UringProactor::run_once(uint32_t budget, uint64_t deadline_ns, Handler& handler) {
  ASSERT(handler_ == nullptr && budget > 0);
  // Only the thread that ran it first may run it.
  ASSERT(!issuer_gone_ || stopping_);
  if (!ring_.enabled()) ring_.enable();
  handler_ = &handler;
  budget_left_ = budget;
  stats_.turns++;

  if (!wake_armed_ && !stopping_) arm_wake();
  prepare_waiting();
  const bool busy = budget_left_ < budget || todo_count_ > 0 || ring_.ready() > 0;
  // Completions that are there already need no system call, submissions do.
  if (ring_.ready() == 0 || ring_.unsubmitted() > 0) {
    issuer_gone_ = ring_.enter(busy ? 0 : std::min(deadline_ns, accept_again_ns_)) != 0;
  }
  uint32_t count = std::min(ring_.ready(), budget_left_);
  while (count-- > 0 && budget_left_ > 0) dispatch(ring_.take());
  ring_.reaped();
  if (ring_.ready() == 0) buffers_returned_ = buffers_.count();

  handler_ = nullptr;
  stats_.waits = ring_.waits();
  stats_.submissions = ring_.submissions();
  stats_.overflows = ring_.overflows();
  stats_.system_calls = other_calls_ + ring_.kernel_calls();
  return budget - budget_left_;
}

void UringProactor::prepare_waiting() {
  if (accept_again_ns_ != UINT64_MAX && UringRing::now_ns() >= accept_again_ns_) accept_again();
  if (!stranded_.empty()) visit_stranded();
  if (listeners_due_) visit_listeners();
  if (!starved_.empty()) feed_starved();
  if (todo_count_ > 0) visit_todo();
}

void UringProactor::visit_todo() {
  // Those that queue themselves again wait for the next turn.
  for (uint32_t count = todo_count_; count > 0 && budget_left_ > 0; count--) {
    if (!ring_.room()) return;
    const uint32_t slot = todo_first_;
    Connection& at = connections_[slot];
    todo_first_ = at.free_next;
    if (todo_first_ == base::kNoSlot) todo_last_ = base::kNoSlot;
    todo_count_--;
    at.flags &= ~kInTodo;
    visit(slot);
  }
}

void UringProactor::queue_todo(uint32_t slot) {
  Connection& at = connections_[slot];
  if ((at.flags & kInTodo) != 0) return;
  at.flags |= kInTodo;
  at.free_next = base::kNoSlot;
  (todo_last_ == base::kNoSlot ? todo_first_ : connections_[todo_last_].free_next) = slot;
  todo_last_ = slot;
  todo_count_++;
}

void UringProactor::deliver(const Completion& completion) {
  ASSERT(handler_ != nullptr && budget_left_ > 0);
  budget_left_--;
  stats_.completions++;
  handler_->complete(completion);
}

io_uring_sqe* UringProactor::prepare(uint8_t opcode, uint8_t kind, uint32_t slot) {
  io_uring_sqe* sqe = ring_.prepare();
  if (sqe == nullptr) return nullptr;
  sqe->opcode = opcode;
  sqe->flags = IOSQE_FIXED_FILE;
  sqe->fd = static_cast<int32_t>(connections_[slot].file);
  sqe->user_data = connections_.token(kind, slot);
  stats_.in_flight++;
  return sqe;
}

void UringProactor::dispatch(const io_uring_cqe& cqe) {
  const Token token = Token::unpack(cqe.user_data);
  if (token.operation == kTokenCancel || token.operation == kTokenDropFile) return;
  if ((cqe.flags & IORING_CQE_F_MORE) == 0) stats_.in_flight--;
  if (token.operation == kTokenWake) return on_wake();
  if (token.operation == kTokenAccept) return on_accept(cqe, token.slot, token.generation);
  if (connections_.is_stale(token.slot, token.generation)) {
    stats_.stale++;
    if ((cqe.flags & IORING_CQE_F_BUFFER) != 0) {
      buffers_.give_back(cqe.flags, buffers_.lease(cqe.flags, cqe.res > 0 ? cqe.res : 0));
    }
    return;
  }
  dispatch_connection(cqe, token.operation, token.slot);
}

void UringProactor::dispatch_connection(const io_uring_cqe& cqe, uint8_t kind, uint32_t slot) {
  switch (kind) {
    case kTokenName:
      return on_name(cqe, slot);
    case kTokenFile:
      return on_file(cqe, slot);
    case kTokenConnect:
      return on_connect(cqe, slot);
    case kTokenPoll:
      return on_poll(cqe, slot);
    case kTokenReceive:
      return on_receive(cqe, slot);
    case kTokenSend:
      return on_send(cqe, slot);
    case kTokenShutdown:
      return on_shutdown(cqe, slot);
    case kTokenCloseFile:
      connections_[slot].flags &= ~kFileHeld;
      connections_[slot].flags |= kCloseDone;
      connections_[slot].file = kNoFile;
      return visit(slot);
    default:
      UNREACHABLE();
  }
}

void UringProactor::arm_wake() {
  io_uring_sqe* sqe = ring_.prepare();
  if (sqe == nullptr) return;
  sqe->opcode = IORING_OP_READ;
  sqe->fd = wake_;
  sqe->addr = reinterpret_cast<uintptr_t>(&wake_value_);
  sqe->len = sizeof wake_value_;
  sqe->user_data = Token{kTokenWake, 0, 0}.pack();
  wake_armed_ = true;
  stats_.in_flight++;
}

void UringProactor::on_wake() {
  wake_armed_ = false;
  // From here on a wake writes again: whatever was queued before is seen by this completion.
  wake_written_.exchange(false, std::memory_order_seq_cst);
  stats_.wakes++;
  if (stopping_) return;
  arm_wake();
  deliver({.operation = Operation::wake});
}

void UringProactor::wake() noexcept {
  if (wake_written_.exchange(true, std::memory_order_seq_cst)) return;
  const uint64_t one = 1;
  [[maybe_unused]] const ssize_t written = write(wake_, &one, sizeof one);
}

}  // namespace ringtalk::ring
