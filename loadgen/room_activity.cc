#include "loadgen/room_activity.h"

#include <algorithm>
#include <bit>

#include "base/assert.h"

namespace ringtalk::loadgen {
namespace {

// Twice what a busy machine may keep a message that is on its way.
constexpr uint64_t kProbeNs = 500'000'000;

// Publishers among the clients first .. end - 1 of the run.
uint64_t publishers_between(const Scenario& scenario, uint64_t first, uint64_t end) {
  const uint64_t members = scenario.room_members(), each = scenario.room.publishers;
  const auto before = [&](uint64_t client) {
    return client / members * each + std::min(client % members, each);
  };
  return before(end) - before(first);
}

}  // namespace

RoomActivity::RoomActivity(const ActivityPlace& place)
    : Activity(place, place.state.scenario.mix.room,
               publishers_between(place.state.scenario, place.fleet.global(0),
                                  place.fleet.global(place.fleet.clients())),
               publishers_between(place.state.scenario, 0, place.state.scenario.connections)),
      members_(place.state.scenario.room_members()),
      publishers_each_(place.state.scenario.room.publishers),
      window_(place.state.scenario.room.window),
      first_room_(place.fleet.global(0) / members_),
      table_(place.fleet.clients()) {
  const uint32_t clients = place.fleet.clients();
  const uint64_t slots = std::bit_ceil(std::max<uint64_t>(64, 4 * window_ * publishers_each_));
  for (uint32_t client = 0; client < clients; client++) {
    const uint64_t global = place.fleet.global(client);
    if (client == 0 || global % members_ == 0) {
      Part part;
      part.room = global / members_;
      part.first = client;
      const uint64_t end = std::min((part.room + 1) * members_, place.state.scenario.connections);
      part.end = static_cast<uint32_t>(std::min<uint64_t>(clients, end - place.fleet.global(0)));
      part.spread =
          part.room * members_ < place.fleet.global(0) || end > place.fleet.global(clients);
      if (!open_loop()) part.counts.resize(slots);
      parts_.push_back(std::move(part));
    }
    if (global % members_ < publishers_each_) {
      Publisher publisher;
      publisher.client = client;
      publisher.part = static_cast<uint32_t>(parts_.size() - 1);
      if (!open_loop()) publisher.numbers.resize(window_);
      publishers_.push_back(std::move(publisher));
    }
  }
  moved_.reserve(parts_.size());
}

RoomActivity::Part& RoomActivity::part_of(uint32_t client) noexcept {
  return parts_[place_.fleet.global(client) / members_ - first_room_];
}

RoomActivity::Publisher* RoomActivity::publisher_of(uint32_t client) noexcept {
  if (place_.fleet.global(client) % members_ >= publishers_each_) return nullptr;
  return &*std::ranges::lower_bound(publishers_, client, {}, &Publisher::client);
}

// ---- membership

void RoomActivity::ready(uint32_t client) {
  Member& member = table_[client];
  if (member.asked) return;
  member.asked = true;
  const proto::RoomId room = place_.state.room_id(part_of(client).room);
  place_.fleet.session(client).join(place_.fleet.ref(client), room);
}

void RoomActivity::joined(uint32_t client, proto::RoomId) {
  Member& member = table_[client];
  if (member.joined) return;
  member.joined = true;
  member.fresh = member.cut;
  joined_++;
  Part& part = part_of(client);
  part.joined++;
  // Back again: it stands where the others stand, its first message tells where it really is.
  if (member.tally.last < part.passed) {
    cut_stream(member, part.passed);
  } else {
    advance(part, part.passed, member.tally.last);
  }
}

void RoomActivity::gone(uint32_t client) {
  Member& member = table_[client];
  member.cut = true;
  if (Publisher* publisher = publisher_of(client); publisher != nullptr) {
    // What is under way may or may not have been numbered.
    if (publisher->issued != publisher->seen) {
      place_.state.rooms[part_of(client).room].unsure = true;
    }
    publisher->finished = publisher->issued;
    publisher->seen = publisher->issued;
  }
  if (!member.joined) return;
  member.joined = false;
  joined_--;
  Part& part = part_of(client);
  part.joined--;
  withdraw(part, member.tally.last);
}

// ---- how far the members of a part are

void RoomActivity::advance(Part& part, uint64_t from, uint64_t to) {
  if (part.counts.empty()) return;
  const uint64_t mask = part.counts.size() - 1;
  // Beyond the ring of counts nothing is known any more: begin again from there.
  if (to - part.passed > mask) {
    std::ranges::fill(part.counts, 0);
    part.passed = to;
  }
  for (uint64_t n = std::max(from, part.passed) + 1; n <= to; n++) part.counts[n & mask]++;
  settle_passed(part);
}

void RoomActivity::withdraw(Part& part, uint64_t last) {
  if (part.counts.empty()) return;
  const uint64_t mask = part.counts.size() - 1;
  for (uint64_t n = part.passed + 1; n <= last; n++) {
    if (part.counts[n & mask] > 0) part.counts[n & mask]--;
  }
  settle_passed(part);
}

void RoomActivity::settle_passed(Part& part) {
  const uint64_t mask = part.counts.size() - 1;
  const uint64_t before = part.passed;
  while (part.joined > 0 && part.counts[(part.passed + 1) & mask] >= part.joined) {
    part.passed++;
    part.counts[part.passed & mask] = 0;
  }
  if (part.passed == before && part.joined > 0) return;
  if (!part.moved) {
    part.moved = true;
    moved_.push_back(static_cast<uint32_t>(&part - parts_.data()));
  }
}

uint64_t RoomActivity::passed_by_all(const Part& part) const noexcept {
  if (!part.spread) return part.passed;
  const size_t rings = place_.state.threads.rings.size();
  uint64_t least = UINT64_MAX;
  for (size_t ring = 0; ring < rings; ring++) {
    const uint64_t first = place_.state.threads.rings[ring].first;
    const uint64_t room_end = (part.room + 1) * members_;
    if (first >= room_end || place_.state.threads.end_of(ring) <= part.room * members_) continue;
    const auto& passed = place_.state.passed[part.room * rings + ring];
    least = std::min(least, passed.load(std::memory_order_acquire));
  }
  return least;
}

// ---- messages

void RoomActivity::cut_stream(Member& member, uint64_t number) {
  close_stream(member.tally, number, member.skipped);
  member.skipped = 0;
}

void RoomActivity::new_origin(const Part& part, Member& member, uint64_t origin) {
  if (member.origin != 0 && member.origin != origin) {
    // Another boot of the server numbers from 1 again: what was published does not count on.
    place_.state.rooms[part.room].unsure = true;
    cut_stream(member, member.tally.last);
    member.tally = {};
    member.cut = true;
  }
  member.origin = origin;
}

void RoomActivity::message(uint32_t client, const client::RoomMessageFields& message) {
  Member& member = table_[client];
  Part& part = part_of(client);
  const std::optional<MessageHead> head = read_head(message.body);
  if (!head || head->sender != message.sender || message.room != place_.state.room_id(part.room)) {
    return;
  }
  if (member.origin != message.origin) new_origin(part, member, message.origin);
  if (member.fresh && message.n > member.tally.last) {
    cut_stream(member, message.n - 1);
  }
  member.fresh = false;
  const uint64_t before = member.tally.last;
  const check::Arrived arrived = member.tally.arrive(message.n, head->hash());
  count(arrived);
  if (arrived == check::Arrived::duplicated) return;
  if (head->intended_ns != kProbe) {
    place_.metrics.room.record(head->intended_ns, head->sent_ns, place_.fleet.now_ns());
  }
  if (head->sender == user_of(client)) came_back(client, head->number, message.n);
  if (member.joined && member.tally.last > before) advance(part, before, member.tally.last);
}

// A gap that nobody announced shows in the numbers behind it.
void RoomActivity::gap(uint32_t client, const client::RoomGapFields& gap) {
  Member& member = table_[client];
  Part& part = part_of(client);
  if (!gap.announced || gap.room != place_.state.room_id(part.room)) return;
  if (member.origin != gap.origin) new_origin(part, member, gap.origin);
  if (gap.n <= member.tally.last) return;
  // Back again: it is judged from the first message after its return.
  if (member.fresh) return cut_stream(member, gap.n);
  const uint64_t before = member.tally.last;
  member.skipped += std::min(gap.missed, gap.n - before);
  member.tally.give_up_to(gap.n);
  if (member.joined) advance(part, before, gap.n);
}

void RoomActivity::came_back(uint32_t client, uint64_t number, uint64_t n) {
  Publisher* publisher = publisher_of(client);
  if (publisher == nullptr || number > publisher->issued) return;
  // What it never saw of its own counts as far as the first that it sees after it.
  for (; publisher->seen < number; publisher->seen++) {
    if (!publisher->numbers.empty()) publisher->numbers[publisher->seen % window_] = n;
  }
}

bool RoomActivity::can_send(uint32_t actor) {
  const uint32_t client = publishers_[actor].client;
  return place_.fleet.is_ready(client) && table_[client].joined;
}

bool RoomActivity::send(uint32_t actor, uint64_t intended_ns) {
  Publisher& publisher = publishers_[actor];
  if (place_.fleet.backlogged(publisher.client)) return false;
  publish(publisher, intended_ns);
  return true;
}

void RoomActivity::publish(Publisher& publisher, uint64_t intended_ns) {
  RoomShared& room = place_.state.rooms[parts_[publisher.part].room];
  uint64_t hash;
  const proto::Bytes bytes =
      body(user_of(publisher.client), publisher.issued + 1, intended_ns, &hash);
  place_.fleet.session(publisher.client)
      .publish(place_.fleet.ref(publisher.client),
               place_.state.room_id(parts_[publisher.part].room), bytes, true);
  publisher.issued++;
  publisher.progress_ns = place_.fleet.now_ns();
  room.issued.fetch_add(1, std::memory_order_relaxed);
  room.hashes.fetch_add(hash, std::memory_order_relaxed);
  counters().issued++;
}

void RoomActivity::probe() {
  const uint64_t now_ns = place_.fleet.now_ns();
  if (next_probe_ns_ == 0) next_probe_ns_ = now_ns + kProbeNs;
  if (now_ns < next_probe_ns_) return;
  next_probe_ns_ = now_ns + kProbeNs;
  for (uint32_t actor = 0; actor < publishers_.size(); actor++) {
    Publisher& publisher = publishers_[actor];
    const bool first = place_.fleet.global(publisher.client) % members_ == 0;
    RoomShared& room = place_.state.rooms[parts_[publisher.part].room];
    if (!first || !can_send(actor) || !room.behind.exchange(false)) continue;
    publish(publisher, kProbe);
    counters().probes++;
  }
}

// ---- closed windows

void RoomActivity::pump(Publisher& publisher) {
  const uint64_t passed = passed_by_all(parts_[publisher.part]);
  const uint64_t before = publisher.finished;
  while (publisher.finished < publisher.seen &&
         publisher.numbers[publisher.finished % window_] <= passed) {
    publisher.finished++;
  }
  if (publisher.finished != before) publisher.progress_ns = place_.fleet.now_ns();
  const auto actor = static_cast<uint32_t>(&publisher - publishers_.data());
  while (running() && publisher.issued - publisher.finished < window_ && can_send(actor) &&
         send(actor, 0)) {
  }
}

void RoomActivity::pump() {
  if (open_loop()) return;
  const size_t rings = place_.state.threads.rings.size();
  for (const uint32_t index : moved_) {
    Part& part = parts_[index];
    part.moved = false;
    place_.state.passed[part.room * rings + place_.ring].store(
        part.joined == 0 ? UINT64_MAX : part.passed, std::memory_order_release);
    if (part.spread) wake_publishers(part);
  }
  const bool any = !moved_.empty();
  moved_.clear();
  if (!any && !parts_.front().spread && !parts_.back().spread) return;
  for (Publisher& publisher : publishers_) {
    if (publisher.issued != publisher.finished) pump(publisher);
  }
}

void RoomActivity::wake_publishers(const Part& part) {
  const uint64_t first = part.room * members_;
  const size_t from = place_.state.threads.ring_of(first);
  const size_t to = place_.state.threads.ring_of(first + publishers_each_ - 1);
  for (size_t ring = from; ring <= to; ring++) {
    if (ring != place_.ring) place_.state.wakers[ring]->wake();
  }
}

void RoomActivity::fill_windows() {
  for (Publisher& publisher : publishers_) pump(publisher);
}

void RoomActivity::write_off() {
  const uint64_t now_ns = place_.fleet.now_ns();
  for (Publisher& publisher : publishers_) {
    if (publisher.issued == publisher.finished) continue;
    if (now_ns - publisher.progress_ns <= kWriteOffNs) continue;
    publisher.finished = publisher.seen = publisher.issued;
    publisher.progress_ns = now_ns;
  }
}

// ---- the verdict

bool RoomActivity::nothing_under_way() {
  bool all = std::ranges::all_of(publishers_, [this](const Publisher& one) {
    return one.issued == one.seen || !place_.state.rooms[parts_[one.part].room].unsure;
  });
  for (const Part& part : parts_) {
    RoomShared& room = place_.state.rooms[part.room];
    // Where a publish may never have got there, only the server's numbers tell.
    const uint64_t issued = room.unsure ? highest(part) : room.issued.load();
    for (uint32_t client = part.first; client < part.end; client++) {
      const Member& member = table_[client];
      if (!member.joined || (room.unsure && member.fresh) || member.tally.last >= issued) continue;
      room.behind.store(true, std::memory_order_relaxed);
      all = false;
      break;
    }
  }
  return all;
}

void RoomActivity::collect() {
  for (const Part& part : parts_) {
    const uint64_t seen = highest(part);
    auto& shared = place_.state.rooms[part.room].highest;
    if (seen > shared.load()) shared.store(seen);
  }
}

// Who has heard nothing since its return stands at numbers that may be those of another boot.
uint64_t RoomActivity::highest(const Part& part) const {
  uint64_t seen = 0;
  for (uint32_t client = part.first; client < part.end; client++) {
    if (!table_[client].fresh) seen = std::max(seen, table_[client].tally.last);
  }
  return seen;
}

void RoomActivity::judge() {
  for (const Part& part : parts_) {
    const RoomShared& room = place_.state.rooms[part.room];
    const uint64_t published = room.unsure ? room.highest.load() : room.issued.load();
    for (uint32_t client = part.first; client < part.end; client++) {
      const Member& member = table_[client];
      const check::StreamTally& tally = member.tally;
      const bool in = member.joined && !member.fresh;
      // Who is out, or has not heard anything since, is judged up to where it was.
      const uint64_t sent = in ? std::max(published, tally.last) : tally.last;
      counters().expected += sent - tally.base;
      count_missing(tally.missing(sent), member.skipped);
      if (published > sent) counters().unjudged += published - sent;
      const check::SentStream all{sent, room.hashes.load()};
      const bool whole = in && !member.cut && !room.unsure;
      if (whole && tally.falsified(all)) counters().lost_messages++;
    }
  }
}

}  // namespace ringtalk::loadgen
