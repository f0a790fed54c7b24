#include <errno.h>
#include <fcntl.h>
#include <sodium.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include <string_view>

#include "proto/token.h"

namespace ringtalk::proto {
namespace {

// Longer than any valid file, so that a longer one is seen to be too long.
constexpr size_t kReadBytes = 256;

base::Failure<KeyFileError> failure(const std::string& path, const std::string& why) {
  return base::Failure{KeyFileError{"token key " + path + ": " + why}};
}

base::Failure<KeyFileError> unreadable(const std::string& path, int error) {
  return failure(path, std::string(strerror(error)) + "; name a key file that this user can read");
}

}  // namespace

base::Result<TokenKey, KeyFileError> read_token_key(const std::string& path) {
  const int file = ::open(path.c_str(), O_RDONLY | O_CLOEXEC | O_NOCTTY);
  if (file < 0) return unreadable(path, errno);
  struct stat status;
  char content[kReadBytes];
  const bool known = ::fstat(file, &status) == 0;
  const ssize_t got = known ? ::read(file, content, sizeof content) : -1;
  const int error = errno;
  ::close(file);
  if (got < 0) return unreadable(path, error);
  if ((status.st_mode & (S_IRWXG | S_IRWXO)) != 0) {
    return failure(path, "others may read or change it; run: chmod 600 '" + path + "'");
  }

  TokenKey key;
  std::string_view text(content, static_cast<size_t>(got));
  if (text.size() == key.size()) {
    memcpy(key.data(), text.data(), key.size());
    return key;
  }
  text = text.substr(0, text.find_last_not_of(" \t\r\n") + 1);
  size_t bytes = 0;
  const char* end = nullptr;
  const int bad =
      sodium_hex2bin(key.data(), key.size(), text.data(), text.size(), nullptr, &bytes, &end);
  if (bad != 0 || bytes != key.size() || end != text.data() + text.size()) {
    return failure(path,
                   "expected 32 raw bytes or 64 hexadecimal digits; make one with: "
                   "openssl rand -hex 32 > '" +
                       path + "'");
  }
  return key;
}

}  // namespace ringtalk::proto
