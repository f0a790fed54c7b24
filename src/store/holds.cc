#include "store/holds.h"

#include <algorithm>

namespace ringtalk::store {
namespace {

// Longer than the queue can be and than a client waits before it tries again.
constexpr uint64_t kHoldNs = 30'000'000'000;
constexpr uint64_t kSweepNs = 1'000'000'000;
// More than a session may have in flight.
constexpr size_t kAwaitedMax = 512;

}  // namespace

size_t Holds::KeyHash::operator()(const Key& key) const noexcept {
  return proto::mix(key.sender ^ proto::mix(key.session) ^
                    proto::ConversationHash{}(key.conversation));
}

Holds::Key Holds::key_of(const Append& append) noexcept {
  return {append.sender, append.device, append.holder.session, append.conversation};
}

bool Holds::holds_back(const Append& append, uint64_t now_ns) {
  if (holds_.empty()) return false;
  sweep(now_ns);
  const auto at = holds_.find(key_of(append));
  if (at == holds_.end()) return false;
  auto& awaited = at->second.awaited;
  if (awaited.front() == append.id) {
    awaited.pop_front();
    if (awaited.empty()) holds_.erase(at);
    return false;
  }
  const bool known = std::find(awaited.begin(), awaited.end(), append.id) != awaited.end();
  if (!known && awaited.size() < kAwaitedMax) awaited.push_back(append.id);
  return true;
}

void Holds::failed(const Append& append, uint64_t now_ns) {
  Hold& hold = holds_[key_of(append)];
  const bool twice = !hold.awaited.empty() && hold.awaited.front() == append.id;
  if (!twice) hold.awaited.push_front(append.id);
  hold.until_ns = now_ns + kHoldNs;
}

// Sessions that ended never send again.
void Holds::sweep(uint64_t now_ns) {
  if (now_ns < next_sweep_ns_) return;
  next_sweep_ns_ = now_ns + kSweepNs;
  std::erase_if(holds_, [now_ns](const auto& hold) { return hold.second.until_ns <= now_ns; });
}

}  // namespace ringtalk::store
