#include "tests/support/process.h"

#include <arpa/inet.h>
#include <fcntl.h>
#include <netinet/in.h>
#include <sched.h>
#include <signal.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#include <cstdio>
#include <cstdlib>
#include <cstring>
#include <filesystem>
#include <fstream>
#include <sstream>

namespace ringtalk::tests {
namespace {

constexpr useconds_t kPollUs = 2'000;

void redirect(const std::string& path, int flags, int descriptor) {
  const int fd = ::open(path.c_str(), flags | O_CLOEXEC, 0600);
  if (fd < 0 || ::dup2(fd, descriptor) < 0) ::_exit(126);
}

// Between fork and exec, in a program that may have threads: system calls only.
void prepare_child(const ProcessOptions& options, const std::string& folder) {
  ::prctl(PR_SET_PDEATHSIG, SIGKILL);
  sigset_t none;
  ::sigemptyset(&none);
  ::sigprocmask(SIG_SETMASK, &none, nullptr);
  if (options.cpu >= 0) {
    cpu_set_t set;
    CPU_ZERO(&set);
    CPU_SET(options.cpu, &set);
    ::sched_setaffinity(0, sizeof set, &set);
  }
  if (options.descriptors_max != 0) {
    const rlimit limit{options.descriptors_max, options.descriptors_max};
    ::setrlimit(RLIMIT_NOFILE, &limit);
  }
  redirect(folder + "/in", O_RDONLY, 0);
  redirect(folder + "/out", O_WRONLY | O_CREAT | O_TRUNC, 1);
  redirect(folder + "/err", O_WRONLY | O_CREAT | O_TRUNC, 2);
}

}  // namespace

TemporaryFolder::TemporaryFolder() {
  const char* base = std::getenv("TMPDIR");
  path_ = std::string(base != nullptr ? base : "/tmp") + "/ringtalk.XXXXXX";
  if (::mkdtemp(path_.data()) == nullptr) {
    std::perror(path_.c_str());
    std::abort();
  }
}

TemporaryFolder::~TemporaryFolder() {
  std::error_code ignored;
  std::filesystem::remove_all(path_, ignored);
}

Process::Process(const ProcessOptions& options) {
  write_file(folder_.path() + "/in", options.input);
  std::vector<char*> arguments;
  for (const std::string& each : options.argv) arguments.push_back(const_cast<char*>(each.c_str()));
  arguments.push_back(nullptr);
  std::vector<char*> variables;
  for (char** each = environ; *each != nullptr; each++) variables.push_back(*each);
  for (const std::string& each : options.environment) {
    variables.push_back(const_cast<char*>(each.c_str()));
  }
  variables.push_back(nullptr);
  pid_ = ::fork();
  if (pid_ != 0) return;
  prepare_child(options, folder_.path());
  ::execvpe(arguments[0], arguments.data(), variables.data());
  ::dprintf(2, "%s: %s\n", arguments[0], std::strerror(errno));
  ::_exit(127);
}

Process::~Process() {
  if (!running()) return;
  signal(SIGCONT);
  signal(SIGTERM);
  if (wait(5) != -1) return;
  signal(SIGKILL);
  wait(5);
}

bool Process::running() {
  if (pid_ <= 0) return false;
  int status = 0;
  if (::waitpid(pid_, &status, WNOHANG) != pid_) return true;
  status_ = WIFEXITED(status) ? WEXITSTATUS(status) : 128 + WTERMSIG(status);
  pid_ = -1;
  return false;
}

void Process::signal(int number) {
  if (pid_ > 0) ::kill(pid_, number);
}

int Process::wait(unsigned seconds) {
  return wait_until([this] { return !running(); }, nullptr, seconds) ? status_ : -1;
}

std::string Process::output() const {
  return read_file(folder_.path() + "/out");
}
std::string Process::errors() const {
  return read_file(folder_.path() + "/err");
}

uint64_t Process::cpu_ns() const {
  clockid_t clock = 0;
  timespec time{};
  if (pid_ <= 0 || ::clock_getcpuclockid(pid_, &clock) != 0) return 0;
  if (::clock_gettime(clock, &time) != 0) return 0;
  return static_cast<uint64_t>(time.tv_sec) * 1'000'000'000 + static_cast<uint64_t>(time.tv_nsec);
}

uint64_t Process::resident_bytes() const {
  std::ifstream statm("/proc/" + std::to_string(pid_) + "/statm");
  uint64_t total = 0;
  uint64_t resident = 0;
  statm >> total >> resident;
  return resident * static_cast<uint64_t>(::sysconf(_SC_PAGESIZE));
}

bool wait_until(const std::function<bool()>& ready, Process* process, unsigned seconds) {
  const uint64_t polls = uint64_t{seconds} * 1'000'000 / kPollUs;
  for (uint64_t i = 0; i < polls; i++) {
    if (ready()) return true;
    if (process != nullptr && !process->running()) return ready();
    ::usleep(kPollUs);
  }
  return ready();
}

Finished run(const ProcessOptions& options, unsigned seconds) {
  Process process(options);
  const int status = process.wait(seconds);
  return {status, process.output(), process.errors()};
}

std::string read_file(const std::string& path) {
  std::ifstream file(path);
  std::ostringstream text;
  text << file.rdbuf();
  return text.str();
}

void write_file(const std::string& path, const std::string& content, unsigned mode) {
  std::ofstream(path) << content;
  ::chmod(path.c_str(), mode);
}

bool installed(const std::string& program) {
  const char* path = std::getenv("PATH");
  std::istringstream folders(std::string(path != nullptr ? path : "") + ":/usr/sbin");
  for (std::string folder; std::getline(folders, folder, ':');) {
    // Folders of PATH that this user may not look into are none of its own.
    if (::access((folder + "/" + program).c_str(), X_OK) == 0) return true;
  }
  return false;
}

uint16_t free_port() {
  const int fd = ::socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
  sockaddr_in at{};
  at.sin_family = AF_INET;
  at.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
  socklen_t length = sizeof at;
  ::bind(fd, reinterpret_cast<sockaddr*>(&at), length);
  ::getsockname(fd, reinterpret_cast<sockaddr*>(&at), &length);
  ::close(fd);
  return ntohs(at.sin_port);
}

}  // namespace ringtalk::tests
