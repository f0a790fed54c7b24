#include "ring/epoll_proactor.h"

#include <sys/epoll.h>
#include <sys/eventfd.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <cstring>

#include "base/assert.h"
#include "ring/poison.h"
#include "ring/token.h"

namespace ringtalk::ring {
namespace {

constexpr uint32_t kEventsDefault = 256;
constexpr uint32_t kBufferBytesDefault = 64 * 1024;

ProactorOptions with_defaults(ProactorOptions options) {
  if (options.completion_entries == 0) options.completion_entries = kEventsDefault;
  if (options.buffer_bytes == 0) options.buffer_bytes = kBufferBytesDefault;
  return options;
}

}  // namespace

base::Result<std::unique_ptr<Proactor>, BackendError> EpollProactor::make(
    const ProactorOptions& options) {
  ASSERT(options.connections > 0 && options.connections <= kSlotsMax);
  ASSERT(options.listeners > 0);
  std::unique_ptr<EpollProactor> proactor(new EpollProactor(with_defaults(options)));
  const int number = proactor->set_up();
  if (number == 0) return std::unique_ptr<Proactor>(std::move(proactor));
  return base::Failure{BackendError{std::string("epoll cannot start: ") + strerror(number) +
                                    "; raise ulimit -n and ulimit -v, or hold fewer connections"}};
}

EpollProactor::EpollProactor(const ProactorOptions& options)
    : options_(options),
      connections_(options.connections),
      records_(options.connections),
      done_({&connections_}),
      ready_({&connections_}),
      listeners_(options.listeners),
      buffer_(options.buffer_bytes),
      events_(new epoll_event[options.completion_entries]) {}

int EpollProactor::set_up() {
  if (!connections_.ok() || !records_.ok() || !buffer_.ok()) return ENOMEM;
  epoll_ = epoll_create1(EPOLL_CLOEXEC);
  if (epoll_ < 0) return errno;
  wake_ = eventfd(0, EFD_NONBLOCK | EFD_CLOEXEC);
  if (wake_ < 0) return errno;
  // Edge-triggered: each write is an event of its own, so that the counter is never read.
  epoll_event event{};
  event.events = EPOLLIN | EPOLLET;
  event.data.u64 = Token{kTokenWake, 0, 0}.pack();
  if (epoll_ctl(epoll_, EPOLL_CTL_ADD, wake_, &event) != 0) return errno;
  stats_.system_calls += 3;
  return 0;
}

EpollProactor::~EpollProactor() {
  ASSERT(handler_ == nullptr);
  // The address may be mapped again.
  if (buffer_.ok()) unpoison(buffer_.data(), buffer_.bytes());
  for (uint32_t slot = 0; slot < connections_.fresh(); slot++) {
    if (connections_[slot].descriptor >= 0) ::close(connections_[slot].descriptor);
  }
  for (const Listener& each : listeners_) {
    if (each.descriptor >= 0) ::close(each.descriptor);
  }
  if (wake_ >= 0) ::close(wake_);
  if (epoll_ >= 0) ::close(epoll_);
}

std::string EpollProactor::rung() const {
  return has_pwait2_ ? "edge-triggered, nanosecond waits" : "edge-triggered, millisecond waits";
}

void EpollProactor::wake() noexcept {
  // One write is enough until the owner has seen it.
  if (wake_written_.exchange(true, std::memory_order_seq_cst)) return;
  const uint64_t one = 1;
  while (write(wake_, &one, sizeof one) < 0) {
    if (errno == EINTR) continue;
    // The counter is full after 2^64 - 2 wakes: take it and write again.
    uint64_t count;
    ASSERT(errno == EAGAIN);
    ASSERT(read(wake_, &count, sizeof count) == sizeof count || errno == EAGAIN);
  }
}

uint32_t EpollProactor::run_once(uint32_t budget, uint64_t deadline_ns, Handler& handler) {
  ASSERT(budget > 0);
  ASSERT(handler_ == nullptr);  // never from inside a completion
  handler_ = &handler;
  budget_left_ = budget;
  stats_.turns++;
  do {
    harvest(deadline_ns);
    deliver_all();
    // An event without a completion (a socket became writable) does not end the wait.
  } while (budget_left_ == budget && deadline_ns != 0 && clock_.now_ns() < deadline_ns);
  handler_ = nullptr;
  return budget - budget_left_;
}

bool EpollProactor::work_waits() const {
  return !done_.empty() || !ready_.empty() || listeners_ready_ > 0 || wake_due_;
}

void EpollProactor::harvest(uint64_t deadline_ns) {
  const bool may_wait = deadline_ns != 0 && !work_waits();
  if (may_wait && listeners_starved_ > 0) deadline_ns = std::min(deadline_ns, feed_at_ns_);
  const int count = wait_for_events(may_wait, deadline_ns);
  for (int i = 0; i < count; i++) take_event(events_[i]);
  if (listeners_starved_ > 0 && clock_.now_ns() >= feed_at_ns_) feed_listeners();
}

int EpollProactor::wait_for_events(bool may_wait, uint64_t deadline_ns) {
  const int most = static_cast<int>(options_.completion_entries);
  timespec timeout{};
  if (may_wait) {
    const uint64_t now_ns = clock_.now_ns();
    const uint64_t wait_ns = deadline_ns > now_ns ? deadline_ns - now_ns : 0;
    timeout.tv_sec = static_cast<time_t>(wait_ns / 1'000'000'000);
    timeout.tv_nsec = static_cast<long>(wait_ns % 1'000'000'000);
    stats_.waits++;
  }
  int count = -1;
  if (has_pwait2_) {
    stats_.system_calls++;
    count = epoll_pwait2(epoll_, events_.get(), most, &timeout, nullptr);
    // Before Linux 5.11, and under seccomp filters that do not know it (those answer EPERM).
    if (count < 0 && (errno == ENOSYS || errno == EPERM)) has_pwait2_ = false;
  }
  if (!has_pwait2_) {
    stats_.system_calls++;
    const uint64_t ceil_ms = static_cast<uint64_t>(timeout.tv_sec) * 1'000 +
                             (static_cast<uint64_t>(timeout.tv_nsec) + 999'999) / 1'000'000;
    count = epoll_wait(epoll_, events_.get(), most,
                       static_cast<int>(std::min<uint64_t>(ceil_ms, INT32_MAX)));
  }
  ASSERT(count >= 0 || errno == EINTR);
  return std::max(count, 0);
}

void EpollProactor::take_event(const epoll_event& event) {
  const Token token = Token::unpack(event.data.u64);
  switch (token.operation) {
    case kTokenWake:
      // Cleared before the owner looks at what it was woken for: a later wake writes again.
      wake_written_.store(false, std::memory_order_seq_cst);
      wake_due_ = true;
      stats_.system_calls++;  // the write
      return;
    case kTokenListener: {
      Listener& at = listeners_[token.slot];
      if (at.descriptor < 0 || at.generation != token.generation) {
        stats_.stale++;
      } else if (!at.ready) {
        at.ready = true;
        listeners_ready_++;
      }
      return;
    }
    case kTokenConnection:
      take_connection_event(token.slot, token.generation, event.events);
      return;
  }
  UNREACHABLE();
}

void EpollProactor::take_connection_event(uint32_t slot, uint32_t generation, uint32_t events) {
  if (connections_.is_stale(slot, generation)) {
    stats_.stale++;
    return;
  }
  Connection& at = connections_[slot];
  const bool hung_up = (events & (EPOLLRDHUP | EPOLLHUP | EPOLLERR)) != 0;
  if (hung_up || (events & EPOLLPRI) != 0) at.flags |= kReadToEnd;
  if (hung_up || (events & EPOLLIN) != 0) at.flags |= kReadable;
  bool worth_a_visit = can_read(at);
  const bool parked = (at.flags & kSendParked) != 0 ||
                      ((at.flags & kConnecting) != 0 && (at.flags & kConnectDone) == 0);
  if (parked && (hung_up || (events & EPOLLOUT) != 0)) {
    at.flags |= kWritable;
    worth_a_visit = true;
  }
  if (worth_a_visit && (at.flags & kClosing) == 0) queue_ready(slot);
}

void EpollProactor::deliver_all() {
  if (wake_due_) {
    wake_due_ = false;
    stats_.wakes++;
    deliver({.operation = Operation::wake});
  }
  // Turn by turn the other kind first, so that neither starves the other of the budget.
  listeners_first_ = !listeners_first_;
  if (listeners_first_) visit_listeners();
  // Each socket that is ready now is visited once a turn; what a visit completes is delivered in
  // between.
  uint32_t visits = ready_.count();
  while (budget_left_ > 0 && ((visits > 0 && !ready_.empty()) || !done_.empty())) {
    if (visits > 0 && !ready_.empty()) {
      visits--;
      visit_ready(ready_.pop_front());
    }
    if (budget_left_ > 0 && !done_.empty()) visit_done(done_.pop_front());
  }
  if (!listeners_first_) visit_listeners();
}

void EpollProactor::deliver(const Completion& completion) {
  ASSERT(budget_left_ > 0);
  ASSERT(handler_ != nullptr);
  budget_left_--;
  stats_.completions++;
  handler_->complete(completion);
}

}  // namespace ringtalk::ring
