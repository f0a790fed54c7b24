// What sessions tell the application, passed on.
#include "base/assert.h"
#include "loadgen/fleet.h"
#include "proto/verifier.h"

namespace ringtalk::loadgen {

void Fleet::ready(uint32_t client, proto::UserId, proto::Bytes) {
  Slot& slot = slots_[client];
  ASSERT((slot.flags & kInService) == 0);
  if ((slot.flags & kComingIn) != 0) {
    state_.ramp_times.logged_in((now_ns_ - coming_in(client)->connected_ns) / 1'000);
    remove_coming_in(client);
  }
  if ((slot.flags & kReached) != 0) {
    metrics_.counters.reconnects++;
  } else {
    metrics_.counters.reached++;
  }
  slot.flags |= kInService | kReached;
  ready_++;
  application_->ready(client);
}

void Fleet::ended(uint32_t client, const client::Ending& ending) {
  if (ending.why == client::Ending::Why::refused) count_failure(Failure::token_refused);
  if (ending.why == client::Ending::Why::kicked) count_failure(Failure::closed_by_server);
  if ((slots_[client].flags & kComingIn) != 0) remove_coming_in(client);
  leave_service(client);
}

// Counted here; the close that the session answers with is then no fault of its own.
void Fleet::turned_away(uint32_t client, wire::ErrorCode) {
  count_failure(Failure::busy);
  slots_[client].flags |= kTurnedAway;
}

void Fleet::sent(uint32_t client, const client::SendResult& result) {
  application_->sent(client, result);
}

void Fleet::message(uint32_t client, const proto::MessageFields& message) {
  application_->message(client, message);
}

// No run lasts as long as the shortest retention.
void Fleet::history_lost(uint32_t, const proto::ConversationId&, proto::Seq) {}

void Fleet::caught_up(uint32_t) {}

void Fleet::room_joined(uint32_t client, proto::RoomId room) {
  application_->room_joined(client, room);
}

void Fleet::room_message(uint32_t client, const client::RoomMessageFields& message) {
  application_->room_message(client, message);
}

void Fleet::room_gap(uint32_t client, const client::RoomGapFields& gap) {
  application_->room_gap(client, gap);
}

void Fleet::replied(uint32_t client, uint32_t, const wire::Frame& frame) {
  const wire::Echo* echo = frame.body_as_Echo();
  if (echo != nullptr) application_->echo(client, proto::bytes_of(echo->body()));
}

}  // namespace ringtalk::loadgen
