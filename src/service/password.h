// src/service/password.h: internal to the service. Hashing a password away from the shard.
//
// argon2id with libsodium's INTERACTIVE limits: 64 MiB and tens of milliseconds, so it runs on
// Workers, which bound how many run and wait. Ownership: the accounts of a shard make a job; it
// comes back through that shard's Door and is deleted there. Thread rule: the fields belong to
// whoever holds the job. Invariant: the password is wiped before the memory is given back.
#pragma once

#include <cstdint>
#include <string>

#include "base/workers.h"

namespace ringtalk::service {

class Door;

struct PasswordJob final : base::Job {
  enum class Work : uint8_t { hash, verify };

  explicit PasswordJob(Door& shard_door) : door(shard_door) {}
  ~PasswordJob() override;
  void run() noexcept override;
  void finished() noexcept override;

  PasswordJob* handoff_next = nullptr;  // base::Handoff
  Door& door;
  Work work = Work::hash;
  uint32_t slot = 0;
  uint32_t generation = 0;
  std::string password;
  std::string hash;   // in for verify, out for hash
  bool good = false;  // hashed, or the password is the right one
};

// Overwrites the whole buffer.
void wipe(std::string& secret) noexcept;

// A hash that no password has: verifying against it costs what verifying against a real one does.
const std::string& dummy_password_hash();

// Once, before the first job. False: libsodium cannot start.
[[nodiscard]] bool start_password_library() noexcept;

}  // namespace ringtalk::service
