#include "ring/uring_features.h"

#include <netinet/in.h>
#include <sys/mman.h>
#include <sys/socket.h>
#include <sys/utsname.h>
#include <unistd.h>

#include <cerrno>
#include <cstring>
#include <fstream>
#include <memory>
#include <string_view>

#include "base/assert.h"
#include "ring/backend_part.h"
#include "ring/uring_abi.h"

namespace ringtalk::ring {
namespace {

struct NamedFeature {
  const char* name;
  bool UringFeatures::*value;
};

constexpr NamedFeature kNamedFeatures[] = {
    {"defer_taskrun", &UringFeatures::defer_taskrun},
    {"incremental_buffers", &UringFeatures::incremental_buffers},
    {"peer_name", &UringFeatures::peer_name},
    {"multishot_accept", &UringFeatures::multishot_accept},
    {"multishot_receive", &UringFeatures::multishot_receive},
    {"bounded_taskrun", &UringFeatures::bounded_taskrun},
};

// The ring that is probed, with its owner's duty to close it.
struct ProbeRing {
  io_uring ring{};
  bool up = false;

  ProbeRing() = default;
  ProbeRing(const ProbeRing&) = delete;
  ProbeRing& operator=(const ProbeRing&) = delete;
  ~ProbeRing() {
    if (up) io_uring_queue_exit(&ring);
  }

  // 0 or a negative errno.
  int set_up(uint32_t flags) {
    ASSERT(!up);
    io_uring_params params{};
    params.flags = flags;
    const int result = io_uring_queue_init_params(4, &ring, &params);
    up = result == 0;
    return result;
  }

