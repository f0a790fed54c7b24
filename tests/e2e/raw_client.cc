#include "tests/e2e/raw_client.h"

#include <arpa/inet.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <sys/socket.h>
#include <sys/time.h>
#include <unistd.h>

#include <cerrno>
#include <cstdio>
#include <cstdlib>
#include <cstring>
#include <utility>

#include "proto/verifier.h"

namespace ringtalk::tests {
namespace {

constexpr time_t kPatienceSeconds = 30;

}  // namespace

std::string_view as_text(proto::Bytes bytes) {
  return {reinterpret_cast<const char*>(bytes.data()), bytes.size()};
}

proto::Bytes as_bytes(std::string_view text) {
  return {reinterpret_cast<const std::byte*>(text.data()), text.size()};
}

RawClient::RawClient(uint16_t port, int receive_bytes)
    : socket_(::socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0)),
      write_(std::make_unique<proto::FrameWriter>()) {
  const int on = 1;
  ::setsockopt(socket_, IPPROTO_TCP, TCP_NODELAY, &on, sizeof on);
  if (receive_bytes > 0) {
    ::setsockopt(socket_, SOL_SOCKET, SO_RCVBUF, &receive_bytes, sizeof receive_bytes);
  }
  sockaddr_in at{};
  at.sin_family = AF_INET;
  at.sin_port = htons(port);
  at.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
  connected_ = ::connect(socket_, reinterpret_cast<sockaddr*>(&at), sizeof at) == 0;
  const timeval patience{kPatienceSeconds, 0};
  ::setsockopt(socket_, SOL_SOCKET, SO_RCVTIMEO, &patience, sizeof patience);
  ::setsockopt(socket_, SOL_SOCKET, SO_SNDTIMEO, &patience, sizeof patience);
}

RawClient::~RawClient() {
  if (socket_ >= 0) ::close(socket_);
}

RawClient::RawClient(RawClient&& other) noexcept
    : socket_(std::exchange(other.socket_, -1)),
      connected_(other.connected_),
      end_(other.end_),
      frame_(std::move(other.frame_)),
      write_(std::move(other.write_)) {}

bool RawClient::say(std::string_view bytes) {
  while (!bytes.empty()) {
    const ssize_t sent = ::send(socket_, bytes.data(), bytes.size(), MSG_NOSIGNAL);
    if (sent < 0 && errno == EINTR) continue;
    if (sent <= 0) return false;
    bytes.remove_prefix(static_cast<size_t>(sent));
  }
  return true;
}

bool RawClient::drip(std::string_view bytes) {
  for (const char each : bytes) {
    if (!say(std::string_view(&each, 1))) return false;
  }
  return true;
}

size_t RawClient::push(std::string_view bytes) {
  const ssize_t sent = ::send(socket_, bytes.data(), bytes.size(), MSG_NOSIGNAL | MSG_DONTWAIT);
  return sent < 0 ? 0 : static_cast<size_t>(sent);
}

void RawClient::finish() {
  ::shutdown(socket_, SHUT_WR);
}

void RawClient::reset() {
  const linger now{.l_onoff = 1, .l_linger = 0};
  ::setsockopt(socket_, SOL_SOCKET, SO_LINGER, &now, sizeof now);
  ::close(std::exchange(socket_, -1));
}

bool RawClient::read_exactly(void* to, size_t bytes) {
  char* at = static_cast<char*>(to);
  while (bytes > 0) {
    const ssize_t got = ::recv(socket_, at, bytes, 0);
    // A ring of this process (why_without) may end now, which interrupts as a signal does, and a
    // call with a time-out is not taken up again by the kernel (signal(7)).
    if (got < 0 && errno == EINTR) continue;
    if (got <= 0) {
      end_ = got == 0 ? End::closed : errno == EAGAIN ? End::silent : End::reset;
      return false;
    }
    at += got;
    bytes -= static_cast<size_t>(got);
  }
  return true;
}

const wire::Frame* RawClient::hear() {
  uint32_t length = 0;
  if (end_ != End::open || !read_exactly(&length, sizeof length)) return nullptr;
  end_ = End::garbled;
  if (length > proto::kFrameBytesMax - proto::kPrefixBytes) return nullptr;
  end_ = End::open;
  const size_t bytes = length + proto::kPrefixBytes;
  frame_.resize((bytes + 7) / 8);
  char* const frame = reinterpret_cast<char*>(frame_.data());
  std::memcpy(frame, &length, sizeof length);
  if (!read_exactly(frame + proto::kPrefixBytes, length)) return nullptr;
  const auto verified = proto::verify(as_bytes({frame, bytes}), proto::Role::client);
  if (!verified) end_ = End::garbled;
  return verified ? *verified : nullptr;
}

wire::ErrorCode RawClient::hear_error() {
  const auto* error = hear_a<wire::Error>();
  return error == nullptr ? wire::ErrorCode::None : error->code();
}

bool RawClient::greet(uint64_t device) {
  return say(write_->hello(1, "test", device, wire::DeviceClass::Desktop)) &&
         hear_a<wire::Welcome>() != nullptr;
}

bool RawClient::log_in(const std::string& key_file, uint64_t user, uint64_t device) {
  const proto::TokenBytes token =
      mint(key_file, user, device, proto::kTokenLoad | proto::kTokenAdmin);
  return greet(device) && say(write_->resume(2, token)) && hear_a<wire::LoggedIn>() != nullptr;
}

proto::TokenBytes mint(const std::string& key_file, uint64_t user, uint64_t device,
                       uint16_t flags) {
  const auto key = proto::read_token_key(key_file);
  if (!key) {
    std::fprintf(stderr, "%s\n", key.error().text.c_str());
    std::abort();
  }
  proto::KeyRing keys;
  keys.add(1, *key);
  proto::Token token;
  token.flags = flags;
  token.epoch = 1;
  token.user = user;
  token.device = device;
  token.expires_ms = UINT64_MAX;
  return keys.mint(token);
}

}  // namespace ringtalk::tests
