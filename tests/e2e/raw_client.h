// tests/e2e/raw_client.h: internal to tests/e2e. One blocking connection that says what it likes.
//
// Frames by proto::FrameWriter, or any other bytes; what comes back is verified like a client does.
// Waits at most half a minute for bytes: a server that does not answer is seen as silence.
// Ownership: its socket. Thread rule: one owner. Invariant: a frame heard is good until the next.
#pragma once

#include <cstdint>
#include <memory>
#include <string>
#include <string_view>
#include <vector>

#include "proto/frame_writer.h"
#include "proto/token.h"

namespace ringtalk::tests {

std::string_view as_text(proto::Bytes bytes);
proto::Bytes as_bytes(std::string_view text);

class RawClient {
 public:
  enum class End : uint8_t { open, closed, reset, silent, garbled };

  // `receive_bytes`: a fixed SO_RCVBUF, for who is going to read slowly; 0 leaves it to the kernel.
  explicit RawClient(uint16_t port, int receive_bytes = 0);
  ~RawClient();
  RawClient(RawClient&& other) noexcept;
  RawClient& operator=(RawClient&&) = delete;

  bool connected() const { return connected_; }
  // False: the peer takes no more.
  bool say(std::string_view bytes);
  bool say(proto::Bytes frame) { return say(as_text(frame)); }
  // Each byte in a segment of its own.
  bool drip(std::string_view bytes);
  // As many bytes as the kernel takes without waiting.
  size_t push(std::string_view bytes);
  void finish();  // no more from here: FIN
  void reset();   // RST

  // Null: end() tells why.
  const wire::Frame* hear();
  // The next frame, which has to be a T.
  template <class T>
  const T* hear_a() {
    const wire::Frame* frame = hear();
    return frame == nullptr ? nullptr : frame->body_as<T>();
  }
  // Passes over others until a T comes.
  template <class T>
  const T* wait_for() {
    for (const wire::Frame* frame = hear(); frame != nullptr; frame = hear()) {
      if (const T* body = frame->body_as<T>(); body != nullptr) return body;
    }
    return nullptr;
  }
  // The code of the next frame, which has to be an Error; None otherwise.
  wire::ErrorCode hear_error();
  // True: nothing more came, and the peer ended its side in order.
  bool hear_end() { return hear() == nullptr && end_ == End::closed; }
  End end() const { return end_; }

  bool greet(uint64_t device = 7);
  // As `user` with a token of that key.
  bool log_in(const std::string& key_file, uint64_t user, uint64_t device = 7);

  proto::FrameWriter& write() { return *write_; }

 private:
  bool read_exactly(void* to, size_t bytes);

  int socket_;
  bool connected_ = false;
  End end_ = End::open;
  std::vector<uint64_t> frame_;
  std::unique_ptr<proto::FrameWriter> write_;
};

// A token for a load user, or for one who may ask Stats.
proto::TokenBytes mint(const std::string& key_file, uint64_t user, uint64_t device, uint16_t flags);

}  // namespace ringtalk::tests
