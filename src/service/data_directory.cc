#include "service/data_directory.h"

#include <fcntl.h>
#include <poll.h>
#include <sys/file.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cerrno>
#include <cstdlib>
#include <cstring>
#include <utility>

#include <sodium.h>

namespace ringtalk::service {
namespace {

constexpr uint64_t kLockRetryMs = 50;
constexpr const char* kGiveWritable = "give --data-dir a directory that this user can write";

base::Failure<DirectoryError> failure(const std::string& what, const char* remedy) {
  return base::Failure{DirectoryError{what + ": " + std::strerror(errno) + "; " + remedy}};
}

// Like mkdir -p; parents are made as the umask says, the last one for its owner alone.
bool make_directories(const std::string& path) {
  for (size_t at = path.find('/', 1); at != std::string::npos; at = path.find('/', at + 1)) {
    if (::mkdir(path.substr(0, at).c_str(), 0755) != 0 && errno != EEXIST) return false;
  }
  return ::mkdir(path.c_str(), 0700) == 0 || errno == EEXIST;
}

}  // namespace

std::string default_data_directory() {
  const char* data = std::getenv("XDG_DATA_HOME");
  if (data != nullptr && data[0] == '/') return std::string(data) + "/ringtalk";
  const char* home = std::getenv("HOME");
  if (home != nullptr && home[0] == '/') return std::string(home) + "/.local/share/ringtalk";
  return {};
}

base::Result<DataDirectory, DirectoryError> DataDirectory::open(const std::string& path,
                                                                uint64_t wait_ms) {
  const auto checked = check(path);
  if (!checked) return base::Failure{checked.error()};
  if (!make_directories(path)) return failure("data directory " + path, kGiveWritable);
  const std::string file = path + "/lock";
  const int lock = ::open(file.c_str(), O_RDWR | O_CREAT | O_CLOEXEC, 0600);
  if (lock < 0) return failure("data directory " + path + " is not writable", kGiveWritable);
  for (uint64_t waited_ms = 0; ::flock(lock, LOCK_EX | LOCK_NB) != 0; waited_ms += kLockRetryMs) {
    if (errno == EWOULDBLOCK && waited_ms < wait_ms) {
      ::poll(nullptr, 0, static_cast<int>(kLockRetryMs));
      continue;
    }
    ::close(lock);
    return base::Failure{DirectoryError{
        "data directory " + path +
        " is in use by another ringtalkd; stop that one or give another --data-dir"}};
  }
  return DataDirectory(path, lock);
}

base::Status<DirectoryError> DataDirectory::check(const std::string& path) {
  if (path.empty()) {
    return base::Failure{
        DirectoryError{"no data directory: neither XDG_DATA_HOME nor HOME is "
                       "set; give --data-dir DIR"}};
  }
  // What is there of it, or above it, must be a directory to write in.
  std::string at = path;
  struct stat status {};
  while (::stat(at.c_str(), &status) != 0) {
    if (errno != ENOENT) return failure("data directory " + path, kGiveWritable);
    const size_t slash = at.rfind('/');
    at = slash == std::string::npos ? "." : slash == 0 ? "/" : at.substr(0, slash);
  }
  if (!S_ISDIR(status.st_mode)) {
    errno = ENOTDIR;
    return failure("data directory " + path, kGiveWritable);
  }
  if (::access(at.c_str(), W_OK | X_OK) != 0) {
    return failure("data directory " + path + " is not writable", kGiveWritable);
  }
  return base::Done{};
}

DataDirectory::DataDirectory(DataDirectory&& other) noexcept
    : path_(std::move(other.path_)), lock_(std::exchange(other.lock_, -1)) {}

DataDirectory::~DataDirectory() {
  if (lock_ >= 0) ::close(lock_);
}

base::Result<proto::TokenKey, DirectoryError> DataDirectory::token_key() const {
  const std::string file = key_file_in(path_);
  if (::access(file.c_str(), F_OK) != 0) {
    // Written beside and renamed: a crash leaves a whole key or none.
    const std::string fresh = file + ".new";
    proto::TokenKey key;
    randombytes_buf(key.data(), key.size());
    const int out = ::open(fresh.c_str(), O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0600);
    if (out < 0) return failure(fresh, "make the data directory writable");
    const bool written =
        ::write(out, key.data(), key.size()) == ssize_t{sizeof key} && ::fsync(out) == 0;
    ::close(out);
    if (!written || ::rename(fresh.c_str(), file.c_str()) != 0) {
      return failure(fresh, "make room on its disk");
    }
  }
  auto key = proto::read_token_key(file);
  if (!key) return base::Failure{DirectoryError{key.error().text}};
  return *key;
}

}  // namespace ringtalk::service
