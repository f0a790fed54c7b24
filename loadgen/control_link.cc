#include "loadgen/control_link.h"

#include "base/assert.h"

namespace ringtalk::loadgen {
namespace {

client::ClientOptions control_options() {
  client::ClientOptions options;
  options.name = "loadgen control";
  // What a server says of itself at the end is waited for only so long.
  options.reconnect_max_ms = 1'000;
  return options;
}

}  // namespace

ControlLink::ControlLink(std::unique_ptr<ring::Proactor> proactor, const base::Clock& clock,
                         const ring::Address& target, const proto::KeyRing& keys, uint64_t run_id)
    : proactor_(std::move(proactor)),
      clock_(clock),
      target_(target),
      keys_(keys),
      run_id_(run_id),
      context_(control_options(), clock, run_id, *this) {}

ControlLink::~ControlLink() {
  session_.stop(ref());
  run(1'000'000'000, [this] { return session_.phase() == client::ClientSession::Phase::stopped; });
  if (session_.phase() == client::ClientSession::Phase::closing) session_.disconnected(ref());
}

template <class Until>
void ControlLink::run(uint64_t timeout_ns, Until&& until) {
  const uint64_t end_ns = clock_.now_ns() + timeout_ns;
  while (!until() && clock_.now_ns() < end_ns) {
    session_.tick(ref());
    flush();
    proactor_->run_once(64, clock_.now_ns() + 20'000'000, *this);
  }
  flush();
}

void ControlLink::poll() {
  session_.tick(ref());
  flush();
  proactor_->run_once(64, 0, *this);
  flush();
}

ControlLink::Opened ControlLink::open(uint64_t timeout_ns, const std::function<bool()>& give_up) {
  session_.start(ref());
  bool given_up = false;
  run(timeout_ns, [&] {
    given_up = give_up();
    return session_.ready() || connect_failed_ || refused_ || given_up;
  });
  if (session_.ready()) return Opened::ready;
  if (given_up) return Opened::given_up;
  if (problem_.empty()) problem_ = "it does not answer";
  return refused_ ? Opened::refused : Opened::unreachable;
}

std::optional<std::string> ControlLink::stats(uint64_t timeout_ns) {
  const uint64_t end_ns = clock_.now_ns() + timeout_ns;
  run(timeout_ns, [this] { return session_.ready(); });
  if (!session_.ready()) return std::nullopt;
  answer_.reset();
  asked_ = session_.stats(ref());
  const uint64_t now_ns = clock_.now_ns();
  run(end_ns > now_ns ? end_ns - now_ns : 0, [this] { return answer_.has_value(); });
  return answer_;
}

void ControlLink::flush() {
  if (sending_now_ || closing_ || waiting_.empty() || connection_.slot == ring::kSlotNone) return;
  sending_.swap(waiting_);
  waiting_.clear();
  sending_now_ = true;
  const iovec vector{sending_.data(), sending_.size()};
  proactor_->send(connection_, {&vector, 1});
}

void ControlLink::connect(uint32_t) {
  closing_ = sending_now_ = false;
  waiting_.clear();
  const auto made = proactor_->connect(target_, nullptr);
  // Only when this machine is out of descriptors: there is nobody to be connected to, then.
  if (!made) base::fatal("loadgen: no connection to spare; raise `ulimit -n`");
  connection_ = *made;
}

void ControlLink::transmit(uint32_t, proto::Bytes frame) {
  waiting_.insert(waiting_.end(), frame.begin(), frame.end());
}

void ControlLink::close(uint32_t) {
  if (closing_) return;
  closing_ = true;
  proactor_->close(connection_);
}

client::Credentials ControlLink::credentials(uint32_t) {
  proto::Token token;
  token.flags = proto::kTokenLoad | proto::kTokenAdmin;
  // The last user of the run's range: no client of the run has it.
  token.user = proto::kLoadUserFirst + (run_id_ << 24) + 0xffffff;
  token.device = 1;
  token.expires_ms = clock_.wall_ms() + uint64_t{7} * 24 * 3'600'000;
  token_ = keys_.mint(token);
  client::Credentials credentials;
  credentials.kind = client::Credentials::Kind::token;
  credentials.device = token.device;
  credentials.token = token_;
  return credentials;
}

void ControlLink::ready(uint32_t, proto::UserId, proto::Bytes) {}

void ControlLink::ended(uint32_t, const client::Ending& ending) {
  if (ending.why != client::Ending::Why::refused) return;
  refused_ = true;
  problem_ = std::string(wire::EnumNameErrorCode(ending.code)) + ": " + std::string(ending.text);
}

void ControlLink::turned_away(uint32_t, wire::ErrorCode code) {
  problem_ = std::string("it says ") + wire::EnumNameErrorCode(code);
}

void ControlLink::replied(uint32_t, uint32_t request, const wire::Frame& frame) {
  if (request != asked_) return;
  const wire::StatsReply* reply = frame.body_as_StatsReply();
  if (reply != nullptr && reply->json() != nullptr) answer_ = reply->json()->str();
}

void ControlLink::complete(const ring::Completion& completion) {
  switch (completion.operation) {
    case ring::Operation::connect:
      if (completion.error != ring::Error::none) {
        connect_failed_ = true;
        problem_ = ring::to_string(completion.error);
        close(0);
        return;
      }
      if (closing_) return;
      proactor_->receive(connection_);
      session_.connected(ref());
      return;
    case ring::Operation::receive:
      if (closing_) return;
      if (!completion.bytes.empty()) session_.received(ref(), completion.bytes);
      if (!completion.more) close(0);
      return;
    case ring::Operation::send:
      sending_now_ = false;
      if (completion.error != ring::Error::none) close(0);
      return;
    case ring::Operation::close:
      connection_ = {};
      session_.disconnected(ref());
      return;
    case ring::Operation::shutdown_write:
    case ring::Operation::wake:
      return;
    case ring::Operation::accept:
      UNREACHABLE();
  }
}

}  // namespace ringtalk::loadgen
