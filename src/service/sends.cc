#include "service/sends.h"

#include <algorithm>
#include <cstring>

#include "base/assert.h"
#include "proto/limits.h"
#include "proto/verifier.h"
#include "service/store_answers.h"

namespace ringtalk::service {

namespace {

// Nothing has come for so long: the client has given the failed send up.
constexpr uint64_t kHoldNs = 30'000'000'000;
constexpr size_t kHoldsMax = 65'536;
// With so many pushes that found no way, new sends wait.
constexpr size_t kMarksBusy = 65'536;

// What a failed send has to say, in the range of a send_failed mail.
struct SendFailure {
  proto::ConversationId conversation;
  proto::ClientMessageId message;
  uint64_t request;
  uint32_t bytes;
  uint32_t retry_after_ms;
  uint64_t error;  // store::StoreError
};
static_assert(sizeof(SendFailure) % 8 == 0 && std::is_trivially_copyable_v<SendFailure>);

}  // namespace

Sends::Sends(Port& port, Postbox& postbox) : port_(port), postbox_(postbox) {}

// ---- the session's shard

void Sends::send(uint32_t slot, uint64_t id, uint32_t bytes, const wire::Send& send) {
  const Session& session = port_.sessions()[slot];
  const proto::ConversationId conversation{send.conv()->a(), send.conv()->b()};
  const proto::ClientMessageId message{send.client_msg_id()->high(), send.client_msg_id()->low()};
  const auto body = proto::bytes_of(send.body());
  const auto refuse = [&](wire::ErrorCode code) { port_.reply_error(slot, id, code, 0); };
  if (!conversation.valid() || message == proto::ClientMessageId{}) {
    return refuse(wire::ErrorCode::BadRequest);
  }
  if (conversation.is_group()) return refuse(wire::ErrorCode::Unsupported);
  if (!conversation.has_user(session.user)) return refuse(wire::ErrorCode::NotMember);
  if (send.kind() != wire::MessageKind::Text && send.kind() != wire::MessageKind::Opaque) {
    return refuse(wire::ErrorCode::BadRequest);
  }
  if (body.size() > proto::kBodyBytesMax) return refuse(wire::ErrorCode::TooLarge);
  if (held(slot, id, conversation, message)) return;

  const auto fail = [&](wire::ErrorCode code, uint32_t retry_after_ms) {
    port_.reply_error(slot, id, code, retry_after_ms);
    hold(slot, conversation, {message, code, false, port_.now_ns() + kHoldNs});
  };
  if (marks_.size() >= kMarksBusy || in_flight_ >= postbox_.asked_max()) {
    return fail(wire::ErrorCode::ServerBusy, static_cast<uint32_t>(port_.limits().busy_retry_ms));
  }
  if (const uint32_t wait_ms = port_.admit_send(slot, conversation); wait_ms > 0) {
    return fail(wire::ErrorCode::TooManyRequests, wait_ms);
  }
  store::Append append{};
  append.conversation = conversation;
  append.sender = session.user;
  append.device = port_.sessions().rest(slot).device;
  append.holder = {.epoch = session.epoch,
                   .node = port_.node(),
                   .boot = port_.boot(),
                   .session = session.number,
                   .claim = !session.has(session_flags::kClaimed)};
  append.id = message;
  append.kind = static_cast<uint8_t>(send.kind());
  append.reply_to = send.reply_to();
  append.body.assign(reinterpret_cast<const char*>(body.data()), body.size());
  append.load_user = session.has(session_flags::kLoad);
  if (port_.submit(slot, id, bytes, port_.home_of_user(conversation.a), std::move(append))) {
    in_flight_++;
  } else {
    fail(wire::ErrorCode::ServerBusy, static_cast<uint32_t>(port_.limits().busy_retry_ms));
  }
}

// True: the send has been answered with the error of the one that has to come first.
bool Sends::held(uint32_t slot, uint64_t id, const proto::ConversationId& conversation,
                 const proto::ClientMessageId& message) {
  if (holds_.empty()) return false;
  const auto at = holds_.find({slot, conversation});
  if (at == holds_.end()) return false;
  if (message == at->second.first || port_.now_ns() >= at->second.until_ns) {
    holds_.erase(at);
    return false;
  }
  at->second.until_ns = port_.now_ns() + kHoldNs;
  port_.reply_error(slot, id, at->second.code, static_cast<uint32_t>(port_.limits().busy_retry_ms));
  return true;
}

void Sends::hold(uint32_t slot, const proto::ConversationId& conversation, const Hold& hold) {
  if (port_.sessions()[slot].phase != Phase::online) return;  // the error has ended it
  if (holds_.size() >= kHoldsMax) {
    std::erase_if(holds_,
                  [this](const auto& each) { return each.second.until_ns <= port_.now_ns(); });
    // Without a hold its order could not be kept.
    if (holds_.size() >= kHoldsMax) return port_.end(slot, CloseReason::no_memory);
  }
  const auto [at, fresh] = holds_.try_emplace({slot, conversation}, hold);
  if (fresh) return;
  // What failed in the store was sent before anything that was refused here.
  if (hold.from_store && !at->second.from_store) at->second = hold;
}

void Sends::delivered_sent(const Mail& mail, const proto::Range& frame) {
  ASSERT(in_flight_ > 0);
  in_flight_--;
  Session* session = port_.sessions().find(mail.slot, mail.generation);
  if (session == nullptr) return;
  session->set(session_flags::kClaimed);
  const bool wanted = wire::GetSizePrefixedFrame(frame.data())->head()->id() != 0;
  if (wanted && session->phase == Phase::online) port_.outgoing().answer(mail.slot, frame);
  port_.answered(mail.slot, mail.generation, static_cast<uint32_t>(mail.b));
}

void Sends::send_failed(const Mail& mail, const proto::Range& range) {
  ASSERT(in_flight_ > 0);
  in_flight_--;
  SendFailure failure;
  std::memcpy(&failure, range.data(), sizeof failure);
  const auto error = static_cast<store::StoreError>(failure.error);
  const Session* session = port_.sessions().find(mail.slot, mail.generation);
  if (session == nullptr) return;
  if (session->phase == Phase::online) {
    if (error == store::StoreError::fenced) {
      port_.kick(mail.slot, wire::KickReason::LoggedInElsewhere);
    } else {
      port_.reply_error(mail.slot, failure.request, error_code_of(error), failure.retry_after_ms);
    }
    if (error == store::StoreError::unavailable) {
      hold(mail.slot, failure.conversation,
           {failure.message, wire::ErrorCode::StoreUnavailable, true, port_.now_ns() + kHoldNs});
    }
  }
  port_.answered(mail.slot, mail.generation, failure.bytes);
}

void Sends::closing(uint32_t slot) {
  if (holds_.empty()) return;
  holds_.erase(holds_.lower_bound({slot, {}}), holds_.lower_bound({slot + 1, {}}));
}

// ---- the conversation's home

void Sends::appended(const store::Ticket& ticket, store::Appended&& appended) {
  const store::Append& message = appended.message;
  const proto::ConversationId& conversation = message.conversation;
  if (!appended.duplicate) {
    const proto::Range frame = port_.outgoing().append(
        port_.frames().message({.conversation = conversation,
                                .seq = appended.seq,
                                .sender = message.sender,
                                .client_msg_id = message.id,
                                .time_ms = appended.server_ms,
                                .kind = static_cast<wire::MessageKind>(message.kind),
                                .reply_to = message.reply_to,
                                .body = std::as_bytes(std::span(message.body))}));
    port_.outgoing().uses().hold(frame);
    push(PushSide::lower, ticket, appended, frame);
    if (conversation.a != conversation.b) push(PushSide::upper, ticket, appended, frame);
    port_.outgoing().uses().release(frame);
  }
  Mail sent{.kind = MailKind::sent, .slot = ticket.slot, .generation = ticket.generation};
  sent.b = uint64_t{ticket.origin} << 32 | ticket.bytes;
  put_range(sent,
            port_.outgoing().append(port_.frames().sent(ticket.request, conversation, appended.seq,
                                                        appended.server_ms, appended.duplicate)));
  postbox_.post(port_.home_of_user(message.sender), sent);
}

void Sends::push(PushSide side, const store::Ticket& ticket, const store::Appended& appended,
                 const proto::Range& frame) {
  const proto::ConversationId& conversation = appended.message.conversation;
  Mail mail{.kind = MailKind::push,
            .byte = static_cast<uint8_t>(side),
            .slot = ticket.slot,
            .generation = ticket.generation,
            .b = ticket.origin};
  put_range(mail, frame);
  const proto::UserId user = side == PushSide::lower ? conversation.a : conversation.b;
  nodes_.clear();
  port_.directory().other_nodes_of(user, nodes_);
  for (const cluster::NodeId node : nodes_) {
    port_.relay().advance(node, user, conversation, appended.seq);
  }
  if (postbox_.post(port_.home_of_user(user), mail, Need::droppable)) return;
  proto::Seq& marked = marks_[{conversation, side}];
  marked = std::max(marked, appended.seq);
}

void Sends::failed(const store::Ticket& ticket, const store::Failed& failed) {
  const SendFailure failure{.conversation = failed.conversation,
                            .message = failed.message,
                            .request = ticket.request,
                            .bytes = ticket.bytes,
                            .retry_after_ms = failed.retry_after_ms,
                            .error = static_cast<uint64_t>(failed.error)};
  Mail mail{.kind = MailKind::send_failed, .slot = ticket.slot, .generation = ticket.generation};
  put_range(mail, port_.outgoing().append(std::as_bytes(std::span(&failure, 1))));
  postbox_.post(ticket.origin, mail);
}

void Sends::retry() {
  while (!marks_.empty()) {
    const auto& [key, seq] = *marks_.begin();
    const auto& [conversation, side] = key;
    const proto::UserId user = side == PushSide::lower ? conversation.a : conversation.b;
    const Mail mail{.kind = MailKind::advanced,
                    .byte = static_cast<uint8_t>(side),
                    .slot = static_cast<uint32_t>(seq >> 32),
                    .generation = static_cast<uint32_t>(seq),
                    .a = conversation.a,
                    .b = conversation.b};
    if (!postbox_.post(port_.home_of_user(user), mail, Need::droppable)) return;
    marks_.erase(marks_.begin());
  }
}

}  // namespace ringtalk::service
