#include "ring/sim_proactor.h"

#include <algorithm>
#include <cstring>

#include "base/assert.h"

namespace ringtalk::ring {

SimProactor::SimProactor(SimNetwork& network, const ProactorOptions& options,
                         bool advance_when_idle, const SimBugs& bugs)
    : network_(network),
      options_([&] {
        ProactorOptions o = options;
        if (o.buffers == 0) o.buffers = 16;
        if (o.buffer_bytes == 0) o.buffer_bytes = 2'048;
        if (o.completion_entries == 0) o.completion_entries = 256;
        return o;
      }()),
      advance_when_idle_(advance_when_idle),
      bugs_(bugs),
      connections_(options_.connections),
      listeners_(options_.listeners),
      memory_(size_t{options_.buffers} * options_.buffer_bytes) {
  for (uint32_t i = options_.connections; i > 0; i--) free_slots_.push_back(i - 1);
  for (uint32_t i = options_.buffers; i > 0; i--) free_buffers_.push_back(i - 1);
}

SimProactor::~SimProactor() {
  for (uint32_t i = 0; i < listeners_.size(); i++) {
    if (listeners_[i].open) network_.unbind(this, i);
    for (const Backlog& waiting : listeners_[i].backlog) {
      network_.close(waiting.endpoint, nullptr, 0, 0);
    }
  }
  for (uint32_t slot = 0; slot < connections_.size(); slot++) {
    Connection& c = connections_[slot];
    if (c.open) network_.close(c.endpoint, this, slot, c.generation);
  }
  for (auto& [key, event] : network_.events_) {
    if (event.proactor == this && event.kind == SimNetwork::Kind::stale) event.proactor = nullptr;
  }
}

SimProactor::Connection& SimProactor::tenant(ConnectionId id) {
  ASSERT(id.slot < connections_.size());
  Connection& c = connections_[id.slot];
  ASSERT(c.open && c.generation == id.generation);
  return c;
}

base::Result<ListenerId, Error> SimProactor::listen(const Address& at,
                                                    const ListenOptions& options) {
  for (uint32_t i = 0; i < listeners_.size(); i++) {
    if (listeners_[i].open) continue;
    bool in_use = false;
    const uint16_t port = network_.bind(this, at, i, options.share_port, &in_use);
    if (in_use) return base::Failure{Error::address_in_use};
    listeners_[i] = Listener{};
    listeners_[i].open = true;
    listeners_[i].at = at;
    listeners_[i].at.port = port;
    return ListenerId{i};
  }
  return base::Failure{Error::no_slots};
}

Address SimProactor::listener_address(ListenerId id) const {
  ASSERT(listeners_[id.index].open);
  return listeners_[id.index].at;
}

void SimProactor::accept_pause(ListenerId id) {
  ASSERT(listeners_[id.index].open);
  listeners_[id.index].paused = true;
}

void SimProactor::accept_resume(ListenerId id) {
  ASSERT(listeners_[id.index].open);
  listeners_[id.index].paused = false;
}

void SimProactor::close_listener(ListenerId id) {
  Listener& listener = listeners_[id.index];
  ASSERT(listener.open && !listener.closing);
  network_.unbind(this, id.index);
  listener.closing = true;
  listener.paused = false;
}

base::Result<ConnectionId, Error> SimProactor::connect(const Address& to, const Address* source) {
  if (free_slots_.empty()) return base::Failure{Error::no_slots};
  const uint32_t slot = free_slots_.back();
  free_slots_.pop_back();
  Connection& c = connections_[slot];
  ASSERT(!c.open);
  c.open = true;
  c.target = to;
  open_++;
  stats_.connects++;
  stats_.submissions++;
  stats_.in_flight++;
  Address from = source != nullptr ? *source : Address::loopback(0);
  if (from.port == 0) from.port = static_cast<uint16_t>(10'000 + network_.random().below(20'000));
  c.endpoint = network_.connect(this, slot, to, from);
  return id_of(slot);
}