  // Runs one operation; its result, or a negative errno.
  int run() {
    const int submitted = io_uring_submit_and_wait(&ring, 1);
    if (submitted < 0) return submitted;
    io_uring_cqe* cqe = nullptr;
    const int waited = io_uring_wait_cqe(&ring, &cqe);
    if (waited < 0) return waited;
    const int result = cqe->res;
    io_uring_cqe_seen(&ring, cqe);
    return result;
  }
};

std::string first_word_of(const char* path) {
  std::ifstream file(path);
  std::string word;
  file >> word;
  return word;
}

bool under_seccomp() {
  std::ifstream status("/proc/self/status");
  std::string line;
  while (std::getline(status, line)) {
    if (line.starts_with("Seccomp:")) return line.find('2') != std::string::npos;
  }
  return false;
}

std::string kernel_release() {
  utsname name{};
  return uname(&name) == 0 ? name.release : "unknown";
}

bool has_opcode(io_uring& ring, uint8_t opcode) {
  const std::unique_ptr<io_uring_probe, decltype(&io_uring_free_probe)> probe(
      io_uring_get_probe_ring(&ring), &io_uring_free_probe);
  // Not io_uring_opcode_supported: its array ends where the build's header ends.
  return probe != nullptr && opcode <= probe->last_op &&
         (probe->ops[opcode].flags & IO_URING_OP_SUPPORTED) != 0;
}

bool has_buffer_ring(io_uring& ring, uint16_t flags) {
  const size_t bytes = 4'096;
  void* memory = mmap(nullptr, bytes, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
  if (memory == MAP_FAILED) return false;
  BufferRingRegistration registration{};
  registration.ring_address = reinterpret_cast<uintptr_t>(memory);
  registration.entries = 4;
  registration.flags = flags;
  const bool has =
      io_uring_register(ring.ring_fd, IORING_REGISTER_PBUF_RING, &registration, 1) == 0;
  if (has) io_uring_unregister_buf_ring(&ring, 0);
  munmap(memory, bytes);
  return has;
}

// An unconnected socket answers ENOTCONN where the command exists.
bool has_peer_name(ProbeRing& probe) {
  const int descriptor = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
  if (descriptor < 0) return false;
  sockaddr_in address{};
  io_uring_sqe* sqe = io_uring_get_sqe(&probe.ring);
  ASSERT(sqe != nullptr);
  SocketCommand command{};
  command.opcode = IORING_OP_URING_CMD;
  command.file = descriptor;
  command.command = kSocketGetOption;
  command.level = SOL_SOCKET;
  command.option = SO_PEERNAME;
  command.value_bytes = sizeof address;
  command.value_address = reinterpret_cast<uintptr_t>(&address);
  std::memcpy(static_cast<void*>(sqe), &command, sizeof command);
  const int result = probe.run();
  close(descriptor);
  return result == -ENOTCONN;
}

// What `mask` names is off. Answers the name in it that is no feature; empty: all are.
std::string apply_mask(std::string_view mask, UringFeatures& features) {
  while (!mask.empty()) {
    const size_t comma = mask.find(',');
    const std::string_view name = mask.substr(0, comma);
    mask = comma == std::string_view::npos ? std::string_view() : mask.substr(comma + 1);
    bool known = name.empty();
    for (const NamedFeature& feature : kNamedFeatures) {
      if (name != feature.name) continue;
      features.*feature.value = false;
      known = true;
    }
    if (!known) return std::string(name);
  }
  return {};
}

}  // namespace

BackendError uring_setup_error(int number) {
  const std::string sysctl = first_word_of("/proc/sys/kernel/io_uring_disabled");
  const char* allow =
      "allow io_uring_setup, io_uring_enter and io_uring_register in the profile (containers: "
      "--security-opt seccomp=FILE)";
  switch (number) {
    case EPERM:
      if (sysctl == "2") {
        return {
            "io_uring: the sysctl kernel.io_uring_disabled is 2; "
            "run `sysctl kernel.io_uring_disabled=0` as root"};
      }
      if (sysctl == "1") {
        return {
            "io_uring: the sysctl kernel.io_uring_disabled is 1 and this user is not in its "
            "group; run `sysctl kernel.io_uring_disabled=0` as root or join the group of "
            "kernel.io_uring_group"};
      }
      return {std::string("io_uring: a seccomp or security filter refuses it (EPERM); ") + allow};
    case ENOSYS:
      if (under_seccomp()) {
        return {std::string("io_uring: a seccomp filter hides it (ENOSYS); ") + allow};
      }
      return {"io_uring: the kernel " + kernel_release() +
              " has none (ENOSYS); use Linux 6.1 or newer with CONFIG_IO_URING"};
    case EINVAL:
      return {"io_uring: the kernel " + kernel_release() +
              " is too old (EINVAL); use Linux 6.1 or newer"};
    case ENOMEM:
      return {"io_uring: no memory may be locked for a ring (ENOMEM); raise `ulimit -l`"};
    case EMFILE:
    case ENFILE:
      return {"io_uring: no file descriptor is left for a ring; raise `ulimit -n`"};
    default:
      return {std::string("io_uring: io_uring_setup failed: ") + std::strerror(number) +
              "; see dmesg"};
  }
}

base::Status<BackendError> check_uring_mask(const char* mask) {
  UringFeatures unused;
  const std::string unknown = apply_mask(mask, unused);
  if (unknown.empty()) return base::Done{};
  std::string known;
  for (const NamedFeature& feature : kNamedFeatures) {
    known += std::string(known.empty() ? "" : ", ") + feature.name;
  }
  return base::Failure{BackendError{
      "io_uring: the mask names no feature \"" + unknown + "\"; the names are " + known, true}};
}

base::Result<UringFeatures, BackendError> UringFeatures::probe(const char* mask) {
  ASSERT(mask != nullptr);
  const base::Status<BackendError> named = check_uring_mask(mask);
  if (!named) return base::Failure{named.error()};
  UringFeatures features;
  ProbeRing probe;
  features.defer_taskrun =
      probe.set_up(IORING_SETUP_SINGLE_ISSUER | IORING_SETUP_DEFER_TASKRUN) == 0;
  if (!probe.up) {
    // The rung below still wants a ring without interrupts by completions (5.19).
    const int result = probe.set_up(IORING_SETUP_COOP_TASKRUN | IORING_SETUP_TASKRUN_FLAG);
    if (result != 0) return base::Failure{uring_setup_error(-result)};
  }
  io_uring& ring = probe.ring;
  const bool enough = (ring.features & IORING_FEAT_EXT_ARG) != 0 &&
                      (ring.features & IORING_FEAT_CQE_SKIP) != 0 &&
                      has_opcode(ring, IORING_OP_SOCKET) && has_buffer_ring(ring, 0);
  if (!enough) return base::Failure{uring_setup_error(EINVAL)};

  features.incremental_buffers = has_buffer_ring(ring, kBufferRingIncremental);
  features.peer_name = has_peer_name(probe);
  features.multishot_accept = true;  // It came with IORING_OP_SOCKET.
  // Multishot receive came with zero-copy send.
  features.multishot_receive = has_opcode(ring, IORING_OP_SEND_ZC);
  features.bounded_taskrun = (ring.features & kFeatureReadWriteAttributes) != 0;

  apply_mask(mask, features);
  return features;
}

std::string UringFeatures::text() const {
  std::string with;
  std::string without;
  for (const NamedFeature& feature : kNamedFeatures) {
    (this->*feature.value ? with : without) += std::string(" ") + feature.name;
  }
  std::string text = with.empty() ? " plain" : with;
  if (!without.empty()) text += " without" + without;
  return text.substr(1);
}

}  // namespace ringtalk::ring
