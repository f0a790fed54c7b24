#include "ring/sim_network.h"

#include <algorithm>

#include "base/assert.h"
#include "ring/sim_proactor.h"

namespace ringtalk::ring {

SimNetwork::SimNetwork(uint64_t seed, base::ManualClock& clock, const SimFaults& faults)
    : clock_(clock), random_(seed), faults_(faults) {}

bool SimNetwork::run_due() {
  bool ran = false;
  while (!events_.empty() && events_.begin()->first.first <= clock_.now_ns()) {
    Event event = std::move(events_.begin()->second);
    events_.erase(events_.begin());
    run(event);
    ran = true;
  }
  return ran;
}

uint64_t SimNetwork::next_event_ns() const {
  return events_.empty() ? UINT64_MAX : events_.begin()->first.first;
}

void SimNetwork::schedule(uint64_t at_ns, Event&& event) {
  events_.emplace(std::pair{at_ns, events_made_++}, std::move(event));
}

uint64_t SimNetwork::delay() {
  ASSERT(faults_.latency_min_ns <= faults_.latency_max_ns);
  return faults_.latency_min_ns +
         random_.below(faults_.latency_max_ns - faults_.latency_min_ns + 1);
}

// FNV-1a over 64-bit words.
void SimNetwork::note(uint64_t value) {
  trace_hash_ = (trace_hash_ ^ value) * 0x100000001b3;
}

uint16_t SimNetwork::bind(SimProactor* proactor, const Address& at, uint32_t listener,
                          bool share_port, bool* in_use) {
  uint16_t port = at.port;
  while (port == 0) {
    if (bound_.find(next_port_) == bound_.end()) port = next_port_;
    next_port_ = next_port_ == UINT16_MAX ? 40'000 : static_cast<uint16_t>(next_port_ + 1);
  }
  std::vector<Bound>& holders = bound_[port];
  for (const Bound& holder : holders) *in_use |= !holder.share_port || !share_port;
  if (*in_use) return 0;
  holders.push_back({proactor, listener, share_port});
  return port;
}

void SimNetwork::unbind(SimProactor* proactor, uint32_t listener) {
  for (auto at = bound_.begin(); at != bound_.end();) {
    std::erase_if(at->second, [&](const Bound& bound) {
      return bound.proactor == proactor && bound.listener == listener;
    });
    at = at->second.empty() ? bound_.erase(at) : std::next(at);
  }
}

SimNetwork::EndpointId SimNetwork::connect(SimProactor* owner, uint32_t slot, const Address& to,
                                           const Address& from) {
  const auto id = static_cast<EndpointId>(endpoints_.size());
  Endpoint& mine = endpoints_.emplace_back();
  mine.owner = owner;
  mine.slot = slot;
  mine.peer = id + 1;
  endpoints_.emplace_back().peer = id;
  const auto found = bound_.find(to.port);
  if (found == bound_.end() || random_.chance(faults_.refuse)) {
    schedule(clock_.now_ns() + delay(), {.kind = Kind::refused, .endpoint = id});
    return id;
  }
  const Bound& target = found->second[random_.below(found->second.size())];
  endpoints_[id + 1].pending = true;
  // The handshake: the listener's side exists first, as with a completed three-way handshake.
  const uint64_t at_ns = clock_.now_ns() + delay();
  schedule(at_ns, {.kind = Kind::syn,
                   .endpoint = id + 1,
                   .address = from,
                   .proactor = target.proactor,
                   .slot = target.listener,
                   .port = to.port});
  schedule(at_ns + delay(), {.kind = Kind::connected, .endpoint = id});
  return id;
}

uint32_t SimNetwork::transmit(EndpointId from, std::span<const std::byte> bytes) {
  ASSERT(!bytes.empty());
  // Until the reset has arrived the sender does not know.
  if (endpoints_[from].cut) return static_cast<uint32_t>(bytes.size());
  const EndpointId to = endpoints_[from].peer;
  Endpoint& target = endpoints_[to];
  if (target.outstanding >= faults_.window_bytes) return 0;
  auto taken = static_cast<uint32_t>(
      std::min<size_t>(bytes.size(), faults_.window_bytes - target.outstanding));
  if (taken > 1 && random_.chance(faults_.short_send)) {
    taken = 1 + static_cast<uint32_t>(random_.below(taken - 1));
  }
  target.outstanding += taken;
  if (random_.chance(faults_.half_open)) target.dead = true;
  if (random_.chance(faults_.reset)) {
    reset_link(from);
    return taken;
  }
  uint32_t first = taken;
  if (taken > 1 && random_.chance(faults_.split)) {
    first = 1 + static_cast<uint32_t>(random_.below(taken - 1));
  }
  for (uint32_t offset = 0; offset < taken;) {
    const uint32_t piece = offset == 0 ? first : taken - first;
    target.last_arrival_ns = std::max(target.last_arrival_ns, clock_.now_ns() + delay());
    schedule(target.last_arrival_ns,
             {.kind = Kind::arrive,
              .endpoint = to,
              .bytes = {bytes.begin() + offset, bytes.begin() + offset + piece}});
    offset += piece;
  }
  return taken;
}

void SimNetwork::finish(EndpointId from) {
  if (endpoints_[from].cut) return;
  Endpoint& target = endpoints_[endpoints_[from].peer];
  target.last_arrival_ns = std::max(target.last_arrival_ns, clock_.now_ns() + delay());
  schedule(target.last_arrival_ns, {.kind = Kind::fin, .endpoint = endpoints_[from].peer});
}

void SimNetwork::consumed(EndpointId at, uint32_t bytes) {
  Endpoint& mine = endpoints_[at];
  ASSERT(mine.outstanding >= bytes);
  const bool was_full = mine.outstanding >= faults_.window_bytes;
  mine.outstanding -= bytes;
  if (was_full) schedule(clock_.now_ns() + delay(), {.kind = Kind::window, .endpoint = mine.peer});
}

void SimNetwork::reset_link(EndpointId id) {
  for (EndpointId end : {id, endpoints_[id].peer}) {
    endpoints_[end].cut = true;
    schedule(clock_.now_ns() + delay(), {.kind = Kind::reset, .endpoint = end});
  }
}

void SimNetwork::reset_all() {
  for (EndpointId id = 0; id < endpoints_.size(); id += 2) {
    if (endpoints_[id].owner != nullptr || endpoints_[id + 1].owner != nullptr) reset_link(id);
  }
}

void SimNetwork::close(EndpointId id, SimProactor* owner, uint32_t slot, uint32_t old_generation) {
  Endpoint& mine = endpoints_[id];
  ASSERT(mine.owner == owner && !mine.closed);
  const bool unread = mine.unread_from < mine.unread.size() || mine.outstanding > 0;
  mine.owner = nullptr;
  mine.closed = true;
  mine.unread.clear();
  mine.unread_from = 0;
  const EndpointId peer = mine.peer;
  // Closing with unread bytes sends a reset instead of a FIN (RFC 2525, 2.17).
  if (unread) {
    schedule(clock_.now_ns() + delay(), {.kind = Kind::reset, .endpoint = peer});
  } else {
    finish(id);
  }
  if (random_.chance(faults_.stale)) {
    schedule(clock_.now_ns() + delay(),
             {.kind = Kind::stale, .proactor = owner, .slot = slot, .generation = old_generation});
  }
}

void SimNetwork::run(Event& event) {
  note(clock_.now_ns());
  note(static_cast<uint64_t>(event.kind) << 56 | event.endpoint);
  for (std::byte byte : event.bytes) note(static_cast<uint64_t>(byte));
  if (event.kind == Kind::stale) {
    // A proactor that has gone meanwhile is struck out of its events.
    if (event.proactor != nullptr) event.proactor->on_stale(event.slot, event.generation);
    return;
  }
  Endpoint& end = endpoints_[event.endpoint];
  if (event.kind == Kind::syn) {
    const auto found = bound_.find(event.port);
    const bool listening =
        found != bound_.end() &&
        std::any_of(found->second.begin(), found->second.end(), [&](const Bound& bound) {
          return bound.proactor == event.proactor && bound.listener == event.slot;
        });
    if (listening && !end.closed) {
      event.proactor->on_syn(event.slot, event.endpoint, event.address);
    } else {
      end.closed = true;
      schedule(clock_.now_ns(), {.kind = Kind::refused, .endpoint = end.peer});
    }
    return;
  }
  if (end.dead) return;
  switch (event.kind) {
    case Kind::arrive:
      if (end.closed) {
        // A host answers data for a closed socket with a reset.
        schedule(clock_.now_ns() + delay(), {.kind = Kind::reset, .endpoint = end.peer});
        return;
      }
      if (end.reset) return;
      end.unread.insert(end.unread.end(), event.bytes.begin(), event.bytes.end());
      break;
    case Kind::fin:
      end.fin = true;
      break;
    case Kind::reset:
      end.reset = true;
      break;
    default:
      break;
  }
  if (end.owner == nullptr) return;
  if (event.kind == Kind::connected || event.kind == Kind::refused) {
    end.owner->on_connected(end.slot, event.kind == Kind::connected);
  } else {
    end.owner->on_ready(end.slot);
  }
}

}  // namespace ringtalk::ring
