#include "bench/store/send_rows.h"

#include "base/random.h"

namespace ringtalk::bench {

std::vector<store::Append> make_sends(const SendPlan& plan, uint64_t seed) {
  base::Random random(seed);
  std::vector<store::Append> sends(plan.messages);
  for (uint32_t i = 0; i < plan.messages; i++) {
    const uint64_t pair = random.below(plan.pairs);
    const proto::UserId one = proto::kLoadUserFirst + 2 * pair;
    const bool forth = random.chance(0.5);
    store::Append& send = sends[i];
    send.conversation = proto::ConversationId::between(one, one + 1);
    send.sender = forth ? one : one + 1;
    send.device = 7;
    send.holder = {1, 1, 1, 1 + send.sender - proto::kLoadUserFirst, false};
    send.id = {random.next(), random.next()};
    send.kind = 1;
    send.reply_to = 0;
    send.body.assign(plan.body_bytes, 'm');
    send.load_user = true;
  }
  return sends;
}

}  // namespace ringtalk::bench
