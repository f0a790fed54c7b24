#include "service/rooms.h"

#include <algorithm>
#include <utility>

#include "base/assert.h"
#include "proto/limits.h"

namespace ringtalk::service {

namespace {

// Joins of one room that one session may have under way.
constexpr uint16_t kJoinsMax = 256;

// The last frame of a burst of our own.
proto::RoomNumbers last_of(const proto::Range& burst) {
  const std::byte* at = burst.data();
  const std::byte* const end = at + burst.bytes;
  for (;;) {
    const uint32_t bytes =
        flatbuffers::GetPrefixedSize(reinterpret_cast<const uint8_t*>(at)) + proto::kPrefixBytes;
    if (at + bytes == end) break;
    at += bytes;
    ASSERT(at < end);
  }
  const auto numbers = proto::room_numbers(*wire::GetSizePrefixedFrame(at));
  ASSERT(numbers.has_value());
  return *numbers;
}

}  // namespace

Rooms::Rooms(Port& port, Postbox& postbox)
    : port_(port), postbox_(postbox), first_(port.sessions().slots()), memberships_(1), gaps_(1) {}

Rooms::Room& Rooms::room_of(proto::RoomId id) {
  const uint32_t known = index_.find(id);
  if (known != kNoIndex) return rooms_[known];
  uint32_t at;
  if (free_rooms_.empty()) {
    at = static_cast<uint32_t>(rooms_.size());
    rooms_.emplace_back();
  } else {
    at = free_rooms_.back();
    free_rooms_.pop_back();
  }
  ASSERT(rooms_[at].slots.empty() && rooms_[at].joins_under_way == 0);
  rooms_[at].id = id;
  index_.insert(id, at);
  return rooms_[at];
}

uint32_t Rooms::find(uint32_t slot, proto::RoomId id) const noexcept {
  uint32_t at = first_[slot];
  while (at != kNone && rooms_[memberships_[at].room].id != id) at = memberships_[at].next;
  return at;
}

void Rooms::join(uint32_t slot, uint64_t id, proto::RoomId room_id) {
  if (!proto::is_id(room_id)) {
    port_.reply_error(slot, id, wire::ErrorCode::BadRequest, 0);
    return;
  }
  Session& session = port_.sessions()[slot];
  uint32_t known = find(slot, room_id);
  if (known == kNone) {
    if (session.rooms >= port_.limits().rooms_per_session) {
      // Final: asking again does not help before it has left another room.
      port_.reply_error(slot, id, wire::ErrorCode::Forbidden, 0);
      return;
    }
    uint32_t at;
    if (free_memberships_.empty()) {
      at = static_cast<uint32_t>(memberships_.size());
      memberships_.emplace_back();
    } else {
      at = free_memberships_.back();
      free_memberships_.pop_back();
    }
    Room& room = room_of(room_id);
    memberships_[at] = {
        .room = static_cast<uint32_t>(&room - rooms_.data()), .slot = slot, .next = first_[slot]};
    first_[slot] = at;
    session.rooms++;
    known = at;
  } else if (memberships_[known].leaving) {
    memberships_[known].leaving = false;
    port_.reply_ok(slot, memberships_[known].leave_id);
  }
  // Counted first: a home that is this very shard answers from within the post.
  memberships_[known].joins++;
  const uint32_t room_at = memberships_[known].room;
  rooms_[room_at].joins_under_way++;
  const bool was_known = std::exchange(rooms_[room_at].known, true);
  const bool sent =
      memberships_[known].joins <= kJoinsMax && postbox_.request(slot, port_.home_of_room(room_id),
                                                                 {.kind = MailKind::room_join,
                                                                  .slot = slot,
                                                                  .generation = session.generation,
                                                                  .a = room_id,
                                                                  .b = id},
                                                                 true);
  if (sent) return;
  memberships_[known].joins--;
  rooms_[room_at].joins_under_way--;
  rooms_[room_at].known = was_known;
  port_.reply_error(slot, id, wire::ErrorCode::ServerBusy,
                    static_cast<uint32_t>(port_.limits().busy_retry_ms));
  known = find(slot, room_id);
  if (known != kNone && memberships_[known].joins == 0 && !memberships_[known].joined) {
    unlink(slot, known);
    remove(known);
  }
}

void Rooms::joined(const Mail& mail, const proto::Range& frame) {
  const wire::Frame* answer = wire::GetSizePrefixedFrame(frame.data());
  const proto::RoomId room_id = answer->body_as_RoomJoined()->room();
  const uint32_t room_at = index_.find(room_id);
  ASSERT(room_at != kNoIndex);
  ASSERT(rooms_[room_at].joins_under_way > 0);
  rooms_[room_at].joins_under_way--;
  if (port_.sessions().find_online(mail.slot, mail.generation) == nullptr) {
    end_if_empty(room_at);
    return;
  }
  const uint32_t at = find(mail.slot, room_id);
  if (answer->head()->id() != 0) port_.outgoing().answer(mail.slot, frame);
  if (at == kNone || find(mail.slot, room_id) == kNone) {
    end_if_empty(room_at);
    return;
  }
  Membership& membership = memberships_[at];
  ASSERT(membership.joins > 0);
  membership.joins--;
  if (membership.leaving) {
    if (membership.joins > 0) return;
    const uint64_t leave_id = membership.leave_id;
    unlink(mail.slot, at);
    remove(at);
    port_.reply_ok(mail.slot, leave_id);
    return;
  }
  if (membership.joined) return;
  Room& room = rooms_[room_at];
  membership.joined = true;
  membership.position = static_cast<uint32_t>(room.slots.size());
  room.slots.push_back(mail.slot);
  room.memberships.push_back(at);
  // So that a burst which everybody refuses allocates nothing.
  refused_.reserve(room.slots.capacity());
}

void Rooms::leave(uint32_t slot, uint64_t id, proto::RoomId room_id) {
  const uint32_t at = find(slot, room_id);
  if (at == kNone || memberships_[at].leaving) {
    port_.reply_error(slot, id, wire::ErrorCode::NotMember, 0);
    return;
  }
  if (memberships_[at].joins > 0) {
    // A RoomJoined is still to come, and the answer to this follows it.
    memberships_[at].leaving = true;
    memberships_[at].leave_id = id;
    return;
  }
  unlink(slot, at);
  remove(at);
  port_.reply_ok(slot, id);
}

void Rooms::closing(uint32_t slot) {
  while (first_[slot] != kNone) {
    const uint32_t at = first_[slot];
    unlink(slot, at);
    remove(at);
  }
}

void Rooms::unlink(uint32_t slot, uint32_t membership) {
  uint32_t* link = &first_[slot];
  while (*link != membership) {
    ASSERT(*link != kNone);
    link = &memberships_[*link].next;
  }
  *link = memberships_[membership].next;
  Session& session = port_.sessions()[slot];
  ASSERT(session.rooms > 0);
  session.rooms--;
}

void Rooms::remove(uint32_t at) {
  Membership& membership = memberships_[at];
  Room& room = rooms_[membership.room];
  if (membership.joined) {
    ASSERT(room.memberships[membership.position] == at);
    const uint32_t moved = room.memberships.back();
    room.slots[membership.position] = room.slots.back();
    room.memberships[membership.position] = moved;
    memberships_[moved].position = membership.position;
    room.slots.pop_back();
    room.memberships.pop_back();
  }
  free_gaps(membership);
  const uint32_t room_at = membership.room;
  membership = {};
  free_memberships_.push_back(at);
  end_if_empty(room_at);
}

void Rooms::end_if_empty(uint32_t room_at) {
  const Room& room = rooms_[room_at];
  if (room.id == 0 || room.joins_under_way > 0 || !room.slots.empty()) return;
  const proto::RoomId id = room.id;
  const Mail leave{.kind = MailKind::room_leave, .a = id};
  if (room.known && !postbox_.post(port_.home_of_room(id), leave, Need::droppable)) {
    // The room stays as it is. There are no more of these than there were rooms when the overflow
    // was full: who joins then is refused.
    if (!room.ended) ended_.push_back(room_at);
    rooms_[room_at].ended = true;
    return;
  }
  index_.erase(id);
  rooms_[room_at].id = 0;
  rooms_[room_at].known = false;
  free_rooms_.push_back(room_at);
}

void Rooms::retry() {
  std::vector<uint32_t> ended;
  ended.swap(ended_);
  for (const uint32_t room_at : ended) {
    rooms_[room_at].ended = false;
    end_if_empty(room_at);
  }
}

void Rooms::publish(uint32_t slot, uint64_t id, const wire::RoomPublish& publish) {
  const uint32_t at = find(slot, publish.room());
  if (at == kNone || memberships_[at].leaving) {
    port_.reply_error(slot, id, wire::ErrorCode::NotMember, 0);
    return;
  }
  const Session& session = port_.sessions()[slot];
  const std::span<const std::byte> body{reinterpret_cast<const std::byte*>(publish.body()->data()),
                                        publish.body()->size()};
  const proto::Range frame = port_.outgoing().append(
      port_.frames().room_publish(id, publish.room(), body, publish.echo()));
  Mail mail{.kind = MailKind::room_publish,
            .slot = slot,
            .generation = session.generation,
            .b = session.user};
  put_range(mail, frame);
  if (!postbox_.request(slot, port_.home_of_room(publish.room()), mail, id != 0)) {
    port_.reply_error(slot, id, wire::ErrorCode::ServerBusy,
                      static_cast<uint32_t>(port_.limits().busy_retry_ms));
  }
}

void Rooms::messages(const Mail& mail, const proto::Range& burst) {
  const auto first = proto::room_numbers(*wire::GetSizePrefixedFrame(burst.data()));
  ASSERT(first.has_value());
  const uint32_t room_at = index_.find(first->room);
  if (room_at == kNoIndex) return;  // our leave is on its way
  const Room& room = rooms_[room_at];
  const uint32_t frames = static_cast<uint16_t>(mail.b);
  const uint32_t messages = static_cast<uint16_t>(mail.b >> 16);
  uint32_t except = base::kNoSlot;
  if (mail.byte == 1 && static_cast<uint32_t>(mail.b >> 32) == port_.index() &&
      port_.sessions().find_online(mail.slot, mail.generation) != nullptr) {
    except = mail.slot;
  }
  refused_.clear();
  port_.outgoing().fan_out(room.slots, burst, frames, except, refused_);
  port_.stats().room_deliveries += (room.slots.size() - refused_.size()) * messages;
  if (except != base::kNoSlot) miss_own(room, except, burst);
  if (!refused_.empty()) look_at_refused(room, burst, frames, messages);
}

void Rooms::miss_own(const Room& room, uint32_t slot, const proto::Range& burst) {
  const uint32_t at = find(slot, room.id);
  if (at == kNone || !memberships_[at].joined) return;
  const proto::RoomNumbers last = last_of(burst);
  miss(at, last.origin, last.last(), 0);
}

void Rooms::look_at_refused(const Room& room, const proto::Range& burst, uint32_t frames,
                            uint32_t messages) {
  const proto::RoomNumbers last = last_of(burst);
  ShardStats& stats = port_.stats();
  for (const uint32_t position : refused_) {
    const uint32_t slot = room.slots[position];
    const uint32_t membership = room.memberships[position];
    if (say_gaps(membership) && port_.outgoing().push(slot, burst, frames)) {
      stats.room_deliveries += messages;
    } else {
      miss(membership, last.origin, last.last(), messages);
      stats.room_skipped += messages;
    }
  }
}

void Rooms::miss(uint32_t at, uint64_t origin, uint64_t n, uint64_t missed) {
  Membership& membership = memberships_[at];
  uint32_t gap = membership.gaps;
  while (gap != kNone && gaps_[gap].origin != origin) gap = gaps_[gap].next;
  if (gap == kNone) {
    if (free_gap_ == kNone) {
      gap = static_cast<uint32_t>(gaps_.size());
      gaps_.emplace_back();
    } else {
      gap = free_gap_;
      free_gap_ = gaps_[gap].next;
    }
    gaps_[gap] = {.origin = origin, .n = n, .missed = 0, .next = membership.gaps};
    membership.gaps = gap;
    port_.outgoing().mark(membership.slot, true);
  }
  gaps_[gap].n = std::max(gaps_[gap].n, n);
  gaps_[gap].missed += missed;
  // A gap of its own messages can wait for the next one: it takes no frame of its own.
  if (missed > 0) port_.outgoing().notify_drained(membership.slot);
}

// Queues a RoomGap for each origin. False: there was no room, the gaps stay.
bool Rooms::say_gaps(uint32_t at) {
  Membership& membership = memberships_[at];
  while (membership.gaps != kNone) {
    const uint32_t said = membership.gaps;
    const Gap gap = gaps_[said];
    const proto::Range frame = port_.outgoing().append(
        port_.frames().room_gap(rooms_[membership.room].id, gap.origin, gap.n, gap.missed));
    if (!port_.outgoing().push(membership.slot, frame)) return false;
    port_.stats().room_gaps++;
    membership.gaps = gap.next;
    gaps_[said].next = free_gap_;
    free_gap_ = said;
  }
  // The mark stands for the gaps of all its rooms.
  bool any = false;
  for (uint32_t i = first_[membership.slot]; i != kNone; i = memberships_[i].next) {
    any = any || memberships_[i].gaps != kNone;
  }
  if (!any) port_.outgoing().mark(membership.slot, false);
  return true;
}

void Rooms::free_gaps(Membership& membership) {
  while (membership.gaps != kNone) {
    const uint32_t gap = membership.gaps;
    membership.gaps = gaps_[gap].next;
    gaps_[gap].next = free_gap_;
    free_gap_ = gap;
  }
}

void Rooms::published(const Mail& mail) {
  if (port_.sessions().find_online(mail.slot, mail.generation) == nullptr) return;
  port_.reply_ok(mail.slot, mail.b);
}

void Rooms::gap(const Mail& mail) {
  const uint32_t room_at = index_.find(mail.a);
  if (room_at == kNoIndex) return;
  const uint64_t origin = uint64_t{mail.slot} << 32 | mail.generation;
  for (const uint32_t membership : rooms_[room_at].memberships) {
    miss(membership, origin, mail.b, mail.number);
    port_.stats().room_skipped += mail.number;
    // Otherwise its queue will drain.
    if (port_.outgoing().idle(memberships_[membership].slot)) say_gaps(membership);
  }
}

void Rooms::drained(uint32_t slot) {
  for (uint32_t at = first_[slot]; at != kNone; at = memberships_[at].next) {
    if (memberships_[at].gaps == kNone || say_gaps(at)) continue;
    port_.outgoing().notify_drained(slot);
    return;
  }
}

void Rooms::dropped(uint32_t slot, const proto::RoomNumbers& messages) {
  const uint32_t at = find(slot, messages.room);
  if (at != kNone && memberships_[at].joined) {
    miss(at, messages.origin, messages.last(), messages.count);
    port_.stats().room_skipped += messages.count;
  }
}

void Rooms::dropped(uint32_t slot, const wire::RoomGap& gap) {
  const uint32_t at = find(slot, gap.room());
  if (at != kNone && memberships_[at].joined) miss(at, gap.origin(), gap.n(), gap.missed());
}

}  // namespace ringtalk::service