void SimProactor::receive(ConnectionId id) {
  Connection& c = tenant(id);
  ASSERT(c.connected && !c.receiving && !c.closing);
  c.receiving = true;
  stats_.submissions++;
  pump_receive(id.slot);
}

void SimProactor::receive_pause(ConnectionId id) {
  tenant(id).paused = true;
}

void SimProactor::receive_resume(ConnectionId id) {
  Connection& c = tenant(id);
  c.paused = false;
  if (c.receiving) pump_receive(id.slot);
}

void SimProactor::send(ConnectionId id, std::span<const iovec> vectors) {
  Connection& c = tenant(id);
  ASSERT(c.connected && !c.sending && !c.closing && !c.shut);
  ASSERT(!vectors.empty() && vectors.size() <= kSendVectorsMax);
  c.sending = true;
  c.rest.assign(vectors.begin(), vectors.end());
  stats_.sends++;
  stats_.submissions++;
  stats_.in_flight++;
  pump_send(id.slot);
}

void SimProactor::shutdown_write(ConnectionId id) {
  Connection& c = tenant(id);
  ASSERT(c.connected && !c.sending && !c.closing && !c.shut);
  c.shut = true;
  stats_.submissions++;
  network_.finish(c.endpoint);
  queue({.operation = Operation::shutdown_write, .connection = id});
}

void SimProactor::close(ConnectionId id) {
  Connection& c = tenant(id);
  ASSERT(!c.closing);
  c.closing = true;
  stats_.submissions++;
  if (c.sending) end_send(id.slot, Error::cancelled);
  if (!c.connected && !c.reset_seen) {
    stats_.in_flight--;
    queue({.operation = Operation::connect,
           .error = Error::cancelled,
           .connection = id,
           .peer = c.target});
  }
  if (c.receiving) end_receive(id.slot, Error::cancelled);
  closing_.push_back(id.slot);
}

void SimProactor::queue(const Completion& completion, uint32_t buffer, uint32_t bytes) {
  if (completion.connection.slot != kSlotNone) connections_[completion.connection.slot].queued++;
  queue_.push_back({completion, buffer, bytes});
}

void SimProactor::on_syn(uint32_t listener, SimNetwork::EndpointId endpoint, const Address& peer) {
  listeners_[listener].backlog.push_back({endpoint, peer});
}

void SimProactor::on_connected(uint32_t slot, bool accepted) {
  Connection& c = connections_[slot];
  if (c.closing) return;
  stats_.in_flight--;
  c.connected = accepted;
  c.reset_seen = !accepted;
  queue({.operation = Operation::connect,
         .error = accepted ? Error::none : Error::refused,
         .connection = id_of(slot),
         .peer = c.target});
}

void SimProactor::on_ready(uint32_t slot) {
  const Connection& c = connections_[slot];
  if (c.closing) return;
  if (c.sending) pump_send(slot);
  if (c.receiving) pump_receive(slot);
}

void SimProactor::on_stale(uint32_t slot, uint32_t generation) {
  Completion late{.operation = Operation::send, .connection = {slot, generation}};
  queue_.push_back({late, UINT32_MAX, 0});
}

void SimProactor::pump_accept(uint32_t index) {
  Listener& listener = listeners_[index];
  while (listener.open && !listener.paused && !listener.backlog.empty()) {
    if (free_slots_.empty()) {
      if (!listener.closing) {
        stats_.accept_parked++;
        return;
      }
      network_.close(listener.backlog.front().endpoint, nullptr, 0, 0);
      listener.backlog.pop_front();
      continue;
    }
    const uint32_t slot = free_slots_.back();
    free_slots_.pop_back();
    Connection& c = connections_[slot];
    const Backlog waiting = listener.backlog.front();
    listener.backlog.pop_front();
    c.open = true;
    c.connected = true;
    c.endpoint = waiting.endpoint;
    SimNetwork::Endpoint& end = network_.endpoints_[waiting.endpoint];
    end.owner = this;
    end.slot = slot;
    end.pending = false;
    open_++;
    stats_.accepted++;
    queue({.operation = Operation::accept,
           .more = true,
           .listener = {index},
           .connection = id_of(slot),
           .peer = waiting.peer});
  }
  if (listener.open && listener.closing && listener.backlog.empty()) {
    listener.open = false;
    queue({.operation = Operation::accept, .error = Error::cancelled, .listener = {index}});
  }
}

