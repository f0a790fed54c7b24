#include <netinet/in.h>
#include <netinet/tcp.h>
#include <sys/epoll.h>
#include <sys/socket.h>
#include <unistd.h>

#include <cerrno>
#include <span>
#include <vector>

#include "bench/limit/limit_loop.h"
#include "bench/limit/turn_bytes.h"

namespace ringtalk::bench {
namespace {

class EpollLoop {
 public:
  EpollLoop(int listener, const LimitOptions& options)
      : listener_(listener), options_(options), turns_(options.frame_bytes), buffer_(65'536) {
    epoll_ = ::epoll_create1(EPOLL_CLOEXEC);
    if (epoll_ < 0) die("epoll_create1");
    watch(listener_, EPOLLIN);
  }

  [[noreturn]] void run() {
    std::vector<epoll_event> events(512);
    for (;;) {
      const int count = ::epoll_wait(epoll_, events.data(), static_cast<int>(events.size()), -1);
      for (int i = 0; i < count; i++) {
        if (events[i].data.fd == listener_) {
          accept_one();
        } else {
          serve(events[i].data.fd);
        }
      }
    }
  }

 private:
  void watch(int fd, uint32_t what) {
    epoll_event event{};
    event.events = what;
    event.data.fd = fd;
    if (::epoll_ctl(epoll_, EPOLL_CTL_ADD, fd, &event) != 0) die("epoll_ctl");
  }

  void accept_one() {
    const int fd = ::accept4(listener_, nullptr, nullptr, SOCK_NONBLOCK | SOCK_CLOEXEC);
    if (fd < 0) return;
    const int one = 1;
    ::setsockopt(fd, IPPROTO_TCP, TCP_NODELAY, &one, sizeof one);
    members_.push_back(fd);
    // Edge-triggered: one registration for the life of the socket, no re-arming.
    watch(fd, EPOLLIN | EPOLLET);
  }

  void serve(int fd) {
    for (;;) {
      const ssize_t got = ::recv(fd, buffer_.data(), buffer_.size(), 0);
      if (got <= 0) {
        if (got < 0 && errno == EAGAIN) return;
        std::erase(members_, fd);
        ::close(fd);
        return;
      }
      if (options_.work == Work::echo) {
        if (::send(fd, buffer_.data(), static_cast<size_t>(got), MSG_NOSIGNAL) < 0) die("send");
      } else {
        fan_out(static_cast<size_t>(got));
      }
      if (static_cast<size_t>(got) < buffer_.size()) return;
    }
  }

  void fan_out(size_t got) {
    arrived_ += got;
    const size_t messages = arrived_ / options_.in_bytes;
    arrived_ %= options_.in_bytes;
    if (messages == 0) return;
    // What arrived together leaves together: one send for each member, as a batching server would.
    const std::span<const char> turn = turns_.of(messages);
    for (int member : members_) {
      if (::send(member, turn.data(), turn.size(), MSG_NOSIGNAL) < 0) die("send");
    }
  }

  const int listener_;
  const LimitOptions options_;
  int epoll_ = -1;
  size_t arrived_ = 0;
  TurnBytes turns_;
  std::vector<char> buffer_;
  std::vector<int> members_;
};

}  // namespace

void run_epoll_loop(int listener, const LimitOptions& options) {
  EpollLoop(listener, options).run();
}

}  // namespace ringtalk::bench
