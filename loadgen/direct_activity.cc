#include "loadgen/direct_activity.h"

#include <algorithm>

#include "base/assert.h"

namespace ringtalk::loadgen {
namespace {

// Unacknowledged messages of one client on an open-loop schedule.
constexpr uint32_t kOpenWindow = 64;

}  // namespace

DirectActivity::DirectActivity(const ActivityPlace& place)
    : Activity(place, place.state.scenario.mix.direct, place.fleet.clients() & ~1u,
               place.state.scenario.connections & ~uint64_t{1}),
      paired_(place.fleet.clients() & ~1u),
      window_(place.state.scenario.open_loop() ? kOpenWindow : place.state.scenario.direct.window),
      clients_(paired_),
      times_(uint64_t{paired_} * window_) {}

// From any phase: what is sent to nobody waits in the session and is late from its intended time.
bool DirectActivity::can_send(uint32_t actor) {
  return actor < place_.fleet.started() && clients_[actor].in_flight() < window_;
}

bool DirectActivity::send(uint32_t actor, uint64_t intended_ns) {
  Client& one = clients_[actor];
  ASSERT(one.in_flight() < window_);
  const uint64_t number = one.sent.count + 1;
  uint64_t hash;
  const proto::Bytes bytes = body(user_of(actor), number, intended_ns, &hash);
  const auto conversation = proto::ConversationId::between(user_of(actor), user_of(peer(actor)));
  client::ClientSession& session = place_.fleet.session(actor);
  if (!session.send(place_.fleet.ref(actor), conversation, wire::MessageKind::Opaque, bytes,
                    number)) {
    return false;
  }
  times(actor, number) = {intended_ns, place_.fleet.now_ns()};
  one.sent.issue();
  one.sent.add(hash);
  counters().issued++;
  place_.fleet.watch(actor);
  return true;
}

void DirectActivity::fill(uint32_t client) {
  if (!running() || open_loop() || client >= paired_) return;
  while (place_.fleet.is_ready(client) && clients_[client].in_flight() < window_ &&
         send(client, 0)) {
  }
}

void DirectActivity::fill_windows() {
  for (uint32_t client = 0; client < paired_; client++) fill(client);
}

void DirectActivity::ready(uint32_t client) {
  if (client < paired_) place_.fleet.session(client).use_conversations(place_.fleet.ref(client));
  fill(client);
}

void DirectActivity::sent(uint32_t client, const client::SendResult& result) {
  if (client >= paired_ || result.tag == 0 || result.tag > clients_[client].sent.count) return;
  Client& one = clients_[client];
  if (result.error != wire::ErrorCode::None) {
    one.rejected++;
    counters().rejected++;
  } else {
    one.acknowledged++;
    counters().acknowledged++;
    const Times& when = times(client, result.tag);
    place_.metrics.ack.record(when.intended_ns, when.sent_ns, place_.fleet.now_ns());
  }
  fill(client);
}

void DirectActivity::message(uint32_t client, const proto::MessageFields& message) {
  const std::optional<MessageHead> head = read_head(message.body);
  if (client >= paired_ || !head || head->sender != user_of(peer(client)) ||
      head->sender != message.sender || head->number > clients_[peer(client)].sent.count) {
    return;
  }
  const check::Arrived arrived = clients_[client].tally.arrive(head->number, head->hash());
  count(arrived);
  if (arrived != check::Arrived::duplicated) {
    place_.metrics.direct.record(head->intended_ns, head->sent_ns, place_.fleet.now_ns());
  }
}

bool DirectActivity::nothing_under_way() {
  for (uint32_t client = 0; client < paired_; client++) {
    const Client& sender = clients_[peer(client)];
    if (clients_[client].in_flight() != 0) return false;
    if (clients_[client].tally.missing(sender.sent.count) > sender.rejected) return false;
  }
  return true;
}

void DirectActivity::note_away() {
  for (uint32_t client = 0; client < paired_; client++) {
    clients_[client].away = !place_.fleet.is_ready(client);
  }
}

void DirectActivity::judge() {
  for (uint32_t client = 0; client < paired_; client++) {
    const Client& sender = clients_[peer(client)];
    const Client& receiver = clients_[client];
    const uint64_t missing = receiver.tally.missing(sender.sent.count);
    const uint64_t unheard = missing > sender.rejected ? missing - sender.rejected : 0;
    const uint64_t unjudged = receiver.away ? unheard : std::min(unheard, sender.in_flight());
    counters().unresolved += sender.in_flight();
    counters().unjudged += unjudged;
    counters().lost_messages += unheard - unjudged;
    counters().expected += sender.sent.count - sender.rejected - unjudged;
    if (receiver.tally.falsified(sender.sent)) counters().lost_messages++;
  }
}

}  // namespace ringtalk::loadgen