void SimProactor::pump_receive(uint32_t slot) {
  Connection& c = connections_[slot];
  SimNetwork::Endpoint& end = network_.endpoints_[c.endpoint];
  while (c.receiving && !c.paused && !c.closing && !c.starved) {
    if (end.reset) return end_receive(slot, Error::reset);
    const size_t unread = end.unread.size() - end.unread_from;
    if (unread == 0) {
      if (end.fin) end_receive(slot, Error::none);
      return;
    }
    const bool full = queue_.size() >= options_.completion_entries;
    if (full || free_buffers_.empty()) {
      c.starved = true;
      (full ? stats_.overflows : stats_.pool_empty)++;
      (full ? overflowed_ : starved_).push_back(slot);
      return;
    }
    const uint32_t buffer = free_buffers_.back();
    free_buffers_.pop_back();
    const auto bytes = static_cast<uint32_t>(std::min<size_t>(unread, options_.buffer_bytes));
    std::memcpy(&memory_[size_t{buffer} * options_.buffer_bytes], &end.unread[end.unread_from],
                bytes);
    end.unread_from += bytes;
    if (end.unread_from == end.unread.size()) {
      end.unread.clear();
      end.unread_from = 0;
    }
    network_.consumed(c.endpoint, bytes);
    stats_.received++;
    stats_.received_bytes += bytes;
    queue({.operation = Operation::receive, .more = true, .connection = id_of(slot)}, buffer,
          bytes);
  }
}

void SimProactor::end_receive(uint32_t slot, Error error) {
  Connection& c = connections_[slot];
  ASSERT(c.receiving);
  c.receiving = false;
  queue({.operation = Operation::receive, .error = error, .connection = id_of(slot)});
}

void SimProactor::pump_send(uint32_t slot) {
  Connection& c = connections_[slot];
  ASSERT(c.sending);
  const SimNetwork::Endpoint& end = network_.endpoints_[c.endpoint];
  if (end.reset) return end_send(slot, Error::reset);
  bool first = true;
  while (!c.rest.empty()) {
    iovec& vector = c.rest.front();
    ASSERT(vector.iov_len > 0);
    const uint32_t taken = network_.transmit(
        c.endpoint, {static_cast<const std::byte*>(vector.iov_base), vector.iov_len});
    stats_.sent_bytes += taken;
    if (taken == 0) {
      stats_.sends_short += !first;
      return;
    }
    first = false;
    vector.iov_base = static_cast<std::byte*>(vector.iov_base) + taken;
    vector.iov_len -= taken;
    if (vector.iov_len == 0) c.rest.erase(c.rest.begin());
  }
  end_send(slot, Error::none);
}

void SimProactor::end_send(uint32_t slot, Error error) {
  Connection& c = connections_[slot];
  c.sending = false;
  c.rest.clear();
  stats_.in_flight--;
  queue({.operation = Operation::send, .error = error, .connection = id_of(slot)});
}

void SimProactor::finish_close(uint32_t slot) {
  Connection& c = connections_[slot];
  ASSERT(c.closing && c.queued == 0);
  const ConnectionId id = id_of(slot);
  network_.close(c.endpoint, this, slot, c.generation);
  std::erase(starved_, slot);
  std::erase(overflowed_, slot);
  queue({.operation = Operation::close, .connection = id});
}

void SimProactor::buffer_returned(uint32_t buffer) {
  free_buffers_.push_back(buffer);
  if (bugs_.no_rearm_after_empty_pool) return;
  while (!starved_.empty() && !free_buffers_.empty()) {
    const uint32_t slot = starved_.front();
    starved_.pop_front();
    connections_[slot].starved = false;
    if (connections_[slot].receiving) pump_receive(slot);
  }
}

