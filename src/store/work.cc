#include "store/work.h"

#include <utility>

#include "base/assert.h"
#include "proto/limits.h"

namespace ringtalk::store {
namespace {

bool valid_append(const Append& append) noexcept {
  return append.conversation.valid() && proto::is_id(append.sender) &&
         append.device <= proto::kIdMax && proto::is_id(append.holder.session) &&
         append.kind != 0 && append.reply_to <= proto::kIdMax &&
         append.body.size() <= proto::kBodyBytesMax &&
         append.load_user == proto::is_load_user(append.sender);
}

}  // namespace

bool is_valid(const Request& request) noexcept {
  if (const auto* append = std::get_if<Append>(&request)) return valid_append(*append);
  if (const auto* raise = std::get_if<RaiseEpoch>(&request)) {
    return proto::is_id(raise->user) && raise->device <= proto::kIdMax &&
           raise->expires_ms <= proto::kIdMax;
  }
  if (const auto* revoke = std::get_if<RevokeSessions>(&request)) {
    return proto::is_id(revoke->user);
  }
  if (const auto* find = std::get_if<FindCredential>(&request)) {
    return !find->name.empty() || proto::is_id(find->user);
  }
  if (const auto* heads = std::get_if<Heads>(&request)) {
    return proto::is_id(heads->user) && heads->limit > 0;
  }
  if (const auto* pull = std::get_if<Pull>(&request)) {
    return pull->conversation.valid() && pull->limit > 0 && pull->from_seq <= proto::kIdMax;
  }
  return true;
}

bool is_write(const Request& request) noexcept {
  return std::holds_alternative<Append>(request) || std::holds_alternative<CreateUser>(request) ||
         std::holds_alternative<RaiseEpoch>(request) ||
         std::holds_alternative<RevokeSessions>(request);
}

uint64_t bytes_of(const Request& request) noexcept {
  uint64_t bytes = sizeof(Work);
  if (const auto* append = std::get_if<Append>(&request)) {
    bytes += append->body.size();
  } else if (const auto* heads = std::get_if<Heads>(&request)) {
    bytes += heads->known.size() * sizeof(Known);
  } else if (const auto* users = std::get_if<FindUsers>(&request)) {
    bytes += users->ids.size() * sizeof(proto::UserId) + users->names.size() * sizeof(std::string);
  }
  return bytes;
}

Failed failed(const Request& request, StoreError error) noexcept {
  Failed answer;
  answer.error = error;
  answer.retry_after_ms = error == StoreError::unavailable ? kRetryAfterMs : 0;
  answer.request_kind = static_cast<uint8_t>(request.index());
  if (const auto* append = std::get_if<Append>(&request)) {
    answer.conversation = append->conversation;
    answer.message = append->id;
  } else if (const auto* pull = std::get_if<Pull>(&request)) {
    answer.conversation = pull->conversation;
  }
  return answer;
}

void deliver(std::span<Work> batch, std::vector<Answer>& answers, ReplySink& sink) {
  ASSERT(batch.size() == answers.size());
  struct ForShard {
    uint32_t shard;
    std::unique_ptr<ReplyBatch> replies;
  };
  std::vector<ForShard> shards;  // few: a linear search is the fastest map
  for (size_t i = 0; i < batch.size(); i++) {
    const Ticket& ticket = batch[i].ticket;
    size_t at = 0;
    while (at < shards.size() && shards[at].shard != ticket.shard) at++;
    if (at == shards.size()) shards.push_back({ticket.shard, std::make_unique<ReplyBatch>()});
    shards[at].replies->replies.push_back({ticket, std::move(answers[i])});
  }
  for (ForShard& one : shards) sink.deliver(one.shard, std::move(one.replies));
}

}  // namespace ringtalk::store
