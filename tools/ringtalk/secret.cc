#include "tools/ringtalk/secret.h"

#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <string.h>
#include <termios.h>
#include <unistd.h>

#include "proto/limits.h"

namespace ringtalk::tool {
namespace {

using Secret = base::Result<std::string, SecretError>;

Secret failed(std::string text) {
  return base::Failure{SecretError{std::move(text)}};
}

// The first line of a descriptor, without its end.
Secret read_line(int from, const std::string& where) {
  std::string line;
  char c;
  for (;;) {
    const ssize_t got = ::read(from, &c, 1);
    if (got < 0 && errno == EINTR) return base::Failure{SecretError{"interrupted", true}};
    if (got < 0) return failed("cannot read a password from " + where + ": " + strerror(errno));
    if (got == 0 || c == '\n') break;
    line += c;
    if (line.size() > proto::kPasswordBytesMax) {
      return failed("the password from " + where + " is longer than " +
                    std::to_string(proto::kPasswordBytesMax) + " bytes");
    }
  }
  if (!line.empty() && line.back() == '\r') line.pop_back();
  if (line.empty()) return failed("the password from " + where + " is empty");
  return line;
}

void interrupted(int) {}

// Echo is off while it lives, and Ctrl-C ends the read instead of the process.
class SilentTerminal {
 public:
  explicit SilentTerminal(int terminal) : terminal_(terminal) {
    struct sigaction action {};
    action.sa_handler = interrupted;  // without SA_RESTART
    ::sigaction(SIGINT, &action, &old_action_);
    ::tcgetattr(terminal_, &old_);
    termios silent = old_;
    silent.c_lflag &= ~static_cast<tcflag_t>(ECHO);
    ::tcsetattr(terminal_, TCSAFLUSH, &silent);
  }
  ~SilentTerminal() {
    ::tcsetattr(terminal_, TCSAFLUSH, &old_);
    ::sigaction(SIGINT, &old_action_, nullptr);
  }
  SilentTerminal(const SilentTerminal&) = delete;
  SilentTerminal& operator=(const SilentTerminal&) = delete;

  Secret ask(const std::string& question) {
    say(question);
    Secret answer = read_line(terminal_, "the terminal");
    say("\n");
    return answer;
  }

 private:
  void say(const std::string& text) {
    // Nothing can be done about a terminal that takes no text.
    [[maybe_unused]] const ssize_t written = ::write(terminal_, text.data(), text.size());
  }

  int terminal_;
  termios old_{};
  struct sigaction old_action_ {};
};

Secret prompt(bool twice) {
  const int terminal = ::open("/dev/tty", O_RDWR | O_CLOEXEC);
  if (terminal < 0) return failed("no terminal to ask on; use --password-file");
  Secret answer = [&]() -> Secret {
    SilentTerminal silent(terminal);
    Secret first = silent.ask("Password: ");
    if (!first.ok() || !twice) return first;
    const Secret second = silent.ask("Again: ");
    if (!second.ok()) return second;
    if (*first != *second) return failed("the two passwords differ");
    return first;
  }();
  ::close(terminal);
  return answer;
}

}  // namespace

base::Result<std::string, SecretError> read_password(const std::string& file, bool twice) {
  if (file.empty() && ::isatty(STDIN_FILENO) != 0) return prompt(twice);
  if (file.empty() || file == "-") return read_line(STDIN_FILENO, "standard input");
  const int from = ::open(file.c_str(), O_RDONLY | O_CLOEXEC);
  if (from < 0) return failed("cannot open " + file + ": " + strerror(errno));
  Secret secret = read_line(from, file);
  ::close(from);
  return secret;
}

}  // namespace ringtalk::tool