void SimProactor::deliver(const Queued& queued, Handler& handler) {
  const Completion& c = queued.completion;
  const uint32_t slot = c.connection.slot;
  if (slot == kSlotNone) return handler.complete(c);
  Connection& connection = connections_[slot];
  if (connection.generation != c.connection.generation || !connection.open) {
    stats_.stale++;
    if (bugs_.stale_delivered && connection.open) {
      Completion wrong = c;
      wrong.connection.generation = connection.generation;
      handler.complete(wrong);
    }
    return;
  }
  connection.queued--;
  if (c.operation == Operation::close) {
    // The slot is free before the handler runs, so that it may connect again from inside.
    connection = Connection{.generation = connection.generation + 1};
    if (connection.generation == 0) connection.generation = 1;
    free_slots_.push_back(slot);
    open_--;
    stats_.closed++;
    return handler.complete(c);
  }
  if (queued.buffer == UINT32_MAX) return handler.complete(c);
  if (!connection.closing) {
    Completion lease = c;
    lease.bytes = {&memory_[size_t{queued.buffer} * options_.buffer_bytes], queued.bytes};
    handler.complete(lease);
  }
  buffer_returned(queued.buffer);
}

uint32_t SimProactor::deliver_up_to(uint32_t budget, Handler& handler) {
  uint32_t delivered = 0;
  while (delivered < budget && !queue_.empty()) {
    const Queued next = queue_.front();
    queue_.pop_front();
    const uint64_t stale = stats_.stale;
    const bool dropped =
        next.buffer != UINT32_MAX && connections_[next.completion.connection.slot].closing;
    deliver(next, handler);
    if (stats_.stale == stale && !dropped) delivered++;
  }
  stats_.completions += delivered;
  return delivered;
}

bool SimProactor::has_work() const {
  if (!queue_.empty() || !closing_.empty() || !overflowed_.empty()) return true;
  if (wakes_.load(std::memory_order_acquire)) return true;
  return std::any_of(listeners_.begin(), listeners_.end(), [&](const Listener& listener) {
    if (!listener.open) return false;
    if (listener.closing) return true;
    return !listener.paused && !listener.backlog.empty() && !free_slots_.empty();
  });
}

uint32_t SimProactor::run_once(uint32_t budget, uint64_t deadline_ns, Handler& handler) {
  ASSERT(budget > 0);
  ASSERT(!delivering_);
  stats_.turns++;
  deadline_ns_ = deadline_ns;
  network_.run_due();
  while (advance_when_idle_ && !has_work() && network_.clock().now_ns() < deadline_ns) {
    const uint64_t next = std::min(network_.next_event_ns(), deadline_ns);
    network_.clock().advance_ns(next - network_.clock().now_ns());
    stats_.waits++;
    network_.run_due();
  }
  for (uint32_t i = 0; i < listeners_.size(); i++) pump_accept(i);
  std::deque<uint32_t> again;
  again.swap(overflowed_);
  for (uint32_t slot : again) {
    connections_[slot].starved = false;
    if (connections_[slot].receiving) pump_receive(slot);
  }
  if (wakes_.exchange(false, std::memory_order_acq_rel)) {
    stats_.wakes++;
    queue({.operation = Operation::wake});
  }
  delivering_ = true;
  uint32_t delivered = deliver_up_to(budget, handler);
  // Whoever has nothing left in flight is closed now; the rest in a later turn.
  std::vector<uint32_t> waiting;
  waiting.swap(closing_);
  for (uint32_t slot : waiting) {
    if (connections_[slot].queued == 0) {
      finish_close(slot);
    } else {
      closing_.push_back(slot);
    }
  }
  if (delivered < budget) delivered += deliver_up_to(budget - delivered, handler);
  delivering_ = false;
  return delivered;
}

}  // namespace ringtalk::ring
