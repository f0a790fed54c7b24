#include "service/reads.h"

#include <algorithm>
#include <string_view>
#include <vector>

#include "base/assert.h"
#include "proto/limits.h"
#include "service/store_answers.h"

namespace ringtalk::service {

namespace {

constexpr uint32_t kHintsMax = 256;  // for one Sync; then Ok{more}
// What is left of a frame for bodies when all the messages of a page have their heads in it.
constexpr uint32_t kPageBytesMax =
    proto::kFrameBytesMax - proto::kPageMessagesMax * sizeof(wire::MessageHead) - 512;
constexpr uint32_t kFullRetryMs = 1'000;

}  // namespace

void Reads::submit(uint32_t slot, uint64_t id, uint32_t bytes, store::Request&& request) {
  if (!port_.submit(slot, id, bytes, port_.index(), std::move(request))) {
    port_.reply_error(slot, id, wire::ErrorCode::ServerBusy,
                      static_cast<uint32_t>(port_.limits().busy_retry_ms));
  }
}

void Reads::sync(uint32_t slot, uint64_t id, uint32_t bytes, const wire::Sync& sync) {
  store::Heads heads{};
  heads.user = port_.sessions()[slot].user;
  heads.limit = kHintsMax;
  if (sync.cursors() != nullptr) {
    heads.known.reserve(sync.cursors()->size());
    for (const wire::Cursor* cursor : *sync.cursors()) {
      heads.known.push_back({{cursor->conv().a(), cursor->conv().b()}, cursor->seq()});
    }
  }
  submit(slot, id, bytes, std::move(heads));
}

void Reads::pull(uint32_t slot, uint64_t id, uint32_t bytes, const wire::Pull& pull) {
  const proto::ConversationId conversation{pull.conv()->a(), pull.conv()->b()};
  const proto::UserId user = port_.sessions()[slot].user;
  if (!conversation.valid() || pull.from_seq() > proto::kIdMax) {
    port_.reply_error(slot, id, wire::ErrorCode::BadRequest, 0);
  } else if (conversation.is_group()) {
    port_.reply_error(slot, id, wire::ErrorCode::Unsupported, 0);
  } else if (!conversation.has_user(user)) {
    port_.reply_error(slot, id, wire::ErrorCode::NotMember, 0);
  } else {
    const uint32_t asked = pull.limit() == 0 ? proto::kPageMessagesMax : pull.limit();
    submit(slot, id, bytes,
           store::Pull{.user = user,
                       .conversation = conversation,
                       .from_seq = pull.from_seq(),
                       .limit = std::min(asked, proto::kPageMessagesMax),
                       .bytes_max = kPageBytesMax,
                       .backwards = pull.backwards()});
  }
}

void Reads::users(uint32_t slot, uint64_t id, uint32_t bytes, const wire::Users& users) {
  store::FindUsers find;
  if (users.ids() != nullptr) find.ids.assign(users.ids()->begin(), users.ids()->end());
  if (users.names() != nullptr) {
    for (const flatbuffers::String* name : *users.names()) find.names.push_back(name->str());
  }
  const auto bad_id = [](uint64_t user) { return !proto::is_id(user); };
  const auto bad_name = [](const std::string& name) {
    return name.empty() || name.size() > proto::kNameBytesMax;
  };
  if (find.ids.size() + find.names.size() > proto::kPageMessagesMax ||
      std::any_of(find.ids.begin(), find.ids.end(), bad_id) ||
      std::any_of(find.names.begin(), find.names.end(), bad_name)) {
    port_.reply_error(slot, id, wire::ErrorCode::BadRequest, 0);
    return;
  }
  submit(slot, id, bytes, std::move(find));
}

bool Reads::wanted(const store::Ticket& ticket) {
  if (port_.sessions().find(ticket.slot, ticket.generation) == nullptr) return false;
  port_.answered(ticket.slot, ticket.generation, ticket.bytes);
  if (port_.sessions().find_online(ticket.slot, ticket.generation) == nullptr) return false;
  if (port_.outgoing().room_bytes(ticket.slot) > 0) return true;
  port_.reply_error(ticket.slot, ticket.request, wire::ErrorCode::TooManyRequests, kFullRetryMs);
  return false;
}

void Reads::answer(const store::Ticket& ticket, store::HeadList&& heads) {
  if (!wanted(ticket)) return;
  for (const store::Known& head : heads.list) {
    port_.outgoing().answer(ticket.slot,
                            port_.frames().sync_hint(ticket.request, head.conversation, head.seq));
    port_.stats().sync_hints++;
  }
  if (ticket.request != 0) {
    port_.outgoing().answer(ticket.slot, port_.frames().ok(ticket.request, heads.more));
  }
}

void Reads::answer(const store::Ticket& ticket, store::Page&& page) {
  if (!wanted(ticket)) return;
  page_.clear();

  for (const store::StoredMessage& message : page.messages) {
    const bool added = page_.add({.conversation = page.conversation,
                                  .seq = message.seq,
                                  .sender = message.sender,
                                  .client_msg_id = message.id,
                                  .time_ms = message.server_ms,
                                  .kind = static_cast<wire::MessageKind>(message.kind),
                                  .reply_to = message.reply_to,
                                  .body = std::as_bytes(std::span(message.body))});
    // kPageBytesMax is what fits, and the store kept to it.
    ASSERT(added);
  }
  port_.outgoing().answer(ticket.slot,
                          port_.frames().messages(ticket.request, page.conversation, page_,
                                                  page.first_available, page.last_seq, page.more));
}

void Reads::answer(const store::Ticket& ticket, store::Users&& users) {
  if (!wanted(ticket)) return;
  std::vector<proto::UserId> ids;
  std::vector<std::string_view> names;
  for (const store::User& user : users.list) {
    ids.push_back(user.id);
    names.push_back(user.name);
  }
  port_.outgoing().answer(ticket.slot, port_.frames().user_list(ticket.request, ids, names));
}

void Reads::answer(const store::Ticket& ticket, const store::Failed& failed) {
  if (!wanted(ticket)) return;
  port_.reply_error(ticket.slot, ticket.request, error_code_of(failed.error),
                    failed.retry_after_ms);
}

}  // namespace ringtalk::service
