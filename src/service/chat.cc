#include "service/chat.h"

#include "base/assert.h"
#include "service/pushes.h"
#include "service/reads.h"
#include "service/room_home.h"
#include "service/rooms.h"
#include "service/routes.h"
#include "service/sends.h"
#include "service/store_answers.h"

namespace ringtalk::service {

Chat::Chat(Port& port, proto::SegmentDepot& depot, uint64_t origin)
    : port_(port),
      postbox_(std::make_unique<Postbox>(port, *this, depot)),
      room_home_(std::make_unique<RoomHome>(port, *postbox_, depot, origin)),
      rooms_(std::make_unique<Rooms>(port, *postbox_)),
      routes_(std::make_unique<Routes>(port, *postbox_)),
      sends_(std::make_unique<Sends>(port, *postbox_)),
      pushes_(std::make_unique<Pushes>(port)),
      reads_(std::make_unique<Reads>(port)) {}

Chat::~Chat() = default;

void Chat::open(uint32_t slot) {
  routes_->open(slot);
}

void Chat::closing(uint32_t slot) {
  rooms_->closing(slot);
  routes_->closing(slot);
  sends_->closing(slot);
  pushes_->closing(slot);
  postbox_->leave(slot);
}

void Chat::kick_user(proto::UserId user, uint32_t epoch_min, wire::KickReason reason) {
  routes_->kick_user(user, epoch_min, reason);
}

void Chat::kick_device(const proto::UserDevice& device, uint32_t epoch_min,
                       wire::KickReason reason) {
  routes_->kick_device(device, epoch_min, reason);
}

void Chat::room_join(uint32_t slot, uint64_t id, const wire::RoomJoin& join) {
  rooms_->join(slot, id, join.room());
}

void Chat::room_leave(uint32_t slot, uint64_t id, const wire::RoomLeave& leave) {
  rooms_->leave(slot, id, leave.room());
}

void Chat::room_publish(uint32_t slot, uint64_t id, const wire::RoomPublish& publish) {
  rooms_->publish(slot, id, publish);
}

void Chat::send(uint32_t slot, uint64_t id, uint32_t bytes, const wire::Send& send) {
  sends_->send(slot, id, bytes, send);
}

void Chat::sync(uint32_t slot, uint64_t id, uint32_t bytes, const wire::Sync& sync) {
  reads_->sync(slot, id, bytes, sync);
}

void Chat::pull(uint32_t slot, uint64_t id, uint32_t bytes, const wire::Pull& pull) {
  reads_->pull(slot, id, bytes, pull);
}

void Chat::users(uint32_t slot, uint64_t id, uint32_t bytes, const wire::Users& users) {
  reads_->users(slot, id, bytes, users);
}

void Chat::take(const Mail& mail) {
  const proto::Range range = carries_range(mail.kind) ? range_in(mail) : proto::Range{};
  if (range.segment != nullptr) port_.outgoing().uses().adopt(range);
  if (is_answer(mail.kind)) postbox_->answered(mail.from);
  serve(mail, range);
  if (range.segment != nullptr) port_.outgoing().uses().release(range);
}

void Chat::serve(const Mail& mail, const proto::Range& range) {
  switch (mail.kind) {
    case MailKind::none:
      UNREACHABLE();
    case MailKind::room_join:
      room_home_->join(mail);
      break;
    case MailKind::room_leave:
      room_home_->leave(mail);
      break;
    case MailKind::room_publish:
      room_home_->publish(mail, range);
      break;
    case MailKind::room_relayed:
      room_home_->relayed(range);
      break;
    case MailKind::room_joined:
      rooms_->joined(mail, range);
      break;
    case MailKind::room_messages:
      rooms_->messages(mail, range);
      break;
    case MailKind::room_gap:
      rooms_->gap(mail);
      break;
    case MailKind::route_open:
      routes_->take_open(mail);
      break;
    case MailKind::route_close:
      routes_->take_close(mail);
      break;
    case MailKind::kick_user:
    case MailKind::kick_device:
      routes_->take_kick(mail);
      break;
    case MailKind::route_opened:
      routes_->opened(mail);
      break;
    case MailKind::kick_session:
      routes_->kick_session(mail);
      break;
    case MailKind::end_session:
      routes_->end_session(mail);
      break;
    case MailKind::push:
      routes_->push(mail, range);
      break;
    case MailKind::advanced:
      routes_->advanced(mail);
      break;
    case MailKind::sent:
      routes_->sent(mail, range);
      break;
    case MailKind::deliver:
      pushes_->deliver(mail, range);
      break;
    case MailKind::deliver_sent:
      sends_->delivered_sent(mail, range);
      break;
    case MailKind::send_failed:
      sends_->send_failed(mail, range);
      break;
    case MailKind::answer_ok:
      rooms_->published(mail);
      break;
  }
}

void Chat::released(uint32_t slot) {
  routes_->open_if_new(slot);
  port_.resume(slot);
}

bool Chat::takes(const store::Answer& answer) noexcept {
  if (const auto* failed = std::get_if<store::Failed>(&answer)) {
    const size_t kind = failed->request_kind;
    return kind == kRequestKind<store::Append> || kind == kRequestKind<store::Heads> ||
           kind == kRequestKind<store::Pull> || kind == kRequestKind<store::FindUsers>;
  }
  return std::holds_alternative<store::Appended>(answer) ||
         std::holds_alternative<store::HeadList>(answer) ||
         std::holds_alternative<store::Page>(answer) ||
         std::holds_alternative<store::Users>(answer);
}

void Chat::take(const store::Ticket& ticket, store::Answer&& answer) {
  ASSERT(takes(answer));
  if (auto* appended = std::get_if<store::Appended>(&answer)) {
    sends_->appended(ticket, std::move(*appended));
  } else if (auto* heads = std::get_if<store::HeadList>(&answer)) {
    reads_->answer(ticket, std::move(*heads));
  } else if (auto* page = std::get_if<store::Page>(&answer)) {
    reads_->answer(ticket, std::move(*page));
  } else if (auto* users = std::get_if<store::Users>(&answer)) {
    reads_->answer(ticket, std::move(*users));
  } else {
    const auto& failed = std::get<store::Failed>(answer);
    if (failed.request_kind == kRequestKind<store::Append>) {
      sends_->failed(ticket, failed);
    } else {
      reads_->answer(ticket, failed);
    }
  }
}

void Chat::flush() {
  postbox_->retry();
  if (sends_->waiting()) sends_->retry();
  if (routes_->waiting()) routes_->retry();
  if (rooms_->waiting()) rooms_->retry();
  room_home_->flush();
  pushes_->end_overmarked();
}

bool Chat::waiting() const noexcept {
  return postbox_->waiting() || sends_->waiting() || routes_->waiting() || rooms_->waiting() ||
         room_home_->waiting();
}

void Chat::release() {
  room_home_->release();
  postbox_->release();
}

bool Chat::drop(uint32_t slot, std::span<const std::byte> bytes) {
  const wire::Frame* frame = wire::GetSizePrefixedFrame(bytes.data());
  if (const auto* message = frame->body_as_Message()) {
    pushes_->dropped(slot, *message);
    return true;
  }
  if (const auto numbers = proto::room_numbers(*frame)) {
    rooms_->dropped(slot, *numbers);
    return true;
  }
  if (const auto* gap = frame->body_as_RoomGap()) {
    rooms_->dropped(slot, *gap);
    return true;
  }
  if (const auto* hint = frame->body_as_SyncHint(); hint != nullptr && frame->head()->id() == 0) {
    pushes_->dropped(slot, *hint);
    return true;
  }
  return false;
}

void Chat::drained(uint32_t slot) {
  pushes_->drained(slot);
  rooms_->drained(slot);
}

void Chat::too_slow(uint32_t slot) {
  port_.end(slot, CloseReason::slow_reader);
}

uint32_t Chat::rooms() const noexcept {
  return room_home_->rooms();
}

size_t Chat::mail_kept() const noexcept {
  return postbox_->kept();
}

uint32_t Chat::users_homed() const noexcept {
  return routes_->users();
}

}  // namespace ringtalk::service
