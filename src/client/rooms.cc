#include "client/rooms.h"

#include <algorithm>

#include "base/assert.h"
#include "client/request_id.h"
#include "proto/verifier.h"

namespace ringtalk::client {

Rooms::Room* Rooms::find(proto::RoomId room) noexcept {
  const auto found = std::ranges::find(rooms_, room, &Room::id);
  return found == rooms_.end() ? nullptr : &*found;
}

void Rooms::ask(const ClientRef& at, Room& room) {
  room.request = ++next_request_;
  room.retry_due_ms = kNever;
  const uint64_t id = request_id(RequestKind::room, room.request);
  at.context.events.transmit(at.index, at.context.writer.room_join(id, room.id));
}

void Rooms::join(const ClientRef& at, proto::RoomId room, bool online) {
  if (find(room) != nullptr) return;
  rooms_.push_back({.id = room, .origins = {}});
  if (online) ask(at, rooms_.back());
}

void Rooms::leave(const ClientRef& at, proto::RoomId room, bool online) {
  if (std::erase_if(rooms_, [room](const Room& r) { return r.id == room; }) == 0) return;
  if (online) at.context.events.transmit(at.index, at.context.writer.room_leave(0, room));
}

void Rooms::online(const ClientRef& at) {
  for (Room& room : rooms_) ask(at, room);
}

void Rooms::offline() noexcept {
  for (Room& room : rooms_) {
    room.joined = false;
    room.retry_due_ms = kNever;
    room.origins.clear();
  }
}

uint32_t Rooms::due_ms() const noexcept {
  uint32_t due = kNever;
  for (const Room& room : rooms_) due = std::min(due, room.retry_due_ms);
  return due;
}

void Rooms::tick(const ClientRef& at, uint32_t now_ms) {
  for (Room& room : rooms_) {
    if (room.retry_due_ms <= now_ms) ask(at, room);
  }
}

void Rooms::joined(const ClientRef& at, const wire::RoomJoined& joined) {
  Room* room = find(joined.room());
  if (room == nullptr) return;  // left in the meantime
  room->joined = true;
  room->origins.clear();
  // What came before the join is nobody's gap.
  for (const wire::RoomHead* head : *joined.heads()) {
    room->origins.push_back({head->origin(), head->n(), ~uint64_t{0}});
  }
  at.context.events.room_joined(at.index, joined.room());
}

Rooms::Origin& Rooms::origin_of(Room& room, uint64_t origin) {
  const auto found = std::ranges::find(room.origins, origin, &Origin::origin);
  if (found != room.origins.end()) return *found;
  return room.origins.emplace_back(Origin{origin, 0, ~uint64_t{0}});
}

void Rooms::message(const ClientRef& at, const wire::RoomMessage& message) {
  show(at, {.room = message.room(),
            .origin = message.origin(),
            .n = message.n(),
            .sender = message.sender(),
            .body = proto::bytes_of(message.body())});
}

void Rooms::messages(const ClientRef& at, const wire::RoomMessages& batch) {
  const Bytes bodies = proto::bytes_of(batch.bodies());
  uint64_t n = batch.first_n();
  uint32_t begin = 0;
  // The verifier has made sure that the ends rise and stay within the bodies.
  for (const uint32_t end : *batch.ends()) {
    show(at, {.room = batch.room(),
              .origin = batch.origin(),
              .n = n++,
              .sender = batch.sender(),
              .body = bodies.subspan(begin, end - begin)});
    begin = end;
  }
}

// The application may leave the room from inside: nothing of it is used afterwards.
void Rooms::show(const ClientRef& at, RoomMessageFields fields) {
  Room* room = find(fields.room);
  if (room == nullptr || !room->joined) return;
  Origin& origin = origin_of(*room, fields.origin);
  const uint64_t n = fields.n;
  uint64_t missed = 0;
  if (n > origin.n) {
    missed = n - origin.n - 1;
    const uint64_t shift = n - origin.n;
    origin.seen = (shift < 64 ? origin.seen << shift : 0) | 1;
    origin.n = n;
  } else {
    const uint64_t behind = origin.n - n;
    // Too far behind to know: then it is taken for a repeat.
    if (behind >= 64 || (origin.seen >> behind & 1) != 0) {
      at.context.stats.wire_duplicates++;
      return;
    }
    origin.seen |= uint64_t{1} << behind;
    at.context.stats.wire_reordered++;
    fields.late = true;
  }
  if (missed > 0) {
    at.context.stats.gaps++;
    at.context.events.room_gap(
        at.index,
        {.room = fields.room, .origin = fields.origin, .n = fields.n - 1, .missed = missed});
  }
  at.context.events.room_message(at.index, fields);
}

void Rooms::gap(const ClientRef& at, const wire::RoomGap& gap) {
  Room* room = find(gap.room());
  if (room == nullptr || !room->joined) return;
  Origin& origin = origin_of(*room, gap.origin());
  if (gap.n() <= origin.n) return;
  // Own messages without echo are announced, too, as nothing that was missed.
  const uint64_t missed = std::min(gap.missed(), gap.n() - origin.n);
  origin.n = gap.n();
  origin.seen = ~uint64_t{0};  // the server will not send them
  if (missed == 0) return;
  at.context.stats.gaps++;
  at.context.events.room_gap(at.index, {.room = gap.room(),
                                        .origin = gap.origin(),
                                        .n = gap.n(),
                                        .missed = missed,
                                        .announced = true});
}

bool Rooms::join_failed(const ClientRef& at, uint32_t request, const wire::Error& error,
                        bool retryable) {
  const auto room = std::ranges::find(rooms_, request, &Room::request);
  if (room == rooms_.end()) return false;
  if (!retryable) {
    rooms_.erase(room);
    return true;
  }
  room->retry_due_ms = at.context.retry_due_ms(error.retry_after_ms());
  return false;
}

}  // namespace ringtalk::client
