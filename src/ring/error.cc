#include "ring/error.h"

#include <cerrno>

#include "base/assert.h"

namespace ringtalk::ring {

const char* to_string(Error error) noexcept {
  switch (error) {
    case Error::none:
      return "no error";
    case Error::cancelled:
      return "cancelled";
    case Error::refused:
      return "connection refused";
    case Error::reset:
      return "connection reset by the peer";
    case Error::broken:
      return "the peer has gone";
    case Error::timed_out:
      return "timed out";
    case Error::unreachable:
      return "unreachable";
    case Error::address_in_use:
      return "address in use";
    case Error::address_unavailable:
      return "no such local address, or no port left";
    case Error::permission:
      return "not permitted";
    case Error::no_slots:
      return "no connection slot left";
    case Error::no_descriptors:
      return "no file descriptor left (ulimit -n)";
    case Error::no_memory:
      return "no memory left in the kernel";
    case Error::unsupported:
      return "not supported by this kernel";
    case Error::other:
      return "unexpected kernel error";
  }
  UNREACHABLE();
}

Error error_from_errno(int number) noexcept {
  ASSERT(number > 0);
  switch (number) {
    case ECANCELED:
      return Error::cancelled;
    case ECONNREFUSED:
      return Error::refused;
    case ECONNRESET:
    case ECONNABORTED:
      return Error::reset;
    case EPIPE:
    case ENOTCONN:
    case ESHUTDOWN:
      return Error::broken;
    case ETIMEDOUT:
      return Error::timed_out;
    case EHOSTUNREACH:
    case ENETUNREACH:
    case EHOSTDOWN:
    case ENETDOWN:
      return Error::unreachable;
    case EADDRINUSE:
      return Error::address_in_use;
    case EADDRNOTAVAIL:
      return Error::address_unavailable;
    case EACCES:
    case EPERM:
      return Error::permission;
    case EMFILE:
    case ENFILE:
      return Error::no_descriptors;
    case ENOMEM:
    case ENOBUFS:
    case ENOSPC:
      return Error::no_memory;
    case ENOSYS:
    case EOPNOTSUPP:
    case EAFNOSUPPORT:
    case EPROTONOSUPPORT:
    case EINVAL:
      return Error::unsupported;
    default:
      return Error::other;
  }
}

}  // namespace ringtalk::ring
