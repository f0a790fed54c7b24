#include "proto/error_text.h"

namespace ringtalk::proto {

std::string_view sentence_of(wire::ErrorCode code) noexcept {
  switch (code) {
    case wire::ErrorCode::None:
      return "no error";
    case wire::ErrorCode::BadFrame:
      return "the bytes are no frame of this protocol";
    case wire::ErrorCode::TooLarge:
      return "the frame or the body is larger than the limit";
    case wire::ErrorCode::Unsupported:
      return "this server does not serve this request";
    case wire::ErrorCode::TooManyRequests:
      return "too many requests, wait a little";
    case wire::ErrorCode::ServerBusy:
      return "the server is full or busy, try again later";
    case wire::ErrorCode::PreLoginEvicted:
      return "too many connections wait to log in, and this one had waited longest";
    case wire::ErrorCode::VersionTooOld:
      return "this client is too old for the server";
    case wire::ErrorCode::NotLoggedIn:
      return "log in first";
    case wire::ErrorCode::WrongCredentials:
      return "wrong name or password";
    case wire::ErrorCode::NameTaken:
      return "somebody has this name, choose another";
    case wire::ErrorCode::AlreadyLoggedIn:
      return "this connection is logged in";
    case wire::ErrorCode::Blocked:
      return "the other side has blocked this user";
    case wire::ErrorCode::NotMember:
      return "only members may do this, join first";
    case wire::ErrorCode::Forbidden:
      return "this session may not do this";
    case wire::ErrorCode::NotFound:
      return "there is no such user";
    case wire::ErrorCode::Conflict:
      return "this message id was used for another message";
    case wire::ErrorCode::StoreUnavailable:
      return "messages cannot be stored now, nothing was, try again later";
    case wire::ErrorCode::Draining:
      return "the server is being stopped";
    case wire::ErrorCode::BadRequest:
      return "a field of the request makes no sense";
    case wire::ErrorCode::TokenInvalid:
      return "the token is not, or no longer, good here, log in with the password";
    case wire::ErrorCode::HelloExpected:
      return "Hello comes first";
    case wire::ErrorCode::LoginTimeout:
      return "no login came in time";
    case wire::ErrorCode::HeartbeatLost:
      return "nothing was heard for too long";
    case wire::ErrorCode::SlowReader:
      return "what was sent is read too slowly";
  }
  return "an error that this version does not know";
}

}  // namespace ringtalk::proto
