#include "service/room_home.h"

#include <algorithm>
#include <bit>

#include "base/assert.h"
#include "proto/room_numbers.h"
#include "proto/verifier.h"

namespace ringtalk::service {

namespace {

constexpr size_t kOthersMax = 64;

}  // namespace

RoomHome::RoomHome(Port& port, Postbox& postbox, proto::SegmentDepot& depot, uint64_t origin)
    : port_(port), postbox_(postbox), writer_(depot), origin_(origin) {
  ASSERT(origin != 0);
  batch_.publishes.reserve(proto::kRoomBatchMessagesMax);
  batch_.bodies.reserve(proto::kRoomBatchMessagesMax);
}

RoomHome::Room* RoomHome::find(proto::RoomId id) noexcept {
  const uint32_t at = index_.find(id);
  return at == kNoIndex ? nullptr : &rooms_[at];
}

uint32_t RoomHome::make(proto::RoomId id) {
  uint32_t at;
  if (free_.empty()) {
    at = static_cast<uint32_t>(rooms_.size());
    rooms_.emplace_back();
    bursts_.reserve(rooms_.capacity());
  } else {
    at = free_.back();
    free_.pop_back();
  }
  Room& room = rooms_[at];
  const bool listed = room.listed;
  const bool missing = room.missing;
  room = Room{};
  room.listed = listed;
  room.missing = missing;
  room.id = id;
  // A room that comes back numbers from 1 again, under an origin that it has not had.
  room.origin = origin_ + rooms_ended_ % kOriginsPerBoot;
  index_.insert(id, at);
  return at;
}

void RoomHome::remove(Room& room) {
  ASSERT(room.shard_count == 0 && room.burst_frames == 0);
  rooms_ended_++;
  const uint32_t at = index_.find(room.id);
  index_.erase(room.id);
  room.id = 0;
  free_.push_back(at);
}

void RoomHome::join(const Mail& mail) {
  const proto::RoomId id = mail.a;
  const uint32_t shard = mail.from;
  ASSERT(shard < kShardsMax);
  Room* room = find(id);
  if (room == nullptr) room = &rooms_[make(id)];
  // The joiner must not get what was published before.
  send_all(*room);
  uint64_t& word = room->shards[shard / 64];
  const uint64_t bit = uint64_t{1} << (shard % 64);
  if ((word & bit) == 0) {
    word |= bit;
    if (room->shard_count++ == 0) port_.relay().subscribe_room(id);
  }
  // What the shard has missed so far concerns its older members alone.
  say_missed(*room, shard, Need::must);
  heads_.assign(1, wire::RoomHead(room->origin, room->n));
  heads_.insert(heads_.end(), room->others.begin(), room->others.end());
  const proto::Range joined =
      port_.outgoing().append(port_.frames().room_joined(mail.b, id, heads_));
  Mail answer{.kind = MailKind::room_joined, .slot = mail.slot, .generation = mail.generation};
  put_range(answer, joined);
  postbox_.post(shard, answer);
}

void RoomHome::leave(const Mail& mail) {
  Room* room = find(mail.a);
  if (room == nullptr) return;
  send_all(*room);
  const uint32_t shard = mail.from;
  uint64_t& word = room->shards[shard / 64];
  const uint64_t bit = uint64_t{1} << (shard % 64);
  if ((word & bit) == 0) return;
  word &= ~bit;
  std::erase_if(room->missed, [shard](const Missed& missed) { return missed.shard == shard; });
  if (--room->shard_count == 0) {
    port_.relay().unsubscribe_room(room->id);
    remove(*room);
  }
}

void RoomHome::publish(const Mail& mail, const proto::Range& range) {
  // Our own bytes: the publisher's shard has verified and encoded them.
  const wire::Frame* frame = wire::GetSizePrefixedFrame(range.data());
  const wire::RoomPublish* publish = frame->body_as_RoomPublish();
  ASSERT(publish != nullptr);
  Room* room = find(publish->room());
  if (room != nullptr) {
    const Except except{mail.from, mail.slot, mail.generation};
    put(*room, mail.b, publish->echo() ? Except{} : except, range,
        proto::bytes_of(publish->body()));
    port_.stats().room_published++;
  }
  if (frame->head()->id() != 0) {
    postbox_.post(mail.from, {.kind = MailKind::answer_ok,
                              .slot = mail.slot,
                              .generation = mail.generation,
                              .b = frame->head()->id()});
  }
}

void RoomHome::relayed(const proto::Range& range) {
  const auto verified = proto::verify(range.span(), proto::Role::server);
  if (!verified) return;
  const auto numbers = proto::room_numbers(**verified);
  if (!numbers || ours(numbers->origin)) return;
  Room* room = find(numbers->room);
  if (room == nullptr) return;
  const auto known =
      std::find_if(room->others.begin(), room->others.end(),
                   [&](const wire::RoomHead& head) { return head.origin() == numbers->origin; });
  if (known == room->others.end()) {
    // Origins that ended are not told of: the oldest goes.
    if (room->others.size() == kOthersMax) room->others.erase(room->others.begin());
    room->others.emplace_back(numbers->origin, numbers->last());
  } else if (numbers->first <= known->n()) {
    return;  // the relay repeats or reorders: at most once
  } else {
    *known = wire::RoomHead(numbers->origin, numbers->last());
  }
  send_all(*room);
  add(*room, writer_.append(range.span()), numbers->count, Except{});
  // Never together with our own: those are relayed, this came from the relay.
  send_burst(*room);
}

void RoomHome::put(Room& room, proto::UserId sender, const Except& except,
                   const proto::Range& publish, proto::Bytes body) {
  const auto at = static_cast<uint32_t>(&room - rooms_.data());
  const size_t bytes =
      batch_.body_bytes + body.size() + (batch_.bodies.size() + 1) * sizeof(uint32_t);
  const bool joins = batch_.room == at && batch_.sender == sender && batch_.except == except &&
                     batch_.bodies.size() < proto::kRoomBatchMessagesMax &&
                     bytes <= proto::kRoomBatchBytesMax;
  if (!joins) {
    close_batch();
    batch_.room = at;
    batch_.sender = sender;
    batch_.except = except;
  }
  room.n++;
  port_.outgoing().uses().hold(publish);
  batch_.publishes.push_back(publish);
  batch_.bodies.push_back(body);
  batch_.body_bytes += static_cast<uint32_t>(body.size());
}

// Makes a frame of the batch, if there is one: what was numbered must not stay behind it.
void RoomHome::close_batch() {
  if (batch_.room == kNoIndex) return;
  Room& room = rooms_[batch_.room];
  const auto count = static_cast<uint32_t>(batch_.bodies.size());
  ASSERT(count > 0 && room.n >= count);
  const proto::Bytes bytes =
      count == 1 ? port_.frames().room_message(room.id, room.origin, room.n, batch_.sender,
                                               batch_.bodies[0])
                 : port_.frames().room_messages(room.id, room.origin, room.n - count + 1,
                                                batch_.sender, batch_.bodies);
  const proto::Range frame = writer_.append(bytes);
  const Except except = batch_.except;
  release_batch();
  add(room, frame, count, except);
  room.burst_n = room.n;
}

void RoomHome::release_batch() {
  for (const proto::Range& publish : batch_.publishes) port_.outgoing().uses().release(publish);
  batch_.publishes.clear();
  batch_.bodies.clear();
  batch_.body_bytes = 0;
  batch_.room = kNoIndex;
}

void RoomHome::add(Room& room, const proto::Range& frame, uint32_t messages, const Except& except) {
  const bool joins = room.burst_frames > 0 && room.burst.adjacent(frame) && room.except == except &&
                     room.burst_frames < kBurstFramesMax;
  if (joins) {
    room.burst.merge(frame);
    room.burst_frames++;
    room.burst_messages += messages;
    return;
  }
  // Held before the old burst goes, which may be the last use of this segment.
  port_.outgoing().uses().hold(frame);
  if (room.burst_frames > 0) {
    send_burst(room);
  } else if (!room.listed) {
    room.listed = true;
    bursts_.push_back(index_.find(room.id));
  }
  room.burst = frame;
  room.burst_frames = 1;
  room.burst_messages = messages;
  room.except = except;
}

void RoomHome::flush() {
  if (!missed_.empty() && !postbox_.waiting()) say_all_missed();
  close_batch();
  for (size_t i = 0; i < bursts_.size(); i++) {
    Room& room = rooms_[bursts_[i]];
    room.listed = false;
    if (room.burst_frames > 0) send_burst(room);
  }
  bursts_.clear();
}

// Nothing of this room is left to be sent.
void RoomHome::send_all(Room& room) {
  if (batch_.room != kNoIndex && &rooms_[batch_.room] == &room) close_batch();
  if (room.burst_frames > 0) send_burst(room);
}

void RoomHome::send_burst(Room& room) {
  ASSERT(room.burst_frames > 0);
  relay_burst(room);
  Mail mail{.kind = MailKind::room_messages};
  mail.b = room.burst_frames | uint64_t{room.burst_messages} << 16;
  if (room.except.shard != UINT32_MAX) {
    mail.byte = 1;
    mail.slot = room.except.slot;
    mail.generation = room.except.generation;
    mail.b |= uint64_t{room.except.shard} << 32;
  }
  put_range(mail, room.burst);
  for (uint32_t word = 0; word < room.shards.size(); word++) {
    for (uint64_t bits = room.shards[word]; bits != 0; bits &= bits - 1) {
      send_burst_to(room, word * 64 + static_cast<uint32_t>(std::countr_zero(bits)), mail);
    }
  }
  port_.outgoing().uses().release(room.burst);
  room.burst_frames = 0;
  room.burst_n = 0;
}

// Tells a shard what its full mailbox has cost it. False: it is still full.
bool RoomHome::say_missed(Room& room, uint32_t shard, Need need) {
  const auto missed = std::find_if(room.missed.begin(), room.missed.end(),
                                   [shard](const Missed& entry) { return entry.shard == shard; });
  if (missed == room.missed.end()) return true;
  const Mail gap{.kind = MailKind::room_gap,
                 .slot = static_cast<uint32_t>(room.origin >> 32),
                 .generation = static_cast<uint32_t>(room.origin),
                 .number = missed->count,
                 .a = room.id,
                 .b = missed->n};
  if (!postbox_.post(shard, gap, need)) return false;
  room.missed.erase(missed);
  return true;
}

void RoomHome::say_all_missed() {
  std::erase_if(missed_, [this](uint32_t at) {
    Room& room = rooms_[at];
    // A copy: what is told is erased.
    const std::vector<Missed> all = room.missed;
    for (const Missed& missed : all) say_missed(room, missed.shard, Need::droppable);
    room.missing = !room.missed.empty();
    return room.missed.empty();
  });
}

void RoomHome::send_burst_to(Room& room, uint32_t shard, const Mail& mail) {
  if (say_missed(room, shard, Need::droppable) && postbox_.post(shard, mail, Need::droppable)) {
    return;
  }
  // Of another node's messages the client sees the numbers jump.
  if (room.burst_n == 0) return;
  for (Missed& missed : room.missed) {
    if (missed.shard != shard) continue;
    missed.count += room.burst_messages;
    missed.n = room.burst_n;
    return;
  }
  room.missed.push_back({shard, room.burst_messages, room.burst_n});
  if (room.missing) return;
  room.missing = true;
  missed_.push_back(index_.find(room.id));
}

void RoomHome::relay_burst(const Room& room) {
  std::span<const std::byte> rest = room.burst.span();
  while (!rest.empty()) {
    const auto numbers = proto::room_numbers(*wire::GetSizePrefixedFrame(rest.data()));
    ASSERT(numbers.has_value());
    if (numbers->origin != room.origin) return;
    const size_t bytes =
        flatbuffers::GetPrefixedSize(reinterpret_cast<const uint8_t*>(rest.data())) +
        proto::kPrefixBytes;
    port_.relay().publish_room(room.id, rest.first(bytes));
    rest = rest.subspan(bytes);
  }
}

void RoomHome::release() {
  release_batch();
  for (Room& room : rooms_) {
    if (room.burst_frames == 0) continue;
    port_.outgoing().uses().release(room.burst);
    room.burst_frames = 0;
  }
  bursts_.clear();
}

}  // namespace ringtalk::service
