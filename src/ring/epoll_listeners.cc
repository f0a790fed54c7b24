// The listeners of EpollProactor.
#include <sys/epoll.h>
#include <unistd.h>

#include <cerrno>

#include "base/assert.h"
#include "ring/epoll_proactor.h"
#include "ring/token.h"
#include "ring/socket.h"

namespace ringtalk::ring {
namespace {

// A turn's share of accepts, so that a storm of connections leaves room for those that are there.
constexpr uint32_t kAcceptsPerTurn = 64;
// How long a listener without a descriptor waits before it looks again.
constexpr uint64_t kFeedInterval_ns = 100'000'000;
constexpr uint32_t kListenCalls = 10;

}  // namespace

EpollProactor::Listener& EpollProactor::listener(ListenerId id) {
  ASSERT(id.index < listeners_.size());
  Listener& found = listeners_[id.index];
  ASSERT(found.descriptor >= 0);
  return found;
}

base::Result<ListenerId, Error> EpollProactor::listen(const Address& at,
                                                      const ListenOptions& options) {
  uint32_t index = 0;
  while (index < listeners_.size() && listeners_[index].descriptor >= 0) index++;
  if (index == listeners_.size()) return base::Failure{Error::no_slots};
  base::Result<ListenSocket, Error> opened = open_listener(at, options);
  stats_.system_calls += kListenCalls;
  if (!opened) return base::Failure{opened.error()};

  Listener& made = listeners_[index];
  const uint32_t generation = made.generation + 1;
  made = Listener{
      .descriptor = opened->descriptor, .generation = generation, .address = opened->address};
  epoll_event event{};
  event.events = EPOLLIN | EPOLLET;
  event.data.u64 = Token{kTokenListener, index, generation}.pack();
  stats_.system_calls++;
  if (epoll_ctl(epoll_, EPOLL_CTL_ADD, made.descriptor, &event) != 0) {
    const Error error = error_from_errno(errno);
    ::close(made.descriptor);
    made.descriptor = -1;
    return base::Failure{error};
  }
  return ListenerId{index};
}

Address EpollProactor::listener_address(ListenerId id) const {
  return const_cast<EpollProactor*>(this)->listener(id).address;
}

void EpollProactor::accept_pause(ListenerId id) {
  Listener& at = listener(id);
  ASSERT(!at.closing);
  at.paused = true;
}

void EpollProactor::accept_resume(ListenerId id) {
  Listener& at = listener(id);
  ASSERT(!at.closing);
  at.paused = false;
  // The edge of those who came meanwhile may be spent.
  wake_listener(at);
}

void EpollProactor::close_listener(ListenerId id) {
  Listener& at = listener(id);
  ASSERT(!at.closing);
  at.closing = true;
  at.paused = false;
  wake_listener(at);
}

void EpollProactor::wake_listener(Listener& at) {
  if (at.ready) return;
  at.ready = true;
  listeners_ready_++;
}

void EpollProactor::visit_listeners() {
  if (listeners_ready_ == 0) return;
  for (uint32_t index = 0; index < listeners_.size(); index++) {
    if (listeners_[index].descriptor >= 0 && listeners_[index].ready) accept_some(index);
  }
}

void EpollProactor::accept_some(uint32_t index) {
  Listener& at = listeners_[index];
  for (uint32_t i = 0; i < kAcceptsPerTurn && budget_left_ > 0 && at.ready; i++) {
    if (at.paused) return rest_listener(at);
    if (connections_.room() == 0) {
      // A listener that is closing has no time to wait for a slot.
      if (at.closing) return finish_listener(index);
      return starve(at);
    }
    SocketAddress address{};
    socklen_t length = sizeof address;
    stats_.system_calls++;
    stats_.submissions++;
    const int descriptor =
        accept4(at.descriptor, &address.any, &length, SOCK_NONBLOCK | SOCK_CLOEXEC);
    if (descriptor < 0) {
      accept_failed(index, errno);
    } else {
      accepted(index, descriptor, from_socket_address(address));
    }
  }
}

void EpollProactor::accepted(uint32_t index, int descriptor, const Address& peer) {
  const uint32_t slot = take_slot(descriptor);
  connections_[slot].flags |= kOpen;
  stats_.accepted++;
  deliver({.operation = Operation::accept,
           .more = true,
           .listener = ListenerId{index},
           .connection = id_of(slot),
           .peer = peer});
}

void EpollProactor::accept_failed(uint32_t index, int number) {
  Listener& at = listeners_[index];
  switch (number) {
    case EAGAIN:
      if (at.closing) return finish_listener(index);
      return rest_listener(at);
    case EMFILE:
    case ENFILE:
    case ENOBUFS:
    case ENOMEM:
      if (at.closing) return finish_listener(index);
      // Another shard may give descriptors back, which nobody tells us.
      feed_at_ns_ = clock_.now_ns() + kFeedInterval_ns;
      return starve(at);
    default:
      // The connection died in the queue, or the call was interrupted: the next may do (accept(2)
      // passes pending network errors on).
      return;
  }
}

void EpollProactor::rest_listener(Listener& at) {
  ASSERT(at.ready && listeners_ready_ > 0);
  at.ready = false;
  listeners_ready_--;
}

void EpollProactor::starve(Listener& at) {
  rest_listener(at);
  stats_.accept_parked++;
  if (!at.starved) {
    at.starved = true;
    listeners_starved_++;
  }
}

void EpollProactor::feed_listeners() {
  feed_at_ns_ = UINT64_MAX;
  for (Listener& at : listeners_) {
    if (at.descriptor < 0 || !at.starved) continue;
    at.starved = false;
    listeners_starved_--;
    wake_listener(at);
  }
}

void EpollProactor::finish_listener(uint32_t index) {
  Listener& at = listeners_[index];
  rest_listener(at);
  if (at.starved) listeners_starved_--;
  at.starved = false;
  stats_.system_calls++;
  ::close(at.descriptor);
  at.descriptor = -1;
  deliver(
      {.operation = Operation::accept, .error = Error::cancelled, .listener = ListenerId{index}});
}

}  // namespace ringtalk::ring
