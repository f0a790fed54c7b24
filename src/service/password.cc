#include "service/password.h"

#include <sodium.h>

#include "service/door.h"

namespace ringtalk::service {

void wipe(std::string& secret) noexcept {
  // All of the buffer: a string that was moved from may keep its bytes in place.
  secret.resize(secret.capacity());
  sodium_memzero(secret.data(), secret.size());
  secret.clear();
}

PasswordJob::~PasswordJob() {
  wipe(password);
}

void PasswordJob::run() noexcept {
  if (work == Work::hash) {
    char text[crypto_pwhash_STRBYTES];
    // Fails only when its 64 MiB cannot be had.
    good = crypto_pwhash_str(text, password.data(), password.size(),
                             crypto_pwhash_OPSLIMIT_INTERACTIVE,
                             crypto_pwhash_MEMLIMIT_INTERACTIVE) == 0;
    if (good) hash = text;
  } else {
    good = crypto_pwhash_str_verify(hash.c_str(), password.data(), password.size()) == 0;
  }
}

void PasswordJob::finished() noexcept {
  door.deliver(this);
}

const std::string& dummy_password_hash() {
  // Same algorithm and limits as a real one; salt and hash are zeros, which no password gives.
  static const std::string hash =
      "$argon2id$v=19$m=65536,t=2,p=1$AAAAAAAAAAAAAAAAAAAAAA$"
      "AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA";
  return hash;
}

bool start_password_library() noexcept {
  return sodium_init() >= 0;
}

}  // namespace ringtalk::service
