#include "service/pushes.h"

#include <algorithm>

#include "base/assert.h"

namespace ringtalk::service {

namespace {

constexpr uint32_t kMarksPerSession = 256;
// Said at once; the rest when these have left.
constexpr uint32_t kHintsAtOnce = 64;

proto::ConversationId id_of(const wire::Conv& conversation) {
  return {conversation.a(), conversation.b()};
}

}  // namespace

void Pushes::deliver(const Mail& mail, const proto::Range& range) {
  Session* session = port_.sessions().find_online(mail.slot, mail.generation);
  if (session == nullptr) return;
  const wire::Frame* frame = wire::GetSizePrefixedFrame(range.data());
  const wire::Message* message = frame->body_as_Message();
  const wire::SyncHint* hint = frame->body_as_SyncHint();
  ASSERT(message != nullptr || hint != nullptr);
  const proto::ConversationId conversation =
      id_of(message != nullptr ? *message->conv() : *hint->conv());
  const bool marked = !marks_.empty() && marks_.contains({mail.slot, conversation});
  if (marked || !port_.outgoing().push(mail.slot, range)) {
    mark(mail.slot, conversation, message != nullptr ? message->seq() : hint->last_seq());
  } else if (message != nullptr) {
    session->pushed++;
    port_.stats().pushes++;
  } else {
    port_.stats().sync_hints++;
  }
}

void Pushes::mark(uint32_t slot, const proto::ConversationId& conversation, proto::Seq seq) {
  const auto [at, fresh] = marks_.try_emplace({slot, conversation}, seq);
  at->second = std::max(at->second, seq);
  if (!fresh) return;
  uint32_t& count = marked_[slot];
  if (++count > kMarksPerSession) {
    overmarked_.emplace_back(slot, port_.sessions()[slot].generation);
  }
  port_.outgoing().notify_drained(slot);
}

void Pushes::dropped(uint32_t slot, const wire::Message& message) {
  Session& session = port_.sessions()[slot];
  if (session.pushed > 0) session.pushed--;
  mark(slot, id_of(*message.conv()), message.seq());
}

void Pushes::dropped(uint32_t slot, const wire::SyncHint& hint) {
  mark(slot, id_of(*hint.conv()), hint.last_seq());
}

void Pushes::drained(uint32_t slot) {
  for (uint32_t said = 0; said < kHintsAtOnce; said++) {
    const auto at = marks_.lower_bound({slot, {}});
    if (at == marks_.end() || at->first.first != slot) return;
    port_.outgoing().answer(slot, port_.frames().sync_hint(0, at->first.second, at->second));
    port_.stats().sync_hints++;
    marks_.erase(at);
    const auto count = marked_.find(slot);
    ASSERT(count != marked_.end());
    if (--count->second == 0) marked_.erase(count);
  }
  if (marked_.contains(slot)) port_.outgoing().notify_drained(slot);
}

void Pushes::closing(uint32_t slot) {
  if (marked_.erase(slot) == 0) return;
  const auto first = marks_.lower_bound({slot, {}});
  marks_.erase(first, marks_.lower_bound({slot + 1, {}}));
}

void Pushes::end_overmarked() {
  // Ending a session comes back as closing().
  const auto ended = std::move(overmarked_);
  overmarked_.clear();
  for (const auto& [slot, generation] : ended) {
    if (port_.sessions().find_online(slot, generation) != nullptr) {
      port_.end(slot, CloseReason::slow_reader);
    }
  }
}

}  // namespace ringtalk::service
