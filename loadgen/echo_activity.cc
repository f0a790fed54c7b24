#include "loadgen/echo_activity.h"

#include "base/assert.h"

namespace ringtalk::loadgen {

EchoActivity::EchoActivity(const ActivityPlace& place)
    : Activity(place, place.state.scenario.mix.echo, place.fleet.clients(),
               place.state.scenario.connections),
      clients_(place.fleet.clients()) {}

bool EchoActivity::can_send(uint32_t actor) {
  return place_.fleet.is_ready(actor);
}

bool EchoActivity::send(uint32_t actor, uint64_t intended_ns) {
  if (place_.fleet.backlogged(actor)) return false;
  Client& one = clients_[actor];
  uint64_t hash;
  const proto::Bytes bytes = body(user_of(actor), one.sent.count + 1, intended_ns, &hash);
  place_.fleet.session(actor).echo(place_.fleet.ref(actor), bytes);
  one.sent.issue();
  one.sent.add(hash);
  one.progress_ns = place_.fleet.now_ns();
  counters().issued++;
  return true;
}

void EchoActivity::fill(uint32_t client) {
  if (!running() || open_loop() || !place_.fleet.is_ready(client)) return;
  const Client& one = clients_[client];
  while (one.sent.count - one.passed() < place_.state.scenario.echo.window && send(client, 0)) {
  }
}

void EchoActivity::fill_windows() {
  for (uint32_t client = 0; client < place_.fleet.started(); client++) fill(client);
}

void EchoActivity::write_off() {
  const uint64_t now_ns = place_.fleet.now_ns();
  for (uint32_t client = 0; client < place_.fleet.started(); client++) {
    Client& one = clients_[client];
    if (one.sent.count > one.passed() && now_ns - one.progress_ns > kWriteOffNs) {
      one.written_off = one.sent.count;
    }
  }
}

void EchoActivity::ready(uint32_t client) {
  fill(client);
}

void EchoActivity::gone(uint32_t client) {
  Client& one = clients_[client];
  one.cut = true;
  close_stream(one.tally, one.sent.count);
}

void EchoActivity::echo(uint32_t client, proto::Bytes body) {
  const std::optional<MessageHead> head = read_head(body);
  Client& one = clients_[client];
  // What was made up is no answer to anything: what it stands for will be missing.
  if (!head || head->sender != user_of(client) || head->number > one.sent.count) return;
  const check::Arrived arrived = one.tally.arrive(head->number, head->hash());
  count(arrived);
  if (arrived != check::Arrived::duplicated) {
    place_.metrics.echo.record(head->intended_ns, head->sent_ns, place_.fleet.now_ns());
  }
  one.progress_ns = place_.fleet.now_ns();
  fill(client);
}

bool EchoActivity::nothing_under_way() {
  for (uint32_t client = 0; client < place_.fleet.started(); client++) {
    if (clients_[client].sent.count != clients_[client].tally.last) return false;
  }
  return true;
}

void EchoActivity::judge() {
  for (uint32_t client = 0; client < place_.fleet.clients(); client++) {
    const Client& one = clients_[client];
    const uint64_t missing = one.tally.missing(one.sent.count);
    counters().expected += one.sent.count - one.tally.base;
    counters().lost_messages += missing;
    if (!one.cut && one.tally.falsified(one.sent)) counters().lost_messages++;
  }
}

}  // namespace ringtalk::loadgen
