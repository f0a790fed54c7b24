#include "loadgen/fleet.h"

#include <algorithm>
#include <new>

#include "base/assert.h"

namespace ringtalk::loadgen {
namespace {

constexpr uint32_t kBudget = 1'024;
constexpr uint32_t kBacklogBlocks = 256;
constexpr uint64_t kTokenLifeMs = uint64_t{7} * 24 * 3'600'000;

client::ClientOptions client_options() {
  client::ClientOptions options;
  options.name = "loadgen";
  // Twice within the default settle.timeout: a server that is back finds its clients back.
  options.reconnect_max_ms = 4'000;
  return options;
}

Failure failure_of(ring::Error error) noexcept {
  switch (error) {
    case ring::Error::refused:
      return Failure::refused;
    case ring::Error::reset:
    case ring::Error::broken:
      return Failure::reset;
    case ring::Error::timed_out:
      return Failure::timed_out;
    case ring::Error::address_in_use:
    case ring::Error::address_unavailable:
      return Failure::no_address;
    case ring::Error::no_slots:
    case ring::Error::no_descriptors:
      return Failure::no_slot;
    default:
      return Failure::other;
  }
}

}  // namespace

Fleet::Fleet(ring::Proactor& proactor, const base::Clock& clock, RunState& state, size_t ring,
             Metrics& metrics)
    : proactor_(proactor),
      clock_(clock),
      state_(state),
      metrics_(metrics),
      context_(client_options(), clock, state.scenario.seed + ring, *this),
      first_(state.threads.rings[ring].first),
      clients_(state.threads.rings[ring].clients),
      now_ns_(clock.now_ns()),
      sessions_(clients_),
      slots_(clients_),
      client_of_slot_(clients_ + spare_slots(clients_)) {}

Fleet::~Fleet() {
  leave();
}

void Fleet::leave() {
  stopping_ = true;
  for (uint32_t i = 0; i < started_; i++) {
    client::ClientSession& one = session(i);
    // A connection that did not close in time ends with its proactor.
    one.stop(ref(i));
    if (one.phase() == client::ClientSession::Phase::closing) one.disconnected(ref(i));
    one.~ClientSession();
  }
  started_ = 0;
}

client::ClientSession* Fleet::sessions_at(uint32_t client) const noexcept {
  return std::launder(reinterpret_cast<client::ClientSession*>(sessions_[client].bytes));
}

// ---- turns

void Fleet::step(uint64_t deadline_ns) {
  now_ns_ = clock_.now_ns();
  start_more();
  tick_due();
  flush();
  // Both are changed by what they call, so they are walked by index and emptied at the end.
  for (size_t i = 0; i < refused_.size(); i++) disconnected(refused_[i]);
  const bool again = !refused_.empty();
  refused_.clear();
  const uint32_t now_ms = context_.now_ms(), next_ms = wheel_.next_ms();
  const uint64_t due_ns = now_ns_ + uint64_t{next_ms > now_ms ? next_ms - now_ms : 0} * 1'000'000;
  const bool busy = again || !dirty_.empty();
  proactor_.run_once(kBudget, busy ? 0 : std::min(deadline_ns, due_ns), *this);
  now_ns_ = clock_.now_ns();
  flush();
}

void Fleet::start_more() {
  while (!stopping_ && started_ < clients_ && coming_in_.size() < concurrency_) {
    const uint32_t client = started_++;
    new (sessions_[client].bytes) client::ClientSession();
    metrics_.counters.attempted++;
    session(client).start(ref(client));
    watch(client);
  }
}

void Fleet::tick_due() {
  const uint32_t now_ms = context_.now_ms();
  wheel_.advance(
      now_ms, [this](uint32_t client) { return due_link(client); },
      [this, now_ms](uint32_t client) {
        client::ClientSession& one = session(client);
        const uint32_t due_ms = one.due_ms();
        if (due_ms > now_ms) return due_ms;
        note_late_beat(client, now_ms);
        one.tick(ref(client));
        return one.due_ms();
      });
}

// More than a whole interval behind: then a cut is not the server's doing.
void Fleet::note_late_beat(uint32_t client, uint32_t now_ms) {
  if (stopping_ || (slots_[client].flags & (kInService | kClosing)) != kInService) return;
  const uint32_t due_ms = session(client).due_ms();
  if (due_ms < now_ms && now_ms - due_ms > context_.heartbeat_ms()) own_beats_late_++;
}

void Fleet::watch(uint32_t client) {
  wheel_.watch(client, session(client).due_ms(), [this](uint32_t c) { return due_link(c); });
}

void Fleet::flush() {
  std::array<iovec, ring::kSendVectorsMax> vectors;
  for (const uint32_t client : dirty_) {
    Slot& slot = slots_[client];
    slot.flags &= ~kDirty;
    if ((slot.flags & (kSending | kClosing)) != 0 || slot.queue.empty()) continue;
    if (slot.connection.slot == ring::kSlotNone) continue;
    const uint32_t blocks = pool_.gather(slot.queue, vectors);
    slot.sending_blocks = static_cast<uint8_t>(blocks);
    const bool all = !pool_.longer_than(slot.queue, blocks);
    slot.flags = static_cast<uint8_t>((slot.flags & ~kSealed) | kSending | (all ? kSealed : 0));
    proactor_.send(slot.connection, std::span(vectors.data(), blocks));
  }
  dirty_.clear();
}

bool Fleet::backlogged(uint32_t client) const noexcept {
  return pool_.longer_than(slots_[client].queue, kBacklogBlocks);
}

void Fleet::stop_all() {
  stopping_ = true;
  for (uint32_t i = 0; i < started_; i++) {
    session(i).stop(ref(i));
    watch(i);
  }
}

// ---- the transport of a session

void Fleet::connect(uint32_t client) {
  const AddressPair& pair = state_.addresses.of(global(client));
  const ring::Address* source = pair.source.family == ring::Family::none ? nullptr : &pair.source;
  slots_[client].connection = {};
  if ((slots_[client].flags & kReached) == 0) {
    ASSERT((slots_[client].flags & kComingIn) == 0);
    slots_[client].flags |= kComingIn;
    coming_in_.push_back({client, now_ns_, 0});
  }
  const auto made = proactor_.connect(pair.to, source);
  if (!made) {
    count_failure(failure_of(made.error()));
    refused_.push_back(client);
    return;
  }
  slots_[client].connection = *made;
  client_of_slot_[made->slot] = client;
}

void Fleet::transmit(uint32_t client, proto::Bytes frame) {
  Slot& slot = slots_[client];
  if ((slot.flags & kClosing) != 0) return;
  pool_.append(slot.queue, frame, (slot.flags & kSealed) != 0);
  slot.flags &= ~kSealed;
  if ((slot.flags & kDirty) == 0) {
    slot.flags |= kDirty;
    dirty_.push_back(client);
  }
}

void Fleet::close(uint32_t client) {
  hang_up(client);
}

client::Credentials Fleet::credentials(uint32_t client) {
  proto::Token token;
  token.flags = proto::kTokenLoad;
  token.user = state_.user_of(global(client));
  token.device = global(client) + 1;
  token.expires_ms = clock_.wall_ms() + kTokenLifeMs;
  token_ = state_.keys.mint(token);
  client::Credentials credentials;
  credentials.kind = client::Credentials::Kind::token;
  credentials.device = token.device;
  credentials.token = token_;
  return credentials;
}

// ---- completions

void Fleet::complete(const ring::Completion& completion) {
  if (completion.operation == ring::Operation::wake) return;
  now_ns_ = clock_.now_ns();
  const uint32_t client = client_of_slot_[completion.connection.slot];
  ASSERT(slots_[client].connection == completion.connection);
  switch (completion.operation) {
    case ring::Operation::connect:
      completed_connect(client, completion);
      break;
    case ring::Operation::receive:
      if ((slots_[client].flags & kClosing) != 0) return;
      if (!completion.bytes.empty()) session(client).received(ref(client), completion.bytes);
      if (!completion.more) hang_up(client);
      break;
    case ring::Operation::send:
      completed_send(client, completion);
      break;
    case ring::Operation::close:
      completed_close(client);
      return;
    case ring::Operation::shutdown_write:
      break;
    case ring::Operation::accept:
    case ring::Operation::wake:
      UNREACHABLE();
  }
  watch(client);
}

void Fleet::completed_connect(uint32_t client, const ring::Completion& completion) {
  if (completion.error != ring::Error::none) {
    if (completion.error != ring::Error::cancelled) count_failure(failure_of(completion.error));
    hang_up(client);
    return;
  }
  if ((slots_[client].flags & kClosing) != 0) return;
  if ((slots_[client].flags & kComingIn) != 0) {
    ComingIn* one = coming_in(client);
    one->connected_ns = now_ns_;
    state_.ramp_times.connected((now_ns_ - one->connect_ns) / 1'000);
  }
  proactor_.receive(completion.connection);
  session(client).connected(ref(client));
}

void Fleet::completed_send(uint32_t client, const ring::Completion& completion) {
  Slot& slot = slots_[client];
  pool_.drop(slot.queue, slot.sending_blocks);
  slot.sending_blocks = 0;
  slot.flags &= ~(kSending | kSealed);
  if (completion.error != ring::Error::none) {
    hang_up(client);
  } else if (!slot.queue.empty() && (slot.flags & kDirty) == 0) {
    slot.flags |= kDirty;
    dirty_.push_back(client);
  }
}

void Fleet::completed_close(uint32_t client) {
  Slot& slot = slots_[client];
  ASSERT((slot.flags & kSending) == 0);
  slot.connection = {};
  slot.flags &= ~(kClosing | kSealed);
  pool_.clear(slot.queue);
  disconnected(client);
}

void Fleet::hang_up(uint32_t client) {
  Slot& slot = slots_[client];
  if ((slot.flags & kClosing) != 0 || slot.connection.slot == ring::kSlotNone) return;
  note_late_beat(client, context_.now_ms());
  slot.flags |= kClosing;
  proactor_.close(slot.connection);
}

// The session hears of it last: it may ask for the next connection at once.
void Fleet::disconnected(uint32_t client) {
  const bool was_coming_in = (slots_[client].flags & kComingIn) != 0;
  if (was_coming_in) {
    const ComingIn* one = coming_in(client);
    const bool told_why = (slots_[client].flags & kTurnedAway) != 0;
    if (one->connected_ns != 0 && !stopping_ && !told_why) {
      count_failure(Failure::closed_by_server);
    }
    remove_coming_in(client);
  }
  slots_[client].flags &= ~kTurnedAway;
  leave_service(client);
  session(client).disconnected(ref(client));
  watch(client);
}

void Fleet::leave_service(uint32_t client) {
  Slot& slot = slots_[client];
  if ((slot.flags & kInService) == 0) return;
  slot.flags &= ~kInService;
  ready_--;
  if (stopping_) return;
  metrics_.counters.lost++;
  metrics_.counters.sessions_lost++;
  application_->gone(client);
}

void Fleet::count_failure(Failure failure) noexcept {
  metrics_.counters.failed[static_cast<size_t>(failure)]++;
}

Fleet::ComingIn* Fleet::coming_in(uint32_t client) {
  const auto at = std::ranges::find(coming_in_, client, &ComingIn::client);
  return at == coming_in_.end() ? nullptr : &*at;
}

void Fleet::remove_coming_in(uint32_t client) {
  ComingIn* one = coming_in(client);
  ASSERT(one != nullptr);
  *one = coming_in_.back();
  coming_in_.pop_back();
  slots_[client].flags &= ~kComingIn;
}

}  // namespace ringtalk::loadgen
